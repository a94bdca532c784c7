"""Fewer, virtual coils that hold nearly all of the signal.

The principal components of the coils over all samples (M. Buehrer et al., MRM 57 (2007) 1131; F. Huang et al., Magn.
Reson. Imaging 26 (2008) 133). The mixture is unitary: white noise stays white and keeps its level.
"""

import torch
from jaxtyping import Complex
from torch import Tensor


def compression(
    kspace: Complex[Tensor, "scan coil slice freq phase"], noise_sd: float, acquired: float, energy: float, most: int
) -> Complex[Tensor, "virtual coil"]:
    """The mixture of prewhitened coils into virtual ones.

    Args:
        kspace: Prewhitened.
        noise_sd: Standard deviation of its noise, per part. What noise adds to every component alike does not count as
            energy, so that a noisy scan does not keep coils for their noise.
        acquired: Share of ``kspace`` that was acquired.
        energy: Share of the signal's energy to keep.
        most: Largest number of virtual coils.

    Returns:
        (virtual, coil) with orthonormal rows, those of most signal first.
    """
    samples = kspace.movedim(1, 0).flatten(1)
    gram = _gram(samples)
    values, vectors = torch.linalg.eigh(gram)
    noise = 2.0 * noise_sd**2 * acquired * samples.shape[1]
    signal = (values.flip(0) - noise).clamp_min(0.0)
    share = signal.cumsum(0) / signal.sum().clamp_min(torch.finfo(signal.dtype).tiny)
    enough = int((share < energy - 1e-9).sum()) + 1
    virtual: Tensor = vectors.flip(1)[:, : min(enough, most, len(values))].mH.to(kspace.dtype)
    return virtual


def _gram(samples: Complex[Tensor, "coil sample"]) -> Complex[Tensor, "coil coil"]:
    """Summed in double precision, one stretch of samples after the other."""
    stretches = torch.split(samples, 1 << 20, dim=1)
    return torch.stack([part @ part.mH for part in stretches]).to(torch.complex128).sum(0)
