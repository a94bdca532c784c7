"""Other methods that need nothing but the image, each with one strength, tuned to the same measured noise reduction.

Non-local means (Buades et al., Multiscale Model. Simul. 4:490, 2005), total variation (Chambolle, J. Math. Imaging Vis.
20:89, 2004) and wavelet shrinkage (Chang et al., IEEE Trans. Image Process. 9:1532, 2000) are scikit-image's; Gibbs
removal (Kellner et al., MRM 76:1574, 2016) is DIPY's. All of them are optional (extra ``peers``).

BM3D and BM4D (Makinen et al., IEEE Trans. Image Process. 29:8339, 2020) are no peers: the packages of their authors are
free for non-commercial use alone, and the open ones remove streaks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import log
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.enhance.probe import probe
from lucidmr.physics.image_noise import NoiseEstimate, band_noise

Plane = Float[Tensor, "freq phase"]
Planes = Float[Tensor, "batch freq phase"]
Method = Callable[[Plane, float], Plane]
"""Takes an image and a strength in its units of noise (standard deviations)."""

_LEVEL: Final = 0.05
"""Noise that images are scaled to, so that methods which expect values of about 1 get them."""
_CLOSE: Final = 0.04
"""Relative distance from the wanted noise reduction at which tuning stops."""
_EVALUATIONS: Final = 8
_STRENGTHS: Final = (0.02, 50.0)
"""Where a method's strength is looked for, standard deviations of the noise."""
_CORRECTIONS: Final = 2
"""Of the amount of unsharp masking."""
_MOST_AMOUNT: Final = 20.0
_LEAST_GAIN: Final = 0.02
"""In sharpness; less is not told from none."""
TILE: Final = 256
"""Side in pixels of the middle of an image that methods are tuned on; all of a large one takes minutes."""


@dataclass(frozen=True)
class Peer:
    """One method.

    Attributes:
        name: For people to read.
        package: What has to be installed for it.
        method: The method itself.
    """

    name: str
    package: str
    method: Method

    @property
    def installed(self) -> bool:
        """Whether it can be used here."""
        return find_spec(self.package) is not None


@dataclass(frozen=True)
class Tuned:
    """A method at the strength that gives a wanted noise reduction.

    Attributes:
        image: The processed image.
        strength: Found, in standard deviations of the image's noise.
        noise_reduction: What the probe measured at it, in homogeneous tissue.
    """

    image: Plane
    strength: float
    noise_reduction: float


def _non_local_means(image: Plane, strength: float) -> Plane:
    from skimage.restoration import denoise_nl_means

    # The filter's width is the strength; its own estimate of noise is left out, so that one dial does it all.
    found = denoise_nl_means(image.numpy(), patch_size=5, patch_distance=6, h=strength, fast_mode=True)
    return _tensor(found)


def _total_variation(image: Plane, strength: float) -> Plane:
    from skimage import restoration

    method: Any = restoration.denoise_tv_chambolle
    return _tensor(method(image.numpy(), weight=strength))


def _wavelet(image: Plane, strength: float) -> Plane:
    from skimage.restoration import denoise_wavelet

    found = denoise_wavelet(image.numpy(), sigma=strength, wavelet="sym4", mode="soft", wavelet_levels=4)
    return _tensor(found)


def _blend(image: Plane, strength: float) -> Plane:
    """The input mixed with what non-local means makes of it at full strength."""
    share = strength / (strength + _LEVEL)
    # Wide enough to remove nearly all noise: narrower, its weights follow the noise itself.
    return image + share * (_non_local_means(image, 1.5 * _LEVEL) - image)


DENOISERS: Final = (
    Peer("linear blend with non-local means", "skimage", _blend),
    Peer("non-local means", "skimage", _non_local_means),
    Peer("total variation", "skimage", _total_variation),
    Peer("wavelet shrinkage", "pywt", _wavelet),
)
"""In the order of the tables."""
ABSENT: Final = (
    "SNRAware and other networks for raw or complex data are no peers here: they need data that DICOM does not hold, "
    "and weights that do not come with a package.",
)


