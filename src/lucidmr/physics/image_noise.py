"""How noisy an image is, and where its homogeneous tissue lies.

All is measured on the image itself: no noise scan, no region of interest, no repeated acquisition. The noise level and
the band it lives in come from the Fourier transform and the flattest tissue of the image.

Everything is in the image's own units; lengths are pixels; extents are fractions of the grid's Nyquist frequency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.averages import box_mean
from lucidmr.physics.body import body_mask, subsample
from lucidmr.physics.fourier import resize_image
from lucidmr.shapes import Image, Mask

HOMOGENEOUS_FRACTION: Final = 0.2
"""The share of the body, least structured first, that counts as homogeneous tissue."""

_MAD_TO_SD: Final = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
_RIM_DROP: Final = 3.5  # smallest fall of power at the edge of the band; zero-filled partial Fourier alone makes 2
_RIM_REACH: Final = 0.05  # how far on either side of the edge power is averaged, in Nyquist
_MUCH_STRUCTURE: Final = 3.0  # times what is common in homogeneous tissue
_FULL: Final = 0.999  # of an extent from which on a band is taken to fill the grid
_MAX_SLICES: Final = 16  # an estimate from more slices costs time and gains nothing


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise of a native-grid magnitude image: white and Gaussian inside a rectangle of k-space, absent outside.

    Attributes:
        sd: Standard deviation per pixel, in the image's units.
        extent_freq: Half-width of the rectangle along freq over the grid's Nyquist frequency, 0 to 1.
        extent_phase: The same along phase.
    """

    sd: float
    extent_freq: float
    extent_phase: float


def estimate_noise(image: Image, most: tuple[float, float] = (1.0, 1.0)) -> NoiseEstimate:
    """Estimate the noise of one image or, pooled, of the slices of a series.

    The band ends where the power spectrum of the tissue falls off a cliff (zero-filled images have an empty rim). The
    level is the median absolute deviation, over the least structured fifth of the body, of what lies in the outer
    diagonal part of that band, where anatomy has least power (Donoho and Johnstone, Biometrika 81:425, 1994, do the
    same with the diagonal wavelet band). The very corners are left out: elliptical and Fermi filters empty them.

    Args:
        image: Magnitude (or signed) image on its native grid.
        most: Extents (freq, phase) that the header tells; the band is not taken to be wider.

    Returns:
        The noise level and band. The level is 0 for an image without body or noise. After a strong filter (Hamming)
        noise is not white inside its band and the level reads low, by about a half.
    """
    slices = _some_slices(image.reshape(-1, *image.shape[-2:]).float())
    body = body_mask(slices)
    flat = _least_structured(local_structure(slices), body, HOMOGENEOUS_FRACTION)
    power = _tissue_power(slices, flat)
    extents = (min(_extent(power), most[0]), min(_extent(power.mT), most[1]))
    detail = _diagonal_detail(slices, extents)
    tissue = detail[flat]
    sd = _MAD_TO_SD * float(subsample(tissue).abs().median()) if tissue.numel() else 0.0
    return NoiseEstimate(sd, *extents)


def band_noise(shape: Sequence[int], noise: NoiseEstimate, generator: torch.Generator) -> Image:
    """Draw white Gaussian noise limited to the band of ``noise``.

    Args:
        shape: ``(..., freq, phase)``.
        noise: Standard deviation per pixel and band.
        generator: Source of randomness; the result lives on its device.

    Returns:
        A realisation whose expected standard deviation per pixel is ``noise.sd``.
    """
    white = torch.randn(tuple(shape), generator=generator, device=generator.device)
    inside_freq = _nyquist(shape[-2], white.device) <= noise.extent_freq
    inside_phase = _nyquist(shape[-1], white.device) <= noise.extent_phase
    band = (inside_freq[:, None] & inside_phase).float()
    limited: Tensor = torch.fft.ifft2(torch.fft.fft2(white) * band).real
    return limited * (noise.sd / sqrt(float(band.mean())))


def cut_to_band(images: Image, noise: NoiseEstimate) -> Float[Tensor, "... cut_freq cut_phase"]:
    """Images on the coarsest matrix that holds the band of their noise: it is white there, its level the same.

    Args:
        images: On their native grid.
        noise: Of the images.

    Returns:
        (..., freq, phase), even numbers of pixels where they are fewer than before.
    """
    freq, phase = (
        n if extent > _FULL else max(2, min(n, 2 * round(0.5 * n * extent)))
        for n, extent in zip(images.shape[-2:], (noise.extent_freq, noise.extent_phase), strict=True)
    )
    return on_matrix(images, (freq, phase))


