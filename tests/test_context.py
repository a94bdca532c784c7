"""The definitions that training and enhancing share."""

from dataclasses import replace
from itertools import pairwise
from math import inf, isfinite, log2, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidmr.context import (
    CONTEXT_FIELDS,
    GAIN_RANGE,
    NOISE_REDUCTION_RANGE,
    PARTIAL_FOURIER_RANGE,
    SCHEMA_VERSION,
    Acquisition,
    Context,
    Directions,
    Enhancement,
    encode,
)

GRID = (256, 256, 64)
FULLY_SAMPLED = Acquisition(
    matrix=Directions(256.0, 256.0, 64.0),
    partial_fourier=Directions(1.0, 1.0, 1.0),
    acceleration_phase=1.0,
    acceleration_slice=1.0,
    acceleration_random=1.0,
    elliptical=False,
    three_dimensional=True,
)
NOTHING = Enhancement(noise_reduction=1.0)

fractions = st.none() | st.floats(*PARTIAL_FOURIER_RANGE)
sizes = st.none() | st.floats(1.0, 65536.0)
factors = st.none() | st.floats(1.0, 64.0)
acquisitions = st.builds(
    Acquisition,
    matrix=st.builds(Directions, sizes, sizes, sizes),
    partial_fourier=st.builds(Directions, fractions, fractions, fractions),
    acceleration_phase=factors,
    acceleration_slice=factors,
    acceleration_random=factors,
    elliptical=st.none() | st.booleans(),
    three_dimensional=st.none() | st.booleans(),
)
gains = st.floats(*GAIN_RANGE)
enhancements = st.builds(
    Enhancement,
    noise_reduction=st.floats(*NOISE_REDUCTION_RANGE),
    gain_freq=gains,
    gain_phase=gains,
    gain_slice=gains,
    restore_partial_fourier=st.booleans(),
)
grids = st.tuples(st.integers(1, 2048), st.integers(1, 2048), st.integers(1, 512))


def test_nothing_asked_of_a_fully_sampled_scan_is_all_zeros_but_for_the_noise_not_measured_yet():
    assert encode(FULLY_SAMPLED, NOTHING, GRID).vector == (*[0.0] * (len(CONTEXT_FIELDS) - 1), 1.0)


def test_a_silent_header_raises_every_flag_and_leaves_the_values_zero():
    context = encode(Acquisition(three_dimensional=True), NOTHING, GRID)
    for name in CONTEXT_FIELDS:
        assert getattr(context, name) == float(name.endswith("_unknown")), name


@pytest.mark.parametrize("three_dimensional", [False, None])
def test_slice_is_left_out_of_a_scan_not_known_to_be_3d(three_dimensional):
    scan = replace(
        FULLY_SAMPLED,
        matrix=Directions(256.0, 256.0, 32.0),
        partial_fourier=Directions(1.0, 1.0, 0.75),
        three_dimensional=three_dimensional,
    )
    context = encode(scan, Enhancement(noise_reduction=1.0, gain_slice=2.0), GRID)
    slice_fields = [name for name in CONTEXT_FIELDS if "slice" in name and not name.startswith("acceleration")]
    assert len(slice_fields) == 6
    assert all(getattr(context, name) == 0.0 for name in slice_fields)


def test_values_of_a_typical_scan():
    scan = Acquisition(
        matrix=Directions(128.0, 192.0),
        partial_fourier=Directions(1.0, 0.75),
        acceleration_phase=2.0,
        elliptical=True,
    )
    context = encode(scan, Enhancement(noise_reduction=4.0, gain_phase=2.0), (256, 256, 1))
    assert context.extent_freq == -1.0
    assert context.extent_phase == pytest.approx(log2(0.75))
    assert (context.gain_freq, context.gain_phase) == (0.0, 1.0)
    assert (context.missing_phase, context.restore_phase) == (0.25, 0.25)
    assert (context.missing_freq, context.restore_freq) == (0.0, 0.0)
    assert (context.acceleration_phase, context.acceleration_phase_unknown) == (1.0, 0.0)
    assert (context.acceleration_random, context.acceleration_random_unknown) == (0.0, 1.0)
    assert (context.elliptical, context.elliptical_unknown) == (1.0, 0.0)
    assert context.noise_reduction == 2.0


def test_partial_fourier_is_told_but_not_restored_when_not_wanted():
    scan = replace(FULLY_SAMPLED, partial_fourier=Directions(0.875, 0.75, 0.625))
    context = encode(scan, replace(NOTHING, restore_partial_fourier=False), GRID)
    assert (context.missing_freq, context.missing_phase, context.missing_slice) == (0.125, 0.25, 0.375)
    assert (context.restore_freq, context.restore_phase, context.restore_slice) == (0.0, 0.0, 0.0)


def test_more_samples_than_pixels_count_as_the_whole_extent():
    assert encode(replace(FULLY_SAMPLED, matrix=Directions(512.0, 256.0, 64.0)), NOTHING, GRID).extent_freq == 0.0


@given(acquisitions, enhancements, grids)
def test_vector_round_trip(acquisition, enhancement, grid):
    context = encode(acquisition, enhancement, grid)
    assert Context.from_vector(context.vector) == context
    assert len(context.vector) == len(CONTEXT_FIELDS)


