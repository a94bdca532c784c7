"""Opens NIfTI files and reads their voxels, without trusting what their headers say of their size.

NIfTI-1 and -2, one file, compressed with gzip or not (https://nifti.nimh.nih.gov).
"""

import gzip
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Final
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

from lucidmr.errors import LucidError

ENDINGS: Final = (".nii", ".nii.gz")
_MOST_BYTES: Final = 1 << 34
"""Voxels of one file take less, or something is wrong."""
_MOST_RATIO: Final = 1100
"""Nothing is compressed further by gzip (deflate reaches 1032)."""
_MOST_TRAILING: Final = 1 << 20
"""Bytes that may follow the last voxel."""


def is_nifti(path: Path) -> bool:
    """Whether a file is NIfTI by its name."""
    return path.name.lower().endswith(ENDINGS)


def stem(path: Path) -> str:
    """The file's name without its ending."""
    return path.name[: -len(next(ending for ending in reversed(ENDINGS) if path.name.lower().endswith(ending)))]


def open_nifti(path: Path) -> Any:
    """Open a file; the voxels are read by :func:`stored_voxels`.

    Returns:
        nibabel's image: real numbers, of a size that the file can hold.

    Raises:
        LucidError: The file cannot be read, holds complex or colour values or less than its header says, or nibabel
            (extra ``nifti``) is missing.
    """
    nibabel = _nibabel(path)
    try:
        with nibabel.imageglobals.LoggingOutputSuppressor():
            file = nibabel.load(path)
            if not isinstance(file, nibabel.Nifti1Image):
                raise LucidError(f"{path}: cannot be read as NIfTI (it is another format); replace or remove the file")
            dtype, shape = file.get_data_dtype(), file.shape
    except _errors(nibabel) as error:
        raise _unreadable(path, error) from error
    if dtype.kind not in "iuf":
        raise LucidError(f"{path}: holds {dtype} values; a volume of real numbers is needed")
    _check_size(path, prod(map(int, shape)) * dtype.itemsize)
    return file


def stored_voxels(path: Path, file: Any) -> NDArray[np.number]:
    """All voxels of an opened file as they are stored: neither slope nor intercept is applied.

    Raises:
        LucidError: The file is truncated or damaged.
    """
    nibabel = _nibabel(path)
    header = file.header
    dtype, shape = header.get_data_dtype(), header.get_data_shape()
    size = prod(map(int, shape)) * dtype.itemsize
    try:
        with _opened(path) as stream:
            stream.seek(file.dataobj.offset)
            content = stream.read(size)
            if len(content) < size:
                raise ValueError(f"expected {size} bytes of voxels, got {len(content)}")
            # To the end: gzip's checksum stands after the last voxel.
            if len(stream.read(_MOST_TRAILING)) == _MOST_TRAILING:
                raise ValueError("it goes on after its last voxel")
    except _errors(nibabel) as error:
        raise _unreadable(path, error) from error
    return np.frombuffer(content, dtype).reshape(shape, order="F")


def scaling(file: Any) -> tuple[float, float]:
    """Slope and intercept: real value = stored value x slope + intercept; 1 and 0 where the header has none."""
    return float(file.dataobj.slope), float(file.dataobj.inter)


def real_values(stored: NDArray[np.number], file: Any) -> NDArray[np.float32]:
    """Stored voxels in real values; what float32 cannot hold becomes infinite."""
    slope, intercept = scaling(file)
    with np.errstate(over="ignore", invalid="ignore"):
        if (slope, intercept) == (1.0, 0.0):
            return stored.astype(np.float32)
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def in_planes(voxels: NDArray[np.number], axes: tuple[int, int, int]) -> NDArray[np.number]:
    """A view of voxels as volume x slice x row x column.

    Args:
        voxels: With three axes, or four where there are several volumes.
        axes: Those along slices, along which a row's index grows, and along which a column's does.
    """
    return (voxels if voxels.ndim == 4 else voxels[..., None]).transpose(3, *axes)


def _nibabel(path: Path) -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise LucidError(f"{path}: reading NIfTI needs nibabel; pip install 'lucidmr[nifti]'") from error
    return nibabel


def _errors(nibabel: Any) -> tuple[type[Exception], ...]:
    """What is raised on files that are not what they seem."""
    own = (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError)
    return OSError, EOFError, ValueError, OverflowError, MemoryError, ZlibError, *own


def _unreadable(path: Path, error: BaseException) -> LucidError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return LucidError(f"{path}: cannot be read as NIfTI ({reason}); replace or remove the file")


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _check_size(path: Path, size: int) -> None:
    there = path.stat().st_size * (_MOST_RATIO if path.name.lower().endswith(".gz") else 1)
    if size > there:
        reason = f"its header tells of {size} bytes of voxels, more than it can hold"
        raise LucidError(f"{path}: cannot be read as NIfTI ({reason}); replace or remove the file")
    if size > _MOST_BYTES:
        raise LucidError(f"{path}: holds {size >> 30} GiB of voxels; cut it into parts of at most {_MOST_BYTES >> 30}")
    if size <= 0:
        raise LucidError(f"{path}: holds no voxels; replace or remove the file")
