from math import sqrt

import pytest
import torch

from lucidmr.physics.wavelets import (
    _filters,
    daubechies,
    inverse_wavelet_transform,
    soft_threshold,
    wavelet_levels,
    wavelet_shrinkage,
    wavelet_transform,
)
from properties import assert_adjoint, assert_linear, assert_unitary, random_complex

MATRICES = [(1, 64, 96), (1, 50, 37), (32, 40, 33), (1, 8, 64)]


@pytest.mark.parametrize("moments", [1, 2, 3, 4, 6])
def test_filters_are_orthonormal_to_their_even_shifts(moments):
    low = torch.tensor(daubechies(moments), dtype=torch.float64)
    for shift in range(moments):
        product = low[2 * shift :] @ low[: len(low) - 2 * shift]
        assert float(product) == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-9)
    assert float(low.sum()) == pytest.approx(sqrt(2.0))


@pytest.mark.parametrize("moments", [1, 2, 3, 4, 6])
def test_the_high_pass_has_the_vanishing_moments(moments):
    low = torch.tensor(daubechies(moments), dtype=torch.float64)
    index = torch.arange(len(low), dtype=torch.float64)
    high = low.flip(0) * (-1.0) ** index
    for power in range(moments):
        assert float(high @ (index / len(low)) ** power) == pytest.approx(0.0, abs=1e-7)


def test_four_taps_are_those_in_closed_form():
    root = sqrt(3.0)
    expected = [(tap / (4 * sqrt(2.0))) for tap in (1 + root, 3 + root, 3 - root, 1 - root)]
    assert daubechies(2) == pytest.approx(expected)


def test_short_axes_are_left_alone():
    assert wavelet_levels((1, 320, 180)) == (0, 4, 3)
    assert wavelet_levels((31, 32, 16)) == (0, 1, 0)


@pytest.mark.parametrize("matrix", MATRICES)
def test_tight_frame(matrix):
    image = random_complex(2, *matrix)
    coefficients = wavelet_transform(image)
    assert float(coefficients.norm()) == pytest.approx(float(image.norm()), rel=1e-5)
    torch.testing.assert_close(inverse_wavelet_transform(coefficients, matrix), image, atol=1e-5, rtol=1e-5)
    assert_linear(wavelet_transform, *matrix)
    assert_adjoint(
        wavelet_transform, lambda c: inverse_wavelet_transform(c, matrix), matrix, tuple(coefficients.shape[1:])
    )


def test_orthonormal_where_nothing_is_padded():
    matrix = (32, 64, 48)
    assert_unitary(wavelet_transform, lambda c: inverse_wavelet_transform(c, matrix), *matrix)


def test_the_same_on_every_device(device):
    image = random_complex(1, 64, 48)
    there = wavelet_transform(image.to(device))
    assert there.device.type == device.type
    torch.testing.assert_close(there.cpu(), wavelet_transform(image), atol=1e-5, rtol=1e-5)


def test_a_ramp_is_in_the_approximation():
    """Two vanishing moments: inside, the details of a linear slope are 0."""
    ramp = torch.arange(64.0).to(torch.complex64).expand(1, 8, 64)
    detail = wavelet_transform(ramp)[..., 32:63]
    assert float(detail.abs().max()) < 1e-4


def test_soft_threshold_shortens_and_keeps_the_phase():
    values = torch.polar(torch.tensor([0.0, 0.5, 1.0, 3.0]), torch.tensor([0.0, 1.0, 2.0, 3.0]))
    expected = torch.polar(torch.tensor([0.0, 0.0, 0.0, 2.0]), torch.tensor([0.0, 1.0, 2.0, 3.0]))
    torch.testing.assert_close(soft_threshold(values, 1.0), expected)
    torch.testing.assert_close(soft_threshold(values, 0.0), values)


def test_shrinkage_is_the_proximal_map():
    """z - prox(z) is a subgradient at prox(z): its coefficients are threshold times the sign, or shorter."""
    image, threshold = random_complex(1, 64, 64), 0.8
    shrunk = wavelet_shrinkage(image, threshold)
    coefficients, slopes = wavelet_transform(shrunk), wavelet_transform(image - shrunk)
    assert float(slopes.abs().max()) <= threshold * 1.0001
    kept = coefficients.abs() > 1e-3
    torch.testing.assert_close(slopes[kept], threshold * coefficients[kept].sgn(), atol=1e-3, rtol=1e-3)


def test_shrinkage_does_nothing_without_a_threshold_and_moves_with_the_image():
    image, shift = random_complex(2, 1, 64, 32), (0, 3, 5)
    torch.testing.assert_close(wavelet_shrinkage(image, 0.0, shift), image, atol=1e-5, rtol=1e-5)
    moved = wavelet_shrinkage(image.roll((-3, -5), (-2, -1)), 0.5, shift).roll((3, 5), (-2, -1))
    torch.testing.assert_close(moved, wavelet_shrinkage(image, 0.5), atol=1e-5, rtol=1e-5)


def test_shrinkage_has_a_gradient():
    """Even if the first call of all was in inference mode."""
    _filters.cache_clear()
    with torch.inference_mode():
        wavelet_shrinkage(random_complex(1, 32, 32), 0.5)
    image = random_complex(1, 32, 32).requires_grad_()
    wavelet_shrinkage(image, 0.5).abs().square().sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_shrinkage_is_a_contraction_on_odd_matrices():
    one, other = random_complex(1, 50, 37, seed=1), random_complex(1, 50, 37, seed=2)
    apart = float((one - other).norm())
    for threshold in (0.2, 1.0):
        assert float((wavelet_shrinkage(one, threshold) - wavelet_shrinkage(other, threshold)).norm()) <= apart
