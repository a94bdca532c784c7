"""Surface-coil intensity normalization: smooth gains that undo the shading of receive arrays.

The gains do not depend on the scale of their input. Image times gain is the normalized image; noise is multiplied by
the same gain, so it becomes spatially varying.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.physics.fourier import ENCODED
from lucidmr.reconstruct.filter import low_pass
from lucidmr.shapes import Image

_FLOOR: Final = 0.05
"""Share of the typical signal below which a reference tells nothing, and the gain goes to 1."""
_FOREGROUND: Final = 0.3
"""Share of the typical signal above which a pixel is foreground."""


def prescan_gain(array: Image, body: Image, strength: float, sd: float = 0.05) -> Image:
    """(body / array)^strength: the ratio of two low-resolution reference images of one object.

    Args:
        array: Reference seen by the receive array (e.g. root sum of squares), on the image's matrix.
        body: The same object seen by the body coil, taken as uniform; in units of its own.
        strength: 0 = no normalization, 1 = full.
        sd: Standard deviation of the Gaussian that smooths the references, fields of view.

    Returns:
        Gain above 0: 1 where both references have their typical signal, and tending to 1 where both are noise.

    Raises:
        ValueError: ``strength`` lies outside [0, 1], or a reference is negative or not finite.
    """
    _check_strength(strength)
    floored = []
    for name, reference in (("array", array), ("body", body)):
        _check_reference(name, reference)
        smooth = low_pass(reference, sd).clamp_min(0.0)
        floored.append(smooth / _typical(smooth) + _FLOOR)
    return (floored[1] / floored[0]) ** strength


def image_based_gain(image: Image, strength: float, sd: float = 0.08) -> Image:
    """(smooth foreground)^-strength, the shading estimated from the image alone.

    The foreground is smoothed by normalized convolution (Knutsson, Westin, CVPR (1993) 515): a weighted mean over
    foreground pixels only, so that the background neither darkens the rim nor is blown up. Contrast as smooth as
    shading is taken for shading: that is the nature of the method.

    Args:
        image: Magnitude image.
        strength: 0 = no normalization, 1 = full.
        sd: Standard deviation of the Gaussian that smooths the foreground, fields of view.

    Returns:
        Gain above 0 that keeps the foreground's mean; far from the foreground it tends to a constant.

    Raises:
        ValueError: ``strength`` lies outside [0, 1], or the image is negative or not finite.
    """
    _check_strength(strength)
    _check_reference("image", image)
    relative = image / _typical(image)
    foreground = (relative > _FOREGROUND).to(image.dtype)
    bright, weight = (low_pass(values, sd).clamp_min(0.0) + _FLOOR for values in (foreground * relative, foreground))
    gain = (weight / bright) ** strength
    kept, changed = ((foreground * values).sum(ENCODED, keepdim=True) for values in (relative, relative * gain))
    return gain * torch.where(changed > 0, kept / changed, 1.0)


def _typical(image: Image) -> Float[Tensor, "... 1 1 1"]:
    """Mean of each image weighted by the image itself, which leaves the background out; 1 if it is 0 throughout."""
    total, power = (values.sum(ENCODED, keepdim=True) for values in (image, image.square()))
    return torch.where(total > 0, power / total, 1.0)


def _check_strength(strength: float) -> None:
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength is {strength:g}; it must lie between 0 and 1")


def _check_reference(name: str, image: Image) -> None:
    if not (torch.isfinite(image) & (image >= 0)).all():
        raise ValueError(f"{name} holds values that are negative or not finite")
