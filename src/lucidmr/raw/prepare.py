"""From a measurement to scans to simulate from: quality gate, prewhitening, coil compression."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from lucidmr.physics.fourier import resize_kspace
from lucidmr.physics.sampling import Sampling, sampling_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.acquired import describe_sampling
from lucidmr.raw.calibration import CalibrationLines, whole_block
from lucidmr.raw.coil_compression import compression
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.noise_estimate import AGREEMENT, Covariance, estimate_noise, level, noise_covariance
from lucidmr.raw.prewhiten import mix, whitening, working_coils
from lucidmr.raw.quality import Verdict, clipped_coils, filled_readouts, looks_like_noise, signal_level, spikes
from lucidmr.raw.scan import RawScan

_KSpaces = Complex[Tensor, "scan coil slice freq phase"]
_NO_NOISE = 1e-6
"""Noise below this share of the largest sample is the rounding of single precision."""


@dataclass(frozen=True)
class Preparation:
    """How raw data are made ready.

    Attributes:
        energy: Share of the signal's energy that virtual coils must hold.
        most_coils: Largest number of virtual coils.
        least_snr: Typical tissue signal over noise per part below which a scan is refused.
    """

    energy: float = 0.995
    most_coils: int = 16
    least_snr: float = 3.0

    def __post_init__(self) -> None:
        if not 0.0 < self.energy <= 1.0:
            raise ValueError(f"energy is {self.energy:g}; it must lie above 0 and not exceed 1")
        if self.most_coils < 1:
            raise ValueError(f"most_coils is {self.most_coils}; it must be at least 1")
        if not (isfinite(self.least_snr) and self.least_snr >= 0.0):
            raise ValueError(f"least_snr is {self.least_snr:g}; it must be finite and not negative")


@dataclass(frozen=True)
class Prepared:
    """What a measurement gave.

    Attributes:
        scans: Ready to simulate from; none where the measurement was refused.
        verdicts: What the quality gate had to say.
        coils: Receive coils of the measurement, before any was left out or compressed.
    """

    scans: tuple[RawScan, ...]
    verdicts: tuple[Verdict, ...]
    coils: int


class _RefusedError(Exception):
    """The whole measurement is of no use."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def prepare(measurement: Measurement, how: Preparation | None = None) -> Prepared:
    """Judge, prewhiten and compress a measurement.

    Args:
        measurement: From a reader.
        how: Settings.

    Returns:
        Its scans, their noise white with a standard deviation of 1 per part, and the verdicts on them.
    """
    verdicts: list[Verdict] = []
    scans: list[RawScan] = []
    try:
        scans += _prepare(measurement, how or Preparation(), verdicts)
    except _RefusedError as refused:
        verdicts.append(refused.verdict)
    return Prepared(tuple(scans), tuple(verdicts), measurement.kspace.shape[1])


def _prepare(measurement: Measurement, how: Preparation, verdicts: list[Verdict]) -> Iterator[RawScan]:
    kspace = measurement.kspace
    if clipped := clipped_coils(kspace):
        coils = ", ".join(map(str, clipped))
        raise _RefusedError(Verdict("clipping", f"the signal of coil {coils} is cut off at its maximum", True))
    filled = filled_readouts(kspace, measurement.acquired)
    if empty := int((measurement.acquired & ~filled).any(2).sum()):
        verdicts.append(Verdict("empty readouts", f"{empty} hold nothing and count as not acquired", False))
    if measurement.alternating:
        reason = "echo-planar, its odd and even lines not aligned: ghosts may remain"
        verdicts.append(Verdict("sampling", reason, False))
    lines = _calibration(measurement, verdicts)
    chosen, sampling = _common_sampling(filled, lines, verdicts)
    mask = sampling_mask(sampling).to(kspace.device)
    kspace = resize_kspace(kspace[chosen], sampling.matrix) * mask
    white, noise_sd = _whitening(kspace, mask, measurement.noise, sampling, verdicts)
    kspace = mix(white, kspace)
    signals = [signal_level(scan, noise_sd, sampling) for scan in kspace]
    kept = [
        position
        for position, number in enumerate(chosen)
        if _is_good(kspace[position], number, signals[position], noise_sd, how.least_snr, verdicts)
    ]
    if not kept:
        return
    virtual = compression(kspace[kept], noise_sd, float(mask.float().mean()), how.energy, how.most_coils)
    is_separate = isinstance(sampling.undersampling, UniformUndersampling) and not sampling.undersampling.integrated
    for position in kept:
        yield RawScan(
            mix(virtual, kspace[position]),
            noise_sd,
            signals[position],
            source=f"{measurement.source}[{chosen[position]}]",
            sampling=None if bool(mask.all()) else sampling,
            facts=measurement.facts,
            calibration=mix(virtual @ white, lines[chosen[position]]) if is_separate and lines is not None else None,
        )


def _calibration(measurement: Measurement, verdicts: list[Verdict]) -> CalibrationLines | None:
    if measurement.calibration is None:
        return None
    try:
        return whole_block(measurement.calibration)
    except ValueError as error:
        verdicts.append(Verdict("sampling", f"the calibration scan is of no use: {error}", False))
        return None


