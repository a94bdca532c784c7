"""Channel combination: one complex image from many coils."""

import torch
from torch import Tensor
from torch.linalg import eigh, vector_norm

from lucidmr.reconstruct.filter import low_pass
from lucidmr.shapes import CoilImages, CoilMaps, ComplexImage, Image

COIL = -4


def root_sum_of_squares(images: CoilImages) -> ComplexImage:
    """sqrt(sum_c |x_c|^2), with phase 0 everywhere.

    No sensitivities are needed, the phase is lost, and noise is raised where the signal is weak (Roemer et al., MRM
    16 (1990) 192).
    """
    return _magnitude(images).to(images.dtype)


def sensitivity_weighted(images: CoilImages, maps: CoilMaps) -> ComplexImage:
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
    if images.shape[COIL:] != maps.shape[COIL:]:
        found, wanted = (" x ".join(map(str, array.shape[COIL:])) for array in (maps, images))
        raise ValueError(f"maps are {found} (coil x slice x freq x phase); the images are {wanted}")
    power = maps.abs().square().sum(COIL)
    return (maps.conj() * images).sum(COIL) / torch.where(power > 0, power, 1.0)


def phase_sum(images: CoilImages, sd: float = 0.02) -> ComplexImage:
    """Sum with phase: the magnitude of the root sum of squares with the phase of the signal-weighted coil sum.

    The coils' own phases would cancel in the sum. They are measured at low resolution against a virtual coil, the
    combination of all coils with fixed weights that collects the most energy, and removed (after Parker et al., MRM 72
    (2014) 563). What remains is the phase of the object plus the smooth one of the virtual coil.

    Args:
        images: Coil images.
        sd: Standard deviation of the Gaussian that smooths the coil phases, fields of view.

    Returns:
        The combined complex image.
    """
    coil_phase = low_pass(images * _virtual_coil(images).conj().unsqueeze(COIL), sd)
    aligned = (coil_phase.conj() * images).sum(COIL)
    return _magnitude(images) * torch.where(aligned == 0, 1.0, aligned.sgn())


def _magnitude(images: CoilImages) -> Image:
    magnitude: Tensor = vector_norm(images, dim=COIL)
    return magnitude


def _virtual_coil(images: CoilImages) -> ComplexImage:
    """The combination with the most energy: the dominant eigenvector of the coils' covariance."""
    flat = images.flatten(-3)
    weights = _anchored(eigh(flat @ flat.mH).eigenvectors[..., -1])
    return (weights.conj()[..., None, None, None] * images).sum(COIL)


def _anchored(vector: Tensor) -> Tensor:
    """An eigenvector's phase is arbitrary: make its largest element real and positive."""
    largest = vector.gather(-1, vector.abs().argmax(-1, keepdim=True))
    return vector * largest.conj().sgn()
