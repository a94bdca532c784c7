"""What a network finds in standardized images: noise and details, and how far they may be kept."""

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.context import FILLED, Context
from lucidmr.device import autocast
from lucidmr.enhance.tiling import parts_of
from lucidmr.network.ce_unet import CEUNet
from lucidmr.physics.averages import box_mean
from lucidmr.physics.image_noise import local_mean
from lucidmr.shapes import ContextVectors
from lucidmr.standardize import resample

_BEYOND: Final = 1.5
"""Times the acquired k-space that predictions may have: interpolation is smooth there, and all of the band is kept."""
_REGION: Final = 16
"""Side of an image over the radius of a region."""
_LARGEST: Final = 2.0
"""Standard deviations of the mean of noise over a region that it may come to."""

Stacks = Float[Tensor, "b slice h w"]
Parts = Float[Tensor, "b part h w"]


def vector(context: Context) -> Float[Tensor, "1 field"]:
    """A context as the network takes it."""
    return torch.tensor([context.vector])


def predicted(network: CEUNet, stacks: Stacks, told: ContextVectors, device: torch.device) -> Parts:
    """Noise and details of standardized slices, in the fastest precision that the device has.

    Args:
        network: The network, on the device.
        stacks: As many slices as it takes, of any size.
        told: Context of all of them.
        device: Where to compute.

    Returns:
        The parts, on the CPU.

    Raises:
        LucidError: Memory does not suffice.
    """
    context = told.to(device)

    def parts(batch: Tensor) -> Tensor:
        with autocast(device):
            return network.parts(batch, context.expand(len(batch), -1))

    with torch.inference_mode():
        return parts_of(parts, stacks.to(device), network.settings.stride).cpu()


def on_working_grid(
    network: Callable[[Stacks, Context], Parts], stacks: Stacks, told: Context, wanted: tuple[float, float]
) -> Parts:
    """Ask a network on the grid that it works on: so coarse that the wanted k-space fills it as far as in training.

    Args:
        network: Stacks and what it is told of them, to parts.
        stacks: Standardized slices.
        told: Context on their grid.
        wanted: The wanted k-space over the Nyquist frequency of their grid along (freq, phase).

    Returns:
        The parts on the stacks' grid.
    """
    zoom = min(1.0, max(wanted) / FILLED)
    height, width = stacks.shape[-2:]
    coarse = resample(stacks, (max(1, round(zoom * height)), max(1, round(zoom * width))))
    return resample(network(coarse, told.on_grid(zoom)), (height, width))


def in_band(images: Parts, density: tuple[float, float]) -> Parts:
    """Images without what lies far beyond their k-space.

    The stem puts neighbouring pixels side by side, so the network leaves traces of its grid there, more with each pass.

    Args:
        images: On the network's grid.
        density: Pixels that hold what they may show, per pixel of the grid along (freq, phase).
    """
    height, width = images.shape[-2:]
    band = tuple(math.ceil(min(1.0, _BEYOND * share) * n) for share, n in zip(density, (height, width), strict=True))
    return images if band == (height, width) else resample(resample(images, (band[0], band[1])), (height, width))


def without_mean(parts: Parts, body: Bool[Tensor, "b 1 h w"], noise_sd: float, density: tuple[float, float]) -> Parts:
    """Parts whose mean over the body is 0, and outside it the mean around every pixel.

    Noise has none, nor has what lies beyond k_max. What noise adds to the mean of a magnitude image is not for the
    network to find: it sees images without their zero (:mod:`lucidmr.physics.noise_floor`). Nor may the mean of the
    predicted noise over a region of the body be more than that of noise can be.

    Args:
        parts: Noise and details of whole images.
        body: Where the body is.
        noise_sd: Standard deviation of the noise, standardized.
        density: Acquired pixels per pixel of the grid along (freq, phase).
    """
    inside = body.float()
    mean = (parts * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp_min(1)
    near = local_mean(inside)
    left = parts - near * mean - (1.0 - near) * local_mean(parts)
    radius = max(1, max(body.shape[-2:]) // _REGION)
    radii = (radius, radius)
    regional = box_mean(left[:, :1] * inside, radii) / box_mean(inside, radii).clamp_min(1e-3)
    most = _LARGEST * noise_sd / math.sqrt(max(1.0, (2 * radius + 1) ** 2 * math.prod(density)))
    left[:, :1] -= near * (regional - regional.clamp(-most, most))
    return left
