import pytest
import torch

from lucidmr.physics.solvers import (
    _differences,
    _differences_adjoint,
    _laplacian,
    proximal_gradient,
    total_variation,
    total_variation_denoised,
)
from lucidmr.physics.wavelets import soft_threshold
from properties import assert_adjoint, random_complex


def lasso(matrix, data, weight, iterations):
    """min 1/2 ||A x - y||^2 + weight ||x||_1."""
    return proximal_gradient(
        lambda x: matrix.mH @ (matrix @ x - data),
        lambda z, count: (soft_threshold(z, weight), count + 1),
        torch.zeros(matrix.shape[1], dtype=matrix.dtype),
        0,
        iterations,
    )


def unit_norm_matrix(rows, columns):
    matrix = random_complex(rows, columns)
    return matrix / torch.linalg.matrix_norm(matrix, 2)


def test_a_lasso_meets_its_optimality_conditions():
    matrix = unit_norm_matrix(30, 50)
    data, weight = random_complex(30, seed=1), 0.1
    solution = lasso(matrix, data, weight, 2000)
    slope = matrix.mH @ (data - matrix @ solution)
    assert float(slope.abs().max()) <= weight * 1.01
    kept = solution.abs() > 1e-3
    assert 0 < int(kept.sum()) < 50
    torch.testing.assert_close(slope[kept], weight * solution[kept].sgn(), atol=1e-3, rtol=1e-2)


def test_a_quadratic_converges_as_promised():
    """f(x_k) - f* <= 2 ||x_0 - x*||^2 / (k + 1)^2 (Beck and Teboulle 2009, theorem 4.4)."""
    matrix = unit_norm_matrix(40, 40)
    truth = random_complex(40, seed=1)
    for iterations in (5, 20, 80):
        solution = lasso(matrix, matrix @ truth, 0.0, iterations)
        assert float((matrix @ (solution - truth)).norm() ** 2 / 2) <= 2 * float(truth.norm() ** 2) / iterations**2


@pytest.mark.parametrize("matrix", [(1, 12, 15), (6, 8, 10)])
def test_differences_their_adjoint_and_their_eigenvalues(matrix):
    image = random_complex(*matrix)
    assert_adjoint(_differences, _differences_adjoint, matrix, tuple(_differences(image).shape))
    twice = _differences_adjoint(_differences(image))
    axes = (-3, -2, -1)
    spectrum = _laplacian(image) * torch.fft.fftn(image, dim=axes)
    torch.testing.assert_close(torch.fft.ifftn(spectrum, dim=axes), twice, atol=1e-4, rtol=1e-4)


def test_total_variation_of_a_rectangle_is_its_perimeter():
    image = torch.zeros(2, 1, 32, 32, dtype=torch.complex64)
    image[0, :, 8:16, 10:22] = 3j
    perimeter = 2 * (8 + 12) - 2 + 2**0.5  # the corner that has both differences counts their length
    torch.testing.assert_close(total_variation(image), torch.tensor([3.0 * perimeter, 0.0]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("weight", [0.02, 0.2, 2.0])
def test_denoising_is_the_proximal_map(weight):
    """Its objective lies between the dual bound and 0.1 % above it."""
    noisy = random_complex(1, 24, 24)
    noisy[:, 6:18, 6:18] += 3.0
    denoised, _ = total_variation_denoised(noisy, weight, iterations=500)
    primal = float((denoised - noisy).norm() ** 2 / 2) + weight * float(total_variation(denoised))
    dual = torch.zeros(2, 1, 24, 24, dtype=torch.complex64)
    for _ in range(3000):
        dual = dual + _differences(noisy - _differences_adjoint(dual)) / 8
        dual = dual / (dual.abs().square().sum(0).sqrt() / weight).clamp_min(1.0)
    bound = float(noisy.norm() ** 2 / 2 - (noisy - _differences_adjoint(dual)).norm() ** 2 / 2)
    assert bound * 0.9999 <= primal <= bound * 1.001


def test_denoising_nothing_changes_nothing():
    image = random_complex(2, 1, 16, 16)
    image[1] = 0
    unchanged, _ = total_variation_denoised(image, torch.zeros(2, 1, 1, 1))
    torch.testing.assert_close(unchanged, image, atol=1e-5, rtol=1e-5)


def test_denoising_follows_the_scale():
    image, weight = random_complex(1, 16, 16), 0.3
    small, _ = total_variation_denoised(1e-6 * image, 1e-6 * weight)
    torch.testing.assert_close(1e6 * small, total_variation_denoised(image, weight)[0], atol=1e-4, rtol=1e-4)


def test_denoising_has_a_gradient():
    image = torch.zeros(1, 16, 16, dtype=torch.complex64)
    image[:, 4:9, 4:9] = 1.0
    image.requires_grad_()
    total_variation_denoised(image, 0.1)[0].abs().square().sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
