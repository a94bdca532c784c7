"""One raw scan and a seed become one training pair."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Literal

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from lucidmr.context import Acquisition, Context, Directions, Enhancement, encode
from lucidmr.degrade.apply import undersample
from lucidmr.degrade.draw import Degradation, Sampling, draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs.noise_reduction import common_noise_variance, noise_reduction_factor, retained_known_noise
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.chain import Reconstruction, coil_images, draw_reconstruction, magnitude, store
from lucidmr.reconstruct.filter import anti_ringing
from lucidmr.shapes import Image
from lucidmr.standardize import lanczos_matrix

TargetKind = Literal["low_variance", "noisy"]


@dataclass(frozen=True)
class TrainingPair:
    """Input and target as a scanner would have stored them, and what the network is told.

    Attributes:
        input: (freq, phase) image on the reconstructed matrix.
        target: The same with the wanted sampling and noise.
        grid: (freq, phase) pixels of the standardized grid that the context refers to.
        context: What was acquired and what is wanted.
        provenance: Source, degradation, reconstruction and kind of target as plain values.
    """

    input: Image
    target: Image
    grid: tuple[int, int]
    context: Context
    provenance: dict[str, Any]


def simulate_pair(
    scan: RawScan, ranges: DegradationRanges, generator: Generator, target: TargetKind = "low_variance"
) -> TrainingPair:
    """Degrade, reconstruct, and describe: one training pair.

    Args:
        scan: Raw data.
        ranges: What degradations to draw from.
        generator: Source of all randomness.
        target: ``noisy`` is the paper's target, the raw data's own noise left in it; ``low_variance`` has the same
            expectation given the input without the irreducible part of the loss (see
            :func:`lucidmr.pairs.noise_reduction.retained_known_noise`).

    Returns:
        The pair.
    """
    _, n_freq, n_phase = scan.kspace.shape
    least = sqrt(2.0) * scan.noise_sd / scan.signal
    degradation = draw_degradation(ranges, (n_freq, n_phase), least, generator)
    how = draw_reconstruction((n_freq, n_phase), scan.maps is not None, generator)
    if target == "noisy":
        degradation = replace(degradation, noise_reduction=_reachable(scan, degradation, how))
    image, wanted = reconstruct_pair(scan, degradation, how, target)
    grid = _draw_grid(degradation.target, how.matrix, generator)
    context = _describe(degradation, grid, generator)
    provenance = {
        "source": scan.source,
        "degradation": degradation.to_json(),
        "reconstruction": how.to_json(),
        "target": target,
    }
    return TrainingPair(image, wanted, grid, context, provenance)


def reconstruct_pair(
    scan: RawScan, degradation: Degradation, how: Reconstruction, target: TargetKind
) -> tuple[Image, Image]:
    """The deterministic part: input and target images of a drawn degradation and reconstruction.

    Args:
        scan: Raw data.
        degradation: Drawn degradation.
        how: Drawn reconstruction.
        target: Kind of target.

    Returns:
        Input and target, both on the reconstructed matrix.
    """
    noise = _KnownNoise(scan, degradation, how)
    signal = coil_images(undersample(scan.kspace, degradation.input), degradation.input, how)
    wanted = coil_images(undersample(scan.kspace, degradation.target), degradation.target, how)
    if target == "low_variance":
        share = retained_known_noise(degradation.noise_reduction, noise.inherent_share, noise.overlap)
        kept = share * noise.images(degradation.input)
    else:
        kept = noise.images(degradation.target, "common")
    maps = None if scan.maps is None else _resize_maps(scan.maps, how.matrix)
    images = [magnitude(coils, maps, how) for coils in (signal + noise.images(degradation.input), wanted + kept)]
    top = float(images[0].amax())
    return store(images[0], top, how), store(images[1], top, how)


def _budget(scan: RawScan, degradation: Degradation, how: Reconstruction) -> tuple[float, float]:
    """Variance per k-space sample of all noise in the input, and the overlap of the two filters."""
    weights = [
        anti_ringing(
            undersample(torch.ones_like(scan.kspace[:1]), sampling), sampling, how.window, how.window_strength
        ).real
        for sampling in (degradation.input, degradation.target)
    ]
    passed = float(weights[0].square().mean())
    overlap = float((weights[0] * weights[1]).mean()) / passed
    return (degradation.noise * scan.signal) ** 2 / passed, overlap


def _reachable(scan: RawScan, degradation: Degradation, how: Reconstruction) -> float:
    """The drawn factor, or less where a noisy target, which keeps the noise of the raw data, cannot give it."""
    total, overlap = _budget(scan, degradation, how)
    shared = max(common_noise_variance(total, degradation.noise_reduction, overlap), scan.noise_sd**2)
    return max(1.0, min(degradation.noise_reduction, noise_reduction_factor(total, shared * overlap)))


class _KnownNoise:
    """Noise added to one scan, split into what input and target share and what only the input has."""

    def __init__(self, scan: RawScan, degradation: Degradation, how: Reconstruction) -> None:
        self.how = how
        total, self.overlap = _budget(scan, degradation, how)
        inherent = scan.noise_sd**2
        self.inherent_share = min(inherent / total, 0.999)
        known = max(total - inherent, 0.0)
        generator = torch.Generator(scan.kspace.device).manual_seed(degradation.noise_seed)
        shape = tuple(scan.kspace.shape)
        shared = common_noise_variance(total, degradation.noise_reduction, self.overlap) - inherent
        shared = min(max(shared, 0.0), known)
        self.parts = {
            "common": complex_noise(shape, sqrt(shared), generator),
            "added": complex_noise(shape, sqrt(known - shared), generator),
        }

    def images(self, sampling: Sampling, part: Literal["all", "common"] = "all") -> Complex[Tensor, "coil f p"]:
        """Coil images of the noise under a sampling."""
        noise = self.parts["common"] + (self.parts["added"] if part == "all" else 0)
        return coil_images(undersample(noise, sampling), sampling, self.how)


def _resize_maps(maps: Complex[Tensor, "coil f p"], matrix: tuple[int, int]) -> Complex[Tensor, "coil r s"]:
    """Bilinear interpolation of smooth sensitivities to the reconstructed matrix."""
    parts = interpolate(torch.stack([maps.real, maps.imag]), size=matrix, mode="bilinear", align_corners=False)
    return torch.complex(parts[0], parts[1])


def _draw_grid(target: Sampling, matrix: tuple[int, int], generator: Generator) -> tuple[int, int]:
    """A standardized grid on which the target's extent is what a 1024 or 768 grid makes of clinical matrices."""
    extent = 0.2 + 0.65 * float(torch.rand(1, generator=generator))
    zoom = max(1.0, target.freq.width / extent / matrix[0])
    return round(matrix[0] * zoom), round(matrix[1] * zoom)


