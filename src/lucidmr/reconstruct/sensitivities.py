"""Receive sensitivities of one examination, on whatever matrix a step of the chain needs them."""

from dataclasses import dataclass, field
from typing import Final

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.physics.fourier import COIL, ENCODED
from lucidmr.physics.sensitivities import espirit, inati, low_resolution, walsh
from lucidmr.reconstruct.combine import total_power
from lucidmr.reconstruct.settings import SensitivityMethod
from lucidmr.shapes import CoilMaps

Matrix = tuple[int, int, int]
_MOST_PIXELS_2D: Final = 192
_MOST_PIXELS_3D: Final = 64
"""Of an estimate along each direction; sensitivities are smoother than that."""


@dataclass(frozen=True)
class Sensitivities:
    """Calibration data and the sensitivities that follow from them, estimated once, when they are first asked for.

    Input and target of a pair share them, so that both combined images have the same phase. They are smooth: the
    estimate is made on few pixels and interpolated to whatever matrix is asked for.

    Attributes:
        lines: Fully sampled block around DC.
        method: How sensitivities are estimated; ESPIRiT gives way to Walsh where the block is thinner than two of its
            kernels.
        known: Sensitivities of a simulated array, on any matrix; for ``method`` "known" and for prescan normalization.
    """

    lines: Complex[Tensor, "... coil slice_line freq_line phase_line"]
    method: SensitivityMethod
    known: CoilMaps | None = None
    _estimates: list[Tensor] = field(default_factory=list, init=False, repr=False, compare=False)
    _found: dict[Matrix, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def maps(self, matrix: Matrix) -> CoilMaps:
        """Sensitivities on a matrix, of unit root sum of squares; 0 where there is no signal to tell.

        Raises:
            ValueError: Known sensitivities are wanted and there are none.
        """
        if matrix not in self._found:
            maps = resize_maps(self._source(matrix), matrix)
            length = total_power(maps.unbind(COIL)).sqrt().clamp_min(1e-12)
            self._found[matrix] = maps / length.unsqueeze(COIL)
        return self._found[matrix]

    def _source(self, matrix: Matrix) -> CoilMaps:
        """What is interpolated: known sensitivities, or the estimate for the matrix that is asked for first."""
        if self.method == "known":
            return self._needed("sensitivities 'known'")
        if not self._estimates:
            most = _MOST_PIXELS_2D if matrix[0] == 1 else _MOST_PIXELS_3D
            n_slice, n_freq, n_phase = (min(n, most) for n in matrix)
            self._estimates.append(self._estimate((n_slice, n_freq, n_phase)))
        return self._estimates[0]

    def _estimate(self, grid: Matrix) -> CoilMaps:
        kernel = 6 if grid[0] == 1 else 4
        # A thin slab of low resolution, or partial Fourier, leaves few fully sampled lines. Too few patches do not span
        # the signal, its eigenvalues stay far below 1, and cropping would leave a black image.
        if self.method == "espirit" and all(n >= 2 * kernel for n in self.lines.shape[-3:] if n > 1):
            return espirit(self.lines, grid, kernel=kernel)
        images = low_resolution(self.lines, grid)
        return inati(images) if self.method == "inati" else walsh(images)

    def shading(self, matrix: Matrix) -> Float[Tensor, "slice freq phase"]:
        """Root sum of squares of the known sensitivities: how much more the array sees than a body coil would.

        Raises:
            ValueError: The scan has no known sensitivities.
        """
        return total_power(resize_maps(self._needed("prescan normalization"), matrix).unbind(COIL)).sqrt()

    def _needed(self, purpose: str) -> CoilMaps:
        if self.known is None:
            raise ValueError(f"{purpose} needs known sensitivities, and the scan has none")
        return self.known


def resize_maps(maps: CoilMaps, matrix: Matrix) -> Complex[Tensor, "... coil s f p"]:
    """Linear interpolation of smooth sensitivities to another matrix over the same field of view.

    Pixel n // 2 of every axis stays in place, as in :func:`lucidmr.physics.fourier.resize_kspace`.
    """
    resized: Tensor = maps
    # The last axis is the slowest to interpolate: it comes first, while the array is small.
    for axis, n in reversed(list(zip(ENCODED, matrix, strict=True))):
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
    return maps.index_select(axis, below).lerp_(maps.index_select(axis, above), share.to(maps.dtype))
