"""One raw scan and a seed become one training pair."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Final, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lucidmr.context import NOISE_REDUCTION_RANGE, Context, clamped
from lucidmr.degrade.apply import acquire
from lucidmr.degrade.draw import Degradation, draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs.describe import describe, draw_grid
from lucidmr.pairs.noise_reduction import noise_reduction_factor, retained_known_noise, shared_variance
from lucidmr.pairs.response import NoiseResponse, has_closed_form, ideal_response, noise_response
from lucidmr.physics.fourier import IN_PLANE, resize_kspace
from lucidmr.physics.image_noise import homogeneous_mask
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.chain import combine, correct, filtered, normalization_gain, store
from lucidmr.reconstruct.draw import draw_reconstruction
from lucidmr.reconstruct.quantize import stored_range
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.shapes import Image, KSpace
from lucidmr.standardize import lanczos_matrix

TargetKind = Literal["low_variance", "noisy"]

_LEAST_NOISE: Final = 2.0
"""Noise of the input over that of the raw data, at least: what is unknown of it stays in the target, and where it is
much, it drowns what is to be learned."""


@dataclass(frozen=True)
class TrainingPair:
    """Input and target as a scanner would have stored them, and what the network is told.

    Attributes:
        input: (slice, freq, phase) image on the reconstructed matrix.
        target: The same with the wanted sampling and noise.
        grid: (freq, phase) pixels of the standardized grid that the context refers to.
        context: What was acquired and what is wanted.
        provenance: Source, degradation, reconstruction and kind of target as plain values.
        rescale: (slope, intercept) of the integers that the scanner stored: value = slope * integer + intercept.
        noise: Standard deviation of the noise in homogeneous tissue of the input; 0 where there is no such tissue.
    """

    input: Image
    target: Image
    grid: tuple[int, int]
    context: Context
    provenance: dict[str, Any]
    rescale: tuple[float, float]
    noise: float = 0.0


def simulate_pair(
    scan: RawScan, ranges: DegradationRanges, generator: Generator, target: TargetKind = "low_variance"
) -> TrainingPair:
    """Degrade, reconstruct, and describe: one training pair.

    Args:
        scan: Raw data.
        ranges: What degradations to draw from.
        generator: Source of all randomness, on the CPU whatever the device of the data.
        target: ``noisy`` is the paper's target, the raw data's own noise left in it; ``low_variance`` has the same
            expectation given the input without the irreducible part of the loss (see
            :func:`lucidmr.pairs.noise_reduction.retained_known_noise`).

    Returns:
        The pair.
    """
    least = _LEAST_NOISE * scan.noise_sd / scan.signal
    drawn = draw_degradation(ranges, _measured(scan), scan.n_coils, least, generator)
    how = draw_reconstruction(drawn, scan.matrix, scan.maps is not None, generator)
    made = reconstruct_pair(scan, drawn, how, target)
    described = replace(drawn, noise_reduction=made.noise_reduction)
    grid = draw_grid(drawn.target, how.matrix, generator)
    provenance = {
        "source": scan.source,
        "matrix": list(scan.matrix),
        "degradation": drawn.to_json(),
        "reconstruction": how.to_json(),
        "target": target,
        "noise_reduction": made.noise_reduction,
    }
    context = describe(described, (*grid, how.matrix[0]), generator)
    return TrainingPair(made.input, made.target, grid, context, provenance, made.rescale, made.noise)


def _measured(scan: RawScan) -> Sampling:
    """What the raw scan acquired: every sample of its matrix unless it says otherwise."""
    if scan.sampling is not None:
        return scan.sampling
    n_slice, n_freq, n_phase = scan.matrix
    return Sampling(AxisSampling(n_freq), AxisSampling(n_phase), AxisSampling(n_slice))


class ReconstructedPair(NamedTuple):
    """The images of a pair.

    Attributes:
        input: (slice, freq, phase) image on the reconstructed matrix.
        target: The same with the wanted sampling and noise.
        noise_reduction: The factor between them: the drawn one, or what a noisy target, which keeps the noise of the
            raw data, can give instead.
        rescale: (slope, intercept) of the stored integers.
        noise: Standard deviation of the noise in homogeneous tissue of the input; 0 where there is no such tissue.
    """

    input: Image
    target: Image
    noise_reduction: float
    rescale: tuple[float, float]
    noise: float


def reconstruct_pair(
    scan: RawScan, degradation: Degradation, how: Reconstruction, target: TargetKind
) -> ReconstructedPair:
    """The deterministic part: input and target images of a drawn degradation and reconstruction.

    Args:
        scan: Raw data.
        degradation: Drawn degradation.
        how: Drawn reconstruction.
        target: Kind of target.

    Returns:
        Input and target, the factor between them, the scale they are stored on, and the noise.
    """
    noise = _Noise(scan, degradation, how)
    measured = acquire(noise.known.add_(scan.kspace), degradation.input, scan.calibration)
    sensitivities = Sensitivities(measured.calibration, how.sensitivities, scan.maps)
    response = noise.ideal
    if noise.needs_response(target) and not has_closed_form(degradation, how):
        response = noise_response(scan.kspace, noise.total_sd, degradation, how, sensitivities, scan.calibration)
    given = filtered(measured, how, sensitivities)
    clean = filtered(acquire(scan.kspace, degradation.input, scan.calibration), how, sensitivities)
    if target == "low_variance":
        factor = degradation.noise_reduction
        retained = retained_known_noise(factor, noise.inherent_share, response.overlap)
        wanted = clean
        if degradation.input != degradation.target:
            wanted = filtered(acquire(scan.kspace, degradation.target, scan.calibration), how, sensitivities)
        # Zero-filling is linear: the noise joins the target before it, on the smaller matrix.
        wanted = wanted.add(resize_kspace(given - clean, degradation.target.matrix), alpha=retained)
    else:
        share, factor = noise.shared(degradation.noise_reduction, response)
        kept = acquire(noise.common(share).add_(scan.kspace), degradation.target, scan.calibration)
        wanted = filtered(kept, how, sensitivities)
    images = torch.stack([combine(kspace, how, sensitivities) for kspace in (given, wanted, clean)])
    shown = correct(images, normalization_gain(images[0], how, sensitivities), how)
    stored, rescale = _stored(shown[:2], how)
    known = _noise_in_tissue(shown[0], shown[2])
    return ReconstructedPair(stored[0], stored[1], factor, rescale, known / sqrt(1.0 - noise.inherent_share))


def _noise_in_tissue(noisy: Image, clean: Image) -> float:
    """Standard deviation of the difference in homogeneous tissue, outliers aside."""
    difference = (noisy - clean)[homogeneous_mask(clean)]
    return 1.4826 * float(difference.abs().median()) if len(difference) else 0.0


class _Noise:
    """Noise of one pair: how much the input is to hold, how much the raw data hold already, and the rest."""

    def __init__(self, scan: RawScan, degradation: Degradation, how: Reconstruction) -> None:
        self.ideal = ideal_response(scan.matrix, degradation, how)
        self.inherent_variance = scan.noise_sd**2
        self.total_sd = max(degradation.noise * scan.signal / sqrt(self.ideal.variance), scan.noise_sd)
        self._known_sd = sqrt(self.total_sd**2 - self.inherent_variance)
        self._scan, self._seed = scan, degradation.noise_seed

    @property
    def known(self) -> KSpace:
        """Noise added to the input."""
        return next(self._fields())

    def _fields(self) -> Iterator[KSpace]:
        """Independent fields of the known noise; drawn anew by every call, so that none is kept."""
        generator = torch.Generator(self._scan.kspace.device).manual_seed(self._seed)
        while True:
            yield complex_noise(tuple(self._scan.kspace.shape), self._known_sd, generator)

    @property
    def inherent_share(self) -> float:
        """Share of the input's noise variance that was in the raw data."""
        return min(self.inherent_variance / self.total_sd**2, 0.999) if self.total_sd else 0.0

    def needs_response(self, target: TargetKind) -> bool:
        """Whether the pair depends on how the chains treat noise; known truth alone makes it independent of that."""
        return target == "noisy" or self.inherent_share > 0.0

    def shared(self, factor: float, response: NoiseResponse) -> tuple[float, float]:
        """Share of the known noise that a noisy target is to hold for a wanted factor, and the factor it then has."""
        total = self.total_sd**2
        wanted = shared_variance(total, factor, response.overlap)
        possible = max(wanted, self.inherent_variance)
        share = min((possible - self.inherent_variance) / self._known_sd**2, 1.0) if self._known_sd else 0.0
        # Chains whose noise hardly overlaps give more than can be asked for; the network is told the most of that.
        return share, clamped(noise_reduction_factor(total, possible * response.overlap), NOISE_REDUCTION_RANGE)

    def common(self, share: float) -> KSpace:
        """Noise of ``share`` of the known variance such that the known noise is this plus independent noise."""
        fields = self._fields()
        return next(fields).mul_(share).add_(next(fields), alpha=sqrt(share * (1.0 - share)))


