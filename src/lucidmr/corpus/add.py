"""Put raw data and image volumes into a corpus: one source after the other, by any number of processes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from statistics import median
from typing import Final, Literal

import torch

from lucidmr.corpus.entry import FORMAT, SUFFIX, Card, Entry, read_entry, write_images, write_scans
from lucidmr.corpus.split import anonymous
from lucidmr.corpus.thumbnail import of_image, of_scan
from lucidmr.errors import LucidError
from lucidmr.files import remove_abandoned
from lucidmr.raw.measurement import Facts
from lucidmr.raw.prepare import Preparation, Prepared, prepare
from lucidmr.raw.pseudo import native_slices
from lucidmr.raw.quality import Verdict
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import EVERYTHING, Selection
from lucidmr.raw.volume import Volume, read_dicom, read_nifti, topmost
from lucidmr.scale import Workers, work

_RAW_ENDINGS: Final = (".h5", ".hdf5", ".mrd", ".dat", ".cfl", ".ra", ".npy", ".npz", ".mat")
_NIFTI_ENDINGS: Final = (".nii", ".nii.gz")
_DICOM_ENDINGS: Final = ("", ".dcm", ".ima")
_BESIDES: Final = (".hdr", ".json", ".txt", ".md", ".csv", ".tsv", ".bval", ".bvec", ".part")
"""Endings of what lies beside data."""
_NOTHING: Final = torch.zeros(1, 1)


@dataclass(frozen=True)
class Source:
    """What is read at once.

    Attributes:
        path: A file, or a folder of DICOM files.
        kind: What it holds.
    """

    path: Path
    kind: Literal["raw", "nifti", "dicom"]


@dataclass(frozen=True)
class Adding:
    """How sources are added.

    Attributes:
        folder: The corpus.
        preparation: Settings of raw data.
        selection: What to take of raw data.
        subject_is: What counts as one subject where the header names none. The files of one folder never part; files
            that are one subject each may be told so.
    """

    folder: Path
    preparation: Preparation = field(default_factory=Preparation)
    selection: Selection = EVERYTHING
    subject_is: Literal["folder", "file"] = "folder"


@dataclass(frozen=True)
class Outcome:
    """What became of one source.

    Attributes:
        source: The source.
        added: Entries that are new in the corpus and hold scans.
        there: Entries that were there already.
        remarks: What the quality gate flagged, one line each.
        refused: Why something was not taken, one line each.
    """

    source: Source
    added: int = 0
    there: int = 0
    remarks: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.source,
            self.added + other.added,
            self.there + other.there,
            self.remarks + other.remarks,
            self.refused + other.refused,
        )


def find_sources(paths: Sequence[Path], corpus: Path) -> list[Source]:
    """Everything that files and folders name, folders recursively, each once and in the order of names.

    Args:
        paths: Files and folders.
        corpus: Where it is to go: what lies there is no source.

    Returns:
        The sources.

    Raises:
        LucidError: A path does not exist or cannot be looked into.
    """
    found: dict[Source, None] = {}
    for path in paths:
        try:
            found.update(dict.fromkeys(_sources_in(path, corpus.resolve())))
        except OSError as error:
            place = error.filename or path
            raise LucidError(f"{place}: cannot be read ({error.strerror}); check its rights") from error
    return list(found)


def _sources_in(path: Path, corpus: Path) -> Iterator[Source]:
    if path.is_file():
        is_dicom = path.suffix.lower() in _DICOM_ENDINGS
        yield Source(path, "nifti" if path.name.endswith(_NIFTI_ENDINGS) else "dicom" if is_dicom else "raw")
        return
    if not path.is_dir():
        raise LucidError(f"{path}: no such file or folder; name raw data or image volumes")
    others = []
    for file in sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")):
        if file.resolve().is_relative_to(corpus):
            continue
        if file.name.endswith(_NIFTI_ENDINGS):
            yield Source(file, "nifti")
        elif file.suffix.lower() in _RAW_ENDINGS:
            yield Source(file, "raw")
        elif file.suffix.lower() not in _BESIDES:
            others.append(file.parent)
    for folder in topmost(others):
        yield Source(folder, "dicom")


def add_all(sources: Sequence[Source], how: Adding, workers: Workers) -> Iterator[Outcome]:
    """Add sources; one that fails does not stop the others.

    Args:
        sources: From :func:`find_sources`.
        how: Settings.
        workers: Who does it; on a cluster, paths and the corpus are absolute.

    Yields:
        What became of each, in order.

    Raises:
        LucidError: The corpus cannot be written, or workers are killed again and again.
    """
    try:
        how.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LucidError(f"{how.folder}: cannot be made ({error.strerror}); choose another folder") from error
    remove_abandoned(how.folder)
    yield from work(partial(add_source, how=how), sources, workers, _lost)


def _lost(source: Source) -> Outcome:
    """What became of a source that no worker survived."""
    reason = "crashes what reads it, or needs more memory than there is; leave it out, or use fewer workers"
    return Outcome(source, refused=(f"{source.path}: {reason}",))


def add_source(source: Source, how: Adding) -> Outcome:
    """Add one source, or what of it is not there already.

    Raises:
        LucidError: The corpus cannot be written.
    """
    if source.kind == "raw":
        return _add_raw(source, how)
    found = Outcome(source)
    volumes = read_dicom(source.path) if source.kind == "dicom" else map(read_nifti, [source.path])
    while True:
        try:
            volume = next(volumes, None)
        except LucidError as error:
            return found + Outcome(source, refused=(str(error),))
        if volume is None:
            return found
        found += _add_volume(source, volume, how)


def _add_raw(source: Source, how: Adding) -> Outcome:
    try:
        path = how.folder / (_id_of_raw(source.path, how) + SUFFIX)
        if (known := _known(path)) is not None:
            return _told(source, known.card, known.verdicts, new=False)
        measurement = read_raw(source.path, how.selection)
    except LucidError as error:
        return Outcome(source, refused=(str(error),))
    prepared = prepare(measurement, how.preparation)
    card = _card_of(prepared, measurement.source, _subject(measurement.facts, source.path, how), measurement.facts, how)
    middle = prepared.scans[len(prepared.scans) // 2] if prepared.scans else None
    write_scans(path, card, prepared.scans, prepared.verdicts, of_scan(middle) if middle else of_image(_NOTHING))
    return _told(source, card, prepared.verdicts)


def _add_volume(source: Source, volume: Volume, how: Adding) -> Outcome:
    slices = native_slices(volume)
    if slices is None:
        return Outcome(source, refused=(f"{source.path}: {volume.source} has no tissue on a matrix of at least 64",))
    path = how.folder / (_id_of_volume(volume) + SUFFIX)
    if (known := _known(path)) is not None:
        return _told(source, known.card, known.verdicts, new=False)
    card = Card(
        source=volume.source,
        subject=_subject(volume.facts, source.path, how),
        facts=replace(volume.facts, subject=None),
        kind="images",
        scans=len(slices.images),
        matrix=(1, slices.images.shape[1], slices.images.shape[2]),
        noise_sd=slices.noise_sd,
        snr=slices.signal / slices.noise_sd if slices.noise_sd else None,
        is_volume=slices.is_volume,
    )
    write_images(path, card, slices, of_image(slices.images[len(slices.images) // 2]))
    return _told(source, card, ())


def _card_of(prepared: Prepared, name: str, subject: str, facts: Facts, how: Adding) -> Card:
    card = Card(
        source=name,
        subject=subject,
        facts=replace(facts, subject=None),
        coils=prepared.coils,
        settings=asdict(how.preparation),
    )
    if not prepared.scans:
        return card
    first = prepared.scans[0]
    ratios = [scan.signal / scan.noise_sd for scan in prepared.scans if scan.noise_sd]
    return replace(
        card,
        scans=len(prepared.scans),
        matrix=first.matrix,
        virtual_coils=first.n_coils,
        noise_sd=first.noise_sd,
        snr=median(ratios) if ratios else None,
        sampling=first.sampling,
        has_calibration=first.calibration is not None,
    )


def _told(source: Source, card: Card, verdicts: Sequence[Verdict], new: bool = True) -> Outcome:
    """What is said of an entry."""
    lines = _in_short(verdicts)
    if not card.scans:
        line = f"{source.path}: nothing of it can be used ({'; '.join(lines)}); leave it out"
        return Outcome(source, refused=(line,))
    remarks = tuple(f"{source.path}: {line}" for line in lines)
    return Outcome(source, int(new), int(not new), remarks)


def _in_short(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per finding, however many scans have it."""
    scans: dict[tuple[str, bool], list[int | None]] = {}
    for verdict in verdicts:
        scans.setdefault((f"{verdict.check}: {verdict.reason}", verdict.refused), []).append(verdict.scan)
    lines = []
    for (text, refused), numbers in scans.items():
        many = f" ({len(numbers)} scans)" if len(numbers) > 1 else "" if numbers[0] is None else f" (scan {numbers[0]})"
        lines.append(f"{'left out' if refused else 'flagged'}{many}, {text}")
    return lines


