"""Reads MR series from DICOM files: which can be processed, which cannot and why.

DICOM: MR Image Storage, Enhanced MR Image Storage, Legacy Converted Enhanced MR Image Storage (PS3.4 B.5).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lucidmr.dicom.derived import Form, derived_folder_name, write_derived
from lucidmr.dicom.files import DIRECTORY_CLASS, NOT_DICOM, HeaderFile, find_files, read_header
from lucidmr.dicom.frames import Frame, frames_of
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.header import Told, told_of
from lucidmr.dicom.header.plane import plane_facts
from lucidmr.dicom.kinds import frame_refusal, is_enhanced, refusal, remarks
from lucidmr.dicom.mosaic import mosaic_of
from lucidmr.dicom.pixels import stored_values
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.source import Source
from lucidmr.dicom.stacks import distinct_orientations, stack_warnings, stacks_of
from lucidmr.dicom.values import integer, item, items, number, numbers, one_line, quiet, text, tokens

_LOCALIZER_NAME = re.compile(r"locali[sz]er|scout|survey|3[ -]?pl|(^|[^a-z])loc($|[^a-z])", re.I)

Series_co = TypeVar("Series_co", bound=Source, covariant=True)


@dataclass(frozen=True, eq=False)
class ImageSeries:
    """The magnitude images of one MR series that share matrix, pixel spacing and phase encoding axis.

    Images are numbered from 0: stack after stack, sorted by position within each stack. Pixels are read from the
    files when asked for.

    Attributes:
        root: The path that was given to :func:`read_series`.
        paths: The source files.
        headers: Their attributes without pixel data, in the same order. Not to be changed.
        frames: What each image is, in image order.
        stacks: Image numbers of each stack (one echo, one b-value, one time point ...).
        rows: Pixels of a column of an image (of a slice, where the files are mosaics).
        columns: Pixels of a row.
        warnings: What the user should know, one line each.
        form: How derived files are written.
    """

    root: Path
    paths: tuple[Path, ...]
    headers: tuple[Dataset, ...]
    frames: tuple[Frame, ...]
    stacks: tuple[tuple[int, ...], ...]
    rows: int
    columns: int
    warnings: tuple[str, ...]
    form: Form = field(default_factory=Form)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"<ImageSeries {self.label}: {len(self)} images {self.rows} x {self.columns}, {len(self.stacks)} stacks>"

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return text(self.headers[0], "SeriesInstanceUID")

    @property
    def number(self) -> int | None:
        """SeriesNumber, ``None`` if absent."""
        found = number(self.headers[0], "SeriesNumber")
        return None if found is None else int(found)

    @property
    def description(self) -> str:
        """SeriesDescription, empty if absent."""
        return text(self.headers[0], "SeriesDescription")

    @cached_property
    def label(self) -> str:
        """Number and description for people to read."""
        return _label(self.headers[0])

    @property
    def enhanced(self) -> bool:
        """Whether the files are multi-frame."""
        return is_enhanced(self.headers[0])

    @cached_property
    def depth(self) -> int:
        """Images of a stack, as most of the stacks have."""
        return Counter(map(len, self.stacks)).most_common(1)[0][0]

    def header(self, index: int) -> Dataset:
        """The attributes of the file that image ``index`` is in."""
        return self.headers[self.frames[index].file]

    def path(self, index: int) -> Path:
        """The file that image ``index`` is in."""
        return self.paths[self.frames[index].file]

    def geometry(self, index: int) -> Geometry | None:
        """Position, orientation and spacing of image ``index`` in mm; ``None`` if the header does not say."""
        return self.frames[index].geometry

    def image(self, index: int) -> NDArray[np.float32]:
        """Read image ``index``.

        Returns:
            Real-world values (stored value times RescaleSlope plus RescaleIntercept, per image), rows x columns.

        Raises:
            LucidError: The file is gone or cannot be decoded.
        """
        frame = self.frames[index]
        stored = stored_values(self.paths[frame.file], frame.index).astype(np.float64)
        return (stored * frame.slope + frame.intercept).astype(np.float32)

    def images(self) -> Iterator[NDArray[np.float32]]:
        """Read all images in order, one at a time."""
        return (self.image(index) for index in range(len(self)))

    @property
    def identity(self) -> dict[str, Any]:
        """What programs know it by, ready for JSON."""
        names = {"uid": self.uid, "number": self.number, "description": self.description}
        return {**names, "multi_frame": self.enhanced}

    def told(self) -> Told:
        """What the header of the first file says, and the planes of the longest stack."""
        told = told_of(self.headers[0])
        planes = plane_facts([self.geometry(index) for index in max(self.stacks, key=len)])
        return Told((planes, *told.sources), told.warnings)

    def folder(self, output: Path, provenance: Provenance) -> Path:
        """A subfolder of its own."""
        return output / derived_folder_name(self, provenance)

    def write(
        self, images: Iterable[NDArray[np.float32]], folder: Path, provenance: Provenance, overwrite: bool
    ) -> list[Path]:
        """Write processed images as a derived series."""
        return write_derived(self, images, folder, provenance, overwrite, self.form)


@dataclass(frozen=True)
class Refusal:
    """Files that are not processed.

    Attributes:
        label: The series or file, for people to read.
        reason: Why, in one line.
        paths: The files.
        damaged: Whether they should have been readable but are not; what is merely foreign is not damaged.
    """

    label: str
    reason: str
    paths: tuple[Path, ...]
    damaged: bool


class _Refused(NamedTuple):
    """One file that is not processed."""

    label: str
    reason: str
    path: Path
    damaged: bool


@dataclass(frozen=True)
class SeriesCollection(Generic[Series_co]):
    """What was found under a path.

    Attributes:
        series: What can be processed.
        refused: What cannot, with the reason.
        warnings: What the user should know, one line each, with the series' label in front.
    """

    series: tuple[Series_co, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]


def read_series(path: Path | str, left_out: Container[Path] = ()) -> SeriesCollection[ImageSeries]:
    """Read the headers of all DICOM files under a path and group them into series.

    Nothing under the path stops the rest from being read; whatever cannot be processed is named in ``refused``.

    Args:
        path: A DICOM file, a folder (read recursively) or a DICOMDIR.
        left_out: Files that are something else, and are not named in ``refused``.

    Raises:
        LucidError: There is nothing at the path, or the folder is empty.
    """
    root = Path(path)
    groups: dict[tuple[object, ...], list[HeaderFile]] = defaultdict(list)
    refused: list[_Refused] = []
    doubles: list[str] = []
    seen: dict[str, HeaderFile] = {}
    with quiet():
        for read in (read_header(file) for file in find_files(root) if file not in left_out):
            header = read.header
            if header is None:
                foreign = read.problem == NOT_DICOM
                refused.append(_Refused("" if foreign else read.path.name, read.problem, read.path, not foreign))
            elif text(header, "SOPClassUID") == DIRECTORY_CLASS:
                continue
            elif reason := refusal(header) or read.problem or _frames_refusal(header):
                refused.append(_Refused(_label(header), reason, read.path, reason == read.problem))
            elif (first := seen.setdefault(text(header, "SOPInstanceUID"), read)) is read:
                groups[_series_key(header)].append(read)
            elif _same_image(first, read):
                doubles.append(f"{_label(header)}: {read.path.name} repeats a SOP Instance UID; one of the two is used")
            else:
                reason = f"another image, {first.path.name}, has the same SOP Instance UID; export the series again"
                refused.append(_Refused(_label(header), reason, read.path, True))
        series = _series_of(root, groups, refused)
    parts: dict[str, int] = defaultdict(int)
    for found in series:
        parts[found.uid] += 1
    split = [f"{_label_of(series, uid)}: {n} kinds of images with one series UID (size, phase direction, series number "
             "or description); each is processed by itself" for uid, n in parts.items() if n > 1]  # fmt: skip
    warnings = [f"{found.label}: {line}" for found in series for line in found.warnings]
    return SeriesCollection(tuple(series), _refusals(refused), tuple(dict.fromkeys(doubles + split + warnings)))


def _series_of(
    root: Path, groups: dict[tuple[object, ...], list[HeaderFile]], refused: list[_Refused]
) -> list[ImageSeries]:
    found = []
    for group in groups.values():
        headers = [read.header for read in group if read.header is not None]
        paths = [read.path for read in group]
        frames = [frame for index, header in enumerate(headers) for frame in frames_of(header, index)]
        stacks = sorted(stacks_of(frames), key=lambda stack: min((frame.order, frame.file) for frame in stack))
        if _localizer(headers[0]) and (planes := distinct_orientations(stacks)) > 1:
            reason = f"localizer with {planes} orientations"
            refused += [
                _Refused(_label(header), reason, path, False) for header, path in zip(headers, paths, strict=True)
            ]
        else:
            found.append(_image_series(root, paths, headers, stacks))
    return sorted(found, key=lambda series: (series.number is None, series.number or 0, series.uid, series.rows))


def _image_series(
    root: Path, paths: list[Path], headers: list[Dataset], stacks: Sequence[Sequence[Frame]]
) -> ImageSeries:
    matrix = integer(headers[0], "Rows", 0), integer(headers[0], "Columns", 0)
    mosaic = mosaic_of(headers[0])
    rows, columns = mosaic.tile(matrix) if mosaic else matrix
    numbered = iter(range(sum(map(len, stacks))))
    lines = [line for header in headers for line in remarks(header)] + stack_warnings(stacks)
    return ImageSeries(
        root=root,
        paths=tuple(paths),
        headers=tuple(headers),
        frames=tuple(frame for stack in stacks for frame in stack),
        stacks=tuple(tuple(next(numbered) for _ in stack) for stack in stacks),
        rows=rows,
        columns=columns,
        warnings=tuple(dict.fromkeys(lines)),
    )


def _series_key(header: Dataset) -> tuple[object, ...]:
    spacing = tuple(round(step, 4) for step in numbers(header, "PixelSpacing"))
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "InPlanePhaseEncodingDirection", "SeriesNumber",
             "SeriesDescription")  # fmt: skip
    matrix = (integer(header, "Rows", 0), integer(header, "Columns", 0))
    return (*(text(header, name) for name in names), *matrix, spacing, mosaic_of(header))


def _same_image(one: HeaderFile, other: HeaderFile) -> bool:
    """Whether two files with the same UID show the same image, as far as their headers tell."""
    names = ("SeriesInstanceUID", "InstanceNumber", "AcquisitionNumber", "ImagePositionPatient")
    first, second = ([text(read.header or Dataset(), name) for name in names] for read in (one, other))
    return first == second


def _frames_refusal(header: Dataset) -> str:
    """Why a multi-frame file cannot be processed as a whole; empty if every frame is a magnitude image."""
    if not is_enhanced(header):
        return ""
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    if len(groups) != integer(header, "NumberOfFrames", 0) or not groups:
        return f"{len(groups)} descriptions for {integer(header, 'NumberOfFrames', 0)} frames"
    shared = item(header, "SharedFunctionalGroupsSequence") or Dataset()
    types = (item(group, "MRImageFrameTypeSequence") or item(shared, "MRImageFrameTypeSequence") for group in groups)
    reasons = [reason for kind in types if kind is not None and (reason := frame_refusal(kind))]
    if not reasons:
        return ""
    return reasons[0] if len(reasons) == len(groups) else f"{len(reasons)} of {len(groups)} frames: {reasons[0]}"


def _localizer(header: Dataset) -> bool:
    names = text(header, "SeriesDescription") + " " + text(header, "ProtocolName")
    return "LOCALIZER" in tokens(header, "ImageType") or _LOCALIZER_NAME.search(names) is not None


def _label(header: Dataset) -> str:
    name = text(header, "SeriesDescription") or text(header, "ProtocolName") or "no description"
    return one_line(f"series {text(header, 'SeriesNumber') or '?'} ({name})")


def _label_of(series: list[ImageSeries], uid: str) -> str:
    return next(found.label for found in series if found.uid == uid)


def _refusals(refused: list[_Refused]) -> tuple[Refusal, ...]:
    grouped: dict[tuple[str, str, bool], list[Path]] = defaultdict(list)
    for label, reason, path, damaged in refused:
        grouped[label, one_line(reason), damaged].append(path)
    found = []
    for (label, reason, damaged), paths in grouped.items():
        files = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
        found.append(Refusal(label or files, reason, tuple(paths), damaged))
    return tuple(found)
