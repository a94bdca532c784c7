"""How much of an image's noise a processor removes: weak extra noise of its own level and band is sent through.

Everything is in the image's own units; lengths are pixels; extents are fractions of the grid's Nyquist frequency.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import homogeneous_mask, local_mean
from lucidmr.shapes import Image

MAX_NRF: Final = 100.0
"""Factors are capped here: an output that does not respond at all would read infinity."""


@dataclass(frozen=True)
class ProbeResult:
    """Measured noise reduction factors: noise before / noise after.

    Attributes:
        nrf_map: The local factor on the output grid, at most :data:`MAX_NRF`.
        homogeneous: Median over homogeneous tissue: what the dial is defined on.
        body: Median over the whole body, where a careful processor removes less next to edges.
    """

    nrf_map: Float[Tensor, "batch freq phase"]
    homogeneous: float
    body: float


def probe(
    process: Callable[[Image], Image],
    resample: Callable[[Image], Image],
    image: Float[Tensor, "batch freq phase"],
    noise: Sequence[Float[Tensor, "batch freq phase"]],
) -> ProbeResult:
    """Measure the noise reduction of a processor on this very image.

    Independent noise of the image's own level and band is added, and the change it makes to the output is compared
    with the change it makes to the untouched input on the same grid.

    Args:
        process: The processor: images on the native grid to images on the output grid.
        resample: The same change of grid without any processing.
        image: The images, native grid.
        noise: Realisations of the noise to add, as a rule :func:`band_noise` as :func:`estimate_noise` finds it.

    Returns:
        The map and its medians, ``nan`` where an image has no body.

    Raises:
        ValueError: The noise is 0: nothing can be measured.
    """
    if not all(bool(extra.any()) for extra in noise):
        raise ValueError("the noise to add is 0, so no noise reduction can be measured")
    before, after = resample(image).float(), process(image).float()
    power_in, power_out = torch.zeros_like(before), torch.zeros_like(after)
    for extra in noise:
        noisy = image + extra
        power_in += local_mean((resample(noisy) - before).square())
        power_out += local_mean((process(noisy) - after).square())
    nrf_map = (power_in / power_out.clamp_min(torch.finfo(power_out.dtype).tiny)).sqrt().clamp_max(MAX_NRF)
    body = body_mask(before)
    homogeneous = homogeneous_mask(before)
    return ProbeResult(nrf_map, float(nrf_map[homogeneous].median()), float(nrf_map[body].median()))
