"""Finds DICOM files and reads their headers; pixels stay on the disk, but their length is checked."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import error as ZlibError

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from lucidmr.dicom.values import READ_ERRORS, integer, items, text
from lucidmr.errors import LucidError

NOT_DICOM = "not a DICOM file"
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_UNDEFINED = 0xFFFFFFFF
_GROUP_STARTS = (b"\x08\x00", b"\x02\x00", b"\x00\x08")


@dataclass(frozen=True)
class HeaderFile:
    """One file that was looked at.

    Attributes:
        path: The file.
        header: Its attributes without pixel data; ``None`` if it is not readable as DICOM.
        problem: Why it cannot be used, in one line; empty if it can.
    """

    path: Path
    header: Dataset | None
    problem: str


def find_files(path: Path) -> list[Path]:
    """The files that ``path`` stands for: itself, all in a folder (recursively), or all that a DICOMDIR lists.

    Raises:
        LucidError: The path does not exist or cannot be listed, or the folder holds no file.
    """
    if path.is_file():
        return _listed(path) if path.name.upper() == "DICOMDIR" else [path]
    if not path.is_dir():
        raise LucidError(f"{path}: there is no such file or folder; check the spelling")
    errors: list[OSError] = []
    listed = [Path(root, name) for root, _, names in os.walk(path, onerror=errors.append) for name in names]
    found = [file for file in listed if file.is_file() or file.is_symlink()]
    if errors:
        raise LucidError(f"{errors[0].filename}: cannot be read ({errors[0].strerror}); check the permissions")
    if not found:
        raise LucidError(f"{path}: the folder holds no files; give a folder of DICOM files")
    return sorted(found)


def _listed(directory: Path) -> list[Path]:
    read = read_header(directory)
    if read.header is None:
        raise LucidError(f"{directory}: {read.problem}; give the folder it lies in instead")
    records = items(read.header, "DirectoryRecordSequence")
    names = [text(record, "ReferencedFileID") for record in records]
    found = [directory.parent.joinpath(*name.split("\\")) for name in names if name]
    if not found:
        raise LucidError(f"{directory}: the DICOMDIR lists no files; give the folder it lies in instead")
    return found


def read_header(path: Path) -> HeaderFile:
    """Read the attributes of one file and check that its pixel data is all there. Never raises."""
    try:
        with path.open("rb") as file:
            force = _force(file)
            if force is None:
                return HeaderFile(path, None, NOT_DICOM)
            header = pydicom.dcmread(file, stop_before_pixels=True, force=force)
            if force and "SOPClassUID" not in header:
                return HeaderFile(path, None, NOT_DICOM)
            return HeaderFile(path, header, _pixel_problem(file, header, path.name))
    except FileNotFoundError:
        return HeaderFile(path, None, "the file is missing")
    except OSError as error:
        return HeaderFile(path, None, f"cannot be read ({error.strerror or error})")
    except InvalidDicomError:
        return HeaderFile(path, None, NOT_DICOM)
    except (*READ_ERRORS, ZlibError):
        return HeaderFile(path, None, f"damaged DICOM header in {path.name}")


def _force(file: BinaryIO) -> bool | None:
    """Whether to read without the DICM mark (old files have none); ``None``: this is no DICOM file."""
    start = file.read(132)
    file.seek(0)
    if start[128:] == b"DICM":
        return False
    return True if len(start) > 100 and start[:2] in _GROUP_STARTS else None


def _pixel_problem(file: BinaryIO, header: Dataset, name: str) -> str:
    """Check the length of the pixel data element that ``file`` stands before."""
    if text(header, "SOPClassUID") == DIRECTORY_CLASS or "Rows" not in header:
        return ""
    if getattr(header, "file_meta", None) and text(header.file_meta, "TransferSyntaxUID").endswith("1.2.1.99"):
        return ""  # deflated: the file position says nothing
    implicit, little = header.original_encoding
    order = "<" if little else ">"
    start = file.read(8 if implicit else 12)
    if len(start) < (8 if implicit else 12):
        return f"no pixel data in {name}"
    group, element = struct.unpack(order + "HH", start[:4])
    if (group, element) != (0x7FE0, 0x0010):
        return "floating-point pixel data" if group == 0x7FE0 else f"no pixel data in {name}"
    (length,) = struct.unpack(order + "I", start[-4:])
    if length == _UNDEFINED:
        return "" if _fragments_complete(file) else f"truncated compressed pixel data in {name}"
    here = file.tell()
    there = min(length, file.seek(0, os.SEEK_END) - here)
    expected = _expected_bytes(header)
    return "" if there >= expected else f"truncated pixel data in {name}: expected {expected} bytes, got {there}"


def _expected_bytes(header: Dataset) -> int:
    pixels = integer(header, "Rows", 0) * integer(header, "Columns", 0) * integer(header, "SamplesPerPixel", 1)
    return pixels * max(integer(header, "NumberOfFrames", 1), 1) * integer(header, "BitsAllocated", 16) // 8


def _fragments_complete(file: BinaryIO) -> bool:
    """Walk the items of encapsulated pixel data up to the sequence delimiter."""
    end = os.fstat(file.fileno()).st_size
    while len(start := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHI", start)
        if (group, element) == (0xFFFE, 0xE0DD):
            return True
        if (group, element) != (0xFFFE, 0xE000) or file.tell() + length > end:
            return False
        file.seek(length, os.SEEK_CUR)
    return False
