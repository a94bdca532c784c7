"""Small lesions in the raw signal: are they as detectable after processing as before, and do any appear from nothing?

The observer knows lesion and background and weighs every spatial frequency by the noise there: a matched filter on
prewhitened data (Barrett and Myers, Foundations of Image Science, 2004, 13.2), d' = signal over noise of its response.
No processing can raise what it sees, so d' after over d' before tells what of the information was lost. Present and
absent share their noise.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.evaluate.noise import homogeneous_regions
from lucidmr.evaluate.specimens import Specimen
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.phantoms import Ellipse, kspace
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.component import background_phase
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.shapes import CoilMaps

Plane = Float[Tensor, "freq phase"]
Place = tuple[float, float]
"""Middle of a lesion (freq, phase), fields of view from the centre of pixel n // 2."""
Patches = Float[Tensor, "realisation place side side"]

_LEAST_NOISE: Final = 1e-2
"""Of the mean noise power: frequencies in which there is none tell nothing that can be relied on."""


def flat_places(image: Plane, count: int, radius: int) -> list[Place]:
    """Where the body shows least structure within a radius, pixels."""
    found = []
    for region in homogeneous_regions(image, count, radius):
        middle = region.nonzero().float().mean(0)
        found.append(tuple(float(at - n // 2) / n for at, n in zip(middle, image.shape, strict=True)))
    return [(freq, phase) for freq, phase in found]


def with_lesions(specimen: Specimen, places: Sequence[Place], diameter: float, contrast: float) -> Specimen:
    """A 2D specimen with bright discs, added to what its coils receive.

    Args:
        specimen: Where to.
        places: Their middles.
        diameter: mm.
        contrast: Added signal over that of tissue.

    Returns:
        The specimen with lesions.
    """
    scan = specimen.scan
    _, n_freq, n_phase = scan.matrix
    radii = (diameter / 2 / specimen.spacing[1] / n_freq, diameter / 2 / specimen.spacing[2] / n_phase)
    discs = [Ellipse(place, radii, intensity=contrast * scan.signal) for place in places]
    maps = _maps(scan)
    anatomy = (maps.conj() * to_image(scan.kspace)).sum(0)
    seen = maps * background_phase(anatomy) * to_image(kspace(discs, n_freq, n_phase), IN_PLANE)
    return replace(specimen, scan=replace(scan, kspace=scan.kspace + to_kspace(seen)))


def _maps(scan: RawScan) -> CoilMaps:
    return scan.maps if scan.maps is not None else Sensitivities(scan.kspace, "espirit").maps(scan.matrix)


def patches(image: Plane, places: Sequence[Place], side: int) -> Float[Tensor, "place side side"]:
    """Squares around the places of an image of any matrix over the same field of view."""
    cut = []
    for place in places:
        # Pixels are areas: the middle of the field of view of a scan of n pixels is that of its pixel n // 2.
        rows, columns = (
            slice(start := min(max(round((at + 0.5) * n - side / 2), 0), n - side), start + side)
            for at, n in zip(place, image.shape, strict=True)
        )
        cut.append(image[rows, columns])
    return torch.stack(cut)


def detectability(present: Patches, absent: Patches) -> Float[Tensor, " place"]:
    """What the observer makes of lesions.

    Args:
        present: Squares around the lesions, several realisations of noise, on a grid that noise fills: frequencies in
            which there is none would seem to tell everything.
        absent: The same without lesions, the same noise.

    Returns:
        d' at each place.
    """
    lesion = (present - absent).mean(0)
    # The processor may treat the noise of a lesion otherwise than that of its surroundings.
    both = torch.stack([present, absent])
    noise = ((both - both.mean(1, keepdim=True)) * sqrt(len(absent) / (len(absent) - 1))).flatten(0, 1)
    power = torch.fft.fft2(noise).abs().square().mean((0, 1))
    power = power.clamp_min(_LEAST_NOISE * float(power.mean()))
    template = torch.fft.ifft2(torch.fft.fft2(lesion) / power).real
    response = (template * lesion).sum((-2, -1))
    # The power of noise tells how places compare, what is seen how large it is: one place has few realisations.
    seen = (template * noise).sum((-2, -1)).square().mean(0).sum()
    index: Tensor = response / (response * seen / response.sum()).clamp_min(1e-30).sqrt()
    return index


def signal_and_area(
    present: Patches, absent: Patches, radius: float
) -> tuple[Float[Tensor, " place"], Float[Tensor, " place"]]:
    """What lesions add to the image.

    Args:
        present: Squares around the lesions, several realisations of noise.
        absent: The same without lesions, the same noise.
        radius: Of the lesions, pixels.

    Returns:
        Mean signal within the lesion's own outline, and pixels in which it adds half of its highest signal or more, at
        each place.
    """
    lesion = (present - absent).mean(0)
    half = lesion > 0.5 * lesion.amax((-2, -1), keepdim=True)
    return lesion[:, _disc(lesion.shape[-1], radius)].mean(1), half.sum((-2, -1)).float()


def _disc(side: int, radius: float) -> Bool[Tensor, "side side"]:
    at = torch.arange(side) - (side - 1) / 2
    return torch.hypot(at[:, None], at) <= max(radius, 0.75)


def false_lesions(
    error: Plane, body: Bool[Tensor, "freq phase"], radii: tuple[float, float], least: float, sign: int = 1
) -> int:
    """Places at which an image without lesions looks as if there were one.

    Args:
        error: The image minus what it should be.
        body: Where to look.
        radii: Of the lesion along (freq, phase), pixels.
        least: Contrast above its surroundings from which on something counts, in the image's units.
        sign: -1 looks for dark ones.

    Returns:
        How many.
    """
    reach = max(2, round(2 * max(radii)))
    at = torch.arange(-reach, reach + 1).float()
    distance = torch.hypot(at[:, None] / radii[0], at / radii[1])
    inside, around = distance <= 1.0, (distance > 1.0) & (distance <= 2.0)
    kernel = inside / inside.sum() - around / around.sum()
    contrast = sign * _convolved(error, kernel)
    highest = F.max_pool2d(contrast[None], (2 * reach + 1, 1), 1, (reach, 0))
    peak = F.max_pool2d(highest, (1, 2 * reach + 1), 1, (0, reach))[0]
    return int(((contrast == peak) & (contrast > least) & body).sum())


def _convolved(image: Plane, kernel: Float[Tensor, "side side"]) -> Plane:
    """With an even kernel, by Fourier transforms: lesions are many pixels wide; zeros lie around the image."""
    reach = kernel.shape[0] // 2
    padded = (image.shape[0] + 2 * reach, image.shape[1] + 2 * reach)
    product = torch.fft.rfft2(image, s=padded) * torch.fft.rfft2(kernel, s=padded)
    whole: Tensor = torch.fft.irfft2(product, s=padded)
    return whole[reach : reach + image.shape[0], reach : reach + image.shape[1]]


def per_area(count: float, body: Bool[Tensor, "freq phase"], spacing: tuple[float, float]) -> float:
    """Per 100 square centimetres of body; ``spacing`` in mm."""
    area = float(body.sum()) * spacing[0] * spacing[1] / 1e4
    return count / area if area else float("nan")
