"""The Poisson disc against BART's: as blue a spectrum, as even distances, in less time."""

import resource
import time
from collections.abc import Callable
from statistics import mean

import torch
from torch import Tensor

from bart import bart, needs_bart
from lucidmr.physics.poisson_disc import poisson_disc
from properties import seeded

PLANE = (48, 64)
FACTOR = 8


def evenness(points: Tensor) -> float:
    """Standard deviation of the distance from the nearest neighbour over its mean; 0.52 without any order."""
    places = points.nonzero().float()
    nearest = torch.cdist(places, places).fill_diagonal_(torch.inf).amin(1)
    return float(nearest.std() / nearest.mean())


def low_frequencies(points: Tensor) -> float:
    """Power at low spatial frequencies relative to that of points without any order."""
    share = float(points.float().mean())
    power = torch.fft.fft2(points.float() - share).abs().square() / (points.numel() * share * (1 - share))
    frequency = torch.hypot(torch.fft.fftfreq(PLANE[0])[:, None], torch.fft.fftfreq(PLANE[1]))
    return float(power[(frequency > 0.02) & (frequency < 0.5 * share**0.5)].mean())


def ours(seed: int) -> Tensor:
    count = PLANE[0] * PLANE[1] // FACTOR
    return poisson_disc(torch.ones(PLANE), torch.ones(PLANE, dtype=torch.bool), count, seeded(seed))


def barts(seed: int) -> Tensor:
    step = FACTOR**0.5
    points = bart(f"poisson -Y {PLANE[0]} -Z {PLANE[1]} -y {step} -z {step} -C 1 -s {seed + 1}")
    return torch.from_numpy(points.reshape(PLANE).real > 0.0)


def cpu_seconds(draw: Callable[[int], Tensor]) -> float:
    before = _cpu_clock()
    draw(0)
    return _cpu_clock() - before


def _cpu_clock() -> float:
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


@needs_bart
def test_as_even_as_bart_and_faster(compare: Callable[[str, str, str, float, float], None]) -> None:
    for name, measure in (("low frequencies", low_frequencies), ("unevenness", evenness)):
        found, expected = (mean(measure(draw(seed)) for seed in range(3)) for draw in (ours, barts))
        compare("Poisson disc", "BART", f"{name} over the oracle's", found / expected, 1.15)
    compare("Poisson disc", "BART", "CPU time over the oracle's", cpu_seconds(ours) / cpu_seconds(barts), 1.0)
