"""Patterns of undersampling in the slice-phase plane."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.physics.undersampling import (
    RandomUndersampling,
    UniformUndersampling,
    calibration_block,
    elliptical_radius,
)


def all_of(n_slice: int, n_phase: int) -> Tensor:
    return torch.ones(n_slice, n_phase, dtype=torch.bool)


def from_dc(mask: Tensor) -> list[int]:
    """Positions of a row's samples, DC at 0."""
    return (mask.nonzero().flatten() - len(mask) // 2).tolist()


@pytest.mark.parametrize(
    ("factor", "positions"),
    [
        (1.0, [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4]),
        (2.0, [-4, -2, 0, 2, 4]),
        (3.0, [-3, 0, 3]),
        (2.5, [-5, -2, 0, 3]),
        (1.5, [-4, -3, -1, 0, 2, 3]),
    ],
)
def test_lines_are_nearest_to_the_multiples(factor: float, positions: list[int]) -> None:
    assert from_dc(UniformUndersampling(factor).lattice(1, 10)[0]) == positions


@given(factor=st.floats(1.0, 8.0), n=st.integers(16, 200))
@settings(max_examples=60, deadline=None)
def test_gaps_of_any_factor_differ_by_one_at_most(factor: float, n: int) -> None:
    lines = UniformUndersampling(factor).lattice(1, n)[0]
    assert bool(lines[n // 2])
    assert set(lines.nonzero().flatten().diff().tolist()) <= {int(factor), int(factor) + 1}
    assert int(lines.sum()) == pytest.approx(n / factor, abs=1.5)


def test_a_crop_of_the_lattice_is_the_lattice() -> None:
    pattern = UniformUndersampling(2.5, 3.0, shift=1)
    assert torch.equal(pattern.lattice(32, 48)[4:28, 8:40], pattern.lattice(24, 32))


@pytest.mark.parametrize(("slice_", "shift"), [(1.0, 0), (2.0, 0), (2.0, 1), (3.0, 1), (3.0, 2), (2.5, 1)])
def test_caipirinha_moves_along_slice_from_line_to_line(slice_: float, shift: int) -> None:
    lattice = UniformUndersampling(2.0, slice_, shift).lattice(60, 40)
    assert bool(lattice[30, 20])
    assert not bool(lattice[:, 21].any())
    torch.testing.assert_close(lattice.float().mean(), torch.tensor(0.5 / slice_), rtol=0.02, atol=0.0)
    assert torch.equal(lattice[shift:, 22], lattice[: 60 - shift, 20])


def test_calibration_lines_belong_to_the_scan_or_not() -> None:
    calibration = (6, 8)
    integrated, separate = (
        UniformUndersampling(3.0, 2.0, 0, calibration, scan).pattern(all_of(24, 32)) for scan in (True, False)
    )
    block = calibration_block((24, 32), calibration)
    assert int(block.sum()) == 48
    assert bool(integrated[block].all())
    assert torch.equal(integrated & ~block, separate & ~block)
    assert torch.equal(separate, UniformUndersampling(3.0, 2.0).lattice(24, 32))


def test_the_ellipse_touches_k_max() -> None:
    radius = elliptical_radius(8, 12)
    assert float(radius[4, 6]) == 0.0
    assert float(radius[0, 6]) == float(radius[4, 0]) == 1.0
    assert float(radius[0, 0]) == pytest.approx(2**0.5)


@given(
    factor=st.floats(1.0, 8.0),
    decay=st.floats(0.0, 4.0),
    plane=st.sampled_from([(1, 96), (1, 161), (32, 40), (25, 64)]),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_the_net_factor_is_what_was_asked(factor: float, decay: float, plane: tuple[int, int], seed: int) -> None:
    inside = all_of(*plane) & (elliptical_radius(*plane) <= 1.0)
    pattern = RandomUndersampling(factor, (8, 8), decay, seed).pattern(inside)
    assert not bool((pattern & ~inside).any())
    assert bool(pattern[calibration_block(plane, (8, 8)) & inside].all())
    assert int(pattern.sum()) == pytest.approx(int(inside.sum()) / factor, abs=0.51)


@pytest.mark.parametrize("plane", [(1, 256), (48, 64)])
def test_random_lines_are_denser_towards_dc(plane: tuple[int, int]) -> None:
    def share(decay: float) -> float:
        near = elliptical_radius(*plane) < 0.5
        pattern = RandomUndersampling(4.0, (1, 1), decay).pattern(all_of(*plane))
        return float(pattern[near].float().mean() / pattern[~near].float().mean())

    assert share(0.0) < share(1.0) < share(2.0)
    assert share(0.0) == pytest.approx(1.0, abs=0.25)
    assert share(2.0) > 2.5


@pytest.mark.parametrize("decay", [0.0, 1.0, 3.0])
def test_random_lines_of_a_slice_leave_no_large_gap(decay: float) -> None:
    """The least density is a sixteenth of the largest; a gap is at most about twice the distance wanted there."""
    for seed in range(10):
        gaps = RandomUndersampling(4.0, (16, 16), decay, seed).pattern(all_of(1, 192))[0].nonzero().flatten().diff()
        assert int(gaps.max()) <= (12 if decay == 0.0 else 32)


def test_random_patterns_follow_their_seed() -> None:
    patterns = [RandomUndersampling(4.0, seed=seed).pattern(all_of(1, 128)) for seed in (1, 1, 2)]
    assert torch.equal(patterns[0], patterns[1])
    assert not torch.equal(patterns[0], patterns[2])


def test_a_factor_of_one_takes_all() -> None:
    for calibration in ((4, 4), (32, 32)):
        assert bool(RandomUndersampling(1.0, calibration).pattern(all_of(12, 16)).all())


def test_calibration_must_fit_the_factor() -> None:
    with pytest.raises(ValueError, match=r"factor is 8; with that calibration block it must not exceed 96 / 24 = 4"):
        RandomUndersampling(8.0).pattern(all_of(1, 96))


@pytest.mark.parametrize("kind", [UniformUndersampling, RandomUndersampling])
def test_an_empty_calibration_block_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="calibration is 0 x 8 lines; there must be at least 1 x 1"):
        kind(calibration=(0, 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"phase": 0.5}, "phase is 0.5; it must lie between 1 and 16"),
        ({"slice": float("nan")}, "slice is nan; it must lie between 1 and 16"),
        ({"slice": 2.0, "shift": 2}, "shift is 2; it must lie between 0 and slice - 1 = 1"),
    ],
)
def test_impossible_uniform_patterns_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UniformUndersampling(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 17.0}, "factor is 17; it must lie between 1 and 16"),
        ({"decay": -1.0}, "decay is -1; it must lie between 0 and 8"),
    ],
)
def test_impossible_random_patterns_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomUndersampling(**arguments)
