"""Writes processed images as a new series beside the original.

DICOM: single-frame in, single-frame out (MR Image Storage); multi-frame in, multi-frame out with the same structure, or
single frames; mosaics in, mosaics out. Explicit VR little endian, uncompressed, or JPEG 2000 without loss. Pixel format
and rescale stay those of the source, so values mean the same.
"""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.mosaic import mosaic_of
from lucidmr.dicom.output import FILE_NAME, check_apart, new_folder
from lucidmr.dicom.pixels import stored_values
from lucidmr.dicom.provenance import Provenance, derived_uid, source_image
from lucidmr.dicom.rewrite import SERIES_OFFSET, repair_windows, rewrite
from lucidmr.dicom.storage import as_magnitude, pixel_format, put_pixels, restore_padding
from lucidmr.dicom.values import READ_ERRORS, number, quiet, reason
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.dicom.series import ImageSeries

_LEAST_COMPRESSED: Final = 32
"""Rows and columns that five wavelet levels need."""

__all__ = ["Form", "Provenance", "derived_folder_name", "write_derived"]


@dataclass(frozen=True)
class Form:
    """How derived files are written.

    Attributes:
        classic: One file per image, also where the source is multi-frame.
        compressed: Pixel data in JPEG 2000 without loss.
    """

    classic: bool = False
    compressed: bool = False


def write_derived(
    series: "ImageSeries",
    images: Iterable[NDArray[np.float32]],
    folder: Path,
    provenance: Provenance,
    overwrite: bool = False,
    form: Form = Form(),
) -> list[Path]:
    """Write processed images as a derived series. The folder appears whole or not at all.

    Every derived UID follows from the source's UID and the provenance: a rerun makes the same objects.

    Args:
        series: The source.
        images: One per image of the source, in its order: real-world values, rows x columns, all of one shape. The
            shape may differ from the source's; the field of view is the same, aligned at its corners. Taken one at a
            time; held in memory until a file is complete.
        folder: Where to write; must not exist (or be empty), and not lie in the source's folder.
        provenance: What was done.
        overwrite: Replace an earlier output of Lucid MR.
        form: How the files are written.

    Returns:
        The files, in the order of their first images.

    Raises:
        LucidError: The folder cannot be used, an image holds values that are not finite, or a source file is gone.
        ValueError: The number of images is not that of the series, or their shapes differ.
    """
    check_apart(folder, series.root, series.paths)
    created = provenance.created or datetime.now()
    with new_folder(folder, overwrite) as part:
        writer = _Writer(series, part, provenance, created, form)
        for index, image in enumerate(images):
            writer.add(index, image)
        writer.finish()
    return [folder / name for name in writer.names]


