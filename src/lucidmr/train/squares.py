"""Squares that a network is trained on, cut from a simulated pair."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import pad

from lucidmr.pairs.simulate import TrainingPair, crop, stack
from lucidmr.train.settings import TrainSettings

_ENOUGH = 100_000
"""Pixels that the intensity range is taken from, at least."""


def squares(
    pair: TrainingPair, settings: TrainSettings, generator: Generator
) -> Iterator[tuple[Float[Tensor, "slice f p"], Float[Tensor, "1 f p"]]]:
    """Squares around random pixels of tissue, on a scale like the standardization's but not always the same.

    Args:
        pair: All slices of a scan.
        settings: How many, how large, and of how many slices.
        generator: Source of all randomness.

    Yields:
        Input and target.
    """
    size, slices = settings.crop, settings.network.slices
    low, high = _range(pair.input)
    jitter = torch.randn(2, generator=generator)
    spread = float((high - low).clamp_min(1e-6) * torch.exp(0.25 * jitter[0]))
    offset = float(low + 0.03 * spread * jitter[1])
    for _ in range(settings.crops_per_slice):
        part = stack(pair, int(torch.randint(len(pair.target), (1,), generator=generator)), slices)
        tissue = (part.target[0] > low + 0.15 * (high - low)).nonzero()
        pixel = tissue[int(torch.randint(len(tissue), (1,), generator=generator))] if len(tissue) else (0, 0)
        shift = torch.rand(2, generator=generator).tolist()
        freq, phase = (
            max(0, min(pixels - size, round(float(at) * pixels / stored - size * (0.2 + 0.6 * u))))
            for at, pixels, stored, u in zip(pixel, pair.grid, pair.input.shape[1:], shift, strict=True)
        )
        given, wanted = crop(part, size, (freq, phase), offset, spread)
        yield _padded(given, size), _padded(wanted, size)


def _range(images: Float[Tensor, "slice freq phase"]) -> tuple[Tensor, Tensor]:
    """First and 99th percentile, as standardization takes them."""
    values = images.flatten()
    ordered = values[:: max(1, len(values) // _ENOUGH)].sort().values
    return ordered[round(0.01 * (len(ordered) - 1))], ordered[round(0.99 * (len(ordered) - 1))]


def _padded(square: Float[Tensor, "slice f p"], size: int) -> Float[Tensor, "slice size size"]:
    """Repeat the border of squares from grids that are smaller than the square."""
    missing = [size - square.shape[-1], size - square.shape[-2]]
    return pad(square, (0, missing[0], 0, missing[1]), mode="replicate") if any(missing) else square
