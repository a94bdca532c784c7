"""Read a corpus: what is in it, and one scan at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lucidmr.corpus.entry import SUFFIX, Entry, read_entry, read_scan
from lucidmr.corpus.split import Split, SplitName
from lucidmr.errors import LucidError
from lucidmr.raw.pseudo import PseudoRaw
from lucidmr.raw.scan import RawScan


@dataclass(frozen=True)
class Corpus:
    """A folder of entries. What is in it is read from the entries themselves, once, when first asked for.

    Attributes:
        folder: Where it is.
        split: How subjects are shared out.
    """

    folder: Path
    split: Split = field(default_factory=Split)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every entry by its id, refused ones included.

        Raises:
            LucidError: There is no such folder, or a file in it is damaged.
        """
        if not self.folder.is_dir():
            raise LucidError(f"{self.folder}: no such folder; name one that 'lucidmr corpus add' wrote to")
        return {path.stem: read_entry(path) for path in sorted(self.folder.glob(f"*{SUFFIX}"))}

    def places(self, split: SplitName) -> list[tuple[str, int]]:
        """(id, index) of every scan in a split, in a fixed order."""
        return [
            (entry.id, index)
            for entry in self.entries.values()
            if self.split.of(entry.card.subject) == split
            for index in range(entry.card.scans)
        ]

    def scan(self, place: tuple[str, int], how: PseudoRaw | None = None) -> RawScan:
        """Read one scan; nothing else of its file is loaded.

        Args:
            place: Its (id, index).
            how: What magnitude images are made of; without it the same place is always the same slice seen by the
                same coils. Measured data have their own.

        Returns:
            The scan.

        Raises:
            LucidError: Its file is damaged or gone.
        """
        name, index = place
        if name not in self.entries:
            raise ValueError(f"place names {name!r}; {self.folder} has no such entry")
        return read_scan(self.entries[name], index, how or PseudoRaw((int(name[:15], 16) + index) % 2**60))

    def scans(self, split: SplitName) -> Iterator[RawScan]:
        """Every scan in a split, one at a time."""
        return (self.scan(place) for place in self.places(split))