def _known(path: Path) -> Entry | None:
    """The entry that is there already; one that is damaged is to be written again."""
    try:
        return read_entry(path) if path.exists() else None
    except LucidError:
        return None


def _id_of_raw(path: Path, how: Adding) -> str:
    """SHA-256 of the source's bytes and of all that decides what becomes of them.

    Raises:
        LucidError: The file cannot be read.
    """
    digest = sha256(json.dumps([FORMAT, asdict(how.preparation), asdict(how.selection)]).encode())
    header = path.with_suffix(".hdr")
    try:
        for part in [path, header] if path.suffix == ".cfl" and header.exists() else [path]:
            with part.open("rb") as file:
                digest.update(file_digest(file, "sha256").digest())
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror}); check the file and its rights") from error
    return digest.hexdigest()


def _id_of_volume(volume: Volume) -> str:
    """The same of an image volume: its values, as a series is many files."""
    digest = sha256(json.dumps([FORMAT, volume.source, list(volume.images.shape)]).encode())
    digest.update(volume.images.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _subject(facts: Facts, path: Path, how: Adding) -> str:
    """An anonymous name of the subject, or of what stands for it where the header names none."""
    if facts.subject:
        return anonymous(facts.subject)
    home = path.resolve() if path.is_dir() else path.resolve().parent
    place = "/".join(home.parts[-2:])
    return anonymous(f"{place}/{path.name}" if how.subject_is == "file" else place)
