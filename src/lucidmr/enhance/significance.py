"""What of an image no test tells from noise: coefficients in which it shows no more than its noise.

Anatomy that spans a few pixels stands out in some coefficients of a cosine transform of small blocks; where a
coefficient does not stand out of the noise, it is taken for noise. Blocks, transform and averaging over all positions
are those of DCT denoising (Yu and Sapiro, IPOL 2011). Of a volume the blocks hold neighbouring slices, too: anatomy
goes on there, noise does not. All is done on the pixels that were acquired: what interpolation has left of the highest
frequencies, where most noise is, would not be enough.
"""

import math
from functools import cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.image_noise import NoiseEstimate, cut_to_band, on_matrix
from lucidmr.shapes import Image

BLOCK: Final = 8
"""Side of a block, acquired pixels."""
SLICES: Final = 3
"""Slices of a block of a volume: more take no more noise off, as anatomy changes from slice to slice."""
SIGNIFICANT: Final = 1.5
"""Times the noise that a coefficient must be to count as anatomy. At 2 and 2.7 more noise goes, and more of what is
true as well (docs/results)."""
_STEP: Final = 2
"""Acquired pixels between neighbouring blocks."""
_MARGIN: Final = BLOCK - _STEP
_STRIP: Final = 512
"""Acquired rows that are transformed at once: there are sixteen coefficients to each pixel of a slice."""

Stack = Float[Tensor, "slice freq phase"]


def insignificant(stack: Stack, noise: NoiseEstimate) -> Image:
    """What of the middle one of some slices lies in coefficients in which they show no more than their noise.

    Args:
        stack: A slice, or an odd number of neighbouring ones, on the matrix as stored; :data:`SLICES` of them are
            looked at, at most.
        noise: Level and band; where the level is 0, nothing is insignificant.

    Returns:
        (1, freq, phase), part of the middle slice and of its band; the mean of a block never is in it.
    """
    around = min(len(stack), SLICES) // 2
    near = stack[len(stack) // 2 - around : len(stack) // 2 + around + 1]
    acquired = cut_to_band(near, noise)
    padded = _padded(acquired)
    removed, weights = torch.zeros_like(padded[:1]), torch.zeros_like(padded[:1])
    for top in range(0, padded.shape[2] - BLOCK + 1, _STRIP):
        rows = slice(top, top + _STRIP + BLOCK - _STEP)
        part, weight = _overlapped(padded[:, :, rows], SIGNIFICANT * noise.sd)
        removed[:, :, rows] += part
        weights[:, :, rows] += weight
    height, width = (slice(_MARGIN, _MARGIN + side) for side in acquired.shape[-2:])
    return on_matrix((removed / weights)[0, :, height, width], (stack.shape[-2], stack.shape[-1]))


def _padded(images: Stack) -> Float[Tensor, "slice 1 h w"]:
    """Beyond the borders, so that each pixel is in as many blocks as any other, and to an even number of pixels."""
    height, width = images.shape[-2:]
    margins = (_MARGIN, _MARGIN + width % _STEP, _MARGIN, _MARGIN + height % _STEP)
    return F.pad(images[:, None], margins, mode="replicate")


def _overlapped(
    images: Float[Tensor, "slice 1 h w"], limit: float
) -> tuple[Float[Tensor, "1 1 h w"], Float[Tensor, "1 1 h w"]]:
    """Sums over blocks of what of the middle slice is to go, weighted, and of the weights."""
    in_plane, along = _cosines(BLOCK), _cosines(len(images))
    transform = torch.kron(in_plane, in_plane)
    coefficients = torch.tensordot(along, transform @ F.unfold(images, BLOCK, stride=_STEP), 1)
    dropped = (coefficients.abs() <= limit).to(images.dtype)
    dropped[0, 0] = 0.0
    # Blocks that need few coefficients say most about their pixels.
    weights = 1.0 / (1.0 + dropped[..., 0].numel() - dropped.sum((0, 1)))
    middle = torch.tensordot(along[:, len(images) // 2], coefficients * dropped, 1)
    gone = weights * (transform.T @ middle)
    shape = (images.shape[-2], images.shape[-1])
    part, weight = (F.fold(one[None], shape, BLOCK, stride=_STEP) for one in (gone, weights.expand_as(gone)))
    return part, weight


@cache
def _cosines(count: int) -> Float[Tensor, "coefficient sample"]:
    """The orthonormal cosine transform of so many samples; its first row is the mean's."""
    turns = torch.arange(count)[:, None] * (torch.arange(count) + 0.5) * (math.pi / count)
    transform = torch.cos(turns) * math.sqrt(2.0 / count)
    transform[0] /= math.sqrt(2.0)
    return transform
