"""How noisy images are: the statistic of their least structured tissue, corrected by the noise gauge."""

from dataclasses import replace
from functools import cache
from statistics import median

from lucidmr.network.noise_gauge import NoiseGauge
from lucidmr.network.weights import load_gauge
from lucidmr.physics.image_noise import NoiseEstimate, estimate_noise
from lucidmr.shapes import Image

_packaged_gauge = cache(load_gauge)


def measure_noise(
    images: Image, most: tuple[float, float] = (1.0, 1.0), gauge: NoiseGauge | None = None
) -> NoiseEstimate:
    """Measure the noise of images that share it.

    Args:
        images: Magnitude (or signed) images on their native grid, rows along phase.
        most: Extents (freq, phase) that the header tells; the band is not taken to be wider.
        gauge: What corrects the level; the one of the package where nothing is said.

    Returns:
        Level and band, as :func:`lucidmr.physics.image_noise.estimate_noise`.

    Raises:
        LucidError: The gauge's weights are missing or damaged.
    """
    found = estimate_noise(images, most)
    if found.sd <= 0.0:
        return found
    judge = gauge or _packaged_gauge()
    extents = (found.extent_freq, found.extent_phase)
    corrections = [judge.correction(image, found.sd, extents) for image in images.reshape(-1, *images.shape[-2:])]
    return replace(found, sd=found.sd * median(corrections))
