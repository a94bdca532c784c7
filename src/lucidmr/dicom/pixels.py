"""Decodes pixel data, one file at a time."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from lucidmr.dicom.mosaic import mosaic_of
from lucidmr.dicom.values import READ_ERRORS, integer, quiet, reason
from lucidmr.errors import LucidError

_DECODERS: Final = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
}
"""One each: of the others that pydicom would try after it, some end the program on damaged data."""


def stored_values(path: Path, frame: int) -> NDArray[np.integer]:
    """The stored values of one frame, or of one slice of a mosaic, rows x columns, as they are in the file.

    Args:
        path: The DICOM file.
        frame: Its index, from 0.

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
            dataset.pixel_array_options(decoding_plugin=_DECODERS.get(dataset.file_meta.TransferSyntaxUID, ""))
            pixels = np.asarray(dataset.pixel_array)
            shape = (-1, integer(dataset, "Rows", 0), integer(dataset, "Columns", 0))
            mosaic = mosaic_of(dataset)
            return mosaic.apart(pixels) if mosaic else pixels.reshape(shape)
    except (*READ_ERRORS, RuntimeError, StopIteration) as error:
        why = reason(error)
        raise LucidError(f"{path}: the pixel data cannot be decoded ({why}); export the file again") from error
