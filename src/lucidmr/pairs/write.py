"""Pairs on disk: one HDF5 file each.

One file per pair, because a file named by the pair's number is the whole bookkeeping: one that exists is complete, any
number of processes write without a lock or an index, and one that is killed loses the pair it was at. Images are stored
as a scanner stores them, integers with slope and intercept: exact, in half of the space.

Attributes: ``lucidmr_pair`` and, as JSON, ``record``: provenance, context, grid, slope and intercept. Data sets:
``input`` (slice, freq, phase) and ``target`` (1, freq, phase), unsigned 16 bit; ``context`` (field) float32.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from torch import Tensor

from lucidmr.context import SCHEMA_VERSION, Context
from lucidmr.corpus.files import whole_hdf5
from lucidmr.errors import LucidError
from lucidmr.files import remove_abandoned, whole_file
from lucidmr.pairs.simulate import TrainingPair
from lucidmr.pairs.source import CorpusPairs
from lucidmr.scale import Workers, work

FORMAT: Final = 2
SETTINGS: Final = "simulate.json"
_PER_FOLDER: Final = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of one pair.

    Attributes:
        index: Its number.
        made: Whether it is new.
        failed: Why there is none, in one line.
    """

    index: int
    made: bool = False
    failed: str | None = None


@dataclass(frozen=True)
class _Maker:
    """Writes one pair after the other, whichever process it is in."""

    pairs: CorpusPairs
    folder: Path

    def __call__(self, index: int) -> Outcome:
        path = path_of(self.folder, index)
        if path.exists():
            return Outcome(index)
        try:
            pair = self.pairs.pair(index)
        except LucidError as error:
            return Outcome(index, failed=f"pair {index}: {error}")
        write_pair(path, pair)
        return Outcome(index, made=True)


def path_of(folder: Path, index: int) -> Path:
    """Where a pair lies."""
    return folder / f"{index // _PER_FOLDER:06d}" / f"{index:09d}.h5"


def paths_in(folder: Path) -> list[Path]:
    """All pairs of a folder in their order.

    Raises:
        LucidError: There is none.
    """
    paths = sorted(folder.glob("[0-9]*/[0-9]*.h5"))
    if not paths:
        raise LucidError(f"{folder}: holds no pairs; make some with 'lucidmr simulate' first")
    return paths


def write_pairs(pairs: CorpusPairs, indices: Iterable[int], folder: Path, workers: Workers) -> Iterator[Outcome]:
    """Write pairs, those that are there already excepted; one that fails does not stop the others.

    Args:
        pairs: The pairs.
        indices: Which of them.
        folder: Where to; made if missing.
        workers: Who does it.

    Yields:
        What became of each, in order.

    Raises:
        LucidError: The folder holds pairs of other settings, or cannot be written.
    """
    _check_settings(pairs, folder)
    for part in [folder, *folder.glob("[0-9]*/")]:
        remove_abandoned(part)
    yield from work(_Maker(pairs, folder), indices, workers, _lost)


def _lost(index: int) -> Outcome:
    """What became of a pair that no worker survived."""
    return Outcome(index, failed=f"pair {index}: needs more memory than there is; use fewer workers")


def _check_settings(pairs: CorpusPairs, folder: Path) -> None:
    """Write down the settings, or compare with those that are there: no folder holds two kinds of pairs."""
    path = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = json.loads(path.read_text("utf-8")) if path.exists() else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "damaged"
        raise LucidError(f"{path}: cannot be read or made ({reason}); choose another folder") from error
    if before is None:
        with whole_file(path) as part:
            part.write_text(json.dumps(pairs.settings, indent=2), "utf-8")
    elif before != pairs.settings:
        changed = [name for name, value in pairs.settings.items() if before.get(name) != value]
        raise LucidError(f"{folder}: holds pairs with another {' and '.join(changed)}; choose another folder")


def record_of(pair: TrainingPair) -> dict[str, Any]:
    """All there is to know of a pair but its images, as plain values."""
    return {
        **pair.provenance,
        "grid": list(pair.grid),
        "context": list(pair.context.vector),
        "context_schema": SCHEMA_VERSION,
        "rescale": list(pair.rescale),
        "noise": pair.noise,
    }


def write_pair(path: Path, pair: TrainingPair) -> None:
    """Store a pair.

    Args:
        path: File to write.
        pair: The pair, on the CPU.

    Raises:
        LucidError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LucidError(f"{path.parent}: cannot be made ({error.strerror}); choose another folder") from error
    with whole_hdf5(path) as file:
        file.attrs["lucidmr_pair"] = FORMAT
        file.attrs["record"] = json.dumps(record_of(pair))
        for name, image in (("input", pair.input), ("target", pair.target)):
            file.create_dataset(
                name, data=_stored(image, pair.rescale), chunks=tuple(image.shape), compression=1, shuffle=True
            )
        file["context"] = np.array(pair.context.vector, np.float32)


def _stored(image: Tensor, rescale: tuple[float, float]) -> Any:
    slope, intercept = rescale
    return ((image.double() - intercept) / slope).round().numpy().astype(np.uint16)


def read_pair(path: Path) -> TrainingPair:
    """Read a pair, the same as it was to the last bit.

    Raises:
        LucidError: The file is none of a pair, or damaged.
    """
    record = read_record(path)
    slope, intercept = record["rescale"]
    try:
        with h5py.File(path) as file:
            images = [torch.from_numpy(file[name][()].astype(np.float32)) for name in ("input", "target")]
    except (OSError, RuntimeError, LookupError) as error:
        raise damaged(path, error) from error
    given, wanted = (image * slope + intercept for image in images)
    return from_record(given, wanted, record)


def from_record(given: Tensor, wanted: Tensor, record: dict[str, Any]) -> TrainingPair:
    """A pair of its images and its record."""
    beside = ("grid", "context", "context_schema", "rescale", "noise")
    return TrainingPair(
        given,
        wanted,
        grid=(record["grid"][0], record["grid"][1]),
        context=Context.from_vector(tuple(record["context"])),
        provenance={name: value for name, value in record.items() if name not in beside},
        rescale=(record["rescale"][0], record["rescale"][1]),
        noise=record["noise"],
    )


def read_record(path: Path) -> dict[str, Any]:
    """Read what is known of a stored pair, without its images.

    Raises:
        LucidError: The file is none of a pair, or damaged.
    """
    try:
        with h5py.File(path) as file:
            if file.attrs["lucidmr_pair"] != FORMAT:
                raise LucidError(f"{path}: is of another version of Lucid MR; simulate it anew")
            record: dict[str, Any] = json.loads(file.attrs["record"])
            return record
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> LucidError:
    """What to tell of a file that is no pair."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return LucidError(f"{path}: is damaged or no pair ({reason}); remove it and simulate it again")
