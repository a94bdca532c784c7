"""Poisson discs: as many points as asked, apart from each other, as dense as asked."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.physics.poisson_disc import poisson_disc
from properties import seeded

PLANE = (48, 64)
EVERYWHERE = torch.ones(PLANE, dtype=torch.bool)
FLAT = torch.ones(PLANE)


def random_points(count: int, seed: int) -> Tensor:
    """As many points without any order."""
    points = torch.zeros(PLANE, dtype=torch.bool)
    points.view(-1)[torch.randperm(points.numel(), generator=seeded(seed))[:count]] = True
    return points


def nearest(points: Tensor) -> Tensor:
    """Distance of each point from its nearest neighbour."""
    places = points.nonzero().float()
    return torch.cdist(places, places).fill_diagonal_(torch.inf).amin(1)


def low_frequencies(points: Tensor) -> float:
    """Power at low spatial frequencies (below half of 1 / typical distance) relative to that of unordered points."""
    share = float(points.float().mean())
    power = torch.fft.fft2(points.float() - share).abs().square() / (points.numel() * share * (1 - share))
    frequency = torch.hypot(torch.fft.fftfreq(PLANE[0])[:, None], torch.fft.fftfreq(PLANE[1]))
    return float(power[(frequency > 0) & (frequency < 0.5 * share**0.5)].mean())


@given(plane=st.tuples(st.integers(1, 24), st.integers(1, 24)), share=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_there_are_as_many_as_asked_where_they_may_lie(plane: tuple[int, int], share: float, seed: int) -> None:
    allowed = torch.rand(plane, generator=seeded(seed)) < 0.7
    count = round(share * int(allowed.sum()))
    points = poisson_disc(torch.rand(plane, generator=seeded(1)) + 0.05, allowed, count, seeded(seed))
    assert int(points.sum()) == count
    assert not bool((points & ~allowed).any())


@pytest.mark.parametrize("factor", [6, 10, 16])
def test_points_keep_away_from_each_other(factor: int) -> None:
    """At least 0.6 of the distance of the densest packing of as many, less what placing them on the grid takes."""
    count = FLAT.numel() // factor
    distances = nearest(poisson_disc(FLAT, EVERYWHERE, count, seeded(1)))
    assert float(distances.min()) > 0.6 * (2 / 3**0.5 * factor) ** 0.5 - 0.71
    assert float(nearest(random_points(count, 1)).min()) == 1.0


@pytest.mark.parametrize("factor", [3, 5, 8])
def test_the_spectrum_is_blue(factor: int) -> None:
    count = FLAT.numel() // factor
    assert low_frequencies(poisson_disc(FLAT, EVERYWHERE, count, seeded(2))) < 0.3
    assert low_frequencies(random_points(count, 2)) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("factor", [3, 6])
def test_the_density_is_followed(factor: int) -> None:
    """Counts in strips of a density that falls by a factor of four from one side to the other."""
    density = torch.linspace(4.0, 1.0, PLANE[1]).expand(PLANE)
    count = FLAT.numel() // factor
    mean = torch.stack([poisson_disc(density, EVERYWHERE, count, seeded(n)).float() for n in range(4)]).mean((0, 1))
    wanted = density[0] * count / float(density.sum())
    torch.testing.assert_close(mean.view(4, -1).mean(1), wanted.view(4, -1).mean(1), rtol=0.15, atol=0.0)


def test_distances_grow_where_the_density_falls() -> None:
    density = torch.linspace(1.0, 0.1, PLANE[1]).expand(PLANE)
    points = poisson_disc(density, EVERYWHERE, 300, seeded(3))
    dense, sparse = (nearest(points[:, half]).median() for half in (slice(0, 16), slice(48, 64)))
    assert float(sparse) > 1.5 * float(dense)


def test_gaps_in_a_row_are_bounded() -> None:
    """At a saturated distance d no gap reaches 2 d; distances shrink by a tenth from one throw to the next."""
    places = poisson_disc(torch.ones(1, 240), torch.ones(1, 240, dtype=torch.bool), 60, seeded(4))[0].nonzero()[:, 0]
    gaps = places.diff()
    assert int(gaps.min()) >= 2
    assert int(gaps.max()) <= 8


def test_the_scale_of_the_density_does_not_matter() -> None:
    density = torch.rand(PLANE, generator=seeded()) + 0.1
    once, scaled = (poisson_disc(a * density, EVERYWHERE, 400, seeded(5)) for a in (1.0, 64.0))
    assert torch.equal(once, scaled)


def test_seeds_decide() -> None:
    assert torch.equal(poisson_disc(FLAT, EVERYWHERE, 99, seeded(6)), poisson_disc(FLAT, EVERYWHERE, 99, seeded(6)))
    assert not torch.equal(poisson_disc(FLAT, EVERYWHERE, 99, seeded(6)), poisson_disc(FLAT, EVERYWHERE, 99, seeded(7)))


@pytest.mark.parametrize("count", [-1, 3073])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count}; it must lie between 0 and the 3072 allowed points"):
        poisson_disc(FLAT, EVERYWHERE, count, seeded())
