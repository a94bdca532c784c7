"""Standardization: the same image in, however it is stored; the source's values out."""

from dataclasses import replace
from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.standardize import (
    Standardization,
    interpolate,
    lanczos_matrix,
    plan,
    resample,
    restore,
    standard_grid,
    standardize,
)
from properties import seeded

SIDE = 48


def body(n_freq: int = 24, n_phase: int = 20, count: int = 3) -> Tensor:
    """Images with no symmetry, positive, all different."""
    noise = torch.rand(count, n_freq, n_phase, generator=seeded())
    rows, columns = torch.arange(n_freq)[:, None] / n_freq, torch.arange(n_phase) / n_phase
    return 100.0 * (1.0 + torch.sin(5.0 * rows + 2.0) * torch.cos(3.0 * columns)) + 40.0 * noise


def padded(images: Tensor, each: int, value: float = 0.0) -> Tensor:
    """The images between columns of one value."""
    return torch.nn.functional.pad(images, (each, each), value=value)


def plan_of(images: Tensor, phase_along_rows: bool = True, filled: float = 1.0, side: int = SIDE) -> Standardization:
    return plan(images, phase_along_rows=phase_along_rows, side=side, filled=filled)


@pytest.mark.parametrize("phase_along_rows", [True, False])
@pytest.mark.parametrize(("pad", "filled"), [(0, 1.0), (3, 20 / 26)])
def test_restoring_what_was_standardized_gives_the_interpolated_source(
    phase_along_rows: bool, pad: int, filled: float
) -> None:
    stored = padded(body(), pad)
    stored = stored if phase_along_rows else stored.transpose(-1, -2)
    how = plan_of(stored, phase_along_rows, filled)
    restored = restore(standardize(stored, how), stored, how)
    oriented = restored if phase_along_rows else restored.transpose(-1, -2)
    torch.testing.assert_close(oriented, interpolate(stored, how), atol=1e-4, rtol=1e-6)


def test_on_its_own_grid_an_image_comes_back_as_it_was() -> None:
    stored = body()
    how = plan_of(stored, side=24)
    assert how.grid == (24, 20)
    torch.testing.assert_close(restore(standardize(stored, how), stored, how), stored, atol=1e-4, rtol=1e-6)


@given(scale=st.floats(1e-3, 1e4), offset=st.floats(-1e3, 1e3))
@settings(max_examples=40, deadline=None)
def test_every_linear_rescale_gives_the_same(scale: float, offset: float) -> None:
    stored = body().double()
    expected = standardize(stored, plan_of(stored))
    other = scale * stored + offset * scale
    torch.testing.assert_close(standardize(other, plan_of(other)), expected, atol=1e-5, rtol=1e-5)


def test_tissue_lies_between_zero_and_one_whatever_the_outliers() -> None:
    stored = body(60, 50)
    stored[0, 0, 0] = 1e6
    found = standardize(stored, plan_of(stored, side=60))
    assert float(found.quantile(0.01)) == pytest.approx(0.0, abs=0.01)
    assert float(found.quantile(0.99)) == pytest.approx(1.0, abs=0.01)


def test_one_scale_serves_all_images() -> None:
    """An image of air stays dark beside one of tissue."""
    stored = body()
    stored[0] = 0.01 * stored[0]
    found = standardize(stored, plan_of(stored))
    assert float(found[0].max()) < 0.1 * float(found[1].max())


