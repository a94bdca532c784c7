"""Analytic k-space against closed forms, Fourier theorems and the rasterised image."""

from dataclasses import replace
from math import pi, prod, sin, sqrt
from time import perf_counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j1, spherical_jn

from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.phantoms import (
    Ellipse,
    Ellipsoid,
    Rectangle,
    anatomy_phantom,
    anatomy_phantom_3d,
    image,
    image_3d,
    kspace,
    kspace_3d,
    random_phantom,
    resolution_phantom,
    sphere_phantom,
)

ELLIPSE = Ellipse((0.1, -0.07), (0.21, 0.13), angle=0.4, intensity=1.3)
RECTANGLE = Rectangle((-0.08, 0.12), (0.17, 0.06), angle=-0.7, intensity=0.8)
SHAPES = [ELLIPSE, RECTANGLE]
CENTRED = {"centre": (0.0, 0.0), "angle": 0.0}


def transform_to_image(samples):
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(samples), norm="ortho"))


def transform_to_kspace(pixels):
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(pixels), norm="ortho"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(64, 48), (33, 64)])
def test_dc_is_area_times_intensity(shape, size):
    centre = kspace([shape], *size)[size[0] // 2, size[1] // 2] / sqrt(size[0] * size[1])
    assert centre.item() == pytest.approx(shape.area * shape.intensity, rel=1e-5)


@pytest.mark.parametrize(("u", "v"), [(1, 0), (0, 3), (-5, 7), (20, -11)])
def test_ellipse_equals_its_bessel_function(u, v):
    shape = replace(ELLIPSE, **CENTRED)
    radius = sqrt((0.21 * u) ** 2 + (0.13 * v) ** 2)
    expected = 1.3 * 0.21 * 0.13 * j1(2 * pi * radius) / radius
    assert kspace([shape], 64, 64)[32 + u, 32 + v].item() / 64 == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize(("u", "v"), [(1, 2), (-5, 7), (20, -11)])
def test_rectangle_equals_its_sinc_functions(u, v):
    shape = replace(RECTANGLE, **CENTRED)
    expected = 0.8 * sin(2 * pi * 0.17 * u) / (pi * u) * sin(2 * pi * 0.06 * v) / (pi * v)
    assert kspace([shape], 64, 64)[32 + u, 32 + v].item() / 64 == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quarter_turn_exchanges_the_axes(shape):
    original = replace(shape, centre=(0.1, 0.05))
    turned = replace(shape, centre=(-0.05, 0.1), angle=shape.angle + pi / 2)
    # (freq, phase) -> (-phase, freq): sample (u, v) of the original is sample (-v, u) of the turned one
    expected = kspace([original], 33, 33)
    torch.testing.assert_close(kspace([turned], 33, 33).flip(0).T, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_moving_a_shape_turns_the_phase(shape):
    n, shift = 64, (0.031, -0.17)
    moved = replace(shape, centre=(shape.centre[0] + shift[0], shape.centre[1] + shift[1]))
    u = torch.arange(n) - n // 2
    ramp = torch.exp(-2j * pi * (u[:, None] * shift[0] + u[None, :] * shift[1]))
    torch.testing.assert_close(kspace([moved], n, n), kspace([shape], n, n) * ramp, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_phase_slope_moves_kspace(shape):
    centred = replace(shape, centre=(0.0, 0.0))
    shifted = kspace([replace(centred, phase_slope=(3.0, -2.0))], 64, 64)
    torch.testing.assert_close(shifted.roll((-3, 2), (0, 1))[4:-4, 4:-4], kspace([centred], 64, 64)[4:-4, 4:-4])


def test_a_constant_phase_turns_every_sample():
    turned = kspace([replace(ELLIPSE, phase=0.9)], 32, 32)
    expected = kspace([ELLIPSE], 32, 32) * torch.exp(torch.tensor(0.9j))
    torch.testing.assert_close(turned, expected, atol=1e-6, rtol=1e-5)


@given(
    st.floats(-2.0, 2.0, allow_nan=False), st.floats(-2.0, 2.0, allow_nan=False), st.integers(8, 33), st.integers(8, 33)
)
@settings(max_examples=20, deadline=None)
def test_linear_in_the_intensities(first, second, n_freq, n_phase):
    together = kspace([replace(ELLIPSE, intensity=first), replace(RECTANGLE, intensity=second)], n_freq, n_phase)
    one, other = (kspace([replace(shape, intensity=1.0)], n_freq, n_phase) for shape in SHAPES)
    torch.testing.assert_close(together, first * one + second * other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("phantom", [resolution_phantom(), anatomy_phantom(0.3)])
def test_real_objects_have_hermitian_kspace(phantom):
    samples = kspace(phantom, 65, 63)
    torch.testing.assert_close(samples.flip(0, 1).conj(), samples, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_parseval_in_the_limit(shape):
    energy = shape.intensity**2 * shape.area
    lost = [1.0 - (kspace([shape], n, n).abs() ** 2).sum().item() / n**2 / energy for n in (64, 128, 256)]
    assert 0.0 < lost[2] < lost[1] < lost[0] < 0.05
    # the spectrum of an edge falls with the first power of the frequency, so the energy beyond k_max with 1 / k_max
    assert lost[0] / lost[2] == pytest.approx(4.0, rel=0.15)


@pytest.fixture(
    scope="module",
    params=[SHAPES, resolution_phantom(), anatomy_phantom(0.0)],
    ids=["shapes", "resolution", "anatomy"],
)
def rasterised(request):
    return request.param, image(request.param, 1024, 1024, oversample=4)


@pytest.mark.parametrize("size", [(64, 64), (96, 63)])
def test_agrees_with_the_rasterised_image_after_low_pass(rasterised, size):
    phantom, fine = rasterised
    rows, columns = (slice(512 - n // 2, 512 - n // 2 + n) for n in size)
    cropped = transform_to_kspace(fine)[rows, columns] * sqrt(size[0] * size[1]) / 1024
    difference = transform_to_image(kspace(phantom, *size)) - transform_to_image(cropped)
    assert difference.abs().max() < 0.025 * fine.abs().max()  # what is left is the raster: it falls with its spacing
    assert difference.abs().square().mean().sqrt() < 0.0025 * fine.abs().max()


def test_the_image_has_the_intensities():
    inner = transform_to_image(kspace([Ellipse((0.0, 0.0), (0.3, 0.3), intensity=2.5)], 128, 128))[54:74, 54:74]
    assert inner.real.mean().item() == pytest.approx(2.5, rel=2e-3)
    assert inner.imag.abs().max() < 0.02


def test_image_averages_over_the_pixel():
    half = Rectangle((0.0, 0.0), (0.5 / 8, 2.0 / 8))  # one pixel wide, half of the outer pixels along phase
    pixels = image([half], 8, 8, oversample=4)
    assert pixels.imag.abs().max() == 0.0
    expected = torch.zeros(8, 8)
    expected[4, 2:7] = torch.tensor([0.5, 1.0, 1.0, 1.0, 0.5])
    torch.testing.assert_close(pixels.real, expected)


def test_image_shows_the_phase():
    shape = Ellipse((0.1, 0.0), (0.3, 0.3), intensity=2.0, phase=0.5, phase_slope=(0.0, 1.5))
    direct = image([shape], 128, 128)
    through_kspace = transform_to_image(kspace([shape], 128, 128))
    inner = (slice(60, 94), slice(50, 78))
    turn = (direct[inner] * through_kspace[inner].conj()).angle()
    assert turn.abs().mean() < 0.02
    assert direct[77, 64].angle().item() == pytest.approx(0.5, abs=0.05)


def test_readout_oversampling_and_a_folded_field_of_view():
    wide = transform_to_image(kspace(SHAPES, 128, 64, field_of_view=(2.0, 1.0)))
    plain = transform_to_image(kspace(SHAPES, 64, 64))
    assert (wide[32:96] - plain).abs().mean() < 0.03
    assert wide[:20].abs().mean() < 0.03
    folded = transform_to_image(kspace([Ellipse((0.0, 0.35), (0.1, 0.1))], 64, 32, field_of_view=(1.0, 0.5)))
    # 0.35 lies 0.1 beyond the edge of the halved field of view: it comes back at -0.15, pixel 16 - 0.15 * 64
    assert folded[32, 16 - 10].real.item() == pytest.approx(1.0, abs=0.1)


def test_thin_lines_are_seen_by_kspace_and_image_alike():
    line = Rectangle((0.03, 0.02), (0.2, 0.0008), angle=0.6)
    total = image([line], 128, 128, oversample=16).real.sum().item() / 128**2
    assert total == pytest.approx(line.area, rel=0.03)


@pytest.mark.parametrize("position", [-1.0, -0.5, 0.0, 0.4, 1.0])
def test_anatomy_is_inside_the_field_of_view_and_not_negative(position):
    pixels = image(anatomy_phantom(position), 128, 128).real
    assert pixels.min() >= 0.0
    assert 0.9 < pixels.max() < 1.5
    border = torch.cat([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert border.abs().max() == 0.0


def test_anatomy_varies_smoothly_along_slice():
    here, near, far = (image(anatomy_phantom(position), 128, 128).real for position in (0.2, 0.21, 0.6))
    assert 0.0 < (near - here).abs().mean() < 0.1 * (far - here).abs().mean()


def test_anatomy_refuses_a_slice_outside():
    with pytest.raises(ValueError, match=r"slice_position is 1\.2; it must lie between -1 and 1"):
        anatomy_phantom(1.2)


def test_resolution_bars_resolve_in_both_directions():
    pixels = image(resolution_phantom(), 512, 512).real
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0
    along_phase, along_freq = pixels[128], pixels[:, 256 - 100]
    assert (along_phase.diff().abs() > 0.5).sum() > 60
    assert (along_freq.diff().abs() > 0.5).sum() > 8


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_random_phantoms_are_reproducible_and_inside(seed):
    first, second = (random_phantom(torch.Generator().manual_seed(seed), 30) for _ in range(2))
    assert first == second
    assert len(first) == 31
    for shape in first:
        for middle, reach in zip(shape.centre, shape.reach, strict=True):
            assert abs(middle) + reach < 0.5


def test_random_phantoms_differ():
    generator = torch.Generator().manual_seed(1)
    first, second = (random_phantom(generator) for _ in range(2))
    assert first != second
    assert {type(shape) for shape in first} == {Ellipse, Rectangle}


@pytest.mark.parametrize("make", [lambda: Ellipse((0.0, 0.0), (0.1, 0.0)), lambda: Rectangle((0.0, 0.0), (-0.1, 0.1))])
def test_a_shape_without_size_is_refused(make):
    with pytest.raises(ValueError, match=r"each must be above 0"):
        make()


def test_an_empty_field_of_view_is_refused():
    with pytest.raises(ValueError, match=r"field_of_view is \(1.0, 0.0\)"):
        kspace(SHAPES, 8, 8, field_of_view=(1.0, 0.0))


def test_fast_enough_for_training():
    phantom = random_phantom(torch.Generator().manual_seed(0), 150)
    kspace(phantom, 64, 64)
    durations = []
    for _ in range(3):
        start = perf_counter()
        kspace(phantom, 256, 256)
        durations.append(perf_counter() - start)
    assert min(durations) < 0.5


SOLID = Ellipsoid((0.06, -0.1, 0.08), (0.2, 0.27, 0.12), (0.3, -0.5, 0.8), 1.3, 0.4, (1.5, -2.0, 0.7))


@pytest.mark.parametrize("matrix", [(12, 16, 20), (13, 15, 20)])
def test_dc_is_volume_times_intensity(matrix):
    shape = replace(SOLID, phase=0.0, phase_slope=(0.0, 0.0, 0.0))
    centre = kspace_3d([shape], matrix)[tuple(n // 2 for n in matrix)] / sqrt(prod(matrix))
    assert centre.item() == pytest.approx(4 / 3 * pi * 0.2 * 0.27 * 0.12 * 1.3, rel=1e-5)


@pytest.mark.parametrize("index", [(1, 0, 0), (0, 3, 0), (-5, 7, 2), (10, -11, -14)])
def test_ellipsoid_equals_its_spherical_bessel_function(index):
    shape = Ellipsoid((0.0, 0.0, 0.0), (0.21, 0.13, 0.3), intensity=1.3)
    z = 2 * pi * sqrt(sum((half * k) ** 2 for half, k in zip(shape.semi_axes, index, strict=True)))
    expected = 1.3 * shape.volume * 3 * spherical_jn(1, z) / z
    sample = kspace_3d([shape], (32, 32, 32))[tuple(16 + k for k in index)] / sqrt(32**3)
    assert sample.item() == pytest.approx(expected, abs=2e-7)


def test_small_arguments_of_the_ball_are_exact():
    shape = Ellipsoid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    z = torch.linspace(1e-3, 1.2, 200, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    expected = shape.volume * 3 * spherical_jn(1, z.numpy()) / z.numpy()
    values = shape.transform(z / (2 * pi), zero, zero).flatten().double()
    torch.testing.assert_close(values, torch.from_numpy(expected), rtol=3e-6, atol=0.0)


def test_solid_kspace_is_the_transform_of_the_fine_image():
    """The image's own sampling smooths it by a voxel: compare at low frequencies with the voxel's sinc removed."""
    matrix, low = (36, 40, 44), 4
    samples = kspace_3d([SOLID], matrix)
    ideal = to_kspace(image_3d([SOLID], matrix, oversample=6))
    middle = tuple(slice(n // 2 - low, n // 2 + low + 1) for n in matrix)
    k = torch.arange(-low, low + 1)
    sinc = [torch.sinc(k / n) for n in matrix]
    kernel = sinc[0][:, None, None] * sinc[1][:, None] * sinc[2]
    assert (ideal[middle] / kernel - samples[middle]).abs().max() < 2e-3 * samples.abs().max()


def test_the_central_plane_of_a_long_solid_is_an_ellipse():
    """Along a solid 200 fields of view long only the plane k_slice = 0 has signal, that of its cross-section."""
    long = Ellipsoid((0.0, 0.1, -0.07), (100.0, 0.21, 0.13), (0.4, 0.0, 0.0))
    thin = image_3d([long], (1, 48, 44), oversample=4)[0]
    torch.testing.assert_close(thin, image([replace(ELLIPSE, intensity=1.0)], 48, 44), atol=1e-3, rtol=0.0)


def test_solids_move_and_turn_as_told():
    """A quarter turn about slice takes freq to phase; a shift is a linear phase in k-space."""
    shape = Ellipsoid((0.0, 0.0, 0.0), (0.1, 0.3, 0.15), (pi / 2, 0.0, 0.0))
    turned = Ellipsoid((0.0, 0.0, 0.0), (0.1, 0.15, 0.3))
    torch.testing.assert_close(kspace_3d([shape], (8, 16, 16)), kspace_3d([turned], (8, 16, 16)), atol=1e-5, rtol=0.0)
    moved = image_3d([replace(shape, centre=(0.25, -0.125, 0.0625))], (8, 16, 16))
    torch.testing.assert_close(moved, image_3d([shape], (8, 16, 16)).roll((2, -2, 1), (0, 1, 2)))


def test_solid_kspace_folds_a_smaller_field_of_view(device):
    whole = kspace_3d([SOLID], (16, 16, 16))
    half = kspace_3d([SOLID], (16, 8, 16), field_of_view=(1.0, 0.5, 1.0), device=device).cpu()
    torch.testing.assert_close(half, whole[:, ::2] * sqrt(2.0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [anatomy_phantom_3d, sphere_phantom])
def test_solid_phantoms_are_images(make):
    matrix = (24, 32, 32)
    ideal = image_3d(make(), matrix, oversample=2)
    measured = to_image(kspace_3d(make(), matrix))
    assert -1e-3 < ideal.real.min() <= ideal.real.max() < 1.5
    assert not ideal.imag.any()
    assert not ideal[0].any()
    assert (measured - ideal).abs().square().mean().sqrt() < 0.1


def test_bad_solids_are_named():
    with pytest.raises(ValueError, match=r"semi_axes is \(0.1, 0.0, 0.2\); each must be above 0"):
        Ellipsoid((0.0, 0.0, 0.0), (0.1, 0.0, 0.2))
    with pytest.raises(ValueError, match=r"field_of_view is \(1.0, 1.0, -1.0\)"):
        kspace_3d([SOLID], (8, 8, 8), (1.0, 1.0, -1.0))
