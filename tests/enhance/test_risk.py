import math

import pytest
import torch
from torch.nn import functional as F

from lucidmr.enhance.risk import ORIGINAL, Risk, mean_of, risk_of
from noisy_head import phantom

NOISE = 0.05


def blurred(image):
    """A denoiser that knows nothing of anatomy."""
    return F.avg_pool2d(image[:, None], 3, 1, 1, count_include_pad=False)[:, 0]


def estimated_and_true(passes, noise=NOISE, told=NOISE, seed=1):
    """Risk of the last of some passes of blurring, each on what the one before left, and what it really is by share."""
    truth = phantom(256)[None]
    image, extra = (
        truth + scale * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed + number))
        for number, scale in enumerate((noise, told))
    )
    extra = extra - truth
    given, left, noisy = image, image, image + extra
    for _ in range(passes - 1):
        left, noisy = blurred(left), blurred(noisy)
    predicted, predicted_noisy = left - blurred(left), noisy - blurred(noisy)
    gone, gone_of_it = given - left, (given + extra - noisy) - (given - left)
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    found = risk_of(gone, predicted, extra, gone_of_it, predicted_noisy - predicted, everywhere)

    def true(share):
        return float((left - share * predicted - truth).square().mean()) / noise**2

    return found, true


@pytest.mark.parametrize("passes", [1, 2, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_risk_is_estimated_without_the_truth(passes, share):
    found, true = estimated_and_true(passes)
    assert found(share) == pytest.approx(true(share), abs=0.05)


def test_faint_noise_is_better_left_where_strong_noise_is_not():
    for noise, better in ((0.3, True), (0.01, False)):
        found, true = estimated_and_true(1, noise, noise)
        assert (found(1.0) < 1.0) == (true(1.0) < 1.0) == better


def test_the_risk_is_as_right_as_the_noise_that_is_told():
    # What is removed counts in units of the noise: half of it told, four times as much seems to go.
    right, wrong = (estimated_and_true(1, told=told)[0] for told in (NOISE, 0.5 * NOISE))
    assert wrong.curvature == pytest.approx(4.0 * right.curvature, rel=0.02)
    assert wrong.slope == pytest.approx(right.slope, rel=0.02)


@pytest.mark.parametrize(
    ("risk", "most"),
    [
        (Risk(1.0, -0.5, 0.25), 2.0),
        (Risk(0.5, 0.0, 0.5), 1.0),
        (Risk(0.5, 1.0, 0.0), 0.5),
        (Risk(0.5, 0.25, 0.25), 1.0),
        (Risk(1.0, 0.5, 0.5), 0.0),
        (Risk(1.0, -0.5, 0.0), math.inf),
        (ORIGINAL, math.inf),
        (Risk(1.5, -3.0, 1.0), 0.0),
    ],
)
def test_the_largest_share_that_is_allowed(risk, most):
    assert risk.most(1.0) == pytest.approx(most)
    if 0.0 < most < math.inf:
        assert risk(most) == pytest.approx(1.0)


def test_where_there_is_nothing_to_estimate_on_it_is_that_of_the_original():
    image = torch.rand(1, 8, 8)
    assert risk_of(image, image, image, image, image, image > 2.0) == ORIGINAL


def test_images_share_a_risk():
    assert mean_of([Risk(0.0, 1.0, 2.0), Risk(1.0, 1.0, 0.0)]) == Risk(0.5, 1.0, 1.0)
