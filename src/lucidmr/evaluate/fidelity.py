"""How close an image is to a known truth, and whether a processor that was asked for nothing did nothing.

Fidelity belongs to simulated acquisitions of real anatomy, never to subjects the network was trained on.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import local_mean
from lucidmr.shapes import Image


@dataclass(frozen=True)
class Harm:
    """What a processor that was asked for nothing changed.

    Attributes:
        mean_change: Mean absolute change over the range of the input.
        largest_change: Largest absolute change over that range: 0.005 or less is harmless.
        autocorrelation: Root mean square autocorrelation of the change at lags of 2 to 8 acquired pixels: near 0 for
            noise, towards 1 for structure.
        edge_correlation: Correlation of the magnitude of the change with the gradient magnitude of the input, in the
            body: near 0 for noise, towards 1 where edges were changed.
    """

    mean_change: float
    largest_change: float
    autocorrelation: float
    edge_correlation: float


@dataclass(frozen=True)
class Whiteness:
    """Whether a change is noise everywhere.

    Attributes:
        structure: Root mean square autocorrelation of the change around each pixel.
        threshold: What 1 % of pure noise of the image's own band exceeds.
        share: Share of the body above that: 0.01 for noise.
    """

    structure: Float[Tensor, "freq phase"]
    threshold: float
    share: float


def nrmse(image: Image, truth: Image) -> float:
    """Root mean square error over the root mean square of the truth.

    Args:
        image: The image to judge.
        truth: What it should be.

    Returns:
        0 for identity.
    """
    return float(torch.linalg.vector_norm(image - truth) / torch.linalg.vector_norm(truth))


def psnr(image: Image, truth: Image, value_range: float | None = None) -> float:
    """Peak signal-to-noise ratio.

    Args:
        image: The image to judge.
        truth: What it should be.
        value_range: Range of values; by default that of the truth.

    Returns:
        10 log10(range^2 / mean squared error) in dB; infinite for identity.
    """
    return float(10.0 * torch.log10(_range(truth, value_range) ** 2 / (image - truth).square().mean()))


def ssim(image: Image, truth: Image, value_range: float | None = None) -> float:
    """Structural similarity (Wang et al., IEEE Trans. Image Process. 13:600, 2004, equation 13).

    Gaussian window of 11 x 11 pixels and standard deviation 1.5, K1 = 0.01, K2 = 0.03, averaged where the window fits.

    Args:
        image: The image to judge, 11 x 11 pixels or more.
        truth: What it should be.
        value_range: Range of values; by default that of the truth.

    Returns:
        The mean over pixels and images; 1 for identity.
    """
    scale = _range(truth, value_range)
    # Centred, or single precision loses the variance of bright images to cancellation.
    centre = truth.mean()
    x, y = (image - centre) / scale, (truth - centre) / scale
    means = _window_mean(torch.stack([x, y, x * x, y * y, x * y]))
    mean_x, mean_y = means[0], means[1]
    variance = means[2] - mean_x * mean_x + means[3] - mean_y * mean_y
    covariance = means[4] - mean_x * mean_y
    bright_x, bright_y = mean_x + centre / scale, mean_y + centre / scale
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * bright_x * bright_y + c1) / (bright_x.square() + bright_y.square() + c1)
    return float((luminance * (2 * covariance + c2) / (variance + c2)).mean())


def harm(before: Float[Tensor, "freq phase"], after: Float[Tensor, "freq phase"], scale: float = 1.0) -> Harm:
    """Judge a change that should be none, or nothing but noise.

    Args:
        before: The untouched image on the grid of ``after``.
        after: The processed image.
        scale: Grid pixels per acquired pixel (1 / k-space extent).

    Returns:
        Size and structure of the change.
    """
    change = after - before
    size, value_range = change.abs(), before.max() - before.min()
    edges = torch.stack(torch.gradient(before)).square().sum(0).sqrt()
    body = body_mask(before)
    return Harm(
        float(size.mean() / value_range),
        float(size.max() / value_range),
        _ring_autocorrelation(change, scale),
        _correlation(size[body], edges[body]),
    )


def whiteness(
    before: Float[Tensor, "freq phase"],
    after: Float[Tensor, "freq phase"],
    noise: Float[Tensor, "freq phase"],
    scale: float = 1.0,
) -> Whiteness:
    """Look for anything but noise in what a processor took away, place by place.

    Args:
        before: The untouched image on the grid of ``after``.
        after: The processed image, nothing asked for but less noise.
        noise: Pure noise of the image's band on the same grid, to compare with.
        scale: Grid pixels per acquired pixel (1 / k-space extent).

    Returns:
        The map and its share above what noise alone shows.
    """
    structure, null = (_local_structure_of(change, scale) for change in (after - before, noise))
    threshold = float(null.flatten().kthvalue(round(0.99 * null.numel())).values)
    return Whiteness(structure, threshold, float((structure[body_mask(before)] > threshold).float().mean()))


def _local_structure_of(change: Float[Tensor, "freq phase"], scale: float) -> Float[Tensor, "freq phase"]:
    """Root mean square of the local autocorrelation at lags of 3 and 5 acquired pixels in four directions."""
    power = local_mean(change.square()).clamp_min(1e-30)
    total = torch.zeros_like(change)
    for reach in (3.0, 5.0):
        for freq, phase in ((1.0, 0.0), (0.0, 1.0), (0.7, 0.7), (0.7, -0.7)):
            lag = (round(reach * scale * freq), round(reach * scale * phase))
            total += (local_mean(change * change.roll(lag, (-2, -1))) / power).square()
    return (total / 8).sqrt()


def _range(truth: Image, value_range: float | None) -> float:
    return float(truth.max() - truth.min()) if value_range is None else value_range


def _window_mean(image: Image) -> Float[Tensor, "... inner_freq inner_phase"]:
    """Local mean under the Gaussian window, where it fits."""
    taps = torch.exp(-torch.arange(-5, 6, dtype=image.dtype, device=image.device).square() / (2 * 1.5**2))
    taps /= taps.sum()
    flat = image.reshape(-1, 1, *image.shape[-2:])
    flat = F.conv2d(F.conv2d(flat, taps.reshape(1, 1, -1, 1)), taps.reshape(1, 1, 1, -1))
    return flat.reshape(*image.shape[:-2], *flat.shape[-2:])


def _ring_autocorrelation(change: Float[Tensor, "freq phase"], scale: float) -> float:
    padded = (2 * change.shape[0], 2 * change.shape[1])
    power: Tensor = torch.fft.rfft2(change - change.mean(), s=padded)
    correlation: Tensor = torch.fft.irfft2(power.abs().square(), s=padded)
    lags = (torch.fft.fftfreq(n, 1.0 / n, device=change.device) for n in padded)
    distance = torch.hypot(*torch.meshgrid(*lags, indexing="ij"))
    ring = correlation[(distance >= 2 * scale) & (distance <= 8 * scale)]
    total = correlation[0, 0]
    return float((ring / total).square().mean().sqrt()) if float(total) > 0.0 else 0.0


def _correlation(first: Float[Tensor, " n"], second: Float[Tensor, " n"]) -> float:
    """Pearson's coefficient; 0 where one of the two is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(torch.linalg.vector_norm(first) * torch.linalg.vector_norm(second))
    return float(first @ second) / norm if norm > 0.0 else 0.0
