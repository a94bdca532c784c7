"""What of an image no test tells from noise: coefficients in which the noisy original shows no more than its noise.

The network leaves what may be anatomy. Anatomy that spans a few pixels stands out in some coefficients of a cosine
transform of small blocks; where a coefficient of the original does not stand out of the noise, what the network leaves
of it is taken for noise, too. Blocks, transform and averaging over all positions are those of DCT denoising (Yu and
Sapiro, IPOL 2011); the original decides there as well, but what is thresholded here is what the network has left.
"""

import math
from functools import cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.standardize import resample

BLOCK: Final = 8
"""Side of a block, acquired pixels."""
SIGNIFICANT: Final = 2.0
"""Times the noise that a coefficient must be to count as anatomy. At 2.7 more noise goes, and of images of little noise
up to 1 dB of what is true (docs/results)."""
_STEP: Final = 2
"""Acquired pixels between neighbouring blocks."""
_MARGIN: Final = BLOCK - _STEP
_STRIP: Final = 512
"""Acquired rows that are transformed at once: there are sixteen coefficients to each pixel."""

Images = Float[Tensor, "b h w"]


def insignificant(images: Images, reference: Images, noise_sd: float, density: tuple[float, float]) -> Images:
    """What of images lies in coefficients in which a reference shows no more than its noise.

    Args:
        images: What is left of the originals.
        reference: The originals, noisy.
        noise_sd: Standard deviation of their noise; where it is 0, nothing is insignificant.
        density: Acquired pixels per pixel along (freq, phase), at most 1.

    Returns:
        Part of the images; the mean of a block never is in it.
    """
    whole = (images.shape[-2], images.shape[-1])
    acquired = round(whole[0] * density[0]), round(whole[1] * density[1])
    left, original = (_padded(resample(image, acquired)) for image in (images, reference))
    removed, weights = torch.zeros_like(left), torch.zeros_like(left)
    for top in range(0, left.shape[2] - BLOCK + 1, _STRIP):
        rows = slice(top, top + _STRIP + BLOCK - _STEP)
        part, weight = _overlapped(left[:, :, rows], original[:, :, rows], SIGNIFICANT * noise_sd)
        removed[:, :, rows] += part
        weights[:, :, rows] += weight
    height, width = (slice(_MARGIN, _MARGIN + side) for side in acquired)
    return resample((removed / weights)[:, 0, height, width], whole)


def _padded(images: Images) -> Float[Tensor, "b 1 h2 w2"]:
    """Beyond the borders, so that each pixel is in as many blocks as any other, and to an even number of pixels."""
    height, width = images.shape[-2:]
    margins = (_MARGIN, _MARGIN + width % _STEP, _MARGIN, _MARGIN + height % _STEP)
    return F.pad(images[:, None], margins, mode="replicate")


def _overlapped(
    left: Float[Tensor, "b 1 h w"], original: Float[Tensor, "b 1 h w"], limit: float
) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b 1 h w"]]:
    """Sums over blocks of what is to go, weighted, and of the weights."""
    transform = _transform()
    coefficients, given = (transform @ F.unfold(images, BLOCK, stride=_STEP) for images in (left, original))
    dropped = (given.abs() <= limit).to(left.dtype)
    dropped[:, 0] = 0.0
    # Blocks that need few coefficients say most about their pixels.
    weights = 1.0 / (1.0 + BLOCK**2 - dropped.sum(1, keepdim=True))
    gone = weights * (transform.T @ (coefficients * dropped))
    shape = (left.shape[-2], left.shape[-1])
    part, weight = (F.fold(one, shape, BLOCK, stride=_STEP) for one in (gone, weights.expand_as(gone)))
    return part, weight


@cache
def _transform() -> Float[Tensor, "coefficient pixel"]:
    """The orthonormal cosine transform of a block; its first row is the mean's."""
    turns = torch.arange(BLOCK)[:, None] * (torch.arange(BLOCK) + 0.5) * (math.pi / BLOCK)
    one = torch.cos(turns) * math.sqrt(2.0 / BLOCK)
    one[0] /= math.sqrt(2.0)
    return torch.kron(one, one)
