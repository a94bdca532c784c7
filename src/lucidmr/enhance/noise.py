"""How noisy images are: the statistic of their least structured tissue, corrected by the noise gauge."""

from dataclasses import replace
from functools import cache
from statistics import median

from jaxtyping import Float
from torch import Tensor

from lucidmr.network.noise_gauge import NoiseGauge
from lucidmr.network.weights import load_gauge
from lucidmr.physics.image_noise import NoiseEstimate, estimate_noise
from lucidmr.shapes import Image

_packaged_gauge = cache(load_gauge)


def measure_noise(
    images: Image, most: tuple[float, float] = (1.0, 1.0), gauge: NoiseGauge | None = None
) -> NoiseEstimate:
    """Measure the noise of images that share it.

    Fine anatomy is taken for noise now and then: of several images the median is the level of all.

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
    levels = [_level(image, (found.extent_freq, found.extent_phase), judge) for image in _slices(images)]
    return replace(found, sd=median([level for level in levels if level > 0.0] or [found.sd]))


def _level(image: Float[Tensor, "freq phase"], most: tuple[float, float], judge: NoiseGauge) -> float:
    """What one image shows; 0 for one without body."""
    found = estimate_noise(image, most)
    if found.sd <= 0.0:
        return 0.0
    return found.sd * judge.correction(image, found.sd, (found.extent_freq, found.extent_phase))


def _slices(images: Image) -> Float[Tensor, "slice freq phase"]:
    return images.reshape(-1, *images.shape[-2:])
