"""The stream of training examples: item i depends on the seed and i alone, whatever the number of workers."""

import atexit
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from math import sqrt
from multiprocessing import active_children
from pathlib import Path
from typing import Final

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import SUFFIX
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import TrainingPair, simulate_pair
from lucidmr.pairs.source import CorpusPairs, item_generator
from lucidmr.raw.augment import slab_around
from lucidmr.raw.pseudo import NativeSlices, native_slices, pseudo_raw, synthetic_raw
from lucidmr.raw.scan import RawScan
from lucidmr.raw.volume import read_volumes
from lucidmr.scale import one_thread
from lucidmr.train.settings import TrainSettings
from lucidmr.train.share import WHOLE, Share
from lucidmr.train.squares import squares

Sources = Sequence[NativeSlices] | CorpusPairs
"""What a stream is made of."""
Example = tuple[Tensor, Tensor, Tensor]
"""Inputs (crop, slice, freq, phase), targets (crop, 1, freq, phase), contexts (crop, field)."""


_CLEAN: Final = 0.015
"""Noise over tissue signal below which a volume is not preferred any more."""


def gather(folders: Sequence[Path], settings: TrainSettings) -> Sources:
    """What is in the folders: a corpus, or image volumes.

    Raises:
        LucidError: Nothing usable is found, or a corpus is not the only folder.
    """
    corpora = [folder for folder in folders if any(folder.glob(f"*{SUFFIX}"))]
    if not corpora:
        return gather_slices(folders, volumes_only=settings.network.slices > 1)
    if len(folders) > 1:
        raise LucidError(
            f"{corpora[0]}: is a corpus; name it alone, and put the rest into it with 'lucidmr corpus add'"
        )
    return CorpusPairs(
        Corpus(corpora[0]),
        settings.seed,
        target=settings.target,
        slices=settings.network.slices,
        augment=settings.augment,
        ranges=settings.ranges,
    )


def names_of(sources: Sources) -> list[str]:
    """Names of the volumes or measurements, each once."""
    if isinstance(sources, CorpusPairs):
        return sorted({entry.card.source for entry in sources.entries})
    return sorted({slices.source for slices in sources})


def gather_slices(folders: Sequence[Path], volumes_only: bool = False) -> list[NativeSlices]:
    """Native slices of every volume below the folders.

    Args:
        folders: Where to look.
        volumes_only: Whether to take those alone whose slices are near enough to be a 3D acquisition.

    Returns:
        What is usable.

    Raises:
        LucidError: Nothing usable is found.
    """
    found = (native_slices(volume) for folder in folders for volume in read_volumes(folder))
    usable = [slices for slices in found if slices is not None and (slices.is_volume or not volumes_only)]
    if not usable:
        names = ", ".join(str(folder) for folder in folders)
        near = " and slices at most 2 mm apart" if volumes_only else ""
        raise LucidError(f"{names}: no volume with tissue on a matrix of at least 64 x 64{near}; nothing to learn from")
    return usable


class PairStream(Dataset[Example]):
    """Simulated scans cut into squares.

    A share of them is synthetic anatomy. For the others a volume is chosen with a probability that grows with the
    square root of its number of slices, so that a few long 3D scans do not crowd out the rest, and with its quality:
    faint noise can only be simulated from images with less. A corpus has its own
    row of pairs: where item i is not synthetic it is cut from the reconstruction that ``lucidmr simulate`` writes as
    pair i.
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
            cut, context = squares(pair, self.settings, item_generator(self.settings.seed, index, "squares"))
            inputs, targets = (torch.stack(images) for images in zip(*cut, strict=True))
        return inputs, targets, torch.tensor(context.vector).expand(len(inputs), -1)

    def pair(self, index: int) -> TrainingPair:
        """The pair that item ``index`` is cut from, all slices of it."""
        generator = item_generator(self.settings.seed, index, "stream")
        if float(torch.rand(1, generator=generator)) < self.settings.synthetic_share or self.sources == []:
            scan = synthetic_raw(self.settings.network.slices > 1, generator)
        elif isinstance(self.sources, CorpusPairs):
            return self.sources.whole(index)
        else:
            scan = self._drawn(self.sources, generator)
        return simulate_pair(scan, self.settings.ranges, generator, self.settings.target)

    def _drawn(self, volumes: Sequence[NativeSlices], generator: Generator) -> RawScan:
        """Raw data of a slice or a slab of one of the volumes."""
        weights = torch.tensor([_weight(slices) for slices in volumes])
        slices = volumes[int(torch.multinomial(weights, 1, generator=generator))]
        count = len(slices.images)
        index = int(torch.randint(count, (1,), generator=generator))
        chosen = slab_around(index, count, generator) if self.settings.network.slices > 1 else index
        return pseudo_raw(slices, chosen, generator, self.settings.augment)


def _weight(slices: NativeSlices) -> float:
    """How often a volume is chosen, relative to others."""
    return sqrt(len(slices.images)) / max(slices.noise_sd / slices.signal, _CLEAN)


def batches(stream: PairStream, first: int, share: Share = WHOLE) -> Iterator[Example]:
    """Batches of ``slices_per_step`` slices from item ``first`` on, simulated by worker processes.

    Args:
        stream: The stream.
        first: Index of the first slice: a resumed run goes on where the stopped one was.
        share: What this process does of every batch; it comes in ``share.accumulate`` parts.

    Yields:
        Inputs, targets and contexts of one batch, or of one part of it. Where squares are spread over steps the first
        few batches are smaller.
    """
    settings = stream.settings
    earlier = min(settings.spread - 1, first // settings.slices_per_step)
    if settings.workers:
        _leave_no_worker()
    on_gpu = isinstance(stream.sources, CorpusPairs) and stream.sources.device.type == "cuda"
    loader = DataLoader(
        stream,
        batch_sampler=share.parts(first - earlier * settings.slices_per_step, len(stream), settings.slices_per_step),
        num_workers=settings.workers,
        collate_fn=_join,
        worker_init_fn=_begin_worker,
        prefetch_factor=4 if settings.workers else None,
        multiprocessing_context="spawn" if settings.workers and on_gpu else None,  # CUDA survives no fork
        pin_memory=torch.cuda.is_available(),
    )
    if settings.spread == 1:
        yield from loader  # as it comes: mixing would copy it out of pinned memory
    else:
        yield from islice(_spread(loader, settings.spread, share.accumulate), earlier * share.accumulate, None)


def _spread(parts: Iterable[Example], spread: int, accumulate: int) -> Iterator[Example]:
    """Parts mixed of a share each of the latest ones; ``accumulate`` of them make a step and stay apart."""
    recent = [deque[Example](maxlen=spread) for _ in range(accumulate)]
    for number, part in enumerate(parts):
        latest = recent[number % accumulate]
        latest.appendleft(part)
        yield _join(
            [
                (given[age::spread], target[age::spread], context[age::spread])
                for age, (given, target, context) in enumerate(latest)
            ]
        )


def _join(examples: list[Example]) -> Example:
    inputs, targets, contexts = zip(*examples, strict=True)
    return torch.cat(inputs), torch.cat(targets), torch.cat(contexts)


def _begin_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Schedulers send SIGTERM to all processes: the training process decides when its workers end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@cache
def _leave_no_worker() -> None:
    """After an error the interpreter would end workers by SIGTERM, which they ignore, and wait for them for ever."""
    atexit.register(_kill_workers)


def _kill_workers() -> None:
    # PyTorch answers the death of a worker with an exception, here and now: the others would be left, and waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker in active_children():
        if worker.daemon:
            worker.kill()
