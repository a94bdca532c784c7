"""Receive sensitivities of one examination, on whatever matrix a step of the chain needs them."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.physics.fourier import ENCODED
from lucidmr.physics.sensitivities import espirit, inati, low_resolution, walsh
from lucidmr.reconstruct.settings import SensitivityMethod
from lucidmr.shapes import CoilMaps

Matrix = tuple[int, int, int]


@dataclass(frozen=True)
class Sensitivities:
    """Calibration data and the sensitivities that follow from them, computed when they are first asked for.

    Input and target of a pair share them, so that both combined images have the same phase.

    Attributes:
        lines: Fully sampled block around DC.
        method: How sensitivities are estimated.
        known: Sensitivities of a simulated array, on any matrix; for ``method`` "known" and for prescan normalization.
    """

    lines: Complex[Tensor, "... coil slice_line freq_line phase_line"]
    method: SensitivityMethod
    known: CoilMaps | None = None
    _found: dict[Matrix, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def maps(self, matrix: Matrix) -> CoilMaps:
        """Sensitivities on a matrix, of unit root sum of squares; 0 where there is no signal to tell.

        Raises:
            ValueError: Known sensitivities are wanted and there are none.
        """
        if matrix not in self._found:
            self._found[matrix] = self._estimate(matrix)
        return self._found[matrix]

    def shading(self, matrix: Matrix) -> Float[Tensor, "slice freq phase"]:
        """Root sum of squares of the known sensitivities: how much more the array sees than a body coil would.

        Raises:
            ValueError: The scan has no known sensitivities.
        """
        return resize_maps(self._needed("prescan normalization"), matrix).abs().square().sum(-4).sqrt()

    def _needed(self, purpose: str) -> CoilMaps:
        if self.known is None:
            raise ValueError(f"{purpose} needs known sensitivities, and the scan has none")
        return self.known

    def _estimate(self, matrix: Matrix) -> CoilMaps:
        match self.method:
            case "known":
                maps = resize_maps(self._needed("sensitivities 'known'"), matrix)
                return maps / maps.abs().square().sum(-4, keepdim=True).sqrt().clamp_min(1e-12)
            case "espirit":
                return espirit(self.lines, matrix, kernel=6 if matrix[0] == 1 else 4)
            case "walsh":
                return walsh(low_resolution(self.lines, matrix))
            case "inati":
                return inati(low_resolution(self.lines, matrix))


def resize_maps(maps: CoilMaps, matrix: Matrix) -> Complex[Tensor, "... coil s f p"]:
    """Linear interpolation of smooth sensitivities to another matrix over the same field of view.

    Pixel n // 2 of every axis stays in place, as in :func:`lucidmr.physics.fourier.resize_kspace`.
    """
    resized: Tensor = maps
    for axis, n in zip(ENCODED, matrix, strict=True):
        resized = _resize_axis(resized, axis, n)
    return resized


def _resize_axis(maps: Tensor, axis: int, n: int) -> Tensor:
    old = maps.shape[axis]
    if n == old:
        return maps
    position = (torch.arange(n, device=maps.device) - n // 2) * (old / n) + old // 2
    position = position.clamp(0, old - 1)
    below = position.floor().long().clamp(max=max(old - 2, 0))
    share = (position - below).reshape(-1, *[1] * (-axis - 1))
    above = (below + 1).clamp(max=old - 1)
    return maps.index_select(axis, below) * (1 - share) + maps.index_select(axis, above) * share
