"""Draw a degradation: all randomness of one pair's sampling is decided here and recorded."""

from dataclasses import asdict, dataclass
from math import exp, log
from typing import Any

import torch
from torch import Generator

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.physics.sampling import AxisSampling


@dataclass(frozen=True)
class Sampling:
    """Samples acquired along (freq, phase)."""

    freq: AxisSampling
    phase: AxisSampling


@dataclass(frozen=True)
class Degradation:
    """One pair's degradation: the common one gives the target's sampling, the input-only one the input's.

    Attributes:
        target: Sampling of the target (common degradation).
        input: Sampling of the input (common and input-only together); never wider than the target's.
        noise: Standard deviation of all noise in the input's image relative to the tissue signal.
        noise_reduction: Wanted noise-reduction factor.
        noise_seed: Seed of the noise realisations.
    """

    target: Sampling
    input: Sampling
    noise: float
    noise_reduction: float
    noise_seed: int

    def to_json(self) -> dict[str, Any]:
        """Plain values that replay the degradation."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Degradation":
        """The inverse of :meth:`to_json`."""
        samplings = {
            name: Sampling(AxisSampling(**values[name]["freq"]), AxisSampling(**values[name]["phase"]))
            for name in ("target", "input")
        }
        return cls(**{**values, **samplings})


def draw_degradation(
    ranges: DegradationRanges, matrix: tuple[int, int], least_noise: float, generator: Generator
) -> Degradation:
    """Draw one pair's degradation.

    Args:
        ranges: What to draw from.
        matrix: Acquired (freq, phase) samples of the raw scan.
        least_noise: Relative noise that is in the raw scan already; less cannot be drawn.
        generator: Source of all randomness.

    Returns:
        The degradation.
    """
    target, degraded = zip(
        *(_draw_axis(ranges, samples, share, generator) for samples, share in zip(matrix, (0.5, 1.0), strict=True)),
        strict=True,
    )
    low, high = ranges.noise
    noise = _log_uniform(max(low, least_noise), max(high, least_noise), generator)
    leave = _uniform(0.0, 1.0, generator) < ranges.leave_noise_probability
    factor = 1.0 if leave else _log_uniform(*ranges.noise_reduction, generator)
    seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))
    return Degradation(Sampling(*target), Sampling(*degraded), noise, factor, seed)


def _draw_axis(
    ranges: DegradationRanges, samples: int, partial_fourier_share: float, generator: Generator
) -> tuple[AxisSampling, AxisSampling]:
    """The target's and the input's sampling of one axis."""
    base = max(8, round(samples * _uniform(*ranges.base_fraction, generator)))
    improve = _uniform(0.0, 1.0, generator) < ranges.gain_probability
    gain = _log_uniform(*ranges.gain, generator) if improve else 1.0
    fraction, restored = 1.0, False
    if _uniform(0.0, 1.0, generator) < ranges.partial_fourier_probability * partial_fourier_share:
        fraction = _uniform(*ranges.partial_fourier, generator)
        restored = _uniform(0.0, 1.0, generator) < ranges.restore_probability
    early = _uniform(0.0, 1.0, generator) < 0.5
    target = AxisSampling(base, 1.0 if restored else fraction, early)
    return target, AxisSampling(max(8, round(base / gain)), fraction, early)


def _uniform(low: float, high: float, generator: Generator) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))


def _log_uniform(low: float, high: float, generator: Generator) -> float:
    return exp(_uniform(log(low), log(high), generator))
