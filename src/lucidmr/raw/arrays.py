"""Plain arrays with named axes: NumPy files, and what readers of other formats without counters have in common."""

import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.physics.fourier import COIL, to_kspace
from lucidmr.raw.files import check_size
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import Selection

AXES: Final = ("average", "repetition", "contrast", "scan", "coil", "slice", "freq", "phase")
"""Names of axes. "scan" runs over the slices of a 2D measurement; "slice" is Fourier encoded, as freq and phase are."""
_EXAMPLE: Final = 'axes="coil,freq,phase"'


def read_npy(path: Path, selection: Selection) -> Measurement:
    """Read the array of an .npy file.

    Args:
        path: The file.
        selection: Names of its axes, and what to take of it.

    Raises:
        LucidError: The file is damaged, its axes are not clear, or it holds no complex numbers.
    """
    if selection.variable is not None:
        raise LucidError(f"{path}: holds one array without a name; leave variable out")
    with path.open("rb") as file:
        check_size(path, _declared_bytes(file), path.stat().st_size)
    return from_array(np.load(path, mmap_mode="r", allow_pickle=False), selection, path)


def read_npz(path: Path, selection: Selection) -> Measurement:
    """Read one of the arrays in an .npz file.

    Args:
        path: The file.
        selection: Names of its axes, which array, and what to take of it.

    Raises:
        LucidError: The file is damaged, the array or its axes are not clear, or it holds no complex numbers.
    """
    with zipfile.ZipFile(path) as archive:
        arrays = {member.filename.removesuffix(".npy"): _member(path, archive, member) for member in archive.filelist}
    return from_array(choose(arrays, selection, path), selection, path)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        check_size(path, max(member.file_size, _declared_bytes(file)), member.compress_size)
    with archive.open(member) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _declared_bytes(file: Any) -> int:
    """How large an array the header in front of it announces."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    return prod(shape) * dtype.itemsize


def choose(arrays: Mapping[str, Any], selection: Selection, path: Path) -> Any:
    """The array that is selected, or the only one that may be meant: complex with two axes or more.

    Args:
        arrays: Arrays or datasets by name.
        selection: ``variable`` names one.
        path: The file, for messages.

    Raises:
        LucidError: There is none, or several.
    """
    if selection.variable is not None:
        names = [name for name in arrays if name == selection.variable]
    else:
        names = [name for name, array in arrays.items() if is_complex(array.dtype) and array.ndim >= 2]
    if len(names) == 1:
        return arrays[names[0]]
    found = ", ".join(f"{name} {array.dtype} {tuple(array.shape)}" for name, array in list(arrays.items())[:12])
    raise LucidError(f"{path}: holds {found or 'no arrays'}; name the one with complex samples, as in variable=...")


def is_complex(dtype: Any) -> bool:
    """Whether elements are complex numbers; MATLAB stores them as pairs in HDF5."""
    return bool(dtype.kind == "c" or dtype.names == ("real", "imag"))


def from_array(array: NDArray[Any], selection: Selection, path: Path) -> Measurement:
    """Make a measurement of an array.

    Args:
        array: Complex k-space or images.
        selection: The names of its axes (unless it has two: freq and phase), its domain and what to take of it.
        path: The file, for messages.

    Raises:
        LucidError: The axes do not fit, or what is selected is not in the array.
    """
    if array.dtype.kind != "c":
        raise LucidError(f"{path}: holds {array.dtype} values; complex numbers are needed")
    axes = axis_names(selection.axes or ("freq,phase" if array.ndim == 2 else ""), array.shape, path)
    array, axes = _taken(array, axes, selection, path)
    kspace = _in_order(array, axes)
    if selection.domain == "image":
        kspace, acquired = to_kspace(kspace), torch.ones_like(kspace.select(COIL, 0), dtype=torch.bool)
    else:
        acquired = (kspace != 0).any(COIL)
    if len(kspace) > 1:
        # Averages may have measured different lines.
        kspace = kspace.sum(0, keepdim=True) / acquired.sum(0, keepdim=True).clamp_min(1).unsqueeze(COIL)
        acquired = acquired.any(0, keepdim=True)
    return Measurement(kspace.flatten(0, 3), acquired.flatten(0, 3), source=selection.source(path.name))


def axis_names(axes: str, shape: Sequence[int], path: Path) -> tuple[str, ...]:
    """The names of an array's axes, checked.

    Raises:
        LucidError: They do not fit the shape.
    """
    names = tuple(name.strip() for name in axes.split(",") if name.strip())
    if len(names) != len(shape):
        raise LucidError(
            f"{path}: holds an array of shape {tuple(shape)}; name its axes in that order, as in {_EXAMPLE}"
        )
    if unknown := [name for name in names if name not in AXES]:
        raise LucidError(f"{path}: axes names {unknown[0]!r}; the names are {', '.join(AXES)}")
    if len(set(names)) < len(names) or not {"freq", "phase"} <= set(names):
        raise LucidError(f"{path}: axes is {axes!r}; it must name freq and phase, and each axis once")
    sizes = dict(zip(names, shape, strict=True))
    if min(sizes["freq"], sizes["phase"]) < 2 or min(shape) < 1:
        raise LucidError(
            f"{path}: as {','.join(names)} its shape {tuple(shape)} leaves no image; name its axes, as in {_EXAMPLE}"
        )
    return names


def _taken(
    array: NDArray[Any], axes: tuple[str, ...], selection: Selection, path: Path
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """What is selected of the array, with all of its axes."""
    average = None if isinstance(selection.averages, str) else (selection.averages,)
    contrast, repetition = (None if n is None else (n,) for n in (selection.contrast, selection.repetition))
    wanted = {"average": average, "contrast": contrast, "repetition": repetition, "scan": selection.slices}
    for name, numbers in wanted.items():
        if numbers is None:
            continue
        size = array.shape[axes.index(name)] if name in axes else 1
        if max(numbers) >= size:
            raise LucidError(f"{path}: has no {name} {max(numbers)}; there are {size}, numbered from 0 on")
        if name in axes:
            array = np.take(array, sorted(set(numbers)), axis=axes.index(name))
    return array, axes


def _in_order(array: NDArray[Any], axes: tuple[str, ...]) -> Tensor:
    """The array as a tensor with all of :data:`AXES`."""
    full = array.reshape(array.shape + (1,) * (len(AXES) - len(axes)))
    names = axes + tuple(name for name in AXES if name not in axes)
    ordered = full.transpose([names.index(name) for name in AXES])
    return torch.from_numpy(np.array(ordered, dtype=np.complex64, order="C"))
