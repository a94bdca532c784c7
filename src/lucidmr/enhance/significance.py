"""What of an image no test tells from noise: coefficients in which the noisy original shows no more than its noise.

The network leaves what may be anatomy. Anatomy that spans a few pixels stands out in some coefficients of a cosine
transform of small blocks; where a coefficient of the original does not stand out of the noise, what the network leaves
of it is taken for noise, too. Blocks, transform and averaging over all positions are those of DCT denoising (Yu and
Sapiro, IPOL 2011); the original decides there as well, but what is thresholded here is what the network has left.
"""

import math
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
    transform = _transform()
    dropped = (_blocks(reference, acquired, transform).abs() <= SIGNIFICANT * noise_sd).to(images.dtype)
    dropped[:, 0] = 0.0
    # Blocks that need few coefficients say most about their pixels.
    weights = 1.0 / (1.0 + BLOCK**2 - dropped.sum(1, keepdim=True))
    removed = transform.T @ (_blocks(images, acquired, transform) * dropped)
    total = _overlapped(weights.expand_as(removed), acquired)
    return resample(_overlapped(removed * weights, acquired) / total, whole)


def _transform() -> Float[Tensor, "coefficient pixel"]:
    """The orthonormal cosine transform of a block; its first row is the mean's."""
    turns = torch.arange(BLOCK)[:, None] * (torch.arange(BLOCK) + 0.5) * (math.pi / BLOCK)
    one = torch.cos(turns) * math.sqrt(2.0 / BLOCK)
    one[0] /= math.sqrt(2.0)
    return torch.kron(one, one)


def _blocks(images: Images, acquired: tuple[int, int], transform: Tensor) -> Float[Tensor, "b coefficient place"]:
    """Coefficients of the blocks of images on the acquired matrix, beyond the border, too."""
    padded = F.pad(resample(images, acquired)[:, None], _margins(acquired), mode="replicate")
    return transform @ F.unfold(padded, BLOCK, stride=_STEP)


def _overlapped(blocks: Float[Tensor, "b pixel place"], acquired: tuple[int, int]) -> Images:
    """The sum of blocks at their places, on the acquired matrix."""
    left, right, top, bottom = _margins(acquired)
    height, width = acquired[0] + top + bottom, acquired[1] + left + right
    whole = F.fold(blocks, (height, width), BLOCK, stride=_STEP)[:, 0]
    return whole[:, top : height - bottom, left : width - right]


def _margins(acquired: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pixels around a matrix (left, right, top, bottom), so that each of it is in as many blocks as any other."""
    side = BLOCK - _STEP
    return side, side + acquired[1] % _STEP, side, side + acquired[0] % _STEP
