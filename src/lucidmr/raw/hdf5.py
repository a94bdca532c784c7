"""Read plain arrays in HDF5, of MATLAB 7.3 too, and any dataset without allocating more than the file holds."""

from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

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
    """Refuse a dataset that declares far more than is stored, as a whole or for one of its chunks.

    Raises:
        LucidError: It does.
    """
    if not dataset.size:
        return
    stored = dataset.id.get_storage_size()
    chunk = prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    check_size(Path(dataset.file.filename), max(dataset.size * dataset.dtype.itemsize, chunk), stored)


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
