"""Properties that the physics dictates, as helpers that more than one test uses."""

from collections.abc import Callable
from math import prod, sqrt

import pytest
import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def random_complex(*shape: int, seed: int = 0) -> Tensor:
    """complex64 noise, standard deviation 1 per real and imaginary part."""
    return torch.complex(*torch.randn(2, *shape, generator=seeded(seed)))


def assert_linear(operator: Operator, *shape: int) -> None:
    """operator(a x + b y) = a operator(x) + b operator(y) with complex a and b."""
    x, y = random_complex(*shape, seed=1), random_complex(*shape, seed=2)
    a, b = 1.5 - 0.5j, -0.3 + 2.0j
    torch.testing.assert_close(operator(a * x + b * y), a * operator(x) + b * operator(y), atol=1e-4, rtol=1e-4)


def assert_adjoint(forward: Operator, adjoint: Operator, domain: tuple[int, ...], image: tuple[int, ...]) -> None:
    """<A x, y> = <x, A* y> for random x and y."""
    x, y = random_complex(*domain, seed=3), random_complex(*image, seed=4)
    left = torch.vdot(y.flatten(), forward(x).flatten())
    right = torch.vdot(adjoint(y).flatten(), x.flatten())
    assert abs(left - right) < 1e-4 * sqrt(prod(domain) * prod(image))


def assert_unitary(forward: Operator, backward: Operator, *shape: int) -> None:
    """The inverse is the adjoint: nothing is lost and the energy stays."""
    x = random_complex(*shape, seed=5)
    torch.testing.assert_close(backward(forward(x)), x, atol=1e-5, rtol=1e-5)
    assert float(forward(x).norm()) == pytest.approx(float(x.norm()), rel=1e-5)
    assert_adjoint(forward, backward, shape, shape)


def noise_sd(noise: Tensor) -> float:
    """Standard deviation of zero-mean noise; of complex noise, per real and imaginary part."""
    parts = torch.view_as_real(noise) if noise.is_complex() else noise
    return float(parts.double().square().mean().sqrt())


def regression_slope(x: Tensor, y: Tensor) -> float:
    """Slope of the least-squares line of y on x, each a set of zero-mean values: Cov(x, y) / Var(x)."""
    return float((x.double() * y.double()).mean() / x.double().square().mean())
