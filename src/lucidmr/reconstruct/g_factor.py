"""Noise amplification of parallel imaging, from the reconstruction's own coefficients.

For white k-space noise of standard deviation sigma per real and imaginary part, a combined image has
sigma sqrt(R) g per pixel, where sigma is what the fully sampled scan would have there (R without the calibration
lines, the maps' root sum of squares 1).
"""

import torch
from jaxtyping import Complex
from torch import Tensor

from lucidmr.physics.fourier import COIL, FREQ, PHASE, SLICE
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.grappa import GrappaWeights, hybrid_kernels
from lucidmr.reconstruct.sense import alias_gram, alias_groups, coils_in_groups, from_groups, regularized
from lucidmr.shapes import CoilMaps, Image


def sense_g_factor(maps: CoilMaps, undersampling: UniformUndersampling, regularization: float = 0.0) -> Image:
    """Geometry factor of SENSE (Pruessmann et al., MRM 42 (1999) 952, eq. 23), regularization included.

    With G = A^H A of the aliases and B = G + R lambda, the noise is R sigma^2 [B^-1 G B^-1] and the signal kept
    [B^-1 G]; without regularization the factor is sqrt([G^-1] [G]).

    Args:
        maps: Sensitivities.
        undersampling: The lattice.
        regularization: lambda of the reconstruction. It lowers the noise below 1 where it costs signal.

    Returns:
        g, such that the noise is sigma sqrt(R) g / rss(maps); 0 where every map is 0.

    Raises:
        ValueError: As for :func:`lucidmr.reconstruct.sense.sense_lattice`.
    """
    groups = alias_groups(undersampling, maps)
    gram = alias_gram(coils_in_groups(maps, groups))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(regularized(gram, undersampling, regularization)))
    noise = (inverse @ gram @ inverse).diagonal(dim1=-2, dim2=-1).real
    power = gram.diagonal(dim1=-2, dim2=-1).real
    return from_groups((noise * power).clamp_min(0.0).sqrt(), groups, maps.shape)


def grappa_g_factor(weights: GrappaWeights, combination: CoilMaps) -> Image:
    """Geometry factor of GRAPPA (Breuer et al., MRM 62 (2009) 739).

    In the image the kernels are a (coil x coil) matrix U(r) that unfolds the zero-filled coil images, whose noise is
    sigma / sqrt(R). The combination sum_c conj(m_c) x_c then has sigma / sqrt(R) |m^H U|, and sigma |m| without
    acceleration. Calibration lines that belong to the image are not counted; they make it a little quieter.

    Args:
        weights: The kernels.
        combination: m on the image's matrix, of any scale: the sensitivities for a conjugate-weighted combination, the
            coil images for the root sum of squares, which is linear for noise well below the signal.

    Returns:
        g; 0 where ``combination`` is 0.

    Raises:
        ValueError: The coils are not those of the weights.
    """
    if combination.shape[COIL] != weights.kernels.shape[-1]:
        n_coils = weights.kernels.shape[-1]
        raise ValueError(f"combination has {combination.shape[COIL]} coils; it must have the {n_coils} of weights")
    conjugate = combination.conj().resolve_conj()
    unfolding = conjugate
    n_freq = combination.shape[FREQ]
    kernels = hybrid_kernels(weights, n_freq, origin=n_freq // 2)
    for index, offset in enumerate(weights.offsets):
        for source, step in enumerate(weights.sources(offset)):
            matrix = kernels[..., index, :, source, :, :]
            applied = torch.einsum("...dsxp,...xcd->...csxp", conjugate, matrix)
            unfolding = unfolding + applied * _ramp(step, combination)
    full, unfolded = (torch.linalg.vector_norm(row, dim=COIL) for row in (combination, unfolding))
    g: Tensor = unfolded / (weights.undersampling.factor * torch.where(full > 0, full, 1.0))
    return g


def _ramp(step: tuple[int, int], image: CoilMaps) -> Complex[Tensor, "slice 1 phase"]:
    """exp(-2 pi i (slice step / n_slice + phase step / n_phase)): a displacement in k-space, in the image."""
    turns = [
        (torch.arange(n, device=image.device) - n // 2) * k % n / n
        for n, k in zip((image.shape[SLICE], image.shape[PHASE]), step, strict=True)
    ]
    angle = -2 * torch.pi * (turns[0][:, None, None] + turns[1])
    return torch.polar(torch.ones_like(angle), angle).to(image.dtype)
