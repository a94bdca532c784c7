"""Decodes pixel data, one file at a time."""

import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lucidmr.dicom.values import READ_ERRORS, integer, quiet
from lucidmr.errors import LucidError


def stored_values(path: Path, frame: int) -> NDArray[np.integer]:
    """The stored values of one frame, rows x columns, as they are in the file.

    Args:
        path: The DICOM file.
        frame: Index of the frame, from 0.

    Raises:
        LucidError: The file is gone, or its pixel data cannot be decoded.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror or error}); did it move?") from error
    stored: NDArray[np.integer] = _decoded(path, status.st_mtime_ns, status.st_size)[frame]
    return stored


# The frames of a multi-frame file are asked for one after the other: keep the file last decoded. Its time and size
# are part of the key, so that a rewritten file is read again.
@lru_cache(maxsize=1)
def _decoded(path: Path, _time: int, _size: int) -> NDArray[np.integer]:
    try:
        with quiet():
            dataset = pydicom.dcmread(path, force=True)
            if "TransferSyntaxUID" not in dataset.file_meta:
                implicit, little = dataset.original_encoding
                explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
            pixels = np.asarray(dataset.pixel_array)
            shape = (-1, integer(dataset, "Rows", 0), integer(dataset, "Columns", 0))
            return pixels.reshape(shape)
    except (*READ_ERRORS, OSError, EOFError, RuntimeError, struct.error) as error:
        why = " ".join(str(error).split())[:200]
        raise LucidError(f"{path}: the pixel data cannot be decoded ({why}); export the file again") from error
