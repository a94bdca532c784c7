"""Noise before and after, in regions of interest and between repeated acquisitions.

The third way, which needs neither, is :func:`lucidmr.enhance.probe.probe`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import local_structure
from lucidmr.shapes import Image


@dataclass(frozen=True)
class NoiseReduction:
    """Noise and mean signal in one region of interest.

    Attributes:
        factor: Noise before / noise after.
        sd_before: Standard deviation after removal of a linear trend, in the image's units.
        sd_after: The same of the processed image.
        mean_change: (mean after - mean before) / mean before.
    """

    factor: float
    sd_before: float
    sd_after: float
    mean_change: float


def noise_reduction(
    before: Float[Tensor, "freq phase"], after: Float[Tensor, "freq phase"], region: Bool[Tensor, "freq phase"]
) -> NoiseReduction:
    """Compare the noise in a homogeneous region of interest (as the pons in Jeong et al., arXiv 2405.03684, 3.2).

    Args:
        before: The untouched image on the grid of ``after``.
        after: The processed image.
        region: True in the region.

    Returns:
        Noise and signal before and after; the factor is infinite where no noise is left.

    Raises:
        ValueError: The region has fewer than 10 pixels.
    """
    if int(region.sum()) < 10:
        raise ValueError(f"a region of {int(region.sum())} pixels is too small to measure noise in; use 10 or more")
    sd_before, sd_after = detrended_sd(before, region), detrended_sd(after, region)
    mean_before, mean_after = float(before[region].mean()), float(after[region].mean())
    change = (mean_after - mean_before) / mean_before if mean_before else float("nan")
    return NoiseReduction(_ratio(sd_before, sd_after), sd_before, sd_after, change)


def detrended_sd(image: Float[Tensor, "freq phase"], region: Bool[Tensor, "freq phase"]) -> float:
    """Standard deviation within a region after subtraction of the plane that fits it best (least squares).

    Args:
        image: The image.
        region: True in the region; more than 3 pixels.

    Returns:
        The standard deviation, unbiased for the three parameters of the plane.
    """
    # Centred double precision: the plane must not depend on where in a large image the region lies.
    position = region.nonzero().double()
    plane = torch.cat([torch.ones_like(position[:, :1]), position - position.mean(0)], dim=1)
    values = image[region].double()
    fitted: Tensor = plane @ torch.linalg.lstsq(plane, values[:, None]).solution
    return float(((values - fitted[:, 0]).square().sum() / (len(values) - 3)).sqrt())


def homogeneous_regions(
    image: Float[Tensor, "freq phase"], count: int = 5, radius: int | None = None
) -> Bool[Tensor, "region freq phase"]:
    """Place disjoint discs where the body shows the least structure.

    Args:
        image: Magnitude or signed image.
        count: How many discs at most.
        radius: Their radius in pixels; by default a fortieth of the longer side, at least 3.

    Returns:
        One mask per disc, most homogeneous first; none where the body is too small for any.
    """
    radius = max(3, round(max(image.shape) / 40)) if radius is None else radius
    row, column = (torch.arange(n, device=image.device) for n in image.shape)
    cost = _worst_within(local_structure(image), body_mask(image), radius)
    regions: list[Tensor] = []
    while len(regions) < count and bool(cost.isfinite().any()):
        centre_row, centre_column = divmod(int(cost.argmin()), image.shape[1])
        distance = torch.hypot((row - centre_row)[:, None].float(), (column - centre_column).float())
        regions.append(distance <= radius)
        cost[distance <= 2 * radius + 1] = torch.inf
    return torch.stack(regions) if regions else torch.zeros(0, *image.shape, dtype=torch.bool, device=image.device)


def repeated_noise_reduction(
    first_before: Image, second_before: Image, first_after: Image, second_after: Image
) -> float:
    """Compare the noise of two repeated acquisitions, processed independently.

    Args:
        first_before: The first acquisition, untouched, on the output grid.
        second_before: The second one.
        first_after: The first acquisition, processed.
        second_after: The second one.

    Returns:
        std(difference before) / std(difference after) over the body.
    """
    body = body_mask(0.5 * (first_before + second_before))
    return _ratio(float((first_before - second_before)[body].std()), float((first_after - second_after)[body].std()))


def linear_blend(image: Image, denoised: Image, factor: float) -> Image:
    """The free baseline of every comparison: mix a fully denoised image with its input to leave 1/factor of the noise.

    Args:
        image: The noisy input.
        denoised: The same image without noise, as far as some method could remove it.
        factor: Wanted noise reduction factor, 1 or more.

    Returns:
        image / factor + (1 - 1 / factor) * denoised.
    """
    return image / factor + (1.0 - 1.0 / factor) * denoised


def _ratio(before: float, after: float) -> float:
    return before / after if after > 0.0 else float("inf")


def _worst_within(
    structure: Float[Tensor, "freq phase"], body: Bool[Tensor, "freq phase"], radius: int
) -> Float[Tensor, "freq phase"]:
    """The most structure within a disc's bounding square around each pixel; infinite where it leaves the body."""
    cost = torch.where(body, structure, torch.inf)
    side = 2 * radius + 1
    padded = torch.nn.functional.pad(cost[None, None], (radius,) * 4, value=torch.inf)
    worst = torch.nn.functional.max_pool2d(padded, (side, 1), 1)
    return torch.nn.functional.max_pool2d(worst, (1, side), 1)[0, 0]
