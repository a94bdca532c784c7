"""Standardization: the same image in, however it is stored; the source's values out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.context import standard_grid
from lucidmr.standardize import Standardization, interpolate, plan, restore, standardize
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
        ((512, 512), 768, (768, 768)),
        ((64, 64), 1024, (256, 256)),
        ((2000, 1000), 1024, (2000, 1000)),
    ],
)
def test_standard_grid_is_never_coarser_and_at_most_fourfold(matrix, side, grid):
    assert standard_grid(matrix, side) == grid


@pytest.mark.parametrize(
    ("extents", "grid"),
    [
        ((1.0, 0.5), (1024, 768)),
        ((0.25, 0.125), (256, 192)),
        ((0.3, 0.5), (512, 384)),
        ((0.1, 0.1), (256, 192)),
        ((0.1, 0.9), (922, 691)),
    ],
)
def test_what_a_scanner_has_interpolated_is_not_made_much_finer(extents, grid):
    assert standard_grid((256, 192), 1024, extents) == grid


@pytest.mark.parametrize("phase_along_rows", [True, False])
def test_nothing_appears_where_there_was_nothing(phase_along_rows: bool) -> None:
    stored = body()
    stored[:, :, 12:] = 0.0  # masked air
    how = plan_of(stored, phase_along_rows)
    restored = restore(standardize(stored, how) + 0.1, stored, how)
    air = restored[..., restored.shape[-1] * 14 // 20 :]
    assert float(air.abs().max()) == 0.0
    assert float(restored[..., : restored.shape[-1] * 11 // 20].abs().min()) > 0.0
    assert float(interpolate(stored, how).abs().amin()) == 0.0