def derived_folder_name(series: "ImageSeries", provenance: Provenance) -> str:
    """A name for the series' output folder: readable, stable, and unique among the series of a run."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", series.description).strip("_")[:40] or "series"
    place = f"{series.uid} {series.rows} {series.columns} {series.paths[0].name}"
    unique = f"{int(derived_uid(place, provenance, 'folder').split('.')[-1]) % 16**6:06x}"
    return f"{(series.number or 0) + SERIES_OFFSET:04d}_{words}_{unique}"


@dataclass
class _File:
    """The images of one file, as they come in."""

    values: NDArray[np.float32]
    waiting: set[int]


class _Writer:
    """Collects the images of each file and writes it when it is complete."""

    def __init__(
        self, series: "ImageSeries", folder: Path, provenance: Provenance, created: datetime, form: Form
    ) -> None:
        self.series, self.folder, self.provenance, self.created, self.form = series, folder, provenance, created, form
        self.shape: tuple[int, int] | None = None
        self.count = 0
        self.names: list[str] = []
        self.files: dict[int, _File] = {}
        self.stacks = {index: stack for stack in series.stacks for index in stack}
        # The numbers of the images of each file, in the order of its frames.
        self.numbers: list[list[int]] = [[] for _ in series.paths]
        for index in sorted(range(len(series)), key=lambda index: series.frames[index].index):
            self.numbers[series.frames[index].file].append(index)

    def add(self, index: int, image: NDArray[np.float32]) -> None:
        """Take the next image; write its file if that makes it complete."""
        if index >= len(self.series):
            raise ValueError(f"more images than the {len(self.series)} of {self.series.label}")
        if image.ndim != 2 or self.shape not in (None, image.shape):
            raise ValueError(f"image {index} has shape {image.shape}, those before {self.shape}")
        if not np.isfinite(image).all():
            raise LucidError(f"{self.series.label}: image {index + 1} holds values that are not finite; not written")
        self.shape = (image.shape[0], image.shape[1])
        frame = self.series.frames[index]
        count = len(self.numbers[frame.file])
        file = self.files.setdefault(frame.file, _File(np.empty((count, *self.shape), np.float32), set(range(count))))
        file.values[frame.index] = image
        file.waiting.discard(frame.index)
        self.count += 1
        if not file.waiting:
            self._write(frame.file, self.files.pop(frame.file).values)

    def finish(self) -> None:
        """Check that no image is missing."""
        if self.count != len(self.series):
            raise ValueError(f"{self.count} images for the {len(self.series)} of {self.series.label}")

    # The source's odd values are copied as they are, without a warning: they are not ours to mend.
    @quiet()
    @pydicom.config.disable_value_validation()
    def _write(self, number: int, values: NDArray[np.float32]) -> None:
        source = _read(self.series.paths[number])
        images, stored = self.numbers[number], self._stored(source, number, values)
        if self.form.classic and is_enhanced(source):
            for place, index in enumerate(images):
                one = slice(place, place + 1)
                self._save(deepcopy(source), [index], stored[one], values[one], single=True)
        elif mosaic := mosaic_of(source):
            self._save(source, images, mosaic.together(stored)[None], values)
        else:
            self._save(source, images, stored, values)

    def _stored(self, source: Dataset, number: int, values: NDArray[np.float32]) -> NDArray[np.integer]:
        layout = pixel_format(source)
        stored = np.empty(values.shape, layout.dtype)
        for place, index in enumerate(self.numbers[number]):
            frame = self.series.frames[index]
            image = values[place]
            if layout.signed:
                image = as_magnitude(image, self.series.image(index))
            stored[place] = layout.encode(image, frame.slope, frame.intercept)
            self._restore_padding(source, frame.index, number, stored[place])
        return stored

    def _save(
        self,
        source: Dataset,
        images: Sequence[int],
        stored: NDArray[np.integer],
        values: NDArray[np.float32],
        single: bool = False,
    ) -> None:
        frames = [self.series.frames[index] for index in images]
        sources = [self._references(index) for index in images]
        matrix = (stored.shape[1], stored.shape[2])
        header = rewrite(source, frames, sources, matrix, self.provenance, self.created, single)
        if single:
            header.InstanceNumber = len(self.names) + 1
        put_pixels(header, stored)
        repair_windows(header, values)
        name = FILE_NAME.format(len(self.names) + 1)
        _save(header, self.folder / name, self.series.paths[frames[0].file], self.form.compressed)
        self.names.append(name)

    def _references(self, index: int) -> list[Dataset]:
        """What image ``index`` was made from: itself, then the slices around it; each file or frame once."""
        stack, half = self.stacks[index], self.provenance.slices // 2
        place = stack.index(index)
        around = (index, *stack[max(place - half, 0) : place], *stack[place + 1 : place + 1 + half])
        frames = (self.series.frames[each] for each in around)
        numbered = self.series.enhanced
        found = dict.fromkeys((frame.file, frame.index + 1 if numbered else None) for frame in frames)
        headers = self.series.headers
        return [source_image(headers[file], frame, neighbour=bool(count)) for count, (file, frame) in enumerate(found)]

    def _restore_padding(self, source: Dataset, frame: int, file: int, stored: NDArray[np.integer]) -> None:
        if number(source, "PixelPaddingValue"):
            restore_padding(source, stored_values(self.series.paths[file], frame), stored)


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror or error}); did it move?") from error


def _save(header: Dataset, path: Path, source: Path, compressed: bool) -> None:
    if compressed and min(header.Rows, header.Columns) < _LEAST_COMPRESSED:
        size = f"{header.Rows} x {header.Columns} pixels"
        raise LucidError(f"{source}: {size} are too small for JPEG 2000; write it uncompressed")
    try:
        if compressed:
            header.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
        pydicom.dcmwrite(path, header, implicit_vr=False, little_endian=True, enforce_file_format=True)
    except READ_ERRORS as error:
        if isinstance(error, OSError) and error.errno:
            raise
        why = reason(error)
        raise LucidError(f"{source}: the header cannot be written again ({why}); export the file again") from error
