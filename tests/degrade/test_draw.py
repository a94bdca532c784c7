"""Drawing a degradation: recorded, reproducible, within its ranges."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.degrade.draw import Degradation, draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from properties import seeded

RANGES = DegradationRanges()
ALWAYS = replace(RANGES, gain_probability=1.0, partial_fourier_probability=1.0, leave_noise_probability=0.0)
seeds = st.integers(0, 10_000)
matrices = st.tuples(st.integers(16, 400), st.integers(16, 400))


def draw(seed: int, ranges: DegradationRanges = RANGES, least_noise: float = 0.0) -> Degradation:
    return draw_degradation(ranges, (160, 128), least_noise, seeded(seed))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_a_draw_survives_json(seed: int) -> None:
    drawn = draw(seed)
    assert Degradation.from_json(json.loads(json.dumps(drawn.to_json()))) == drawn


def test_the_seed_decides() -> None:
    assert draw(3) == draw(3)
    assert len({draw(seed).noise_seed for seed in range(50)}) == 50


@given(seed=seeds, matrix=matrices, always=st.booleans())
@settings(max_examples=60, deadline=None)
def test_ranges_are_respected(seed: int, matrix: tuple[int, int], always: bool) -> None:
    drawn = draw_degradation(ALWAYS if always else RANGES, matrix, 0.0, seeded(seed))
    assert RANGES.noise[0] <= drawn.noise <= RANGES.noise[1]
    assert 1.0 <= drawn.noise_reduction <= RANGES.noise_reduction[1]
    for n, target, given_ in zip(
        matrix, (drawn.target.freq, drawn.target.phase), (drawn.input.freq, drawn.input.phase), strict=True
    ):
        assert round(0.6 * n) - 1 <= target.width <= n
        assert 1.0 <= target.width / given_.width <= RANGES.gain[1] * 1.1  # widths are whole numbers
        assert target.early == given_.early
        assert target.fraction in (1.0, given_.fraction)
        assert given_.fraction == 1.0 or 0.55 <= given_.fraction <= 0.95


@given(seed=seeds, least=st.floats(0.001, 1.0))
@settings(max_examples=25, deadline=None)
def test_no_less_noise_is_drawn_than_the_scan_holds(seed: int, least: float) -> None:
    assert draw(seed, least_noise=least).noise >= least * (1 - 1e-9)


def test_probabilities_hold() -> None:
    """Shares over 400 draws, each within four standard errors."""
    drawn = [draw(seed) for seed in range(400)]

    def share(hits: list[bool]) -> float:
        return sum(hits) / len(hits)

    assert share([d.noise_reduction == 1.0 for d in drawn]) == pytest.approx(0.1, abs=0.06)
    assert share([d.input.freq.width < d.target.freq.width for d in drawn]) == pytest.approx(0.35, abs=0.1)
    assert share([d.input.phase.width < d.target.phase.width for d in drawn]) == pytest.approx(0.35, abs=0.1)
    assert share([d.input.freq.fraction < 1 for d in drawn]) == pytest.approx(0.15, abs=0.075)
    partial = [d for d in drawn if d.input.phase.fraction < 1]
    assert len(partial) / len(drawn) == pytest.approx(0.3, abs=0.095)
    assert share([d.target.phase.fraction == 1 for d in partial]) == pytest.approx(0.6, abs=0.18)


def test_factors_are_log_uniform() -> None:
    factors = sorted(draw(seed, ALWAYS).noise_reduction for seed in range(300))
    assert factors[75] == pytest.approx(8**0.25, rel=0.2)
    assert factors[225] == pytest.approx(8**0.75, rel=0.2)


def test_nothing_is_degraded_where_nothing_is_asked() -> None:
    nothing = replace(
        RANGES,
        base_fraction=(1.0, 1.0),
        gain_probability=0.0,
        partial_fourier_probability=0.0,
        leave_noise_probability=1.0,
    )
    drawn = draw(0, nothing)
    assert drawn.target == drawn.input
    assert (drawn.input.freq.samples, drawn.input.phase.samples) == (160, 128)
    assert drawn.noise_reduction == 1.0
