"""What of the complex image is shown: magnitude, phase, real or imaginary part."""

from math import pi
from typing import Literal

import torch

from lucidmr.reconstruct.filter import low_pass
from lucidmr.shapes import ComplexImage, Image

Component = Literal["magnitude", "phase", "real", "imaginary"]


def component(image: ComplexImage, kind: Component, background: ComplexImage | None = None) -> Image:
    """One real image of a complex one.

    Args:
        image: The image.
        kind: ``real`` is the part in phase with the background, signed (phase-sensitive inversion recovery: Kellman et
            al., MRM 47 (2002) 372), ``imaginary`` the part in quadrature to it, ``phase`` the phase relative to it in
            radians, above -pi and up to pi, ``magnitude`` knows no background.
        background: exp(i phi) of the background, e.g. of :func:`background_phase`; without it the phase is not
            corrected.

    Returns:
        The component.
    """
    if kind == "magnitude":
        return image.abs()
    corrected = image if background is None else image * background.conj()
    match kind:
        case "real":
            return corrected.real
        case "imaginary":
            return corrected.imag
        case "phase":
            angle = corrected.angle()
            return torch.where(angle <= -pi, pi, angle)  # atan2 gives -pi for an imaginary part of -0


def background_phase(image: ComplexImage, sd: float = 0.02) -> ComplexImage:
    """The phase of an image at low resolution.

    Args:
        image: The image itself, or one of another contrast that shares its background (the reference of
            phase-sensitive inversion recovery). The image itself gives the wrong sign inside regions of negative signal
            that are wider than the Gaussian.
        sd: Standard deviation of the Gaussian, fields of view.

    Returns:
        exp(i phi); 1 where the smooth image is 0.
    """
    smooth = low_pass(image, sd)
    return torch.where(smooth == 0, 1.0, smooth.sgn())
