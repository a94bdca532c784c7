"""Conjugate gradients for a batch of Hermitian positive definite systems."""

from collections.abc import Callable
from math import isfinite

from jaxtyping import Float
from torch import Tensor, where, zeros_like

from lucidmr.physics.fourier import ENCODED
from lucidmr.shapes import ComplexImage

ItemScalar = Float[Tensor, "... 1 1 1"]
"""One number per batch item."""


def conjugate_gradient(
    operator: Callable[[Tensor], Tensor], rhs: ComplexImage, iterations: int, tolerance: float
) -> ComplexImage:
    """Solve A x = b, starting from 0 (Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952) 409).

    Args:
        operator: A, Hermitian positive definite, acting on each batch item by itself.
        rhs: b.
        iterations: At most so many applications of A.
        tolerance: An item is done once its residual norm is below this share of the norm of its b; it then stays
            as it is, whatever the others still need.

    Returns:
        x, of the shape of ``rhs``.

    Raises:
        ValueError: ``iterations`` is not positive or ``tolerance`` lies outside [0, 1).
    """
    _check_stop(iterations, tolerance)
    solution, residual, direction = zeros_like(rhs), rhs, rhs
    energy = _inner(rhs, rhs)
    enough = tolerance**2 * energy
    for _ in range(iterations):
        active = energy > enough
        if not active.any():
            break
        applied = operator(direction)
        step = active * energy / where(active, _inner(direction, applied), 1.0)
        solution = solution + step * direction
        residual = residual - step * applied
        previous, energy = energy, _inner(residual, residual)
        direction = residual + energy / where(active, previous, 1.0) * direction
    return solution


def _inner(a: ComplexImage, b: ComplexImage) -> ItemScalar:
    """The real part of <a, b> of each item."""
    product: Tensor = (a.real * b.real + a.imag * b.imag).sum(ENCODED, keepdim=True)
    return product


def _check_stop(iterations: int, tolerance: float) -> None:
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; it must be at least 1")
    if not (isfinite(tolerance) and 0.0 <= tolerance < 1.0):
        raise ValueError(f"tolerance is {tolerance:g}; it must lie between 0 and 1, 1 excluded")
