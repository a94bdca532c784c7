"""Pairs from a corpus: pair i depends on the seed, i and the content of the corpus alone."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import torch
from torch import Generator

from lucidmr import __version__
from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import Entry
from lucidmr.corpus.split import SplitName
from lucidmr.degrade.draw import is_calibrated
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import TargetKind, TrainingPair, simulate_pair, stack
from lucidmr.raw.pseudo import PseudoRaw
from lucidmr.raw.scan import RawScan
from lucidmr.scale import one_thread

CPU = torch.device("cpu")


@dataclass(frozen=True)
class CorpusPairs:
    """An endless row of pairs, simulated when they are asked for.

    A measurement is chosen with a probability that grows with the square root of its number of slices, so that a few
    long 3D scans do not crowd out the rest.

    Attributes:
        corpus: What to simulate from.
        seed: Everything random follows from it.
        split: Which subjects.
        target: Kind of target.
        slices: Adjacent reconstructed slices of an input, odd; the middle one is the target's. 1 takes 2D and 3D scans,
            more take 3D scans and slabs of image volumes alone.
        augment: Whether images are given other orientations, contrasts, resolutions and fields of view, too.
        ranges: Degradations.
        device: Where to compute.
    """

    corpus: Corpus
    seed: int = 0
    split: SplitName = "train"
    target: TargetKind = "low_variance"
    slices: int = 1
    augment: bool = True
    ranges: DegradationRanges = field(default_factory=DegradationRanges)
    device: torch.device = CPU

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must not be negative")
        if self.slices < 1 or self.slices % 2 == 0:
            raise ValueError(f"slices is {self.slices}; it must be odd and at least 1")

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """The measurements to choose from; undersampled ones need their calibration lines.

        Raises:
            LucidError: There is none.
        """
        usable = [
            entry
            for entry in self.corpus.entries.values()
            if self.corpus.split.of(entry.card.subject) == self.split and _is_usable(entry, self.slices)
        ]
        if not usable:
            wanted = f" of 3D scans with {self.slices} slices" if self.slices > 1 else ""
            raise LucidError(f"{self.corpus.folder}: no measurement{wanted} in split {self.split!r}; add more to it")
        return usable

    @cached_property
    def _weights(self) -> torch.Tensor:
        return torch.tensor([entry.card.scans * entry.card.matrix[0] for entry in self.entries]).double().sqrt()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All that decides what pair i is, as plain values."""
        content = json.dumps([entry.id for entry in self.entries])
        return {
            "version": __version__,
            "seed": self.seed,
            "split": self.split,
            "target": self.target,
            "slices": self.slices,
            "augment": self.augment,
            "ranges": json.loads(json.dumps(asdict(self.ranges))),
            "device": self.device.type,
            "measurements": sha256(content.encode()).hexdigest(),
        }

    def pair(self, index: int) -> TrainingPair:
        """Simulate one pair.

        Args:
            index: Its number.

        Returns:
            The pair, on the CPU: (slices, freq, phase) input and (1, freq, phase) target.

        Raises:
            LucidError: The file of its scan is damaged or gone.
        """
        return stack_of(self.whole(index))

    def whole(self, index: int) -> TrainingPair:
        """All slices of the scan that pair ``index`` is a part of, on :attr:`device`; its provenance tells which.

        Raises:
            LucidError: The file of its scan is damaged or gone.
        """
        generator = item_generator(self.seed, index)
        entry = self.entries[int(torch.multinomial(self._weights, 1, generator=generator))]
        scan = int(torch.randint(entry.card.scans, (1,), generator=generator))
        coils = int(torch.randint(2**31, (1,), generator=generator))
        with one_thread():
            how = PseudoRaw(coils, slab=self.slices > 1, augment=self.augment)
            raw = read_raw_scan(self.corpus, (entry.id, scan), how, self.device)
            whole = simulate_pair(raw, self.ranges, generator, self.target)
            first = int(torch.randint(len(whole.input) - self.slices + 1, (1,), generator=generator))
            origin = {
                "version": __version__,
                "seed": self.seed,
                "index": index,
                "split": self.split,
                "entry": entry.id,
                "scan": scan,
                "images": asdict(how),
                "first_slice": first,
                "slices": self.slices,
                "device": self.device.type,
            }
            return replace(whole, provenance={**whole.provenance, **origin})


def _is_usable(entry: Entry, slices: int) -> bool:
    card = entry.card
    thickness = card.scans if card.is_volume else card.matrix[0]
    return card.scans > 0 and thickness >= slices and (card.sampling is None or is_calibrated(card.sampling))


def item_generator(seed: int, index: int, purpose: str = "pair") -> Generator:
    """The source of all randomness of one item; hashed, so that no two seeds share items."""
    digest = sha256(f"{purpose} {seed} {index}".encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def read_raw_scan(corpus: Corpus, place: tuple[str, int], how: PseudoRaw, device: torch.device) -> RawScan:
    """A scan on a device."""
    scan = corpus.scan(place, how)
    maps, calibration = (None if array is None else array.to(device) for array in (scan.maps, scan.calibration))
    return replace(scan, kspace=scan.kspace.to(device), maps=maps, calibration=calibration)


def stack_of(pair: TrainingPair) -> TrainingPair:
    """The slices of a whole reconstruction that its provenance names, the middle one as target, on the CPU."""
    first, slices = pair.provenance["first_slice"], pair.provenance["slices"]
    return stack(pair, first + slices // 2, slices)
