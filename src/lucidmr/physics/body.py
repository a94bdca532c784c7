"""Where the body is in an image, told from air and masked background by its brightness alone."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.averages import box_mean
from lucidmr.shapes import Image, Mask

_DARKEST: Final = 0.02
"""Share of an image that is darker than what counts as its darkest."""
_BRIGHTEST: Final = 0.9
_BRIGHT: Final = 0.67
"""The darkest over the brightest from which on an image is taken to be filled with tissue."""
_AIR: Final = 0.25
"""Share of what is no body at first that counts as air for certain, darkest first."""
_ABOVE_AIR: Final = 3.0
"""Times the brightest of that, counted from the darkest: all of air is darker, as noise spreads it."""
_COARSE: Final = 64
"""Pixels along the longer side of the grid on which shading is followed, at least."""
_AROUND: Final = 16
"""Side of an image over the half-width of what counts as around a pixel."""
_MAX_SAMPLES: Final = 1_000_000


def body_mask(image: Image) -> Mask:
    """Separate body from air and masked background.

    The threshold is the fixed point "half the median of what lies above it" (R. W. Cox, AFNI 3dClipLevel), one for all
    images given, applied after a light smoothing so that noise does not puncture the mask. Both count from the darkest
    of the image: the noise floor of a magnitude image may be more than half of what tissue gives. Coils may have shaded
    the image until most tissue is below it: what is half as bright as the body around it is body as well, and so on
    inwards, as long as it is brighter than air.

    Args:
        image: Magnitude or signed image.

    Returns:
        True in the body; all False for an image of zeros.
    """
    smooth = box_mean(image.abs(), (1, 1), 3)
    lit = image != 0
    values = subsample(smooth[lit])
    if not len(values):
        return lit
    darkest = _darkest(values)
    above = torch.where(lit, smooth - darkest, 0.0)
    return above > _local(above, lit, _clip(values - darkest))


def subsample(values: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
    """Every so many-th value: quantiles of a million are as good as those of a hundred million."""
    return values[:: max(1, len(values) // _MAX_SAMPLES)]


def _darkest(values: Float[Tensor, " n"]) -> float:
    """The darkest of smoothed values; 0 where it is bright enough to be tissue that fills the image."""
    dark, bright = (_quantile(values, share) for share in (_DARKEST, _BRIGHTEST))
    return dark if dark < _BRIGHT * bright else 0.0


def _quantile(values: Float[Tensor, " n"], share: float) -> float:
    """Tensor.quantile sorts all values, which takes several times as long."""
    return float(values.kthvalue(1 + round(share * (len(values) - 1))).values)


def _clip(values: Float[Tensor, " n"]) -> float:
    """The fixed point: half the median of what lies above it."""
    # Starting lower would let it slide into the air of a large field of view, higher to bright fat alone.
    clip = 0.7 * float(values.square().mean().sqrt())
    for _ in range(50):
        above = values[values > clip]
        new = 0.5 * float(above.median()) if above.numel() else 0.0
        if abs(new - clip) <= 1e-3 * new:
            break
        clip = new
    return clip


def _local(image: Image, lit: Mask, clip: float) -> Image:
    """The threshold of every pixel: lower than that of the whole where the body around it is dark."""
    height, width = image.shape[-2:]
    step = max(1, max(height, width) // _COARSE)
    coarse, filled = (_coarsened(one.reshape(-1, height, width).float(), step) for one in (image, lit))
    threshold = _followed(coarse, _least(coarse[(coarse <= clip) & (filled > 0.5)], clip), clip)
    fine = threshold.repeat_interleave(step, -2).repeat_interleave(step, -1)
    return fine[:, :height, :width].reshape(image.shape)


def _coarsened(images: Float[Tensor, "b f p"], step: int) -> Float[Tensor, "b coarse_f coarse_p"]:
    return F.avg_pool2d(images[:, None], step, ceil_mode=True)[:, 0]


def _least(dark: Float[Tensor, " n"], clip: float) -> float:
    """Below this nothing is body, however dark the body around it is."""
    return min(clip, max(0.0, _ABOVE_AIR * _quantile(dark, _AIR))) if len(dark) else clip


def _followed(images: Float[Tensor, "b f p"], least: float, clip: float) -> Float[Tensor, "b f p"]:
    """Thresholds with which the body no longer grows."""
    around = max(1, round(max(images.shape[-2:]) / _AROUND))
    body, grown = torch.zeros_like(images, dtype=torch.bool), images > clip
    threshold = torch.full_like(images, clip)
    while not torch.equal(body, grown):
        body = grown
        known = images * body
        # Weighted by brightness, or dark tissue and the rim of the body would lower what counts as bright beside them.
        squared, plain = (box_mean(one, (around, around)) for one in (known.square(), known))
        threshold = torch.where(plain > 0.0, (0.5 * squared / plain).clamp(least, clip), clip)
        grown = body | (images > threshold)
    return threshold
