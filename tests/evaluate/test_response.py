"""The local response against processors whose response is known."""

import pytest
import torch
from torch.nn import functional as F

from lucidmr.context import Enhancement
from lucidmr.enhance.pipeline import enhance
from lucidmr.evaluate.response import local_response, series_response
from lucidmr.evaluate.simulated import phantom_scan, phantom_series
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.standardize import resample

GRID = (384, 384)
HEAD = image(anatomy_phantom(), 128, 128).real.float()


def test_interpolation_leaves_the_point_spread_of_the_scan():
    found = local_response(lambda plane: resample(plane, GRID), HEAD, GRID, (1.0, 1.0))
    assert len(found.height) > 4
    assert float(found.width_before.median()) == pytest.approx(1.2, abs=0.06)
    torch.testing.assert_close(found.width_after, found.width_before, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.height, torch.ones_like(found.height), atol=1e-3, rtol=1e-3)


def test_a_blur_along_one_direction_is_seen_along_it_alone():
    def blur(plane):
        return resample(F.avg_pool2d(plane[None, None], (3, 1), 1, (1, 0))[0, 0], GRID)

    found = local_response(blur, HEAD, GRID, (1.0, 1.0))
    freq, phase = found.width_after.median(0).values.tolist()
    assert freq == pytest.approx(3.0, abs=0.2)
    assert phase == pytest.approx(1.2, abs=0.06)


def test_lengths_are_acquired_pixels():
    found = local_response(lambda plane: resample(plane, GRID), HEAD, GRID, (0.5, 0.5))
    assert float(found.width_before.median()) == pytest.approx(1.2, abs=0.06)


def test_the_response_of_a_series(tiny_model, tmp_path):
    series = phantom_series([phantom_scan(anatomy_phantom(), (96, 80), 0.02, 1)], tmp_path / "head")
    found = series_response(enhance(series, Enhancement(2.0), model=tiny_model, device="cpu"), 0)
    assert len(found.height) > 1
    assert found.width_after.isfinite().any()