@given(acquisitions, enhancements, grids)
def test_every_value_is_finite_and_of_its_kind(acquisition, enhancement, grid):
    context = encode(acquisition, enhancement, grid)
    for name in CONTEXT_FIELDS:
        value = getattr(context, name)
        assert isfinite(value), name
        if name.endswith("_unknown"):
            assert value in (0.0, 1.0), name
            assert value == 0.0 or getattr(context, name.removesuffix("_unknown")) == 0.0, name
        elif name.startswith("extent"):
            assert value <= 0.0, name
        else:
            assert value >= 0.0, name


@given(acquisitions, enhancements, grids)
def test_never_more_is_restored_than_is_missing(acquisition, enhancement, grid):
    context = encode(acquisition, enhancement, grid)
    for direction in Directions._fields:
        assert getattr(context, f"restore_{direction}") in (0.0, getattr(context, f"missing_{direction}"))


@pytest.mark.parametrize("name", ["gain_freq", "gain_phase", "gain_slice", "noise_reduction"])
@given(values=st.lists(st.floats(*GAIN_RANGE), min_size=2, max_size=5))
def test_monotonic_in_what_is_asked(name, values):
    encoded = [getattr(encode(FULLY_SAMPLED, replace(NOTHING, **{name: v}), GRID), name) for v in sorted(values)]
    assert all(low <= high for low, high in pairwise(encoded))
    assert encoded[0] == log2(min(values))


@given(st.floats(1.0, 256.0), st.floats(1.0, 256.0))
def test_monotonic_in_the_matrix(first, second):
    low, high = (
        encode(replace(FULLY_SAMPLED, matrix=Directions(256.0, size, 64.0)), NOTHING, GRID).extent_phase
        for size in sorted((first, second))
    )
    assert low <= high


@given(acquisitions, enhancements, grids, st.floats(*NOISE_REDUCTION_RANGE))
def test_one_request_changes_one_field(acquisition, enhancement, grid, noise_reduction):
    before = encode(acquisition, enhancement, grid)
    after = encode(acquisition, replace(enhancement, noise_reduction=noise_reduction), grid)
    assert replace(after, noise_reduction=0.0) == replace(before, noise_reduction=0.0)


OUTSIDE = [
    ("noise_reduction", NOISE_REDUCTION_RANGE, lambda v: Enhancement(noise_reduction=v)),
    ("gain_freq", GAIN_RANGE, lambda v: Enhancement(gain_freq=v)),
    ("gain_phase", GAIN_RANGE, lambda v: Enhancement(gain_phase=v)),
    ("gain_slice", GAIN_RANGE, lambda v: Enhancement(gain_slice=v)),
    ("matrix.freq", (1.0, 65536.0), lambda v: Acquisition(matrix=Directions(freq=v))),
    ("matrix.phase", (1.0, 65536.0), lambda v: Acquisition(matrix=Directions(phase=v))),
    ("matrix.slice", (1.0, 65536.0), lambda v: Acquisition(matrix=Directions(slice=v))),
    ("partial_fourier.freq", PARTIAL_FOURIER_RANGE, lambda v: Acquisition(partial_fourier=Directions(freq=v))),
    ("partial_fourier.phase", PARTIAL_FOURIER_RANGE, lambda v: Acquisition(partial_fourier=Directions(phase=v))),
    ("partial_fourier.slice", PARTIAL_FOURIER_RANGE, lambda v: Acquisition(partial_fourier=Directions(slice=v))),
    ("acceleration_phase", (1.0, 64.0), lambda v: Acquisition(acceleration_phase=v)),
    ("acceleration_slice", (1.0, 64.0), lambda v: Acquisition(acceleration_slice=v)),
    ("acceleration_random", (1.0, 64.0), lambda v: Acquisition(acceleration_random=v)),
]


@pytest.mark.parametrize(("name", "limits", "make"), OUTSIDE, ids=[row[0] for row in OUTSIDE])
def test_a_value_out_of_range_is_named_with_its_range(name, limits, make):
    low, high = limits
    for value in (low - 0.25, high + 0.25, -1.0, nan, inf, -inf):
        with pytest.raises(ValueError, match="must lie between") as caught:
            make(value)
        assert str(caught.value) == f"{name} is {value:g}; it must lie between {low:g} and {high:g}"
    for value in limits:
        make(value)


@given(levels=st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=5))
def test_more_noise_is_told_as_more(levels):
    told = [Context().with_noise(level) for level in sorted(levels)]
    assert all(low.noise <= high.noise for low, high in pairwise(told))
    assert all(context.noise_unknown == 0.0 for context in told)


def test_one_percent_of_noise_is_one():
    assert Context().with_noise(0.01).noise == pytest.approx(1.0)


@pytest.mark.parametrize("level", [0.0, -1.0, float("nan")])
def test_noise_that_was_not_found_stays_unknown(level):
    assert Context().with_noise(level) == Context()


@pytest.mark.parametrize("length", [0, len(CONTEXT_FIELDS) - 1, len(CONTEXT_FIELDS) + 1])
def test_a_vector_of_another_schema_is_refused(length):
    with pytest.raises(
        ValueError, match=rf"vector has {length} values, schema {SCHEMA_VERSION} has {len(CONTEXT_FIELDS)}"
    ):
        Context.from_vector((0.0,) * length)
