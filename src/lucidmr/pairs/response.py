"""How much of the noise in raw k-space reaches the input and the target of a pair, and how much they share.

Closed forms where the chain is shift-invariant (windows, zero-filling), pseudo-replicas around the signal for the rest
(Robson et al., MRM 60 (2008) 895).
"""

from dataclasses import dataclass, replace
from math import ceil, prod, sqrt

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.degrade.apply import Acquired, acquire
from lucidmr.degrade.draw import Degradation
from lucidmr.pairs.noise_reduction import noise_reduction_factor
from lucidmr.physics.fourier import FREQ, central_band, resize_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import Sampling, plane_mask, support, support_mask
from lucidmr.reconstruct.chain import combine, correct, filtered
from lucidmr.reconstruct.filter import anti_ringing
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import CompressedSensing, Reconstruction
from lucidmr.shapes import Image, KSpace

_FOREGROUND = 0.2
"""Share of the image's 99th percentile above which a pixel counts as tissue."""
_ENOUGH_PIXELS = 1 << 18
_LEAST_READOUT = 64
"""Pixels and positions along freq that the pseudo-replicas keep, where a scan has more."""
_REPLICAS = 3
_NEIGHBOURHOOD = 5
"""Side in pixels of the box over which squares are averaged; geometry factors are smoother."""


@dataclass(frozen=True)
class NoiseResponse:
    """Second moments of image noise for white k-space noise of variance 1 per raw sample.

    Attributes:
        variance: Of the input's noise.
        covariance: Of the input's and the target's noise.
    """

    variance: float
    covariance: float

    @property
    def overlap(self) -> float:
        """Regression slope of the target's noise on the input's: one over the factor of a pair without added noise."""
        return 1.0 / noise_reduction_factor(self.variance, self.covariance)


def has_closed_form(degradation: Degradation, how: Reconstruction) -> bool:
    """Whether :func:`ideal_response` is exact: nothing but windows and zero-filling happens to k-space."""
    return all(
        sampling.undersampling is None and not how.partial_fourier.completions(sampling)
        for sampling in (degradation.input, degradation.target)
    )


def ideal_response(matrix: tuple[int, int, int], degradation: Degradation, how: Reconstruction) -> NoiseResponse:
    """The response by windows, extents and acceleration alone, for a geometry factor of 1.

    With weights W on raw k-space: Var = R sum(W_y^2) / N, Cov = sum(W_y W_t) / N; R is the net acceleration of the
    input over that of the target (Gauss-Markov: the covariance with a better estimate is that estimate's variance).

    Args:
        matrix: (slice, freq, phase) samples of the raw scan.
        degradation: The samplings.
        how: The scenario.

    Returns:
        The response.
    """
    given, wanted = (_weights(sampling, matrix, how) for sampling in (degradation.input, degradation.target))
    accelerations = [net_acceleration(sampling) for sampling in (degradation.input, degradation.target)]
    return NoiseResponse(
        accelerations[0] * float(given.square().mean()), min(accelerations) * float((given * wanted).mean())
    )


def net_acceleration(sampling: Sampling) -> float:
    """Samples of the support over samples acquired, calibration lines included."""
    return float(support(sampling).sum()) / float(plane_mask(sampling).sum())


def _weights(sampling: Sampling, matrix: tuple[int, int, int], how: Reconstruction) -> Float[Tensor, "s f p"]:
    """What windows and zero-filling do to every sample of the raw matrix."""
    ones = support_mask(sampling).to(torch.complex64)[None]
    filtered = anti_ringing(ones, sampling, how.window, how.window_strength, how.window_shape)
    return resize_kspace(filtered, matrix)[0].real * sqrt(prod(sampling.matrix) / prod(matrix))


def noise_response(
    raw: KSpace,
    noise_sd: float,
    degradation: Degradation,
    how: Reconstruction,
    sensitivities: Sensitivities,
    calibration: Complex[Tensor, "coil line_s line_f line_p"] | None = None,
) -> NoiseResponse:
    """The response by pseudo-replicas: what differs between them is noise, whatever the chain does to the signal.

    Each goes through the chain, GRAPPA's weights and the phase of partial Fourier included: noise reaches the image
    through those, too. Three are enough: squares are averaged over a neighbourhood, and the factor's median is taken
    over the foreground. Interpolation and distortion correction are left out: they treat both noises alike. So is
    resolution along freq that volumes can spare: lines along slice and phase are what unaliasing is about. Only what
    compressed sensing does to noise depends on the detail of all directions.

    Args:
        raw: (coil, slice, freq, phase) raw k-space.
        noise_sd: Standard deviation of all noise in the input: compressed sensing is not linear, its response depends
            on it.
        degradation: The samplings.
        how: The scenario.
        sensitivities: The examination's sensitivities.
        calibration: Lines of a calibration scan of its own.

    Returns:
        The response.
    """
    generator = torch.Generator(raw.device).manual_seed(degradation.noise_seed + 1)
    samplings = [degradation.input, degradation.target]
    n_slice, n_freq, n_phase = raw.shape[-3:]
    width = max(_LEAST_READOUT, ceil(_ENOUGH_PIXELS / (n_slice * n_phase)))
    if width < n_freq and not isinstance(how.unaliasing, CompressedSensing):
        raw = resize_kspace(raw, (n_slice, width, n_phase))
        samplings = [_narrower(sampling, width / n_freq) for sampling in samplings]
        band = central_band(sensitivities.lines.shape[FREQ], samplings[0].freq.width)
        sensitivities = replace(sensitivities, lines=sensitivities.lines[..., slice(*band), :])
    how = replace(how, matrix=samplings[1].matrix, distortion=None)
    replicas = []
    for _ in range(_REPLICAS):
        replica = complex_noise(tuple(raw.shape), noise_sd, generator).add_(raw)
        replicas.append([_image(acquire(replica, sampling, calibration), how, sensitivities) for sampling in samplings])
    given, wanted = (torch.stack(images) for images in zip(*replicas, strict=True))
    noise, other = ((images - images.mean(0)) / (sqrt(_REPLICAS - 1) * noise_sd) for images in (given, wanted))
    mean = given.mean(0).abs()
    tissue = mean > _FOREGROUND * _percentile(mean, 0.99)
    variance, covariance = (_smooth((noise * each).sum(0))[tissue] for each in (noise, other))
    middle, factor = float(variance.median()), float((variance / covariance).median())
    return NoiseResponse(middle, middle / factor)


def _narrower(sampling: Sampling, share: float) -> Sampling:
    """The same sampling of a scan with a share of the samples along freq."""
    return replace(sampling, freq=replace(sampling.freq, width=round(share * sampling.freq.width)))


def _image(acquired: Acquired, how: Reconstruction, sensitivities: Sensitivities) -> Float[Tensor, "s f p"]:
    """Reconstruct up to the component."""
    return correct(combine(filtered(acquired, how, sensitivities), how, sensitivities), None, how)


def _smooth(image: Image) -> Image:
    """Mean over a neighbourhood, in plane and, in 3D, along slice."""
    sides = [min(_NEIGHBOURHOOD, n - 1 + n % 2) for n in image.shape]
    return torch.nn.functional.avg_pool3d(
        image[None, None], sides, stride=1, padding=[side // 2 for side in sides], count_include_pad=False
    )[0, 0]


def _percentile(image: Image, share: float) -> float:
    values = image.flatten()
    return float(values.kthvalue(max(1, round(share * len(values)))).values)