def on_matrix(images: Image, matrix: tuple[int, int]) -> Float[Tensor, "... new_freq new_phase"]:
    """Real images on another (freq, phase) matrix, as cropping or zero-filling of k-space gives them."""
    return images if tuple(images.shape[-2:]) == matrix else resize_image(images, matrix).real


def local_structure(image: Image) -> Image:
    """Measure how much structure surrounds each pixel: the mean squared gradient of the smoothed image.

    Smoothing keeps it blind to the high frequencies in which noise is then measured: picking the places where noise
    happens to be low would bias its level.

    Args:
        image: Magnitude or signed image.

    Returns:
        The squared gradient per pixel, at least 0, averaged over the neighbourhood.
    """
    radius = neighbourhood(image.shape)
    along_freq, along_phase = torch.gradient(_blur(image.float(), radius), dim=(-2, -1))
    return _blur(along_freq.square() + along_phase.square(), 2 * radius, passes=1)


def homogeneous_mask(image: Image, fraction: float = HOMOGENEOUS_FRACTION) -> Mask:
    """Find homogeneous tissue: of each image, the given fraction of the body with the least local structure.

    Args:
        image: Magnitude or signed image.
        fraction: Share of the body to keep, 0 to 1.

    Returns:
        True in homogeneous tissue.
    """
    return _least_structured(local_structure(image), body_mask(image), fraction)


class Tissue(NamedTuple):
    """The body by its structure.

    Attributes:
        homogeneous: True in homogeneous tissue, as :func:`homogeneous_mask` finds it.
        structured: True in the half of the body with the most local structure.
    """

    homogeneous: Mask
    structured: Mask


def tissue_of(image: Image) -> Tissue:
    """Tell homogeneous tissue from structured; both are empty for an image of zeros.

    Args:
        image: Magnitude or signed image.
    """
    body, structure = body_mask(image), local_structure(image)
    homogeneous = _least_structured(structure, body, HOMOGENEOUS_FRACTION)
    return Tissue(homogeneous, body & (structure >= structure[body].median()))


def homogeneity(image: Image) -> Image:
    """How far from structure each pixel is.

    It falls off slowly, so that noise, which makes tissue look structured, moves it little.

    Args:
        image: Magnitude or signed image.

    Returns:
        Near 1 in homogeneous tissue, a half where there is three times as much local structure as is common there,
        falling to 0 beside more of it, at the edge of the body and outside.
    """
    body, structure = body_mask(image), local_structure(image)
    common = structure[_least_structured(structure, body, HOMOGENEOUS_FRACTION)].median()
    relative = structure / (_MUCH_STRUCTURE * common).clamp_min(torch.finfo(structure.dtype).tiny)
    return local_mean(torch.where(body, 1.0 / (1.0 + relative**4), 0.0))


def local_mean(values: Image, whole: Sequence[int] = ()) -> Image:
    """Mean over about 9 x 9 pixels of a 256 matrix.

    Args:
        values: Images, or windows of them.
        whole: (freq, phase) of the whole image, where ``values`` is a window.

    Returns:
        The mean around each pixel.
    """
    return _blur(values, 2 * neighbourhood(whole or values.shape), passes=1)


