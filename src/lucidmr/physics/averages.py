"""Averages over boxes."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.shapes import Image


def box_mean(image: Image, radii: Sequence[int], times: int = 1) -> Image:
    """Mean over the box around each pixel; the border counts only what exists.

    Args:
        image: Images.
        radii: Of the box along freq and phase, pixels: it is 2 r + 1 wide.
        times: How often; three times are near enough to a Gaussian.

    Returns:
        The means.
    """
    along_freq, along_phase = (
        _average(pixels, radius, times, image.device) for pixels, radius in zip(image.shape[-2:], radii, strict=True)
    )
    averaged: Tensor = along_freq @ image.float() @ along_phase.mT
    return averaged


@lru_cache(16)
def _average(pixels: int, radius: int, times: int, device: torch.device) -> Float[Tensor, "pixels pixels"]:
    """The average as a matrix: one product is several times as fast as three passes over a large image."""
    place = torch.arange(pixels, device=device)
    reached = ((place[:, None] - place).abs() <= radius).double()
    average: Tensor = torch.linalg.matrix_power(reached / reached.sum(1, keepdim=True), times)
    return average.float()
