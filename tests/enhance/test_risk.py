import math

import pytest
import torch
from torch.nn import functional as F

from lucidmr.enhance.risk import ORIGINAL, WEAKER, Risk, mean_of, risk_of
from noisy_head import phantom

NOISE = 0.05


def blurred(image):
    """A denoiser that knows nothing of anatomy."""
    return F.avg_pool2d(image[:, None], 3, 1, 1, count_include_pad=False)[:, 0]


def shrunk(image):
    """One that leaves what is stronger than its noise."""
    detail = image - blurred(blurred(image))
    return image - detail.clamp(-NOISE, NOISE)


def estimated_and_true(passes, noise=NOISE, told=NOISE, seed=1, weaker=WEAKER, denoised=blurred):
    """Risk of the last of some passes, each on what the one before left, and what it really is by share."""
    truth = phantom(256)[None]
    image, extra = (
        truth + scale * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed + number))
        for number, scale in enumerate((noise, told))
    )
    extra = weaker * (extra - truth)
    given, left, noisy = image, image, image + extra
    for _ in range(passes - 1):
        left, noisy = denoised(left), denoised(noisy)
    predicted, predicted_noisy = left - denoised(left), noisy - denoised(noisy)
    gone, gone_of_it = given - left, (given + extra - noisy) - (given - left)
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    strength = WEAKER / weaker  # of noise that is weaker by so much it is told
    found = risk_of(
        gone, predicted, strength * extra, strength * gone_of_it, strength * (predicted_noisy - predicted), everywhere
    )

    def true(share):
        return float((left - share * predicted - truth).square().mean()) / noise**2

    return found, true


@pytest.mark.parametrize("denoised", [blurred, shrunk])
@pytest.mark.parametrize("passes", [1, 2, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_risk_is_estimated_without_the_truth(passes, share, denoised):
    found, true = estimated_and_true(passes, denoised=denoised)
    assert found(share) == pytest.approx(true(share), abs=0.05)


def test_noise_as_strong_as_the_images_own_would_tell_a_wrong_risk():
    weak, strong = (estimated_and_true(2, weaker=weaker, denoised=shrunk) for weaker in (WEAKER, 1.0))
    off = [abs(found(1.0) - true(1.0)) for found, true in (weak, strong)]
    assert off[0] < 0.5 * off[1]


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


@pytest.mark.parametrize(
    ("risk", "least"),
    [
        (Risk(1.0, -1.0, 1.0), 0.75),
        (Risk(1.0, -3.0, 1.0), -1.0),
        (Risk(0.5, 1.0, 1.0), 0.5),
        (Risk(1.0, -0.5, 0.0), 0.5),
    ],
)
def test_the_least_risk_of_a_pass(risk, least):
    assert risk.least == pytest.approx(least)