def _some_slices(images: Float[Tensor, "batch freq phase"]) -> Float[Tensor, "some freq phase"]:
    """Evenly spread slices, which keep their order."""
    return images[:: -(-len(images) // _MAX_SLICES)]


def neighbourhood(shape: Sequence[int]) -> int:
    """The length, in pixels, of about two pixels of a 256 matrix over the same field of view."""
    return max(1, round(max(shape[-2:]) / 128))


def _nyquist(pixels: int, device: torch.device) -> Float[Tensor, " pixels"]:
    """The magnitude of each Fourier frequency over Nyquist, in the order of ``torch.fft``."""
    frequency: Tensor = torch.fft.fftfreq(pixels, device=device)
    return 2.0 * frequency.abs()


def _blur(image: Image, radius: int, passes: int = 3) -> Image:
    """Repeated box average, near enough to a Gaussian."""
    return box_mean(image, (radius, radius), passes)


def _dilate(mask: Mask, radius: int) -> Mask:
    """Where a box around the pixel holds any of the mask."""
    return _blur(mask.float(), radius, passes=1) > 0.0


def _erode(mask: Mask, radius: int) -> Mask:
    """What lies beyond the border counts as outside."""
    outside = F.pad(~mask, (radius,) * 4, value=True)
    return ~_dilate(outside, radius)[..., radius:-radius, radius:-radius]


def _least_structured(structure: Image, body: Mask, fraction: float) -> Mask:
    """The given fraction of each image's body with the least local structure."""
    radius = neighbourhood(structure.shape)
    # Next to the edge of the body nothing is homogeneous, even where a masked background hides the edge.
    inner = _erode(body, 3 * radius)
    values, bodies, inners = (stack.reshape(-1, *body.shape[-2:]) for stack in (structure, body, inner))
    flat = [_lowest(values[index], bodies[index], inners[index], fraction) for index in range(len(values))]
    return torch.stack(flat).reshape(body.shape)


def _lowest(
    values: Float[Tensor, "freq phase"],
    body: Bool[Tensor, "freq phase"],
    inner: Bool[Tensor, "freq phase"],
    fraction: float,
) -> Bool[Tensor, "freq phase"]:
    """The pixels of least value: a fraction of the body, taken from its inner part if it has one."""
    allowed = inner if bool(inner.any()) else body
    candidates = values[allowed]
    if not len(candidates):
        return allowed
    keep = min(max(1, round(fraction * int(body.sum()))), len(candidates))
    return allowed & (values <= candidates.kthvalue(keep).values)


def _tissue_power(images: Float[Tensor, "batch freq phase"], flat: Mask) -> Float[Tensor, "freq phase"]:
    """Power spectrum of the least structured tissue, averaged over images, in the order of ``torch.fft``.

    Three things would reach into an empty rim: the magnitude noise of air, which is wider than its band, the cliff at a
    masked background, and anatomy. A smooth window on flat tissue keeps all of them out.
    """
    radius = neighbourhood(images.shape)
    window = _blur(_erode(_dilate(flat, radius), radius).float(), radius)
    detail = images - _blur(images, radius)
    spectrum: Tensor = torch.fft.fft2(detail * window)
    return spectrum.abs().square().mean(0)


def _extent(power: Float[Tensor, "along across"]) -> float:
    """Where along the first axis the spectrum falls off a cliff, in Nyquist; 1 where it does not.

    Only lines near the centre of the other axis count, which every sampling pattern has acquired, yet not the axis
    itself, on which straight edges of the anatomy lie. Their median ignores what single edges add, and a cliff must
    show in both groups of lines: chance and anatomy seldom agree.
    """
    across = _nyquist(power.shape[1], power.device)
    n = power.shape[0] // 2
    reach = max(3, round(_RIM_REACH * n))
    near, far = (power[:n, (across > low) & (across < low + 0.12)] for low in (0.08, 0.2))
    if n < 8 * reach or not near.numel() or not far.numel():
        return 1.0
    both = torch.stack([near.median(dim=1).values, far.median(dim=1).values])
    both = both.clamp_min(1e-12 * float(both.max()) + 1e-30).log()
    means = both.unfold(1, reach, 1).mean(-1)
    # Three neighbouring stretches; between the last two one more is left out, where a filter may roll off.
    before, inside, outside = means[:, : -3 * reach], means[:, reach : -2 * reach], means[:, 3 * reach :]
    # Anatomy that fades into the noise is no cliff: it has been falling all along.
    drop = (inside - outside - (before - inside).clamp_min(0.0)).amin(0)
    drop[: max(0, n // 5 - reach)] = 0.0
    edge = int(drop.argmax())
    if float(drop[edge]) < log(_RIM_DROP):
        return 1.0
    start = edge + reach
    around = both[:, start : start + 3 * reach].mean(0)
    return (start + int((around > float(inside[:, edge].mean()) - log(3.0)).sum())) / n


def _diagonal_detail(images: Float[Tensor, "batch freq phase"], extents: tuple[float, float]) -> Image:
    """What lies in the outer part of the band of both axes, scaled so that white noise of the band keeps its level."""
    bumps, inside = [], 1
    for pixels, extent in zip(images.shape[-2:], extents, strict=True):
        frequency = _nyquist(pixels, images.device)
        position = ((frequency / extent - 0.4) / 0.4).clamp(0.0, 1.0)
        bumps.append((torch.pi * position).sin().square())
        inside *= int((frequency <= extent).sum())
    response = bumps[0][:, None] * bumps[1]
    gain = sqrt(float(response.square().sum()) / inside)
    detail: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * response).real
    return detail / max(gain, 1e-6)