def _stored(
    shown: Float[Tensor, "2 slice freq phase"], how: Reconstruction
) -> tuple[Float[Tensor, "2 slice freq phase"], tuple[float, float]]:
    """Step 10 for both, on the scale that the scanner found for the input; (slope, intercept)."""
    top = float(shown[0].abs().amax())
    low, high = stored_range(how.component, how.levels, top * how.headroom)
    return store(shown, top, how), ((high - low) / how.levels, low)


def stack(pair: TrainingPair, middle: int, slices: int) -> TrainingPair:
    """Adjacent slices of a whole reconstruction as input, the middle one as target, on the CPU.

    Args:
        pair: All slices of a scan.
        middle: Which of them is the target.
        slices: How many the input has, an odd number; beyond the ends of the volume its end slices are repeated.

    Returns:
        The pair.
    """
    around = (torch.arange(slices) + middle - slices // 2).clamp(0, len(pair.input) - 1)
    return replace(pair, input=pair.input[around].cpu(), target=pair.target[middle : middle + 1].cpu())


def crop(
    pair: TrainingPair, size: int, origin: tuple[int, int], offset: float, scale: float
) -> tuple[Float[Tensor, "slice f p"], Float[Tensor, "wanted f p"]]:
    """A square of input and target on the standardized grid and scale.

    Only the lines that the square needs are interpolated, which makes small squares of large grids cheap.

    Args:
        pair: A pair.
        size: Side of the square in pixels of the grid; less where the grid ends.
        origin: Its first (freq, phase) pixel.
        offset: Subtracted from every value.
        scale: Divides every value.

    Returns:
        Input and target.
    """
    freq, phase = (
        lanczos_matrix(pair.input.shape[axis], pixels)[start : start + size].to(pair.input.device)
        for axis, pixels, start in zip(IN_PLANE, pair.grid, origin, strict=True)
    )
    return (freq @ pair.input @ phase.T - offset) / scale, (freq @ pair.target @ phase.T - offset) / scale
