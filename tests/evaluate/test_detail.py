"""How much of the detail that a gain adds is true."""

import pytest
import torch

from lucidmr.evaluate.detail import Regained, regained, true_detail
from lucidmr.evaluate.sharpness import DIRECTIONS
from lucidmr.evaluate.specimens import specimens
from lucidmr.physics.body import body_mask
from noisy_head import phantom
from properties import seeded


def images(added):
    """A head that lacks some detail, and what is added to it of that detail."""
    truth = 100.0 * phantom(128)
    missing = torch.randn(truth.shape, generator=seeded()) * body_mask(truth)
    before = truth - missing
    return Regained(before, before + added(missing), truth, 2.0)


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_detail_too_strong_is_true_in_part_and_too_weak_is_found_in_part(share):
    found = true_detail(images(lambda missing: share * missing))
    assert found.true == pytest.approx(1.0 / share)
    assert found.found == pytest.approx(share)
    if share == 0.5:
        assert found.psnr_gain == pytest.approx(6.0, abs=0.05)


def test_made_up_detail_is_not_true():
    made_up = torch.randn((128, 128), generator=seeded(1))
    found = true_detail(images(lambda missing: made_up * (missing != 0)))
    assert abs(found.true) < 0.03
    assert abs(found.found) < 0.03
    assert found.psnr_gain == pytest.approx(-3.0, abs=0.2)


def test_nothing_added_is_nothing_true():
    assert true_detail(images(torch.zeros_like)) == (None, 0.0, 0.0)
    rounding = true_detail(images(lambda missing: 1e-5 * missing))
    assert rounding.true is None
    assert rounding.found == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("along", DIRECTIONS)
def test_half_of_k_space_is_cut_off_along_one_direction(bench, along):
    specimen = specimens(bench, 1)[0][0]
    found = regained(bench, specimen, along, f"half-{along}")
    missing = torch.fft.fft2(found.truth - found.before).abs()
    axis = DIRECTIONS.index(along)
    quarter = round(0.25 * specimen.scan.matrix[1 + axis])
    beyond = missing.narrow(axis, quarter, missing.shape[axis] - 2 * quarter).square().sum()
    # The rest is noise, and what taking magnitudes mixes.
    assert float(beyond / missing.square().sum()) > 0.6
    assert found.pixel == pytest.approx(2.0 * found.truth.shape[axis] / specimen.scan.matrix[1 + axis])
