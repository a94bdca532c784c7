"""Channel combination: one image from many coils."""

import torch

from lucidmr.shapes import CoilImages, CoilMaps, ComplexImage, Image


def root_sum_of_squares(images: CoilImages) -> Image:
    """sqrt(sum_c |x_c|^2): no sensitivities needed, phase lost, noise raised where the signal is weak (Roemer 1990)."""
    return images.abs().square().sum(-3).sqrt()


def sensitivity_weighted(images: CoilImages, maps: CoilMaps) -> ComplexImage:
    """sum_c conj(s_c) x_c / sum_c |s_c|^2: the signal-to-noise optimum for white noise (Roemer et al., MRM 16, 1990).

    Args:
        images: Coil images.
        maps: Sensitivities on the same matrix.

    Returns:
        The combined complex image; 0 where every sensitivity is 0.
    """
    power = maps.abs().square().sum(-3)
    return (maps.conj() * images).sum(-3) / torch.where(power > 0, power, 1.0)
