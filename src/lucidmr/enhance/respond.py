"""What the network does to the noise of an image, measured on windows of it: the dial needs no more of the image.

Windows lie where homogeneous tissue is, and have structured tissue around it. A quarter of the image's pixels at most
goes through the network, twice.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from lucidmr.enhance.calibrate import Response, response_of, spill
from lucidmr.enhance.neighbours import middle
from lucidmr.enhance.tiling import Parts
from lucidmr.physics.image_noise import Tissue, tissue_of
from lucidmr.shapes import Image, Mask

WINDOW: Final = 256
"""Side of a window, pixels: wider than the network's effective reach, a multiple of its stride."""
_SHARE: Final = 0.25
"""Of the image's pixels that windows may hold."""

Window = tuple[slice, slice]
Stack = Float[Tensor, "slice freq phase"]


class Behaviour(NamedTuple):
    """What the network does to an image's noise.

    Attributes:
        response: To weak extra noise, in homogeneous tissue.
        spill: How much stronger what is taken for noise is beside structure.
    """

    response: Response
    spill: float


def behaviour(
    network: Parts, details: Callable[[Tensor], Tensor], image: Image, given: Stack, noisy: Stack
) -> Behaviour:
    """Send a stack of slices through the network with and without weak extra noise.

    Args:
        network: Stacks to parts: predicted noise, then the details.
        details: Parts to the sum of the details that are let through, (b, h, w).
        image: (1, freq, phase), the middle slice in its own units; tissue is looked for in it.
        given: The stack, standardized.
        noisy: The same with extra noise.

    Returns:
        Response and spill; empty and 0 where the image has no body.
    """
    tissue = tissue_of(image)
    windows = windows_on(tissue.homogeneous[0])
    if not windows:
        nothing = torch.zeros_like(image)
        return Behaviour(response_of(nothing, nothing, nothing, tissue.homogeneous), 0.0)
    parts = network(torch.stack([stack[:, rows, columns] for stack in (given, noisy) for rows, columns in windows]))
    before, after = parts.chunk(2)
    change = after - before
    covered = _placed(torch.ones_like(before[:, 0]), windows, image) > 0
    added = (middle(noisy) - middle(given)) * covered
    kept = added + _placed(details(change), windows, image)
    inside = Tissue(*(where & covered for where in tissue))
    response = response_of(added, kept, _placed(change[:, 0], windows, image), inside.homogeneous)
    return Behaviour(response, spill(_placed(before[:, 0], windows, image), inside))


def windows_on(mask: Mask) -> list[Window]:
    """Place windows so that they hold as much of a mask as they can.

    Args:
        mask: (freq, phase).

    Returns:
        Windows of equal size, the fullest first, as many as a quarter of the image takes, at least one; none for an
        empty mask. They may overlap.
    """
    height, width = (min(WINDOW, side) for side in mask.shape)
    most = max(1, int(_SHARE * mask.numel() / (height * width)))
    left, found = mask.clone(), list[Window]()
    while len(found) < most and bool(left.any()):
        held = _held(left, height, width)
        row, column = divmod(int(held.argmax()), held.shape[1])
        found.append((slice(row, row + height), slice(column, column + width)))
        left[found[-1]] = False
    return found


def _held(mask: Mask, height: int, width: int) -> Int64[Tensor, "row column"]:
    """How much of a mask a window holds, for every place of its first corner."""
    sums = F.pad(mask.long().cumsum(0).cumsum(1), (1, 0, 1, 0))
    return sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]


def _placed(values: Float[Tensor, "window h w"], windows: list[Window], image: Image) -> Image:
    """Windows at their places in an image that is 0 elsewhere."""
    whole = torch.zeros_like(image)
    for window, value in zip(windows, values, strict=True):
        whole[0][window] = value
    return whole