def tune(peer: Peer, image: Plane, noise: NoiseEstimate, wanted: float, seed: int = 0) -> Tuned:
    """Find the strength that reduces the noise in homogeneous tissue by a wanted factor, and apply it.

    Args:
        peer: The method.
        image: A noisy image on its native grid.
        noise: Its noise; the level is above 0.
        wanted: Noise reduction factor, 1 or more.
        seed: Of the noise of the probe.

    Returns:
        The image at the nearest that the method reaches, which may be the image as it is.
    """
    if wanted <= 1.0:
        return Tuned(image, 0.0, 1.0)
    unit = noise.sd / _LEVEL
    middle = _middle(image / unit, TILE)
    probed = NoiseEstimate(_LEVEL, noise.extent_freq, noise.extent_phase)
    extra = band_noise((1, *middle.shape), probed, torch.Generator().manual_seed(seed))

    def reached(strength: float) -> float:
        process = partial(_planewise, lambda plane: peer.method(plane, strength * _LEVEL))
        return probe(process, lambda planes: planes, middle[None], [extra]).homogeneous

    strength, factor = _bisect(reached, wanted)
    if strength == 0.0:
        return Tuned(image, 0.0, 1.0)
    return Tuned(peer.method(image / unit, strength * _LEVEL) * unit, strength, factor)


def _bisect(reached: Callable[[float], float], wanted: float) -> tuple[float, float]:
    """The strength of the factor nearest to the wanted one, by halving the logarithm of the range; and that factor.

    Raises no error where the method does not reach it: the nearest is the best it can do.
    """
    low, high = (log(strength) for strength in _STRENGTHS)
    strength, best = 0.0, (0.0, 1.0)
    for _ in range(_EVALUATIONS):
        strength = float(np.exp(0.5 * (low + high)))
        factor = reached(strength)
        if abs(log(factor / wanted)) < abs(log(best[1] / wanted)):
            best = strength, factor
        if abs(log(factor / wanted)) < _CLOSE:
            break
        low, high = (log(strength), high) if factor < wanted else (low, log(strength))
    return best


def _planewise(method: Callable[[Plane], Plane], planes: Planes) -> Planes:
    return torch.stack([method(plane) for plane in planes])


def _middle(image: Plane, side: int) -> Float[Tensor, "rows columns"]:
    rows, columns = (slice(max(0, (n - side) // 2), max(0, (n - side) // 2) + side) for n in image.shape)
    return image[rows, columns].contiguous()


def unsharp_mask(image: Plane, amount: float, radius: float = 1.0) -> Plane:
    """Add what a Gaussian blur takes away.

    Args:
        image: Any image.
        amount: Share of the difference that is added; 0 leaves the image.
        radius: Standard deviation of the Gaussian, pixels.

    Returns:
        The image with steeper edges, and more noise.
    """
    reach = max(1, round(3 * radius))
    taps = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * radius**2))
    taps = (taps / taps.sum()).to(image)
    padded = F.pad(image[None, None], (reach,) * 4, mode="replicate")
    blurred = F.conv2d(F.conv2d(padded, taps.reshape(1, 1, -1, 1)), taps.reshape(1, 1, 1, -1))[0, 0]
    return image + amount * (image - blurred)


def sharpened(image: Plane, sharpness: Callable[[Plane], float], wanted: float) -> Plane:
    """Unsharp masking that gives edges a wanted sharpness.

    Args:
        image: Any image.
        sharpness: Measures the edge sharpness of a processed image relative to this one.
        wanted: The sharpness to be reached; 1 or less leaves the image.

    Returns:
        The image at the wanted sharpness, or near it.
    """
    if not wanted > 1.0:
        return image
    amount = 1.0
    # What is added grows with the amount, and sharpness all but in proportion.
    for _ in range(_CORRECTIONS):
        found = sharpness(unsharp_mask(image, amount))
        amount = min(_MOST_AMOUNT, amount * (wanted - 1.0) / max(found - 1.0, _LEAST_GAIN))
    return unsharp_mask(image, amount)


def remove_gibbs(image: Plane) -> Plane | None:
    """Local subvoxel shifts, as published by Kellner et al.; ``None`` without DIPY."""
    if find_spec("dipy") is None:
        return None
    from dipy.denoise.gibbs import gibbs_removal

    return _tensor(gibbs_removal(image.numpy().astype(np.float64), inplace=False, num_processes=1))


def _tensor(values: Any) -> Plane:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
