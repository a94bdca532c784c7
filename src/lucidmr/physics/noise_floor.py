"""The noise floor of magnitude images: how bright noise makes air, and what of an image it is.

Squares of signal and noise add up in a magnitude image, whether of one channel or a root sum of squares (Gudbjartsson
and Patz, Magn Reson Med 34:910, 1995; Constantinides et al., Magn Reson Med 38:852, 1997): air shines, dark tissue is
too bright, bright tissue a little. No averaging of the image takes that off.
"""

from math import sqrt
from typing import Final

import torch

from lucidmr.physics.averages import box_mean
from lucidmr.physics.image_noise import local_mean, neighbourhood
from lucidmr.shapes import Image, Mask

_AIR: Final = 0.25
"""Share of what lies outside the body that counts as air."""
_FRAME: Final = 16
"""Side of an image over the width of the frame along its border in which air is looked for."""
_ENOUGH_AIR: Final = 0.25
"""Share of that frame that must lie outside the body."""
_CHANNELS: Final = 64
"""Of the largest arrays; a root sum of squares of so many has a floor of 11 times the noise."""
_DOUBT: Final = 0.3
"""Square of the power of the signal around a pixel, over the floor's, at which half of the pixel is believed: a signal
as strong as the floor is believed by three quarters, one of a third of it hardly."""


def noise_floor(image: Image, body: Mask, noise_sd: float) -> float:
    """Level of air in a magnitude image: noise alone, and the more of it the more channels were combined.

    Args:
        image: Magnitude image, denoised or not.
        body: Where its body is.
        noise_sd: Standard deviation of the noise of tissue before anything was taken off.

    Returns:
        The mean in the darkest quarter of what lies outside along the border of the image, as dark tissue and ghosts
        are brighter. 0 where there is no such air, or it is masked, or brighter than noise can make it: then it is no
        floor, but an offset. Of a signed image, in which noise has no mean, it is next to nothing.
    """
    border = body.new_ones(body.shape)
    frame = max(1, min(image.shape[-2:]) // _FRAME)
    border[..., frame:-frame, frame:-frame] = False
    air = border & ~body & (image != 0)
    if int(air.sum()) < _ENOUGH_AIR * int(border.sum()):
        return 0.0
    levels = local_mean(image)[air]
    level = max(0.0, float(levels.kthvalue(max(1, round(_AIR * len(levels)))).values))
    return level if level <= sqrt(2.0 * _CHANNELS) * noise_sd else 0.0


def floor_in(image: Image, level: float) -> Image:
    """What of a denoised magnitude image is its noise floor.

    The signal is the root of what the square is above the floor's. Where there is next to none around a pixel, chance
    alone decides whether the pixel is above: it is believed the less, the fainter the signal around it is.

    Args:
        image: Magnitude image whose noise is taken off, but for its mean.
        level: Of the floor (:func:`noise_floor`).

    Returns:
        Near the level in air, ``level**2 / (2 image)`` in bright tissue; 0 for a level of 0 and where the image is not
        above 0.
    """
    if level <= 0.0:
        return torch.zeros_like(image)
    signal = image.square() - level**2
    radius = neighbourhood(image.shape)
    around = box_mean(signal, (radius, radius)).clamp_min(0.0)
    believed = around**2 / (around**2 + _DOUBT * level**4)
    return (image - believed * signal.clamp_min(0.0).sqrt()).where(image > 0.0, 0.0)
