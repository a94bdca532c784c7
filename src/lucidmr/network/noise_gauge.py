"""The noise gauge: a small network that tells how noisy an image is.

Fine texture at coarse resolution has as much power at the highest frequencies as noise has, and statistics of that
power alone are easily off by a factor of two (docs/results). What tells them apart is how they look. The gauge starts
from such a statistic: the image, cut to the band that its noise lives in, over the level that was found, looks alike
on every matrix and scale, and the network predicts the logarithm of the true level over that one.
"""

from math import exp
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

GAUGE_SCHEMA: Final = 1
"""Version of what the gauge is shown; travels with its weights."""
MOST_CORRECTION: Final = 2.0
"""Largest natural logarithm of the true level over the one that was found; more is not learned or believed."""
_CHANNELS: Final = 24
_PLACES: Final = 4
"""Ways of choosing where in the image to look."""
_FEATURES: Final = 16
_HIDDEN: Final = 32
_LEAST: Final = 24
"""Pixels per side that the cut to the band leaves, at least."""
_MOST: Final = 384
"""Pixels per side that are looked at, at most, from the middle."""
_BRIGHT: Final = 12.0
"""Details stronger than so many times the noise that was found are edges, however strong."""

Seen = Float[Tensor, "2 h w"]


class NoiseGauge(nn.Module):
    """Convolutions at three scales, and a mean over the image that the network weights itself."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((2, 1, 1), (1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 2, 2), (2, 2, 1))
        layers: list[nn.Module] = []
        for number, (given, made, stride) in enumerate(widths):
            channels = given if number == 0 else given * _CHANNELS
            layers += [nn.Conv2d(channels, made * _CHANNELS, 3, stride, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.places = nn.Conv2d(2 * _CHANNELS, _PLACES, 1)
        self.values = nn.Conv2d(2 * _CHANNELS, _FEATURES, 1)
        self.head = nn.Sequential(nn.Linear(_PLACES * _FEATURES, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.head[-1].weight)  # type: ignore[arg-type]

    def forward(self, seen: Float[Tensor, "b 2 h w"], inside: Float[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
        """Logarithm of the true level over the one that was found.

        Args:
            seen: What :func:`seen_of` makes of images.
            inside: 1 in them, 0 where they are padded.
        """
        features = self.features(seen)
        outside = F.interpolate(inside, size=features.shape[-2:]) < 0.5
        weights = self.places(features).masked_fill(outside, -1e4).flatten(2).softmax(-1)
        means = weights @ self.values(features).flatten(2).mT
        logarithm: Tensor = self.head(means.flatten(1))[:, 0]
        return logarithm

    def correction(self, image: Float[Tensor, "freq phase"], sd: float, extents: tuple[float, float]) -> float:
        """True level over the one that was found, as the network sees it.

        Args:
            image: Magnitude image on its native grid.
            sd: Level that was found, in the image's units; positive.
            extents: The band that noise lives in, over Nyquist.
        """
        return exp(self.logarithm(seen_of(image, sd, extents)))

    def logarithm(self, seen: Seen) -> float:
        """What it answers to one image, as far as it is believed."""
        with torch.inference_mode():
            return believed(float(self(seen[None], torch.ones_like(seen[None, :1]))))


def believed(logarithm: float) -> float:
    """The logarithm of a correction, at most :data:`MOST_CORRECTION` either way."""
    return min(max(logarithm, -MOST_CORRECTION), MOST_CORRECTION)


def seen_of(image: Float[Tensor, "freq phase"], sd: float, extents: tuple[float, float]) -> Seen:
    """What the gauge is shown of an image: its middle, cut to the band, fine details and the whole.

    Args:
        image: Magnitude image on its native grid.
        sd: Level of noise that was found; positive.
        extents: The band that it lives in, over Nyquist.

    Returns:
        Details over noise, and the compressed image over noise.
    """
    cut = _middle(_cut_to_band(image.float(), extents)) / sd
    blurred = F.avg_pool2d(F.pad(cut[None, None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0, 0]
    details = (cut - blurred).clamp(-_BRIGHT, _BRIGHT) / 3.0
    return torch.stack([details, torch.log1p(cut.clamp_min(0.0) / 3.0) / 2.0])


def _cut_to_band(
    image: Float[Tensor, "freq phase"], extents: tuple[float, float]
) -> Float[Tensor, "cut_freq cut_phase"]:
    """On the coarsest grid that holds the band: noise is white there, its level per pixel the same."""
    sides = [
        pixels if extent > 0.999 else min(pixels, max(_LEAST, 2 * round(pixels * extent / 2)))
        for pixels, extent in zip(image.shape, extents, strict=True)
    ]
    kspace = torch.fft.fftshift(torch.fft.fft2(image))
    for axis, side in enumerate(sides):
        kspace = kspace.narrow(axis, image.shape[axis] // 2 - side // 2, side)
    cut: Tensor = torch.fft.ifft2(torch.fft.ifftshift(kspace)).real
    return cut * (sides[0] * sides[1] / image.numel())


def _middle(image: Float[Tensor, "freq phase"]) -> Float[Tensor, "h w"]:
    for axis in (0, 1):
        side = min(image.shape[axis], _MOST)
        image = image.narrow(axis, (image.shape[axis] - side) // 2, side)
    return image
