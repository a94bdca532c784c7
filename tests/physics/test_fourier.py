"""Centred orthonormal transforms and the change of matrix."""

from math import pi, prod, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.physics.fourier import (
    FREQ,
    IN_PLANE,
    PHASE,
    SLICE,
    central_band,
    centring,
    resize_kspace,
    to_image,
    to_kspace,
)
from properties import assert_adjoint, assert_linear, assert_unitary, noise_sd, random_complex

SIZES = [(1, 16, 16), (1, 15, 16), (4, 16, 13), (5, 7, 9)]


@pytest.mark.parametrize("size", SIZES)
def test_transforms_are_unitary_inverses(size: tuple[int, int, int]) -> None:
    assert_unitary(to_kspace, to_image, 2, *size)
    assert_unitary(to_image, to_kspace, 2, *size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axes", [(SLICE, FREQ, PHASE), IN_PLANE, (FREQ,)])
def test_the_centring_factor_does_what_shifts_do(size: tuple[int, int, int], axes: tuple[int, ...]) -> None:
    samples = random_complex(2, *size)
    shifted = torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(samples, axes), dim=axes, norm="ortho"), axes)
    torch.testing.assert_close(to_image(samples, axes), shifted, atol=1e-5, rtol=1e-5)
    factor = centring(samples, axes)
    torch.testing.assert_close(
        factor * torch.fft.ifftn(factor * samples, dim=axes, norm="ortho"), to_image(samples, axes)
    )
    torch.testing.assert_close(factor.abs(), torch.ones_like(factor.real))


@pytest.mark.parametrize("size", SIZES)
def test_a_constant_image_is_one_sample_at_the_centre(size: tuple[int, int, int]) -> None:
    expected = torch.zeros(size, dtype=torch.complex64)
    expected[tuple(n // 2 for n in size)] = 3.0 * sqrt(prod(size))
    torch.testing.assert_close(to_kspace(torch.full(size, 3.0 + 0j)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_a_point_at_the_centre_has_a_flat_and_real_spectrum(size: tuple[int, int, int]) -> None:
    image = torch.zeros(size, dtype=torch.complex64)
    image[tuple(n // 2 for n in size)] = 1.0
    torch.testing.assert_close(to_kspace(image), torch.full(size, 1 / sqrt(prod(size)) + 0j))


@pytest.mark.parametrize("size", [(64, 64), (63, 48)])
def test_a_gaussian_has_its_closed_form(size: tuple[int, int]) -> None:
    sd = (3.0, 4.5)
    x, y = (torch.arange(n) - n // 2 for n in size)
    image = torch.exp(-(x[:, None] ** 2) / (2 * sd[0] ** 2) - y**2 / (2 * sd[1] ** 2))
    u, v = x / size[0], y / size[1]
    closed_form = torch.exp(-2 * pi**2 * (sd[0] ** 2 * u[:, None] ** 2 + sd[1] ** 2 * v**2)) * 2 * pi * sd[0] * sd[1]
    expected = (closed_form / sqrt(size[0] * size[1])).to(torch.complex64)
    torch.testing.assert_close(to_kspace(image.to(torch.complex64), IN_PLANE), expected, atol=1e-4, rtol=0)


def test_leading_axes_are_batches() -> None:
    stack = random_complex(2, 3, 4, 8, 7)
    torch.testing.assert_close(to_kspace(stack)[1, 2], to_kspace(stack[1, 2]))


def test_one_partition_is_its_own_transform() -> None:
    plane = random_complex(3, 1, 8, 7)
    torch.testing.assert_close(to_kspace(plane), to_kspace(plane, IN_PLANE))
    torch.testing.assert_close(to_kspace(plane, (SLICE,)), plane)


def test_axes_are_transformed_one_by_one() -> None:
    volume = random_complex(2, 4, 6, 5)
    by_one = volume
    for axis in (SLICE, FREQ, PHASE):
        by_one = to_image(by_one, (axis,))
    torch.testing.assert_close(by_one, to_image(volume))


@pytest.mark.parametrize("size", [(1, 64, 64), (5, 33, 34)])
def test_white_noise_keeps_its_standard_deviation(size: tuple[int, int, int]) -> None:
    assert noise_sd(to_image(random_complex(6, *size))) == pytest.approx(1.0, abs=0.01)


@given(old=st.tuples(*[st.integers(1, 16)] * 3), new=st.tuples(*[st.integers(1, 16)] * 3))
@settings(max_examples=40, deadline=None)
def test_resizing_keeps_the_signal(old: tuple[int, int, int], new: tuple[int, int, int]) -> None:
    constant = torch.full(old, 0.7 - 0.2j)
    resized = to_image(resize_kspace(to_kspace(constant), new))
    torch.testing.assert_close(resized, torch.full(new, 0.7 - 0.2j), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(12, 12), (11, 12), (12, 11), (11, 9)])
def test_cropping_undoes_zero_filling(size: tuple[int, int]) -> None:
    samples = random_complex(2, *size)
    for larger in ((20, 20), (21, 20), (20, 21), (21, 21)):
        torch.testing.assert_close(resize_kspace(resize_kspace(samples, larger), size), samples)


def test_zero_filling_by_two_keeps_the_original_pixels() -> None:
    image = to_image(resize_kspace(random_complex(5, 9, 11), (6, 10, 12)))
    finer = to_image(resize_kspace(to_kspace(image), (12, 20, 24)))
    torch.testing.assert_close(finer[::2, ::2, ::2], image, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("old", "new"), [((12, 10), (20, 21)), ((13, 11), (8, 7)), ((12, 11), (20, 6))])
def test_resizing_is_linear_and_its_adjoint_resizes_back(old: tuple[int, int], new: tuple[int, int]) -> None:
    ratio = new[0] * new[1] / (old[0] * old[1])
    assert_linear(lambda x: resize_kspace(x, new), *old)
    assert_adjoint(lambda x: resize_kspace(x, new), lambda y: resize_kspace(y, old) * ratio, old, new)


@pytest.mark.parametrize(("new", "per_pixel"), [((128, 96), 1.0), ((32, 24), 0.5), ((64, 24), 1 / sqrt(2))])
def test_noise_after_resizing(new: tuple[int, int], per_pixel: float) -> None:
    """Zero-filling keeps the noise per pixel; cropping to a share of the samples averages it down by its root."""
    noise = to_image(resize_kspace(random_complex(8, 64, 48), new), IN_PLANE)
    assert noise_sd(noise) == pytest.approx(per_pixel, rel=0.02)


@pytest.mark.parametrize("new", [(0, 4), (4, -1)])
def test_an_empty_matrix_is_refused(new: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"matrix is {new[0]} x {new[1]}; every size must be at least 1"):
        resize_kspace(random_complex(4, 4), new)


def test_more_sizes_than_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="matrix has 3 sizes and kspace 2 axes; it must not have more"):
        resize_kspace(random_complex(4, 4), (1, 4, 4))


@given(n=st.integers(1, 40), width=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_the_central_band_lies_as_a_smaller_centred_axis_does(n: int, width: int) -> None:
    start, stop = central_band(n, width)
    kept = min(n, width)
    assert stop - start == kept
    assert start + kept // 2 == n // 2  # both have DC at the same sample
