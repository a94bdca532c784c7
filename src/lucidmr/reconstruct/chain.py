"""The scanner's chain in the scanner's order, in one readable place.

It is cut in two: the part that is linear in k-space (filter, zero-filling, transform), through which signal and noise
go separately, and the part that is not (channel combination, magnitude, quantization).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Complex
from torch import Generator, Tensor

from lucidmr.degrade.draw import Sampling
from lucidmr.physics.fourier import resize_kspace, to_image
from lucidmr.physics.windows import WindowName
from lucidmr.reconstruct.combine import root_sum_of_squares, sensitivity_weighted
from lucidmr.reconstruct.filter import anti_ringing
from lucidmr.reconstruct.quantize import quantize
from lucidmr.shapes import CoilImages, CoilMaps, Image, KSpace

Combination = Literal["root_sum_of_squares", "sensitivity_weighted"]


@dataclass(frozen=True)
class Reconstruction:
    """One scenario of conventional reconstruction, the same for input and target of a pair.

    Attributes:
        window: Anti-ringing window.
        window_strength: Its strength, 0 to 1.
        matrix: Reconstructed (freq, phase) pixels: zero-padding interpolation when larger than what was acquired.
        combination: Channel combination.
        levels: Highest stored integer (4095 for 12 bit, 65535 for 16 bit).
        headroom: Stored maximum over the image's maximum; below 1 the brightest pixels clip.
    """

    window: WindowName
    window_strength: float
    matrix: tuple[int, int]
    combination: Combination
    levels: int
    headroom: float

    def to_json(self) -> dict[str, Any]:
        """Plain values that replay the reconstruction."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Reconstruction":
        """The inverse of :meth:`to_json`."""
        return cls(**{**values, "matrix": tuple(values["matrix"])})


def draw_reconstruction(matrix: tuple[int, int], has_maps: bool, generator: Generator) -> Reconstruction:
    """Draw a scenario: about a third unfiltered, half zero-filled by up to two, 12 bit more often than 16.

    Args:
        matrix: Samples of the scan's k-space: the reconstructed matrix is at least that.
        has_maps: Whether sensitivities are known.
        generator: Source of all randomness.

    Returns:
        The scenario.
    """
    names: tuple[WindowName, ...] = ("none", "none", "hann", "hamming", "tukey", "fermi")
    u = torch.rand(6, generator=generator).tolist()
    zoom = 1.0 if u[0] < 0.5 else 1.0 + u[0]
    return Reconstruction(
        window=names[int(u[1] * len(names))],
        window_strength=0.15 + 0.6 * u[2],
        matrix=(round(matrix[0] * zoom), round(matrix[1] * zoom)),
        combination="sensitivity_weighted" if has_maps and u[3] < 0.5 else "root_sum_of_squares",
        levels=4095 if u[4] < 0.75 else 65535,
        headroom=0.9 + 0.8 * u[5],
    )


def coil_images(kspace: KSpace, sampling: Sampling, how: Reconstruction) -> Complex[Tensor, "... coil r s"]:
    """The linear part: filter, zero-padding interpolation, inverse transform to the reconstructed matrix."""
    filtered = anti_ringing(kspace, sampling, how.window, how.window_strength)
    return to_image(resize_kspace(filtered, *how.matrix))


def magnitude(images: CoilImages, maps: CoilMaps | None, how: Reconstruction) -> Image:
    """Channel combination and magnitude.

    Args:
        images: Coil images on the reconstructed matrix.
        maps: Sensitivities on the same matrix; needed for ``sensitivity_weighted``.
        how: The scenario.

    Returns:
        The magnitude image.

    Raises:
        ValueError: Sensitivities are needed and missing.
    """
    if how.combination == "root_sum_of_squares":
        return root_sum_of_squares(images)
    if maps is None:
        raise ValueError("the combination 'sensitivity_weighted' needs sensitivities, and the scan has none")
    return sensitivity_weighted(images, maps).abs()


def store(image: Image, top: float, how: Reconstruction) -> Image:
    """Integer storage; ``top`` is the maximum that the scanner scaled to."""
    return quantize(image, how.levels, top * how.headroom)
