"""Prewhitening: a linear mixture of the coils after which the noise of each is independent and of one level.

With Psi = L L^H (Cholesky), the coils L^-1 y have noise of covariance identity (K. P. Pruessmann et al., MRM 46 (2001)
638, appendix A). Coils that the noise itself shows to be unusable are left out first.
"""

from typing import Final

import torch
from jaxtyping import Complex
from torch import Tensor

from lucidmr.raw.noise_estimate import Covariance

_DEAD: Final = 0.02
_BROKEN: Final = 3.0
"""Noise over the median coil's: below, nothing is connected; above, something other than the body makes it."""
_OWN_NOISE: Final = 1e-3
"""Share of a coil's noise variance that no coil before it has; less is a copy, or a mixture, of those."""


def working_coils(covariance: Covariance) -> tuple[list[int], dict[int, str]]:
    """Tell the coils that can be used.

    Args:
        covariance: Psi of all coils.

    Returns:
        Numbers of the working coils, and what is wrong with each of the others.
    """
    sd = covariance.diagonal().real.double().clamp_min(0.0).sqrt()
    audible = sd[sd > 0.0]
    typical = float(audible.median()) if len(audible) else 0.0
    kept: list[int] = []
    broken: dict[int, str] = {}
    for coil, ratio in enumerate((sd / typical).tolist() if typical else [0.0] * len(sd)):
        if not _DEAD <= ratio <= _BROKEN:
            broken[coil] = f"its noise is {ratio:.3g} times the median coil's"
        elif _own_share(covariance, kept, coil) < _OWN_NOISE:
            broken[coil] = "its noise is that of other coils"
        else:
            kept.append(coil)
    return kept, broken


def _own_share(covariance: Covariance, kept: list[int], coil: int) -> float:
    """Share of a coil's noise variance that is left once the kept coils have explained what they can."""
    if not kept:
        return 1.0
    psi = covariance.to(torch.complex128)
    cross, own = psi[kept, coil], float(psi[coil, coil].real)
    explained = torch.linalg.solve(psi[kept][:, kept], cross)
    return 1.0 - float((cross.conj() * explained).sum().real) / own


def whitening(covariance: Covariance) -> Complex[Tensor, "coil coil"]:
    """The matrix L^-1 that makes the noise of every coil independent, with a standard deviation of 1 per part.

    Args:
        covariance: Psi of working coils.

    Returns:
        (coil, coil), lower triangular.

    Raises:
        ValueError: Psi is not positive definite.
    """
    psi = covariance.to(torch.complex128)
    root, info = torch.linalg.cholesky_ex(psi)
    if int(info):
        raise ValueError(f"covariance of {len(psi)} coils is not positive definite; leave out coils that do not work")
    identity = torch.eye(len(psi), dtype=psi.dtype, device=psi.device)
    inverse: Tensor = torch.linalg.solve_triangular(root, identity, upper=False).to(covariance.dtype)
    return inverse


def mix(matrix: Complex[Tensor, "new coil"], kspace: Complex[Tensor, "..."]) -> Complex[Tensor, "..."]:
    """New coils as mixtures of old ones: (..., coil, slice, freq, phase)."""
    return torch.einsum("nc,...cxyz->...nxyz", matrix, kspace)
