import pytest
import torch

from lucidmr.physics.conjugate_gradient import conjugate_gradient
from properties import assert_linear, random_complex


def diagonal(values):
    return lambda image: values * image


def spd(n, seed=0):
    """A Hermitian positive definite matrix acting on the flattened pixels of each batch item."""
    root = random_complex(n, n, seed=seed)
    matrix = root.mH @ root / n + 0.5 * torch.eye(n)
    return matrix, lambda image: (image.flatten(-3) @ matrix.T).unflatten(-1, image.shape[-3:])


def test_solves(device):
    matrix, operator = spd(24)
    rhs = random_complex(3, 2, 3, 4, seed=1)
    matrix_there = matrix.to(device)
    found = conjugate_gradient(
        lambda image: (image.flatten(-3) @ matrix_there.T).unflatten(-1, (2, 3, 4)), rhs.to(device), 60, 1e-6
    )
    torch.testing.assert_close(operator(found.cpu()), rhs, atol=1e-4, rtol=1e-4)


def test_as_many_iterations_as_different_eigenvalues():
    values = torch.tensor([1.0, 2.0, 5.0]).repeat(8).reshape(1, 4, 6)
    rhs = random_complex(1, 4, 6)
    found = conjugate_gradient(diagonal(values), rhs, 3, 0.0)
    torch.testing.assert_close(found, rhs / values, atol=1e-5, rtol=1e-5)


def test_linear_and_equivariant_once_converged():
    _, operator = spd(24)
    assert_linear(lambda rhs: conjugate_gradient(operator, rhs, 60, 1e-7), 2, 3, 4)


def test_each_item_stops_by_itself():
    """An easy item is the same alone as beside a hard one, and an empty one stays empty."""
    values = torch.stack([torch.ones(1, 4, 6), torch.linspace(1, 100, 24).reshape(1, 4, 6), torch.ones(1, 4, 6)])
    rhs = random_complex(3, 1, 4, 6) * torch.tensor([1.0, 1e3, 0.0])[:, None, None, None]
    together = conjugate_gradient(diagonal(values), rhs, 40, 1e-3)
    for index in range(3):
        alone = conjugate_gradient(diagonal(values[index]), rhs[index], 40, 1e-3)
        torch.testing.assert_close(together[index], alone)
    assert not together[2].any()


def test_differentiable():
    _, operator = spd(8)
    rhs = random_complex(1, 2, 4).to(torch.complex128).requires_grad_()
    wide = lambda image: operator(image.to(torch.complex64)).to(torch.complex128)  # noqa: E731
    conjugate_gradient(wide, rhs, 20, 1e-6).abs().square().sum().backward()
    assert rhs.grad is not None
    assert torch.isfinite(torch.view_as_real(rhs.grad)).all()


@pytest.mark.parametrize(
    ("iterations", "tolerance", "message"),
    [
        (0, 0.1, "iterations is 0; it must be at least 1"),
        (1, 1.0, "tolerance is 1; it must lie between 0 and 1"),
        (1, float("nan"), "tolerance is nan"),
    ],
)
def test_bad_input(iterations, tolerance, message):
    with pytest.raises(ValueError, match=message):
        conjugate_gradient(lambda image: image, random_complex(1, 2, 2), iterations, tolerance)
