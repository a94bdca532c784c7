"""Squares that a network is trained on, cut from a simulated pair."""

from collections.abc import Iterator
from math import exp
from typing import Final

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import pad

from lucidmr.context import Context
from lucidmr.pairs.simulate import TrainingPair, crop, stack
from lucidmr.standardize import intensity_range
from lucidmr.train.settings import TrainSettings

_ENOUGH: Final = 100_000
"""Pixels that the intensity range is taken from, at least."""
_TISSUE: Final = 0.15
"""Share of the intensity range above which a pixel counts as tissue."""
_MISJUDGED: Final = 0.2
"""Spread of the natural logarithm of the noise that the network is told: no estimate
is exact, and the network must not trust it blindly."""
_NOT_TOLD: Final = 0.1
"""Share of pairs whose noise the network is not told."""


def squares(
    pair: TrainingPair, settings: TrainSettings, generator: Generator
) -> tuple[list[tuple[Float[Tensor, "slice f p"], Float[Tensor, "1 f p"]]], Context]:
    """Squares around random pixels of tissue, on a scale like the standardization's but not always the same.

    Args:
        pair: All slices of a scan.
        settings: How many, how large, and of how many slices.
        generator: Source of all randomness.

    Returns:
        Input and target of each, and what the network is told of them: the pair's context with the noise of its input.
    """
    low, scale = intensity_range(pair.input, _ENOUGH)
    jitter = torch.randn(3, generator=generator).tolist()
    spread = scale * exp(0.25 * jitter[0])
    offset = low + 0.03 * spread * jitter[1]
    context = pair.context
    if float(torch.rand(1, generator=generator)) >= _NOT_TOLD:
        context = context.with_noise(exp(_MISJUDGED * jitter[2]) * pair.noise / spread)
    return list(_cut(pair, settings, low + _TISSUE * scale, (offset, spread), generator)), context


def _cut(
    pair: TrainingPair,
    settings: TrainSettings,
    least: float,
    scale: tuple[float, float],
    generator: Generator,
) -> Iterator[tuple[Float[Tensor, "slice f p"], Float[Tensor, "1 f p"]]]:
    size, slices = settings.crop, settings.network.slices
    for _ in range(settings.crops_per_slice):
        part = stack(pair, int(torch.randint(len(pair.target), (1,), generator=generator)), slices)
        tissue = (part.target[0] > least).nonzero()
        pixel = tissue[int(torch.randint(len(tissue), (1,), generator=generator))] if len(tissue) else (0, 0)
        shift = torch.rand(2, generator=generator).tolist()
        freq, phase = (
            max(0, min(pixels - size, round(float(at) * pixels / stored - size * (0.2 + 0.6 * u))))
            for at, pixels, stored, u in zip(pixel, pair.grid, pair.input.shape[1:], shift, strict=True)
        )
        given, wanted = crop(part, size, (freq, phase), *scale)
        yield _padded(given, size), _padded(wanted, size)


def _padded(square: Float[Tensor, "slice f p"], size: int) -> Float[Tensor, "slice size size"]:
    """Repeat the border of squares from grids that are smaller than the square."""
    missing = [size - square.shape[-1], size - square.shape[-2]]
    return pad(square, (0, missing[0], 0, missing[1]), mode="replicate") if any(missing) else square
