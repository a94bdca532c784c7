"""One measurement of a corpus: one HDF5 file.

HDF5 because one chunk is one slice of all coils, read by itself, checked by its own checksum and open to every tool;
one file per measurement because files need no index and no lock. A file's name is the SHA-256 of the source's bytes
and of all that decides what becomes of them: the same data are never stored twice, different settings never mix, and
whether a source is there already is asked of the folder alone. A file that exists is complete (see
:mod:`lucidmr.files`), so that a process may be killed at any point and the next goes on.

Attributes: ``lucidmr_format``, and as JSON ``card``; data sets: ``kspace`` (scan, coil, slice, freq, phase) complex64
or ``images`` (scan, freq, phase) float32, ``signal`` (scan), ``verdicts`` as JSON, ``thumbnail`` (row, column) bytes;
where there was a calibration scan, ``calibration`` (scan, coil, slice, freq, phase) complex64.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import h5py
import numpy as np
import torch
from torch import Tensor

from lucidmr.corpus.files import whole_hdf5
from lucidmr.errors import LucidError
from lucidmr.physics.sampling import Sampling
from lucidmr.raw.measurement import Facts
from lucidmr.raw.pseudo import NativeSlices, PseudoRaw
from lucidmr.raw.quality import Verdict
from lucidmr.raw.scan import RawScan

FORMAT: Final = 1
SUFFIX: Final = ".h5"
Kind = Literal["kspace", "images"]


@dataclass(frozen=True)
class Card:
    """What is known of a measurement without its samples.

    Attributes:
        source: Name of what it was read from.
        subject: Anonymous name of the subject; decides the split.
        facts: What the header tells, the subject left out.
        kind: ``kspace`` that was measured, or magnitude ``images`` that become pseudo-raw data when they are read.
        scans: Slices or volumes.
        matrix: (slice, freq, phase) samples of each.
        coils: Coils as they were received; 0 of images.
        virtual_coils: Coils that are stored; 0 of images.
        noise_sd: Standard deviation of the noise in each scan.
        snr: Median over the scans of typical signal over noise; ``None`` where there is no noise.
        sampling: What was acquired; ``None`` = fully sampled.
        settings: Preparation settings, for provenance.
        is_volume: Whether the slices of images lie so near each other that they may be a 3D acquisition.
        has_calibration: Whether the lines of a calibration scan of its own are stored, too.
    """

    source: str
    subject: str
    facts: Facts = field(default_factory=Facts)
    kind: Kind = "kspace"
    scans: int = 0
    matrix: tuple[int, int, int] = (0, 0, 0)
    coils: int = 0
    virtual_coils: int = 0
    noise_sd: float = 0.0
    snr: float | None = None
    sampling: Sampling | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    is_volume: bool = False
    has_calibration: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Card":
        """The inverse of :meth:`to_json`."""
        sampling = values["sampling"]
        return cls(
            **{
                **values,
                "facts": Facts(**values["facts"]),
                "matrix": tuple(values["matrix"]),
                "sampling": sampling and Sampling.from_json(sampling),
            }
        )


@dataclass(frozen=True)
class Entry:
    """A stored measurement.

    Attributes:
        path: Its file.
        card: What is known of it.
        verdicts: What the quality gate had to say; an entry without scans was refused.
    """

    path: Path
    card: Card
    verdicts: tuple[Verdict, ...]

    @property
    def id(self) -> str:
        """Name that its content gives it."""
        return self.path.stem


def write_scans(
    path: Path, card: Card, scans: Sequence[RawScan], verdicts: Sequence[Verdict], thumbnail: Tensor
) -> None:
    """Store measured k-space, one scan after the other.

    Args:
        path: File to write.
        card: What is known of it.
        scans: Alike in shape; there may be none.
        verdicts: What the quality gate had to say.
        thumbnail: (row, column) bytes.

    Raises:
        LucidError: The file cannot be written.
    """
    with whole_hdf5(path) as file:
        _write_head(file, card, [scan.signal for scan in scans], verdicts, thumbnail)
        if scans:
            _write_samples(file, "kspace", [scan.kspace for scan in scans])
        if card.has_calibration:
            _write_samples(file, "calibration", [scan.calibration for scan in scans if scan.calibration is not None])


def _write_samples(file: h5py.File, name: str, samples: Sequence[Tensor]) -> None:
    """(coil, slice, freq, phase) samples of every scan."""
    shape = tuple(samples[0].shape)
    stored = _dataset(file, name, (len(samples), *shape), (1, shape[0], 1, *shape[2:]), np.complex64)
    for index, scan in enumerate(samples):
        stored[index] = scan.cpu().numpy()


def write_images(path: Path, card: Card, slices: NativeSlices, thumbnail: Tensor) -> None:
    """Store magnitude images on their native matrix.

    Args:
        path: File to write.
        card: What is known of them.
        slices: The images.
        thumbnail: (row, column) bytes.

    Raises:
        LucidError: The file cannot be written.
    """
    with whole_hdf5(path) as file:
        _write_head(file, card, [slices.signal] * card.scans, (), thumbnail)
        shape = tuple(slices.images.shape)
        _dataset(file, "images", shape, (1, *shape[1:]), np.float32)[...] = slices.images.numpy()


def _write_head(
    file: h5py.File, card: Card, signal: Sequence[float], verdicts: Sequence[Verdict], thumbnail: Tensor
) -> None:
    file.attrs["lucidmr_format"] = FORMAT
    file.attrs["card"] = json.dumps(card.to_json())
    file["signal"] = np.asarray(signal, dtype=np.float64)
    file["verdicts"] = json.dumps([asdict(verdict) for verdict in verdicts])
    file["thumbnail"] = thumbnail.numpy()


def _dataset(file: h5py.File, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    return file.create_dataset(name, shape, dtype, chunks=chunks, fletcher32=True)


def read_entry(path: Path) -> Entry:
    """Read what is known of a stored measurement, without its samples.

    Raises:
        LucidError: The file is none of a corpus, or damaged.
    """
    try:
        with h5py.File(path) as file:
            if file.attrs["lucidmr_format"] != FORMAT:
                raise LucidError(f"{path}: is of another version of Lucid MR; make the corpus anew")
            card = Card.from_json(json.loads(file.attrs["card"]))
            verdicts = tuple(Verdict(**verdict) for verdict in json.loads(file["verdicts"].asstr()[()]))
            if card.scans and (card.kind not in file or len(file[card.kind]) != card.scans):
                raise ValueError("scans are missing")
            return Entry(path, card, verdicts)
    except (OSError, RuntimeError, ValueError, LookupError, TypeError) as error:
        raise _damaged(path, error) from error


def read_scan(entry: Entry, index: int, how: PseudoRaw) -> RawScan:
    """Read one scan; nothing else of the file is loaded.

    Args:
        entry: The measurement.
        index: Which of its scans.
        how: What images are made of; measured data have coils and phase of their own.

    Returns:
        The scan.

    Raises:
        LucidError: The file is damaged or gone.
    """
    card = entry.card
    if not 0 <= index < card.scans:
        raise ValueError(f"index is {index}; it must lie between 0 and {card.scans - 1} for {card.source}")
    try:
        with h5py.File(entry.path) as file:
            signal = float(file["signal"][index])
            chosen = how.chosen(index, card.scans) if card.kind == "images" else index
            samples = torch.from_numpy(file[card.kind][chosen])
            calibration = torch.from_numpy(file["calibration"][index]) if card.has_calibration else None
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        raise _damaged(entry.path, error) from error
    source = f"{card.source}[{index}]"
    if card.kind == "images":
        return how.scan(NativeSlices(samples, card.noise_sd, signal, card.source), source)
    return RawScan(samples, card.noise_sd, signal, None, source, card.sampling, card.facts, calibration)


def read_thumbnail(entry: Entry) -> Tensor:
    """A small picture of the middle scan, (row, column) bytes.

    Raises:
        LucidError: The file is damaged or gone.
    """
    try:
        with h5py.File(entry.path) as file:
            return torch.from_numpy(file["thumbnail"][()])
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        raise _damaged(entry.path, error) from error


def _damaged(path: Path, error: Exception) -> LucidError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return LucidError(f"{path}: is damaged or no file of a corpus ({reason}); remove it and add its source again")
