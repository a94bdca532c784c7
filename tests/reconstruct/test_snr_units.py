"""The units of the whole chain: noise and signal after every step, in those of the raw data.

Each walk sends replicas of a uniform disc through the chain, with one more step at a time, and compares the standard
deviation and the mean in the disc with what the closed forms of the steps so far multiply to. Other lattices, ramps,
strengths, what gains do to shading and the noise beside the signal are left to the tests of the steps themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod, sqrt

import pytest
import torch
from torch import Tensor

from lucidmr.degrade.apply import acquire
from lucidmr.physics.analytic import kspace
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import IN_PLANE, resize_kspace, to_image, to_kspace
from lucidmr.physics.gradients import WHOLE_BODY
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling, plane_mask, sampling_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.chain import combine, correct, filtered, normalization_gain
from lucidmr.reconstruct.distortion import DistortionCorrection, Resampling, correct_distortion, resampling
from lucidmr.reconstruct.filter import window_weights
from lucidmr.reconstruct.g_factor import grappa_g_factor, sense_g_factor
from lucidmr.reconstruct.grappa import grappa_weights
from lucidmr.reconstruct.partial_fourier import (
    PartialFourierMethods,
    acquired_bands,
    margosian_weights,
    measured_share,
)
from lucidmr.reconstruct.sensitivities import Sensitivities, resize_maps
from lucidmr.reconstruct.settings import Grappa, Reconstruction, Sense
from properties import noise_sd, seeded
from scans import DISC, full, inside

REPLICAS, COILS, SD = 200, 8, 0.004
PLANE = DistortionCorrection(WHOLE_BODY, (5.0, 420.0, 420.0), (40.0, -30.0, 80.0), intensity=False)
VOLUME = replace(PLANE, field_of_view_mm=(160.0, 420.0, 420.0), dimensions=3, intensity=True)


@dataclass(frozen=True)
class Walk:
    """A scan and its reconstruction."""

    raw: tuple[int, int, int]
    sampling: Sampling
    how: Reconstruction


def flat(freq: int, phase: int, r: float = 1.0, cut_freq: float = 1.0, cut_phase: float = 1.0) -> Sampling:
    pattern = UniformUndersampling(r, calibration=(1, 24), integrated=False) if r > 1 else None
    return Sampling(AxisSampling(freq, cut_freq), AxisSampling(phase, cut_phase), undersampling=pattern)


def scenario(matrix, window, shape="separable", **settings) -> Reconstruction:
    return Reconstruction(
        matrix, sensitivities="known", window=window, window_strength=0.6, window_shape=shape, **settings
    )


SENSE, RAW = Sense(1e-5, 60), (1, 44, 56)
PARTIAL = {"combination": "sensitivity_weighted", "distortion": PLANE}
CAIPIRINHA = UniformUndersampling(2.0, 2.0, 1, (12, 24), integrated=False)
WALKS = {
    "SENSE 2": Walk(
        RAW,
        flat(40, 48, 2.0),
        scenario(
            (1, 54, 61), "gaussian", "radial", unaliasing=SENSE, normalization="prescan", normalization_strength=1.0
        ),
    ),
    "SENSE 3, distortion": Walk(
        RAW, flat(40, 48, 3.0), scenario((1, 40, 48), "none", unaliasing=SENSE, distortion=PLANE)
    ),
    "SENSE by iterations": Walk(
        RAW, flat(40, 49, 2.0), scenario((1, 54, 72), "hamming", unaliasing=SENSE, distortion=PLANE)
    ),
    "GRAPPA 2, weighted": Walk(
        (1, 28, 104),
        flat(24, 96, 2.0),
        scenario(
            (1, 31, 130),
            "hamming",
            "radial",
            unaliasing=Grappa(),
            combination="sensitivity_weighted",
            normalization="image_based",
            normalization_strength=1.0,
            distortion=PLANE,
        ),
    ),
    "GRAPPA 3, root sum of squares": Walk(
        (1, 28, 104), flat(24, 96, 3.0), scenario((1, 24, 96), "gaussian", unaliasing=Grappa(), distortion=PLANE)
    ),
    "zero-filled": Walk(RAW, flat(40, 48, cut_freq=0.8, cut_phase=0.7), scenario((1, 54, 61), "fermi", **PARTIAL)),
    "homodyne": Walk(
        RAW,
        flat(40, 48, cut_phase=0.7),
        scenario((1, 54, 61), "kaiser", "radial", partial_fourier=PartialFourierMethods(phase="homodyne"), **PARTIAL),
    ),
    "conjugate synthesis": Walk(
        RAW,
        flat(40, 48, cut_freq=0.8, cut_phase=0.7),
        scenario((1, 54, 61), "hann", partial_fourier=PartialFourierMethods("conjugate", "conjugate"), **PARTIAL),
    ),
    "3D": Walk(
        (14, 26, 28),
        Sampling(full(22), full(24), full(12), undersampling=CAIPIRINHA),
        scenario((17, 27, 31), "hann", "radial", unaliasing=SENSE, distortion=VOLUME),
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_noise_and_signal_are_as_predicted_after_every_step(name: str) -> None:
    walk = WALKS[name]
    sampling = walk.sampling
    maps = loop_array_maps(COILS, walk.raw, seeded(3), shaded=walk.how.normalization == "prescan")
    clean = to_kspace(maps * disc(walk.raw))
    noisy = clean + complex_noise((REPLICAS, *clean.shape), SD, seeded(4))
    replicas, reference = (acquire(samples, sampling) for samples in (noisy, clean))
    sd = SD * sqrt(prod(sampling.matrix) / prod(walk.raw))
    noise = (replicas.kspace - reference.kspace)[..., sampling_mask(sampling)]
    assert noise_sd(noise) == pytest.approx(sd, rel=0.02)

    calibrated = replace(replicas, calibration=reference.calibration)
    known = Sensitivities(reference.calibration, "known", maps)
    for step, how in steps(walk):
        image = combine(filtered(calibrated, how, known), how, known)
        gain = normalization_gain(image.mean(0), how, known)
        expected = torch.stack([known.shading(how.matrix), sd * amplification(sampling, how, known)])
        if gain is not None:
            expected = expected * gain
        if how.distortion is not None:
            expected = corrected(expected, power(sampling, how), how)
        check(step, correct(image, gain, how), *expected)


def steps(walk: Walk) -> Iterator[tuple[str, Reconstruction]]:
    """The reconstruction with one more of its steps at a time."""
    how = replace(walk.how, matrix=walk.sampling.matrix, window="none", normalization="none", distortion=None)
    yield "unaliasing, partial Fourier and combination", how
    for step in ("window", "matrix", "normalization", "distortion"):
        before, how = how, replace(how, **{step: getattr(walk.how, step)})
        if how != before:
            yield step, how


def disc(matrix: tuple[int, int, int]) -> Tensor:
    """Uniform, of signal 1, and along slice without end."""
    return to_image(kspace([DISC], *matrix[1:]), IN_PLANE).expand(matrix)


def check(step: str, images: Tensor, signal: Tensor, sd: Tensor) -> None:
    """All replicas against expected mean and standard deviation in the disc; a pixel of 200 scatters by 5 %."""
    where = inside(tuple(signal.shape))
    noise, mean = (images.std(0) / sd)[..., where], (images.mean(0) / signal)[..., where]
    assert float(noise.square().mean().sqrt()) == pytest.approx(1.0, abs=0.02), f"noise after {step}"
    assert float(noise.std()) < 0.08, f"noise from pixel to pixel after {step}"
    assert float(mean.mean()) == pytest.approx(1.0, abs=0.005), f"signal after {step}"


def amplification(sampling: Sampling, how: Reconstruction, known: Sensitivities) -> Tensor:
    """Standard deviation of the combined image over that of a sample: sqrt(R) g, windows, partial Fourier."""
    white = power(sampling, how).mean().sqrt()
    lattice, method, matrix = sampling.undersampling, how.unaliasing, how.matrix
    if lattice is None:
        return white.expand(matrix)
    white = white * plane_mask(sampling).float().mean().rsqrt()
    if isinstance(method, Grappa):
        weights = grappa_weights(known.lines, lattice, method.kernel, method.regularization)
        return white * grappa_g_factor(weights, known.maps(matrix))
    period = (lattice.period[0], 1, lattice.period[1])
    cells = tuple(-(-n // step) * step for n, step in zip(sampling.matrix, period, strict=True))
    g = sense_g_factor(known.maps(cells), lattice, method.regularization)
    return white * resize_maps(torch.complex(g, torch.zeros_like(g))[None], matrix)[0].real


def power(sampling: Sampling, how: Reconstruction) -> Tensor:
    """Power of the noise in phase with the signal over the acquired matrix, 1 where nothing happens to it."""
    weights = acquired_bands(sampling) * window_weights(
        sampling.matrix, how.window, how.window_strength, how.window_shape
    )
    for _, axes in how.partial_fourier.completions(sampling):
        weights = weights * margosian_weights(measured_share(sampling, axes, how.partial_fourier.ramp), axes)
    return weights.square()


def corrected(maps: Tensor, spectrum: Tensor, how: Reconstruction) -> Tensor:
    """Signal and noise after distortion correction: both move and stretch, and interpolation averages noise."""
    moved = correct_distortion(maps, replace(how.distortion, intensity=False))
    plan = resampling(how.distortion, how.matrix)
    stretched, averaged = torch.cat([piece.gain for piece in plan]), averaging(plan, spectrum, how.matrix)
    return moved * torch.stack([stretched, stretched * averaged]).unflatten(1, how.matrix)


def averaging(plan: list[Resampling], spectrum: Tensor, matrix: tuple[int, int, int]) -> Tensor:
    """sqrt(w^T rho w) of each pixel, w its taps' weights and rho the correlation of the noise between the taps."""
    lags = to_image(resize_kspace(spectrum.to(torch.complex64), matrix)).real
    weights = torch.cat([piece.weights for piece in plan], -1)
    moving = torch.arange(3 - len(weights), 3)
    taps = torch.cartesian_prod(*(torch.arange(4) for _ in moving))
    centre = torch.tensor([n // 2 for n in matrix])
    index = centre.repeat(len(taps), len(taps), 1)
    index[..., moving] += taps[:, None] - taps
    rho = lags[index.unbind(-1)] / lags[tuple(centre)]
    products = torch.stack([weights[axis, taps[:, axis]] for axis in range(len(moving))]).prod(0)
    return (products * (rho @ products)).sum(0).sqrt()
