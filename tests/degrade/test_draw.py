"""Drawing a degradation: recorded, reproducible, within its ranges, and always possible to acquire."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.degrade.draw import Degradation, draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.physics.sampling import AxisSampling, Sampling, calibration_region, plane_mask, sampling_mask, support
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from properties import seeded

RANGES = DegradationRanges()
ALWAYS = replace(
    RANGES,
    gain_probability=1.0,
    partial_fourier_probability=1.0,
    corner_cut_probability=1.0,
    acceleration_probability=1.0,
    leave_noise_probability=0.0,
)
ACCELERATED = replace(RANGES, acceleration_probability=1.0)
PLANE, VOLUME = (1, 160, 144), (48, 128, 144)
seeds = st.integers(0, 10_000)
ranges = st.sampled_from([RANGES, ALWAYS, ACCELERATED])
matrices = st.tuples(st.one_of(st.just(1), st.integers(2, 80)), st.integers(16, 400), st.integers(16, 400))


def draw(
    seed: int,
    ranges: DegradationRanges = RANGES,
    matrix: tuple[int, int, int] = PLANE,
    n_coils: int = 16,
    least_noise: float = 0.0,
) -> Degradation:
    measured = Sampling(AxisSampling(matrix[1]), AxisSampling(matrix[2]), AxisSampling(matrix[0]))
    return draw_degradation(ranges, measured, n_coils, least_noise, seeded(seed))


def samplings(drawn: Degradation) -> tuple[Sampling, Sampling]:
    return drawn.target, drawn.input


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


@given(seed=seeds, ranges=ranges, matrix=st.sampled_from([PLANE, VOLUME]))
@settings(max_examples=60, deadline=None)
def test_a_draw_survives_json(seed: int, ranges: DegradationRanges, matrix: tuple[int, int, int]) -> None:
    drawn = draw(seed, ranges, matrix)
    assert Degradation.from_json(json.loads(json.dumps(drawn.to_json()))) == drawn
    assert Degradation.from_json(drawn.to_json()) == drawn


def test_the_seed_decides() -> None:
    assert draw(3, ALWAYS) == draw(3, ALWAYS)
    assert len({draw(seed).noise_seed for seed in range(50)}) == 50


@given(seed=seeds, matrix=matrices, ranges=ranges)
@settings(max_examples=80, deadline=None)
def test_ranges_are_respected(seed: int, matrix: tuple[int, int, int], ranges: DegradationRanges) -> None:
    drawn = draw(seed, ranges, matrix)
    assert RANGES.noise[0] <= drawn.noise <= RANGES.noise[1]
    assert 1.0 <= drawn.noise_reduction <= RANGES.noise_reduction[1]
    for n, name in zip(matrix, ("slice", "freq", "phase"), strict=True):
        target, degraded = getattr(drawn.target, name), getattr(drawn.input, name)
        assert min(n, round(0.6 * n)) - 1 <= target.width <= n
        assert degraded.width <= target.width <= RANGES.gain[1] * 1.1 * degraded.width  # widths are whole numbers
        assert target.early == degraded.early
        assert target.fraction in (1.0, degraded.fraction)
        assert degraded.fraction == 1.0 or 0.5 <= degraded.fraction <= 0.95
    assert drawn.target.corner_cut in (0.0, drawn.input.corner_cut)
    assert drawn.target.undersampling in (None, drawn.input.undersampling)


@given(seed=seeds, matrix=matrices, n_coils=st.integers(1, 32))
@settings(max_examples=120, deadline=None)
def test_whatever_is_drawn_can_be_acquired(seed: int, matrix: tuple[int, int, int], n_coils: int) -> None:
    for sampling in samplings(draw(seed, ALWAYS if seed % 2 else ACCELERATED, matrix, n_coils)):
        acquired, inside = plane_mask(sampling), support(sampling)
        rows, _, columns = calibration_region(sampling)
        assert not bool((acquired & ~inside).any())
        assert bool(acquired[sampling.slice.width // 2, sampling.phase.width // 2])
        assert bool(inside[rows, columns].all())
        pattern = sampling.undersampling
        if isinstance(pattern, RandomUndersampling):
            assert int(acquired.sum()) == pytest.approx(int(inside.sum()) / pattern.factor, abs=0.51)
        if isinstance(pattern, UniformUndersampling):
            assert pattern.factor <= 0.75 * n_coils
            lattice = pattern.lattice(*inside.shape)
            assert float(lattice.float().mean()) == pytest.approx(1.0 / pattern.factor, rel=0.13)
            for factor, block in ((pattern.slice, rows), (pattern.phase, columns)):
                assert factor == 1.0 or block.stop - block.start >= max(12, 4 * factor)


def test_slice_is_left_alone_in_2d() -> None:
    for seed in range(100):
        for sampling in samplings(draw(seed, ALWAYS)):
            assert (sampling.slice.width, sampling.slice.fraction, sampling.corner_cut) == (1, 1.0, 0.0)
            pattern = sampling.undersampling
            assert not isinstance(pattern, UniformUndersampling) or pattern.slice == 1.0


def test_few_partitions_are_not_accelerated() -> None:
    for seed in range(100):
        pattern = draw(seed, ACCELERATED, (23, 128, 144), 32).input.undersampling
        assert not isinstance(pattern, UniformUndersampling) or pattern.slice == 1.0


@pytest.mark.parametrize(("n_coils", "most"), [(1, 1.0), (2, 1.0), (4, 2.0), (8, 5.0), (16, 12.0)])
def test_coils_limit_the_acceleration(n_coils: int, most: float) -> None:
    found = [draw(seed, ACCELERATED, VOLUME, n_coils).input.undersampling for seed in range(200)]
    uniform = [pattern.factor for pattern in found if isinstance(pattern, UniformUndersampling)]
    assert max(uniform, default=1.0) == most
    along_one = [max(pattern.phase, pattern.slice) for pattern in found if isinstance(pattern, UniformUndersampling)]
    assert max(along_one, default=1.0) <= max(2.0, 0.32 * n_coils)
    random = [pattern.factor for pattern in found if isinstance(pattern, RandomUndersampling)]
    assert max(random) <= 3.0 if n_coils == 1 else max(random) > 3.0


@given(seed=seeds, least=st.floats(0.001, 1.0))
@settings(max_examples=25, deadline=None)
def test_no_less_noise_is_drawn_than_the_scan_holds(seed: int, least: float) -> None:
    assert draw(seed, least_noise=least).noise >= least * (1 - 1e-9)


def test_probabilities_hold() -> None:
    """Shares over 400 draws, each within four standard errors."""
    drawn = [draw(seed) for seed in range(400)]
    assert share([d.noise_reduction == 1.0 for d in drawn]) == pytest.approx(0.1, abs=0.06)
    assert share([d.input.freq.width < d.target.freq.width for d in drawn]) == pytest.approx(0.35, abs=0.1)
    assert share([d.input.phase.width < d.target.phase.width for d in drawn]) == pytest.approx(0.35, abs=0.1)
    assert share([d.input.freq.fraction < 1 for d in drawn]) == pytest.approx(0.15, abs=0.075)
    partial = [d for d in drawn if d.input.phase.fraction < 1]
    assert len(partial) / len(drawn) == pytest.approx(0.3, abs=0.095)
    assert share([d.target.phase.fraction == 1 for d in partial]) == pytest.approx(0.6, abs=0.18)


def test_every_kind_occurs_in_3d() -> None:
    drawn = [draw(seed, ACCELERATED, VOLUME) for seed in range(400)]
    assert share([d.input.slice.width < d.target.slice.width for d in drawn]) == pytest.approx(0.35, abs=0.1)
    assert share([d.input.slice.fraction < 1 for d in drawn]) == pytest.approx(0.15, abs=0.075)
    cuts = [d for d in drawn if d.input.corner_cut > 0]
    assert len(cuts) / len(drawn) == pytest.approx(0.3, abs=0.095)
    assert share([d.input.corner_cut == 1 for d in cuts]) == pytest.approx(0.6, abs=0.18)
    assert share([d.target.corner_cut == 0 for d in cuts]) == pytest.approx(0.6, abs=0.18)
    for axis in ("freq", "phase", "slice"):
        partial = [getattr(d.input, axis) for d in drawn if getattr(d.input, axis).fraction < 1]
        assert {sampling.early for sampling in partial} == {True, False}


def test_every_acceleration_occurs() -> None:
    drawn = [draw(seed, ACCELERATED, VOLUME, 32) for seed in range(600)]
    patterns = [d.input.undersampling for d in drawn]
    uniform = [pattern for pattern in patterns if isinstance(pattern, UniformUndersampling)]
    random = [pattern for pattern in patterns if isinstance(pattern, RandomUndersampling)]
    assert len(random) / len(drawn) == pytest.approx(0.3, abs=0.075)
    assert {pattern.phase for pattern in uniform} == set(RANGES.uniform_phase)
    assert {(pattern.slice, pattern.shift) for pattern in uniform} == {
        (1.0, 0), (2.0, 0), (2.0, 1), (3.0, 0), (3.0, 1), (3.0, 2)
    }  # fmt: skip
    assert share([not pattern.integrated for pattern in uniform]) == pytest.approx(0.3, abs=0.11)
    assert min(pattern.factor for pattern in random) < 2.3
    assert max(pattern.factor for pattern in random) > 6.0
    accelerated = [d for d in drawn if d.input.undersampling]
    assert share([d.target.undersampling is None for d in accelerated]) == pytest.approx(0.6, abs=0.09)


def test_factors_are_log_uniform() -> None:
    factors = sorted(draw(seed, ALWAYS).noise_reduction for seed in range(300))
    assert factors[75] == pytest.approx(8**0.25, rel=0.2)
    assert factors[225] == pytest.approx(8**0.75, rel=0.2)


@pytest.mark.parametrize("matrix", [PLANE, VOLUME])
def test_nothing_is_degraded_where_nothing_is_asked(matrix: tuple[int, int, int]) -> None:
    nothing = replace(
        RANGES,
        base_fraction=(1.0, 1.0),
        gain_probability=0.0,
        partial_fourier_probability=0.0,
        corner_cut_probability=0.0,
        acceleration_probability=0.0,
        leave_noise_probability=1.0,
    )
    drawn = draw(0, nothing, matrix)
    assert drawn.target == drawn.input
    assert drawn.input.matrix == matrix
    assert bool(plane_mask(drawn.input).all())
    assert not drawn.input.is_partial
    assert drawn.noise_reduction == 1.0


MEASURED = [
    Sampling(AxisSampling(160, 0.8, early=False), AxisSampling(144, 0.625)),
    Sampling(AxisSampling(128), AxisSampling(144, 0.75, early=False), AxisSampling(48, 0.875), corner_cut=1.0),
    Sampling(AxisSampling(160), AxisSampling(144), undersampling=UniformUndersampling(2.0, calibration=(1, 24))),
    Sampling(AxisSampling(160), AxisSampling(144, 0.75), undersampling=UniformUndersampling(3.0, calibration=(1, 20))),
]


@pytest.mark.parametrize("measured", MEASURED)
@pytest.mark.parametrize("ranges", [RANGES, ALWAYS])
def test_what_was_not_measured_is_not_drawn(measured: Sampling, ranges: DegradationRanges) -> None:
    """Every sample of input and target was acquired by the raw scan."""
    raw = sampling_mask(measured)
    for seed in range(40):
        drawn = draw_degradation(ranges, measured, 16, 0.0, seeded(seed))
        for sampling in samplings(drawn):
            start = [n // 2 - width // 2 for n, width in zip(measured.matrix, sampling.matrix, strict=True)]
            block = tuple(slice(a, a + width) for a, width in zip(start, sampling.matrix, strict=True))
            assert not (sampling_mask(sampling) & ~raw[block]).any()
            assert raw[block][calibration_region(sampling)].all()
