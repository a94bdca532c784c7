"""The stream of training examples: item i depends on the seed and i alone, whatever the number of workers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import SUFFIX
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import TrainingPair, crop, simulate_pair
from lucidmr.pairs.source import CorpusPairs, item_generator
from lucidmr.physics.analytic import kspace
from lucidmr.physics.fourier import IN_PLANE, to_image
from lucidmr.physics.phantoms import random_phantom
from lucidmr.raw.pseudo import NativeSlices, native_slices, pseudo_raw
from lucidmr.raw.volume import read_volumes
from lucidmr.scale import one_thread
from lucidmr.train.settings import TrainSettings

Sources = Sequence[NativeSlices] | CorpusPairs
"""What a stream is made of."""
Example = tuple[Tensor, Tensor, Tensor]
"""Inputs (crop, 1, freq, phase), targets of the same shape, contexts (crop, field)."""


def gather(folders: Sequence[Path], settings: TrainSettings) -> Sources:
    """What is in the folders: a corpus, or image volumes.

    Raises:
        LucidError: Nothing usable is found, or a corpus is not the only folder.
    """
    corpora = [folder for folder in folders if any(folder.glob(f"*{SUFFIX}"))]
    if not corpora:
        return gather_slices(folders)
    if len(folders) > 1:
        raise LucidError(
            f"{corpora[0]}: is a corpus; name it alone, and put the rest into it with 'lucidmr corpus add'"
        )
    return CorpusPairs(Corpus(corpora[0]), settings.seed, target=settings.target, ranges=settings.ranges)


def names_of(sources: Sources) -> list[str]:
    """Names of the volumes or measurements, each once."""
    if isinstance(sources, CorpusPairs):
        return sorted({entry.card.source for entry in sources.entries})
    return sorted({slices.source for slices in sources})


def gather_slices(folders: Sequence[Path]) -> list[NativeSlices]:
    """Native slices of every volume below the folders.

    Raises:
        LucidError: Nothing usable is found.
    """
    found = (native_slices(volume) for folder in folders for volume in read_volumes(folder))
    usable = [slices for slices in found if slices is not None]
    if not usable:
        names = ", ".join(str(folder) for folder in folders)
        raise LucidError(f"{names}: no volume with tissue on a matrix of at least 64 x 64; nothing to learn from")
    return usable


class PairStream(Dataset[Example]):
    """Simulated slices cut into squares.

    A volume is chosen with a probability that grows with the square root of its number of slices, so that a few long
    3D scans do not crowd out the rest. A corpus has its own row of pairs: item i is cut from what ``lucidmr simulate``
    writes as pair i, whatever share of synthetic slices the settings ask for.
    """

    def __init__(self, sources: Sources, settings: TrainSettings, length: int) -> None:
        self.sources = sources
        self.settings = settings
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        if index >= self.length:
            raise IndexError(index)
        with one_thread():
            pair = self.pair(index)
            squares = torch.stack(list(self._squares(pair, item_generator(self.settings.seed, index, "squares"))))
        context = torch.tensor(pair.context.vector).expand(len(squares), -1)
        return squares[:, 0], squares[:, 1], context

    def pair(self, index: int) -> TrainingPair:
        """The pair that item ``index`` is cut from."""
        if isinstance(self.sources, CorpusPairs):
            return self.sources.pair(index)
        generator = item_generator(self.settings.seed, index)
        scan = pseudo_raw(*self._drawn(self.sources, generator), generator)
        return simulate_pair(scan, self.settings.ranges, generator, self.settings.target)

    def _drawn(self, volumes: Sequence[NativeSlices], generator: Generator) -> tuple[NativeSlices, int]:
        """Slices of a volume, and which of them."""
        if not volumes or float(torch.rand(1, generator=generator)) < self.settings.synthetic_share:
            return _synthetic(generator), 0
        weights = torch.tensor([len(slices.images) for slices in volumes]).float().sqrt()
        slices = volumes[int(torch.multinomial(weights, 1, generator=generator))]
        return slices, int(torch.randint(len(slices.images), (1,), generator=generator))

    def _squares(self, pair: TrainingPair, generator: Generator) -> Iterator[Tensor]:
        """Squares around random pixels of tissue, on a scale like the standardization's but not always the same."""
        size = self.settings.crop
        values = pair.input.flatten().sort().values
        low, high = values[round(0.01 * (len(values) - 1))], values[round(0.99 * (len(values) - 1))]
        jitter = torch.randn(2, generator=generator)
        spread = float((high - low).clamp_min(1e-6) * torch.exp(0.25 * jitter[0]))
        offset = float(low + 0.03 * spread * jitter[1])
        tissue = (pair.target[0] > low + 0.15 * (high - low)).nonzero()
        for _ in range(self.settings.crops_per_slice):
            pixel = tissue[int(torch.randint(len(tissue), (1,), generator=generator))] if len(tissue) else (0, 0)
            shift = torch.rand(2, generator=generator).tolist()
            origin = [
                max(0, min(pixels - size, round(float(at) * pixels / stored - size * (0.2 + 0.6 * u))))
                for at, pixels, stored, u in zip(pixel, pair.grid, pair.input.shape[1:], shift, strict=True)
            ]
            yield _padded(crop(pair, size, (origin[0], origin[1]), offset, spread), size)


def _synthetic(generator: Generator) -> NativeSlices:
    """Random shapes from their closed-form k-space: no noise, and no anatomy to learn by heart."""
    u = torch.rand(2, generator=generator)
    side = 2 * int(64 + 96 * u[0])
    sampled = kspace(random_phantom(generator, 20 + int(100 * u[1])), side, side)
    return NativeSlices(to_image(sampled, IN_PLANE).abs()[None], 0.0, 1.0, "synthetic")


def _padded(square: Tensor, size: int) -> Tensor:
    """Repeat the border of squares from grids that are smaller than the square."""
    missing = [size - square.shape[-1], size - square.shape[-2]]
    if not any(missing):
        return square
    return torch.nn.functional.pad(square, (0, missing[0], 0, missing[1]), mode="replicate")


def batches(stream: PairStream, first: int) -> Iterator[Example]:
    """Batches of ``slices_per_step`` slices from item ``first`` on, simulated by worker processes.

    Args:
        stream: The stream.
        first: Index of the first slice: a resumed run goes on where the stopped one was.

    Yields:
        Inputs, targets and contexts of one batch.
    """
    settings = stream.settings
    loader = DataLoader(
        stream,
        batch_size=settings.slices_per_step,
        sampler=range(first, len(stream)),
        num_workers=settings.workers,
        collate_fn=_join,
        worker_init_fn=_one_thread,
        prefetch_factor=4 if settings.workers else None,
    )
    yield from loader


def _join(examples: list[Example]) -> Example:
    inputs, targets, contexts = zip(*examples, strict=True)
    return torch.cat(inputs), torch.cat(targets), torch.cat(contexts)


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
