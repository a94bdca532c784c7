"""Writes a folder whole or not at all, and never where the source files lie."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from lucidmr.dicom.values import READ_ERRORS, quiet, text
from lucidmr.errors import LucidError

FILE_NAME: Final = "IM_{:04d}.dcm"
_IMPLEMENTATION: Final = "LUCIDMR"
_IMPLEMENTATION_UID: Final = UID("2.25.225640537285183512466071264893120931842")


def file_meta(class_uid: str, instance_uid: str) -> FileMetaDataset:
    """The file meta information of a file that Lucid MR writes; it is what tells these files from others."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(class_uid), UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = _IMPLEMENTATION_UID, _IMPLEMENTATION
    return meta


@contextmanager
def new_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its name when the block ends without an error.

    Args:
        folder: The wanted folder; missing parents are made.
        overwrite: Replace a folder that is already there, if it holds nothing but what Lucid MR wrote.

    Raises:
        LucidError: The folder is there already, holds other files, or cannot be written.
    """
    _check_free(folder, overwrite)
    part = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir(parents=True)
        yield part
        _replace(folder, part)
    except OSError as error:
        raise LucidError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_apart(folder: Path, root: Path, sources: Sequence[Path]) -> None:
    """Refuse to write into, over or above the source.

    Args:
        folder: The wanted folder.
        root: The file or folder that was read.
        sources: The files that were read.

    Raises:
        LucidError: The output would touch the source.
    """
    wanted = folder.resolve()
    homes = {source.resolve().parent for source in sources}
    inside = {root.resolve()} if root.is_dir() else set()
    if root.name.upper() == "DICOMDIR":
        inside.add(root.resolve().parent)
    if wanted in homes or any(wanted.is_relative_to(place) for place in inside):
        raise LucidError(f"{folder}: the output lies in the source folder; choose a folder outside of it")
    if any(home.is_relative_to(wanted) for home in homes):
        raise LucidError(f"{folder}: the output folder holds the source; choose another folder")


def _check_free(folder: Path, overwrite: bool) -> None:
    try:
        found = list(folder.iterdir()) if folder.is_dir() else []
        taken = bool(found) or (folder.exists() and not folder.is_dir())
    except OSError as error:
        raise LucidError(f"{folder}: cannot be read ({error.strerror or error}); choose another folder") from error
    if not taken:
        return
    if not overwrite:
        raise LucidError(f"{folder}: already exists; choose another folder or allow overwriting")
    if not found or not all(map(_own, found)):
        raise LucidError(f"{folder}: holds files that Lucid MR did not write; choose another folder")


def _own(path: Path) -> bool:
    try:
        with quiet():
            return text(read_file_meta_info(path), "ImplementationVersionName") == _IMPLEMENTATION
    except (InvalidDicomError, *READ_ERRORS):
        return False


def _replace(folder: Path, part: Path) -> None:
    if not folder.exists():
        part.rename(folder)
        return
    old = part.with_suffix(".old")
    folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)