def _common_sampling(
    acquired: Bool[Tensor, "scan slice freq phase"], calibration: CalibrationLines | None, verdicts: list[Verdict]
) -> tuple[list[int], Sampling]:
    """The scans that were sampled alike, as most of them were, and how."""
    lines = None if calibration is None else (calibration.shape[-3], calibration.shape[-1])
    found: dict[int, Sampling] = {}
    for number, mask in enumerate(acquired.cpu()):
        same = next((other for other in found if torch.equal(acquired[other].cpu(), mask)), None)
        try:
            found[number] = found[same] if same is not None else describe_sampling(mask, lines)
        except ValueError as error:
            verdicts.append(Verdict("sampling", str(error), True, number))
    if not found:
        reason = verdicts[-1].reason
        verdicts[:] = [verdict for verdict in verdicts if verdict.scan is None]
        raise _RefusedError(Verdict("sampling", reason, True))
    sampling = Counter(found.values()).most_common(1)[0][0]
    for number in [number for number, other in found.items() if other != sampling]:
        del found[number]
        verdicts.append(Verdict("sampling", "it was sampled unlike the others", True, number))
    if sampling.undersampling is not None:
        pattern = sampling.undersampling
        own = "" if lines is None else ", with a calibration scan"
        verdicts.append(Verdict("sampling", f"undersampled by {pattern.factor:g}{own}", False))
    return list(found), sampling


def _whitening(
    kspace: _KSpaces,
    mask: Bool[Tensor, "slice freq phase"],
    noise: Complex[Tensor, "coil sample"] | None,
    sampling: Sampling,
    verdicts: list[Verdict],
) -> tuple[Complex[Tensor, "working coil"], float]:
    """The mixture of coils that makes noise white, and its standard deviation then: 1 per part, or 0 without noise."""
    coils = torch.eye(kspace.shape[1], dtype=kspace.dtype, device=kspace.device)
    acquired, folded = mask.expand(len(kspace), *mask.shape), sampling.undersampling is not None
    covariance = _of_noise_scan(noise, kspace.shape[1], verdicts)
    measured = covariance is not None
    if covariance is None:
        covariance = _estimated(kspace, acquired, folded, verdicts)
    if level(covariance) <= _NO_NOISE * float(kspace.abs().amax()):
        verdicts.append(Verdict("noise", "there is none", False))
        return coils, 0.0
    kept, broken = working_coils(covariance)
    verdicts += [Verdict("coils", f"coil {coil} is left out: {why}", False) for coil, why in broken.items()]
    white = whitening(covariance[kept][:, kept]) @ coils[kept]
    return (white / _level_of_white(mix(white, kspace), acquired, folded, verdicts) if measured else white), 1.0


def _of_noise_scan(noise: Tensor | None, n_coils: int, verdicts: list[Verdict]) -> Covariance | None:
    if noise is None:
        return None
    try:
        if noise.shape[0] != n_coils:
            raise ValueError(f"it has {noise.shape[0]} coils and the measurement {n_coils}")
        return noise_covariance(noise)
    except ValueError as error:
        verdicts.append(Verdict("noise", f"the noise scan is of no use: {error}", False))
        return None


def _estimated(kspace: _KSpaces, acquired: Tensor, folded: bool, verdicts: list[Verdict]) -> Covariance:
    try:
        found = estimate_noise(kspace, acquired, folded)
    except ValueError as error:
        raise _RefusedError(Verdict("noise", str(error), True)) from error
    if found.background is None:
        verdicts.append(Verdict("noise", "estimated at the edge of k-space alone", False))
    elif not found.agrees:
        both = f"{found.edge:.3g} at the edge of k-space and {found.background:.3g} in the background"
        verdicts.append(Verdict("noise", f"estimates disagree: {both}", False))
    return found.covariance


def _level_of_white(kspace: _KSpaces, acquired: Tensor, folded: bool, verdicts: list[Verdict]) -> float:
    """Level of noise that the noise scan says is 1; a noise scan of another bandwidth gets that wrong.

    Signal makes the data look noisier, never quieter: less noise than the noise scan's is believed at once, more only
    where edge and background agree on it.
    """
    try:
        found = estimate_noise(kspace, acquired, folded)
    except ValueError:
        return 1.0
    seen = level(found.covariance)
    if abs(seen - 1.0) <= AGREEMENT or (seen > 1.0 and not found.agrees):
        return 1.0
    verdicts.append(Verdict("noise", f"the data's is {seen:.3g} times the noise scan's and counts", False))
    return seen


def _is_good(
    kspace: Complex[Tensor, "coil slice freq phase"],
    number: int,
    signal: float,
    noise_sd: float,
    least_snr: float,
    verdicts: list[Verdict],
) -> bool:
    """Judge one scan by itself."""
    if found := spikes(kspace, noise_sd):
        verdicts.append(Verdict("spikes", f"on {found} readouts", True, number))
        return False
    if signal <= 0.0 or (noise_sd and looks_like_noise(signal / noise_sd, len(kspace))):
        verdicts.append(Verdict("signal", "there is nothing but noise", True, number))
        return False
    if noise_sd and signal / noise_sd < least_snr:
        reason = f"its ratio to noise is {signal / noise_sd:.2g}, below {least_snr:g}"
        verdicts.append(Verdict("signal", reason, True, number))
        return False
    return True
