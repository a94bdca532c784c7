"""Draw a degradation: all randomness of one pair's sampling is decided here and recorded."""

from dataclasses import asdict, dataclass, replace
from math import ceil, exp, log
from typing import Any, Final

import torch
from torch import Generator

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.physics.sampling import AxisSampling, Sampling, calibration_region, support
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling

LEAST_WIDTH: Final = 8
"""No direction is drawn narrower, samples; one that is narrower already stays."""
_LEAST_CALIBRATION: Final = 12
_CALIBRATION_PER_FACTOR: Final = 4
"""Calibration lines per uniform factor R: a GRAPPA kernel of four sampled lines spans 3 R + 1."""
_LEAST_LINES: Final = (12, 24)
"""(slice, phase) lines that uniform undersampling leaves, calibration aside."""
_COILS_USED: Final = 0.75
_COILS_USED_ALONG_ONE: Final = 0.32
"""Largest uniform factor per coil, in all and along one direction: beyond, the geometry factor leaves no image."""
_MOST_SINGLE_COIL: Final = 3.0
"""Largest random factor where no second coil helps."""
_OUTSIDE_CALIBRATION: Final = 1.5
"""Random lines acquired over calibration lines, at least."""

_Undersampling = UniformUndersampling | RandomUndersampling


@dataclass(frozen=True)
class Degradation:
    """One pair's degradation: the common one gives the target's sampling, the input-only one the input's.

    Attributes:
        target: Sampling of the target (common degradation).
        input: Sampling of the input (common and input-only together); never wider than the target's.
        noise: Standard deviation of all noise in the input's image relative to the tissue signal, for a geometry
            factor of 1: parallel imaging multiplies it by its own.
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
        return cls(**{**values, **{name: Sampling.from_json(values[name]) for name in ("target", "input")}})


def draw_degradation(
    ranges: DegradationRanges, measured: Sampling, n_coils: int, least_noise: float, generator: Generator
) -> Degradation:
    """Draw one pair's degradation.

    What the raw scan itself left out is common to input and target: it can be added to, not restored. Of one that was
    undersampled nothing more is left out where that would take the calibration lines it needs.

    Args:
        ranges: What to draw from.
        measured: Sampling of the raw scan.
        n_coils: Receive channels of the raw scan; they limit the acceleration.
        least_noise: Relative noise that is in the raw scan already; less cannot be drawn.
        generator: Source of all randomness, on the CPU.

    Returns:
        The degradation.
    """
    target, degraded = _draw_samplings(ranges, measured, generator)
    if measured.undersampling is not None:
        target = replace(target, undersampling=measured.undersampling)
        degraded = replace(degraded, undersampling=measured.undersampling)
        if not is_calibrated(degraded):
            target = degraded = measured
    elif _happens(ranges.acceleration_probability, generator):
        pattern = _draw_undersampling(ranges, degraded, n_coils, generator)
        restored = _happens(ranges.restore_probability, generator)
        target = replace(target, undersampling=None if restored else pattern)
        degraded = replace(degraded, undersampling=pattern)
    noise = max(_log_uniform(*ranges.noise, generator), least_noise)
    leave = _happens(ranges.leave_noise_probability, generator)
    factor = 1.0 if leave else _log_uniform(*ranges.noise_reduction, generator)
    return Degradation(target, degraded, noise, factor, _seed(generator))


def is_calibrated(sampling: Sampling) -> bool:
    """Whether a scan that was undersampled has the calibration lines that its reconstruction needs."""
    pattern = sampling.undersampling
    if pattern is None:
        return True
    along_slice, along_phase, along_freq = _calibration_lines(sampling)
    if isinstance(pattern, RandomUndersampling):
        return min(along_phase, along_freq) >= _LEAST_CALIBRATION
    enough = (
        factor == 1.0 or lines >= _least_calibration(factor)
        for factor, lines in ((pattern.slice, along_slice), (pattern.phase, along_phase))
    )
    return along_freq >= _LEAST_CALIBRATION and all(enough)


def _calibration_lines(sampling: Sampling) -> tuple[int, int, int]:
    """Samples of the block around DC along (slice, phase, freq)."""
    along_slice, along_freq, along_phase = (region.stop - region.start for region in calibration_region(sampling))
    return along_slice, along_phase, along_freq


def _draw_samplings(ranges: DegradationRanges, measured: Sampling, generator: Generator) -> tuple[Sampling, Sampling]:
    """The target's and the input's sampling, undersampling aside."""
    shares = (0.5, 0.5, 1.0)
    slice_, freq, phase = (
        _draw_axis(ranges, axis, ranges.partial_fourier_probability * share, generator)
        for axis, share in zip((measured.slice, measured.freq, measured.phase), shares, strict=True)
    )
    drawn = _draw_corner_cuts(ranges, generator) if measured.slice.width > 1 else (0.0, 0.0)
    cuts = [max(measured.corner_cut, cut) for cut in drawn]
    return Sampling(freq[0], phase[0], slice_[0], cuts[0]), Sampling(freq[1], phase[1], slice_[1], cuts[1])


def _draw_axis(
    ranges: DegradationRanges, measured: AxisSampling, partial_fourier_probability: float, generator: Generator
) -> tuple[AxisSampling, AxisSampling]:
    """The target's and the input's sampling of one direction; a single sample is all there is of it."""
    if measured.width == 1:
        return AxisSampling(1), AxisSampling(1)
    least = min(LEAST_WIDTH, measured.width)
    base = max(least, round(measured.width * _uniform(*ranges.base_fraction, generator)))
    improve = _happens(ranges.gain_probability, generator)
    gain = _log_uniform(*ranges.gain, generator) if improve else 1.0
    fraction, restored = 1.0, False
    if _happens(partial_fourier_probability, generator):
        fraction = _uniform(*ranges.partial_fourier, generator)
        restored = _happens(ranges.restore_probability, generator)
    early = _happens(0.5, generator)
    wanted, given = measured.narrowed(base), measured.narrowed(max(least, round(base / gain)))
    if measured.samples < measured.width:
        early = measured.early
    target = AxisSampling(wanted.width, min(wanted.fraction, 1.0 if restored else fraction), early)
    return target, AxisSampling(given.width, min(given.fraction, fraction), early)


def _draw_corner_cuts(ranges: DegradationRanges, generator: Generator) -> tuple[float, float]:
    """The target's and the input's corner cut."""
    if not _happens(ranges.corner_cut_probability, generator):
        return 0.0, 0.0
    full = _happens(ranges.full_ellipse_probability, generator)
    cut = 1.0 if full else _uniform(*ranges.corner_cut, generator)
    return (0.0 if _happens(ranges.restore_probability, generator) else cut), cut


def _draw_undersampling(
    ranges: DegradationRanges, sampling: Sampling, n_coils: int, generator: Generator
) -> _Undersampling | None:
    """A pattern that fits the input's sampling, and so the wider target's; ``None`` where none does."""
    along_slice, along_phase, along_freq = _calibration_lines(sampling)
    room = along_slice, along_phase
    if along_freq < _LEAST_CALIBRATION:
        return None
    if _happens(ranges.random_probability, generator):
        return _draw_random(ranges, sampling, room, n_coils, generator)
    return _draw_uniform(ranges, sampling, room, n_coils, generator)


def _draw_uniform(
    ranges: DegradationRanges, sampling: Sampling, room: tuple[int, int], n_coils: int, generator: Generator
) -> UniformUndersampling | None:
    most = max(2.0, _COILS_USED_ALONG_ONE * n_coils)
    factors = [
        (slice_, phase)
        for slice_ in ranges.uniform_slice
        for phase in ranges.uniform_phase
        if 1.0 < slice_ * phase <= _COILS_USED * n_coils
        and max(slice_, phase) <= most
        and _fits(slice_, sampling.slice.width, _LEAST_LINES[0], room[0])
        and _fits(phase, sampling.phase.width, _LEAST_LINES[1], room[1])
    ]
    if not factors:
        return None
    slice_ = _choose(sorted({slice_ for slice_, _ in factors}), generator)
    phase = _choose([phase for found, phase in factors if found == slice_], generator)
    return UniformUndersampling(
        phase=phase,
        slice=slice_,
        shift=_integer(0, ceil(slice_) - 1, generator),
        calibration=_draw_calibration(ranges, (slice_, phase), room, generator),
        integrated=not _happens(ranges.separate_calibration_probability, generator),
    )


def _draw_random(
    ranges: DegradationRanges, sampling: Sampling, room: tuple[int, int], n_coils: int, generator: Generator
) -> RandomUndersampling | None:
    calibration = _draw_calibration(ranges, (1.0, 1.0), room, generator)
    most = float(support(sampling).sum()) / (_OUTSIDE_CALIBRATION * calibration[0] * calibration[1])
    low, high = ranges.random_factor
    high = min(high, most, _MOST_SINGLE_COIL if n_coils == 1 else high)
    if high < low or room[1] < _LEAST_CALIBRATION:
        return None
    return RandomUndersampling(
        factor=_log_uniform(low, high, generator),
        calibration=calibration,
        decay=_uniform(*ranges.random_decay, generator),
        seed=_seed(generator),
    )


def _fits(factor: float, width: int, least_lines: int, room: int) -> bool:
    """Whether a direction may be undersampled: there are lines enough left, and room for their calibration."""
    return factor == 1.0 or (width / factor >= least_lines and room >= _least_calibration(factor))


def _least_calibration(factor: float) -> int:
    return max(_LEAST_CALIBRATION, ceil(_CALIBRATION_PER_FACTOR * factor))


def _draw_calibration(
    ranges: DegradationRanges, factors: tuple[float, float], room: tuple[int, int], generator: Generator
) -> tuple[int, int]:
    """(slice, phase) lines of the calibration block, as far as there is room."""
    least = [max(ranges.calibration[0], _least_calibration(factor)) for factor in factors]
    drawn = [_integer(low, max(low, ranges.calibration[1]), generator) for low in least]
    return min(drawn[0], room[0]), min(drawn[1], room[1])


def _happens(probability: float, generator: Generator) -> bool:
    return _uniform(0.0, 1.0, generator) < probability


def _uniform(low: float, high: float, generator: Generator) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))


def _log_uniform(low: float, high: float, generator: Generator) -> float:
    return exp(_uniform(log(low), log(high), generator))


def _integer(low: int, high: int, generator: Generator) -> int:
    """From low to high, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=generator))


def _choose(options: list[float], generator: Generator) -> float:
    return options[_integer(0, len(options) - 1, generator)]


def _seed(generator: Generator) -> int:
    return _integer(0, 2**31 - 2, generator)
