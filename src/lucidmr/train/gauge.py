"""Train the noise gauge on simulated scans, whose noise is known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import log
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lucidmr.errors import LucidError
from lucidmr.network.noise_gauge import NoiseGauge, Seen, believed, seen_of
from lucidmr.pairs.simulate import TrainingPair
from lucidmr.physics.image_noise import estimate_noise
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import PairStream, Sources

_SYNTHETIC: Final = 0.25
"""Share of scans of synthetic anatomy: phantoms, too, are to be judged right."""
_SIDE: Final = 112
"""Of the squares that it learns from."""
_BATCH: Final = 16
_OUTLIER: Final = 0.3
"""Errors of the logarithm beyond this count linearly."""


@dataclass(frozen=True)
class GaugeSettings:
    """A training run of the gauge.

    Attributes:
        pairs: Simulated scans to learn from.
        epochs: How often each is shown.
        learning_rate: AdamW's largest, of a one-cycle schedule.
        workers: Processes that simulate; 0 simulates in this one.
        seed: Everything random follows from it.
    """

    pairs: int = 4000
    epochs: int = 9
    learning_rate: float = 2e-3
    workers: int = 1
    seed: int = 0


class Measured(NamedTuple):
    """What the gauge is shown of a scan, in half precision, and what it is to answer."""

    seen: Seen
    logarithm: float


def train_gauge(
    sources: Sources, settings: GaugeSettings, watch: Callable[[int, float], None] | None = None
) -> NoiseGauge:
    """Simulate scans, a quarter of them of synthetic anatomy, and learn their noise.

    Args:
        sources: Volumes or a corpus.
        settings: How long.
        watch: Told every step and its loss.

    Returns:
        The gauge, in evaluation mode.

    Raises:
        LucidError: No simulated scan shows noise in homogeneous tissue, or the loss is not finite.
    """
    examples = list(measured(sources, settings))
    if not examples:
        raise LucidError("no scan shows noise in homogeneous tissue; nothing to learn from")
    torch.manual_seed(settings.seed)
    gauge, generator = NoiseGauge().train(), torch.Generator().manual_seed(settings.seed)
    rate, steps = settings.learning_rate, max(1, settings.epochs * len(examples) // _BATCH)
    optimizer = torch.optim.AdamW(gauge.parameters(), rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    for step, numbers in zip(range(steps), _shuffled(len(examples), generator), strict=False):
        squares = [_square(examples[number].seen.float(), generator) for number in numbers]
        seen, inside = (torch.stack(images) for images in zip(*squares, strict=True))
        wanted = torch.tensor([examples[number].logarithm for number in numbers])
        loss = F.huber_loss(gauge(seen, inside), wanted, delta=_OUTLIER)
        if not bool(loss.isfinite()):
            raise LucidError(f"the loss is not finite at step {step}; lower the learning rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if watch:
            watch(step, float(loss.detach()))
    return gauge.eval()


def measured(sources: Sources, settings: GaugeSettings, synthetic: float = _SYNTHETIC) -> Iterator[Measured]:
    """Simulated scans with noise in homogeneous tissue.

    Args:
        sources: Volumes or a corpus.
        settings: How many, and of which seed.
        synthetic: Share of scans of synthetic anatomy.

    Yields:
        What the gauge is shown of each, and the logarithm of its noise over what is found without the gauge.
    """
    stream = PairStream(sources, replace(TrainSettings(seed=settings.seed), synthetic_share=synthetic), settings.pairs)
    loader = DataLoader(_Scans(stream), batch_size=None, num_workers=settings.workers)
    yield from (found for found in loader if found is not None)


class _Scans(Dataset[Measured | None]):
    def __init__(self, stream: PairStream) -> None:
        self._stream = stream

    def __len__(self) -> int:
        return len(self._stream)

    def __getitem__(self, index: int) -> Measured | None:
        return _measured(self._stream.pair(index))


def _measured(pair: TrainingPair) -> Measured | None:
    """The middle slice of a pair; nothing where it shows no noise."""
    image = pair.input[len(pair.input) // 2].cpu()
    context = zip((pair.context.extent_freq, pair.context.extent_phase), pair.grid, image.shape, strict=True)
    freq, phase = (min(1.0, 2.0**extent * pixels / stored) for extent, pixels, stored in context)
    found = estimate_noise(image, (freq, phase))
    if found.sd <= 0.0 or pair.noise <= 0.0:
        return None
    seen = seen_of(image, found.sd, (found.extent_freq, found.extent_phase))
    return Measured(seen.half(), believed(log(pair.noise / found.sd)))


def _shuffled(count: int, generator: Generator) -> Iterator[list[int]]:
    """Numbers in batches, in a new order every time all were shown."""
    while True:
        order = torch.randperm(count, generator=generator).tolist()
        yield from (order[start : start + _BATCH] for start in range(0, max(1, count - _BATCH + 1), _BATCH))


def _square(seen: Seen, generator: Generator) -> tuple[Float[Tensor, "2 side side"], Float[Tensor, "1 side side"]]:
    """A square of it in any orientation, and where it is not padded."""
    flip_freq, flip_phase, transpose = (torch.rand(3, generator=generator) < 0.5).tolist()
    turned = seen.mT if transpose else seen
    turned = turned.flip([axis for axis, flip in ((-2, flip_freq), (-1, flip_phase)) if flip])
    for axis in (-2, -1):
        first = int(torch.randint(max(1, turned.shape[axis] - _SIDE + 1), (1,), generator=generator))
        turned = turned.narrow(axis, first, min(_SIDE, turned.shape[axis]))
    missing = (0, _SIDE - turned.shape[-1], 0, _SIDE - turned.shape[-2])
    return F.pad(turned, missing), F.pad(torch.ones_like(turned[:1]), missing)
