"""What a network finds in standardized images: noise and details, and how far they may be kept."""

import math
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.context import Context
from lucidmr.enhance.device import fast_precision
from lucidmr.enhance.tiling import parts_of
from lucidmr.network.ce_unet import CEUNet
from lucidmr.physics.image_noise import local_mean
from lucidmr.shapes import ContextVectors
from lucidmr.standardize import resample

_BEYOND: Final = 1.5
"""Times the acquired k-space that predictions may have: interpolation is smooth there, and all of the band is kept."""

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
    halved = fast_precision(device) == torch.bfloat16

    def parts(batch: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=halved):
            return network.parts(batch, context.expand(len(batch), -1))

    with torch.inference_mode():
        return parts_of(parts, stacks.to(device), network.settings.stride).cpu()


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


def without_mean(parts: Parts, body: Bool[Tensor, "b 1 h w"], most: float) -> Parts:
    """Parts whose mean over the body is 0, as noise has none, nor has what lies beyond k_max.

    Where air shows a noise floor, the predicted noise (the first part) keeps a mean of 0 to ``most``, what the floor
    adds to the body; without that limit the network's idea of it would darken images. Air is left as it is.
    """
    inside = body.float()
    mean = (parts * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp_min(1)
    mean[:, :1] -= mean[:, :1].clamp(0.0, most)
    return parts - mean * local_mean(inside)
