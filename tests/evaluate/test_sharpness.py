"""Sharpness measures against blurred steps, band-limited steps and lines of known width."""

import math

import pytest
import torch
from torch import Tensor

from lucidmr.evaluate.sharpness import ENOUGH, bootstrap_median, edge_sharpness, line_width

POSITIONS = torch.arange(25, 240, 30) + 0.3  # off the pixel centres


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def steps(sigma: float, contrast: float = 1.0) -> Tensor:
    """Steps up and down along phase, each blurred by a Gaussian."""
    x = torch.arange(256.0)
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    edges = 0.5 * (1 + torch.erf((x[:, None] - POSITIONS) / (sigma * math.sqrt(2))))
    return (0.5 + contrast * (edges * signs).sum(1)).expand(200, 256).clone()


def lines(sigma: float) -> Tensor:
    """Thin bright lines across phase."""
    x = torch.arange(256.0)
    return (0.2 + torch.exp(-0.5 * ((x[:, None] - POSITIONS) / sigma) ** 2).sum(1)).expand(200, 256).clone()


def noisy(image: Tensor, sd: float) -> Tensor:
    return image + sd * torch.randn(image.shape, generator=generator())


@pytest.mark.parametrize("direction", ["freq", "phase"])
def test_blurred_steps_read_their_known_widths(direction):
    before, after = steps(1.5), steps(0.9)
    if direction == "freq":
        before, after = before.mT, after.mT
    result = edge_sharpness(before, after, direction, generator())
    assert result.edges >= ENOUGH
    assert result.sharpness.value == pytest.approx(1.5 / 0.9, rel=0.02)
    assert result.rise_before.value == pytest.approx(2.563 * 1.5, rel=0.05)
    assert result.rise_after.value == pytest.approx(2.563 * 0.9, rel=0.06)
    assert result.rise.value == pytest.approx(0.9 / 1.5, rel=0.05)
    assert abs(result.overshoot_after.value) < 0.5


def test_nothing_changed_reads_one_with_no_uncertainty():
    result = edge_sharpness(steps(1.2), steps(1.2), "phase", generator())
    assert result.sharpness == (1.0, 1.0, 1.0)
    assert result.rise == (1.0, 1.0, 1.0)


def test_sharper_along_phase_leaves_freq_alone():
    x = steps(1.5)[0]
    before, after = x[:, None] + x, x[:, None] + steps(0.9)[0]
    along_freq = edge_sharpness(before, after, "freq", generator())
    along_phase = edge_sharpness(before, after, "phase", generator())
    assert along_freq.sharpness.value == pytest.approx(1.0, abs=0.01)
    assert along_phase.sharpness.value == pytest.approx(1.5 / 0.9, rel=0.02)


def test_interval_covers_the_truth_in_noise():
    result = edge_sharpness(noisy(steps(1.5), 0.03), steps(1.0), "phase", generator())
    assert result.sharpness.low < result.sharpness.value < result.sharpness.high
    assert result.rise.low <= 1 / 1.5 * 1.05
    assert result.rise.high >= 1 / 1.5 * 0.95


def test_no_edges_are_found_across_the_other_direction():
    result = edge_sharpness(steps(1.0), steps(1.0), "freq", generator())
    assert result.edges == 0
    assert math.isnan(result.sharpness.value)


def test_edges_of_pure_noise_are_rejected():
    noise = noisy(torch.zeros(256, 256), 1.0)
    assert edge_sharpness(noise, noise, "phase", generator()).edges < ENOUGH


def test_overshoot_of_a_band_limited_step_is_that_of_gibbs():
    step = ((torch.arange(1024) - 512).abs() < 256).float()
    spectrum = torch.fft.fft(step)
    spectrum[torch.fft.fftfreq(1024).abs() > 0.125] = 0  # zero-filled by four
    gibbs = torch.fft.ifft(spectrum).real.expand(400, 1024).clone()
    blurred = torch.nn.functional.avg_pool1d(step.expand(400, 1024), 9, 1, 4)
    result = edge_sharpness(blurred, gibbs, "phase", generator(), scale=4.0)
    assert result.edges >= ENOUGH
    assert result.overshoot_after.value == pytest.approx(8.95, abs=0.6)
    assert result.overshoot_before.value < 2.0


def test_lines_read_their_known_width():
    result = line_width(lines(1.6), lines(1.1), "phase", generator())
    assert result.lines >= ENOUGH
    assert result.width_before.value == pytest.approx(2.355 * 1.6, rel=0.04)
    assert result.width_after.value == pytest.approx(2.355 * 1.1, rel=0.06)
    assert result.width.value == pytest.approx(1.1 / 1.6, rel=0.05)


def test_stacks_pool_their_edges():
    one, two = (
        edge_sharpness(image, image, "phase", generator(), max_edges=10**6)
        for image in (steps(1.0), torch.stack([steps(1.0)] * 2))
    )
    assert two.edges == 2 * one.edges


def test_the_limit_on_edges_is_kept():
    assert edge_sharpness(steps(1.0), steps(1.0), "phase", generator(), max_edges=60).edges == 60


def test_bootstrap_interval_has_the_known_width_of_a_median():
    values = torch.randn(400, generator=generator())
    interval = bootstrap_median(values, generator())
    expected = 2 * 1.96 * 1.2533 / math.sqrt(400)
    assert interval.low <= interval.value <= interval.high
    assert interval.high - interval.low == pytest.approx(expected, rel=0.35)


def test_bootstrap_leaves_out_what_is_not_finite():
    assert bootstrap_median(torch.tensor([2.0, float("nan"), float("inf")]), generator()) == (2.0, 2.0, 2.0)