_FORGETTABLE = ("extent_freq", "extent_phase", "missing_freq", "missing_phase")


def _describe(degradation: Degradation, grid: tuple[int, int], generator: Generator) -> Context:
    """The pair's context; what the header might not tell is forgotten now and then.

    Partial Fourier is forgotten only where nothing of it is to be restored: a user can ask for that only where the
    header tells of it.
    """
    sampled, wanted = degradation.input, degradation.target
    acquisition = Acquisition(
        matrix=Directions(float(sampled.freq.width), float(sampled.phase.width)),
        partial_fourier=Directions(sampled.freq.fraction, sampled.phase.fraction),
        acceleration_phase=1.0,
        acceleration_slice=1.0,
        acceleration_random=1.0,
        elliptical=False,
        three_dimensional=False,
    )
    enhancement = Enhancement(
        noise_reduction=degradation.noise_reduction,
        gain_freq=max(1.0, wanted.freq.width / sampled.freq.width),
        gain_phase=max(1.0, wanted.phase.width / sampled.phase.width),
        restore_partial_fourier=False,
    )
    context = replace(
        encode(acquisition, enhancement, (*grid, 1)),
        restore_freq=wanted.freq.fraction - sampled.freq.fraction,
        restore_phase=wanted.phase.fraction - sampled.phase.fraction,
    )
    forget = torch.rand(len(_FORGETTABLE) + 1, generator=generator).tolist()
    for name, u in zip(_FORGETTABLE, forget, strict=False):
        restored = getattr(context, name.replace("missing", "restore")) if name.startswith("missing") else 0.0
        if u < 0.15 and restored == 0.0:
            context = replace(context, **{name: 0.0, f"{name}_unknown": 1.0})
    if forget[-1] < 0.5:
        accelerations = ("acceleration_phase", "acceleration_slice", "acceleration_random", "elliptical")
        context = replace(context, **{f"{name}_unknown": 1.0 for name in accelerations})
    return context


def crop(
    pair: TrainingPair, size: int, origin: tuple[int, int], offset: float, scale: float
) -> Float[Tensor, "2 size size"]:
    """A square of input and target on the standardized grid and scale.

    Only the lines that the square needs are interpolated, which makes small squares of large grids cheap.

    Args:
        pair: A pair.
        size: Side of the square in pixels of the grid.
        origin: Its first (freq, phase) pixel.
        offset: Subtracted from every value.
        scale: Divides every value.

    Returns:
        Input and target stacked.
    """
    weights = [
        lanczos_matrix(stored, pixels)[start : start + size]
        for stored, pixels, start in zip(pair.input.shape, pair.grid, origin, strict=True)
    ]
    both = torch.stack([pair.input, pair.target])
    return (weights[0] @ both @ weights[1].T - offset) / scale
