"""Channel combination: one complex image from many coils, which may come one after the other."""

from collections.abc import Iterable
from functools import reduce
from itertools import zip_longest

import torch
from jaxtyping import Complex
from torch import Tensor
from torch.linalg import eigh

from lucidmr.physics.fourier import COIL
from lucidmr.reconstruct.filter import low_pass
from lucidmr.shapes import CoilMaps, ComplexImage, Image

CoilByCoil = Iterable[ComplexImage]
"""One image (..., slice, freq, phase) per coil; each is asked for once, so they need not exist side by side."""


def root_sum_of_squares(images: CoilByCoil) -> ComplexImage:
    """sqrt(sum_c |x_c|^2), with phase 0 everywhere.

    No sensitivities are needed, the phase is lost, and noise is raised where the signal is weak (Roemer et al., MRM
    16 (1990) 192).
    """
    return total_power(images).sqrt().to(torch.complex64)


def sensitivity_weighted(images: CoilByCoil, maps: CoilMaps) -> ComplexImage:
    """sum_c conj(s_c) x_c / sum_c |s_c|^2: the signal-to-noise optimum for white noise (Roemer et al., MRM 16, 1990).

    With sensitivities from the images' own covariance (:func:`lucidmr.physics.sensitivities.walsh`) it is the adaptive
    combination of Walsh, Gmitro and Marcellin (MRM 43 (2000) 682).

    Args:
        images: Coil images.
        maps: Sensitivities on the same matrix.

    Returns:
        The combined complex image; 0 where every sensitivity is 0.

    Raises:
        ValueError: Images and sensitivities differ in coils or matrix.
    """
    coils = maps.unbind(COIL)
    power = total_power(coils)
    weighted = reduce(Tensor.add_, (_weighted(*pair, maps) for pair in zip_longest(images, coils)))
    return weighted.div_(torch.where(power > 0, power, 1.0))


def _weighted(image: ComplexImage | None, coil: ComplexImage | None, maps: CoilMaps) -> ComplexImage:
    """conj(s) x of one coil."""
    if image is None or coil is None or image.shape[-3:] != coil.shape[-3:]:
        found = " x ".join(map(str, maps.shape[COIL:]))
        raise ValueError(f"maps are {found} (coil x slice x freq x phase); each coil image needs one of its own matrix")
    return image * coil.conj()


def phase_sum(images: CoilByCoil, virtual: ComplexImage, sd: float = 0.02) -> ComplexImage:
    """Sum with phase: the magnitude of the root sum of squares with the phase of the signal-weighted coil sum.

    The coils' own phases would cancel in the sum. They are measured at low resolution against a virtual coil and
    removed (after Parker et al., MRM 72 (2014) 563). What remains is the phase of the object plus the smooth one of the
    virtual coil.

    Args:
        images: Coil images.
        virtual: The image of the virtual coil (:func:`virtual_coil`).
        sd: Standard deviation of the Gaussian that smooths the coil phases, fields of view.

    Returns:
        The combined complex image.
    """
    power, aligned = torch.zeros_like(virtual.real), torch.zeros_like(virtual)
    reference = virtual.conj().resolve_conj()
    for image in images:
        power += _power(image)
        aligned.addcmul_(low_pass(image * reference, sd).conj(), image)
    return power.sqrt_() * torch.where(aligned == 0, 1.0, aligned.sgn())


def virtual_coil(coils: Complex[Tensor, "... coil slice freq phase"]) -> ComplexImage:
    """The combination with fixed weights that collects the most energy, of images or, as it is linear, of k-space.

    The weights are the dominant eigenvector of the coils' covariance, which the Fourier transform does not change.
    """
    flat = coils.flatten(-3)
    weights = _anchored(eigh(flat @ flat.mH).eigenvectors[..., -1])
    return (weights.conj().unsqueeze(-2) @ flat).reshape(coils[..., 0, :, :, :].shape)


def _anchored(vector: Tensor) -> Tensor:
    """An eigenvector's phase is arbitrary: make its largest element real and positive."""
    largest = vector.gather(-1, vector.abs().argmax(-1, keepdim=True))
    return vector * largest.conj().sgn()


def total_power(images: CoilByCoil) -> Image:
    """sum_c |x_c|^2."""
    return reduce(Tensor.add_, map(_power, images))


def _power(image: ComplexImage) -> Image:
    """|x|^2; without the roots and copies of ``abs().square()``."""
    return image.real.square().addcmul_(image.imag, image.imag)
