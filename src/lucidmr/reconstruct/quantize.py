"""Integer storage of images, as scanners do it: value = slope * integer + intercept, DICOM's rescale."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.reconstruct.component import Component
from lucidmr.shapes import Image


def quantize(image: Image, levels: int, low: float | Float[Tensor, "..."], high: float | Float[Tensor, "..."]) -> Image:
    """Round to the integers 0 to ``levels`` and back: slope (high - low) / levels, intercept ``low``.

    Args:
        image: Image.
        levels: Highest integer: 4095 for 12 bit, 65535 for 16 bit.
        low: Value that becomes 0; one for all images or a tensor that broadcasts against them, as ``high``.
        high: Value that becomes ``levels``; what lies outside is clipped, as on a scanner.

    Returns:
        The image as the stored integers describe it, in its own units.

    Raises:
        ValueError: ``levels`` is below 1, or ``high`` not above ``low``.
    """
    _check_levels(levels, 1)
    slope = (high - low) / levels
    if not bool(torch.as_tensor(slope > 0).all()):
        raise ValueError(f"low is {low} and high {high}; high must be above low")
    return torch.round((image - low) / slope).clamp(0, levels) * slope + low


def stored_range(kind: Component, levels: int, top: float) -> tuple[float, float]:
    """The values (low, high) that a scanner maps to the lowest and the highest integer.

    Args:
        kind: Component. A magnitude starts at 0. Real and imaginary parts are signed, and 0 is stored exactly. A full
            turn of phase is ``levels + 1`` steps from -pi, so that 4095 levels are -4096 to 4094 in steps of 2 over
            4096 of pi.
        levels: Highest integer.
        top: Largest value to be stored; of no effect for phase.

    Returns:
        (low, high).

    Raises:
        ValueError: ``levels`` is below 2, or ``top`` not positive.
    """
    _check_levels(levels, 2)
    if not top > 0.0:
        raise ValueError(f"top is {top:g}; it must be above 0")
    positive = levels // 2
    match kind:
        case "magnitude":
            return 0.0, top
        case "real" | "imaginary":
            return (positive - levels) * top / positive, top
        case "phase":
            return -pi, pi - 2 * pi / (levels + 1)


def _check_levels(levels: int, least: int) -> None:
    if levels < least:
        raise ValueError(f"levels is {levels}; it must be at least {least}")
