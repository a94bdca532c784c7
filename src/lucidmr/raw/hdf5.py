"""Read plain arrays in HDF5, of MATLAB 7.3 too, and any dataset without allocating more than the file holds."""

from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lucidmr.errors import LucidError
from lucidmr.raw.arrays import choose, from_array, is_complex
from lucidmr.raw.files import check_size
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import Selection


def read_dataset(dataset: h5py.Dataset) -> NDArray[Any]:
    """Read a dataset.

    Raises:
        LucidError: The dataset declares far more than is stored.
    """
    check_dataset(dataset)
    return np.asarray(dataset[()])


def check_dataset(dataset: h5py.Dataset) -> None:
    """Refuse a dataset that declares far more than is stored: as a whole, for a chunk or for an element.

    HDF5 allocates what a damaged file says before it looks whether it is there.

    Raises:
        LucidError: It does.
    """
    if not dataset.size:
        return
    path = Path(dataset.file.filename)
    held = path.stat().st_size
    chunk = prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    stored = min(held, dataset.id.get_storage_size())
    check_size(path, max(dataset.size * dataset.dtype.itemsize, chunk), stored)
    extents = _extents(dataset)
    if any(start + size > held for start, size in extents):
        raise LucidError(f"{path}: is damaged: parts of it lie beyond its end; replace the file")
    lengths = _lengths(dataset, extents)
    if len(lengths) and int(lengths.max()) > held:
        raise LucidError(
            f"{path}: is damaged: an element of {lengths.max()} values is longer than it; replace the file"
        )


def _extents(dataset: h5py.Dataset) -> list[tuple[int, int]]:
    """Where in the file the chunks lie, or the whole where there are none: first byte and number of bytes."""
    found: list[tuple[int, int]] = []
    if dataset.chunks:
        dataset.id.chunk_iter(lambda info: found.append((info.byte_offset, info.size)))
    elif (start := dataset.id.get_offset()) is not None:
        found.append((start, dataset.id.get_storage_size()))
    return found


def _lengths(dataset: h5py.Dataset, extents: list[tuple[int, int]]) -> NDArray[np.uint32]:
    """Lengths that elements of variable length declare; of compressed ones none are known."""
    places = _variable(dataset.id.get_type())
    if not places or dataset.id.get_create_plist().get_nfilters():
        return np.zeros(0, np.uint32)
    content, count = np.memmap(dataset.file.filename, mode="r"), prod(dataset.chunks or dataset.shape)
    blocks = [content[start : start + size - size % count].reshape(count, -1) for start, size in extents]
    lengths = [block[:, place : place + 4].copy().view("<u4") for block in blocks for place in places]
    return np.concatenate(lengths, axis=None) if lengths else np.zeros(0, np.uint32)


def _variable(kind: Any) -> list[int]:
    """Where in an element the lengths of its parts of variable length lie (HDF5 File Format, IV.B)."""
    if isinstance(kind, h5py.h5t.TypeCompoundID):
        parts = ((kind.get_member_offset(n), kind.get_member_type(n)) for n in range(kind.get_nmembers()))
        return [start for start, part in parts if isinstance(part, h5py.h5t.TypeVlenID)]
    is_text = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
    return [0] if is_text or isinstance(kind, h5py.h5t.TypeVlenID) else []


def read_hdf5(path: Path, selection: Selection) -> Measurement:
    """Read an array from an HDF5 file, of MATLAB 7.3 or of other origin.

    MATLAB's axes are named in the order that MATLAB shows, which is the reverse of HDF5's.

    Args:
        path: The file.
        selection: Names of its axes, which array ("group.name" inside a group), and what to take of it.

    Raises:
        LucidError: The file is damaged, the array or its axes are not clear, or it holds no complex numbers.
    """
    with h5py.File(path) as file:
        datasets: dict[str, h5py.Dataset] = {}
        file.visititems(lambda name, node: _note(datasets, name, node))
        dataset = choose(datasets, selection, path)
        array = _as_complex(read_dataset(dataset))
        if "MATLAB_class" in dataset.attrs:
            array = array.T
    return from_array(array, selection, path)


def _note(datasets: dict[str, h5py.Dataset], name: str, node: Any) -> None:
    # Names that start with # are MATLAB's own: the parts of cells.
    if isinstance(node, h5py.Dataset) and not name.startswith("#"):
        datasets[name.replace("/", ".")] = node


def _as_complex(array: NDArray[Any]) -> NDArray[Any]:
    """MATLAB's pairs as complex numbers."""
    if array.dtype.kind == "c" or not is_complex(array.dtype):
        return array
    joined = np.empty(array.shape, np.complex64)
    joined.real, joined.imag = array["real"], array["imag"]
    return joined