def test_rows_run_along_phase() -> None:
    stored = body()
    stored[0, 5, 2] = 1000.0
    along_rows = standardize(stored, plan_of(stored))
    turned = stored.transpose(-1, -2).contiguous()
    how = plan_of(turned, phase_along_rows=False)
    assert how.transposed
    assert how.matrix == (24, 20)
    torch.testing.assert_close(standardize(turned, how), along_rows)
    restored = restore(standardize(turned, how), turned, how)
    assert restored.shape == (3, 40, 48)
    row, column = divmod(int(restored[0].argmax()), 48)
    assert (column // 2, row // 2) == (5, 2)


@pytest.mark.parametrize("value", [0.0, 17.0])
def test_padding_is_cropped_and_comes_back(value: float) -> None:
    inner = body(24, 12)
    stored = padded(inner, 6, value)
    how = plan_of(stored, filled=0.5)
    assert how.crop_phase == (6, 18)
    assert how.grid == (48, 48)
    found = standardize(stored, how)
    assert found.shape == (3, 48, 24)
    assert (how.offset, how.scale) == pytest.approx((plan_of(inner).offset, plan_of(inner).scale))
    restored = restore(found, stored, how)
    assert restored.shape == (3, 48, 48)
    border = torch.cat([restored[..., :5], restored[..., -5:]], -1)  # out of reach of the kernel's three lobes
    torch.testing.assert_close(border, torch.full((3, 48, 10), value))


@pytest.mark.parametrize("filled", [1.0, 1.2, 0.0, -0.5, float("nan")])
def test_without_a_word_in_the_header_nothing_is_cropped(filled: float) -> None:
    assert plan_of(padded(body(24, 18), 3), filled=filled).crop_phase == (0, 24)
    assert plan_of(torch.full((1, 24, 24), 7.0), filled=filled).crop_phase == (0, 24)


def test_pixels_that_are_not_constant_are_not_cropped() -> None:
    stored = padded(body(24, 18), 3)
    stored[1, 5, 22] = 1.0
    assert plan_of(stored, filled=0.75).crop_phase == (0, 24)


def test_padding_of_an_odd_count_leaves_no_tissue_out() -> None:
    stored = padded(body(24, 19), 3)[..., 1:]  # 2 columns before and 3 after
    how = plan_of(stored, filled=19 / 24)
    start, stop = how.crop_phase
    assert start <= 2
    assert stop >= 21


@pytest.mark.parametrize(
    ("matrix", "side", "grid"),
    [
        ((256, 192), 1024, (1024, 768)),
        ((320, 320), 768, (768, 768)),
        ((512, 512), 512, (512, 512)),
        ((1100, 900), 1024, (1100, 900)),  # never reduced
        ((255, 200), 1024, (1024, 803)),
    ],
)
def test_the_grid_keeps_the_aspect_ratio(matrix: tuple[int, int], side: int, grid: tuple[int, int]) -> None:
    assert standard_grid(matrix, side) == grid


def test_a_finer_matrix_than_wanted_is_left_alone() -> None:
    stored = body(60, 50)
    how = plan_of(stored, side=48)
    assert how.grid == (60, 50)
    torch.testing.assert_close(interpolate(stored, how), stored)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_constant_images_stay_finite_and_come_back(value: float) -> None:
    stored = torch.full((2, 24, 20), value)
    how = plan_of(stored)
    found = standardize(stored, how)
    torch.testing.assert_close(found, torch.zeros(2, 48, 40), atol=1e-5, rtol=0)
    torch.testing.assert_close(restore(found, stored, how), torch.full((2, 48, 40), value))


def test_an_image_of_almost_one_value_has_the_scale_of_its_outliers() -> None:
    stored = torch.zeros(1, 40, 40)
    stored[0, 3, 3] = 8.0
    assert plan_of(stored).scale == 8.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    stored = body()
    stored[1, 2, 3] = value
    with pytest.raises(ValueError, match="the images hold values that are not finite"):
        plan_of(stored)


@pytest.mark.parametrize("shape", [(0, 24, 20), (2, 0, 20)])
def test_no_pixel_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="there are no pixels to standardize"):
        plan_of(torch.zeros(shape))


def test_another_matrix_than_the_planned_one_is_refused() -> None:
    how = plan_of(body())
    with pytest.raises(ValueError, match=r"the image's matrix \(20, 24\) is not the planned one \(24, 20\)"):
        standardize(body(20, 24), how)


@given(n_in=st.integers(1, 40), n_out=st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_lanczos_rows_sum_to_one(n_in: int, n_out: int) -> None:
    weights = lanczos_matrix(n_in, n_out)
    assert weights.shape == (n_out, n_in)
    torch.testing.assert_close(weights.sum(1), torch.ones(n_out), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("n_in", "n_out"), [(20, 40), (20, 41), (21, 64), (30, 37), (40, 20), (41, 17)])
def test_corners_coincide(n_in: int, n_out: int) -> None:
    """The centre of a pixel stays at its place in mm: a ramp of positions is interpolated to the new positions."""
    field_of_view = 240.0
    position = (torch.arange(n_in) + 0.5) * field_of_view / n_in
    wanted = (torch.arange(n_out) + 0.5) * field_of_view / n_out
    found = lanczos_matrix(n_in, n_out) @ position
    margin = 4 * field_of_view / min(n_in, n_out)
    inner = (wanted > margin) & (wanted < field_of_view - margin)
    assert float((found - wanted)[inner].abs().max()) < 0.03 * field_of_view / n_in


@pytest.mark.parametrize(("n_in", "n_out"), [(24, 48), (25, 60), (40, 30)])
def test_lanczos_treats_both_ends_alike(n_in: int, n_out: int) -> None:
    weights = lanczos_matrix(n_in, n_out)
    torch.testing.assert_close(weights, weights.flip(0, 1), atol=1e-6, rtol=0)


def test_smooth_structure_survives_interpolation() -> None:
    def wave(n: int) -> Tensor:
        return torch.sin(2 * pi * 4 * (torch.arange(n) + 0.5) / n)

    found = lanczos_matrix(48, 100) @ wave(48)
    torch.testing.assert_close(found[8:-8], wave(100)[8:-8], atol=0.01, rtol=0)


def test_reduction_keeps_aliases_out() -> None:
    """A pattern beyond the coarse grid's Nyquist frequency vanishes instead of turning up as a slow wave."""
    fast = torch.cos(2 * pi * 0.4 * torch.arange(120.0))
    assert float((lanczos_matrix(120, 48) @ fast)[4:-4].abs().max()) < 0.05


def test_resampling_is_separable_and_batched() -> None:
    images = body()
    both = resample(images, (30, 50))
    expected = torch.einsum("ar,brc,dc->bad", lanczos_matrix(24, 30), images, lanczos_matrix(20, 50))
    torch.testing.assert_close(both, expected, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(resample(images[1], (30, 50)), both[1])


def test_restoring_leaves_its_inputs_alone() -> None:
    stored = body(24, 20)
    how = plan_of(stored, side=24)
    before = stored.clone()
    restore(standardize(stored, how) + 1.0, stored, how)
    assert torch.equal(stored, before)


def test_the_box_scales_with_the_grid() -> None:
    how = Standardization(False, (24, 24), (0, 24), (3, 21), (48, 48), 0.0, 1.0)
    assert how.box == (slice(0, 48), slice(6, 42))
    assert replace(how, grid=(24, 24)).box == (slice(0, 24), slice(3, 21))
