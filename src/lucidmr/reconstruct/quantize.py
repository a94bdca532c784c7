"""Integer quantization as scanners store images."""

import torch

from lucidmr.shapes import Image


def quantize(image: Image, levels: int, top: float) -> Image:
    """Round to integers after scaling ``top`` to the highest level, and scale back.

    Args:
        image: Non-negative image.
        levels: Highest integer, 4095 for 12 bit.
        top: Value that becomes ``levels``; what lies above is clipped, as on a scanner.

    Returns:
        The image as the stored integers describe it, in its own units.

    Raises:
        ValueError: ``levels`` or ``top`` is not positive.
    """
    if levels < 1 or top <= 0:
        raise ValueError(f"levels is {levels} and top {top:g}; both must be positive")
    step = top / levels
    return torch.round(image / step).clamp(0, levels) * step
