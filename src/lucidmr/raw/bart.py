"""Read the files of BART, the Berkeley Advanced Reconstruction Toolbox: .cfl with .hdr, and .ra (RawArray).

Sources: BART's README (order of dimensions) and https://github.com/davidssmith/ra. Both hold single precision complex
numbers, little endian, the first dimension contiguous.
"""

from dataclasses import replace
from math import prod
from pathlib import Path
from struct import unpack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lucidmr.errors import LucidError
from lucidmr.raw.arrays import from_array
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import Selection

RAWARRAY: Final = b"rawarray"
_AXES: Final = (
    *("freq", "phase", "slice", "coil", None, "contrast"),
    *(None, None, None, None, "repetition", None, None, "scan", "average", None),
)
"""BART's order of dimensions; ``None`` are those that k-space of a scan does not have, as sets of coil maps."""
_MOST_DIMENSIONS: Final = 32
_MOST_HEADER: Final = 1 << 16
_SAMPLE_BYTES: Final = 8


def read_cfl(path: Path, selection: Selection) -> Measurement:
    """Read a pair of .cfl and .hdr file.

    Args:
        path: Either of the two.
        selection: Names of its axes where they are not in BART's order, and what to take of it.

    Raises:
        LucidError: One of them is missing or damaged, or has dimensions that k-space does not have.
    """
    header, data = path.with_suffix(".hdr"), path.with_suffix(".cfl")
    for part in (header, data):
        if not part.is_file():
            raise LucidError(f"{part}: no such file; .cfl and .hdr belong together")
    with header.open("rb") as file:
        text = file.read(_MOST_HEADER).decode("ascii", errors="replace")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    words = lines[0].split() if lines else []
    if not words or not all(word.isdigit() for word in words):
        raise LucidError(f"{header}: has no line of dimensions, each a positive number; replace the file")
    return _measurement([int(word) for word in words], data, 0, selection)


def read_ra(path: Path, selection: Selection) -> Measurement:
    """Read a RawArray file, with dimensions in BART's order.

    Args:
        path: The file.
        selection: Names of its axes where they are not in BART's order, and what to take of it.

    Raises:
        LucidError: It is damaged or of another type, or has dimensions that k-space does not have.
    """
    with path.open("rb") as file:
        flags, kind, size, n_bytes, n_dimensions = unpack("<5Q", file.read(48)[8:])
        if flags or (kind, size) != (4, _SAMPLE_BYTES):
            raise LucidError(
                f"{path}: holds elements of type {kind}, {size} bytes, flags {flags}; little endian, single precision"
                " complex ones are needed (type 4, 8 bytes, flags 0)"
            )
        if n_dimensions > _MOST_DIMENSIONS:
            raise LucidError(f"{path}: gives {n_dimensions} dimensions; replace the file")
        sizes = list(unpack(f"<{n_dimensions}Q", file.read(8 * n_dimensions)))
        start = file.tell()
    if n_bytes != prod(sizes) * _SAMPLE_BYTES:
        raise LucidError(f"{path}: gives the dimensions {sizes} and {n_bytes} bytes; these differ: replace the file")
    return _measurement(sizes, path, start, selection)


def _measurement(sizes: list[int], path: Path, start: int, selection: Selection) -> Measurement:
    wanted, stored = prod(sizes) * _SAMPLE_BYTES, path.stat().st_size - start
    if not wanted or wanted != stored:
        raise LucidError(f"{path}: holds {stored} bytes of samples and its header asks for {wanted} ({sizes})")
    array = np.memmap(path, "<c8", "r", start, tuple(sizes), order="F")
    if selection.axes is None:
        return from_array(*_in_barts_order(array, selection, path), path)
    n_named = len(selection.axes.split(","))
    return from_array(array.reshape(_without_last_ones(sizes, n_named), order="F"), selection, path)


def _in_barts_order(array: NDArray[Any], selection: Selection, path: Path) -> tuple[NDArray[Any], Selection]:
    sizes = _without_last_ones(list(array.shape), 2)
    if len(sizes) > len(_AXES) or any(size > 1 and not name for size, name in zip(sizes, _AXES, strict=False)):
        raise LucidError(f"{path}: has dimensions {sizes}, more than BART's of k-space; name its axes, as in axes=...")
    kept = [(size, name) for size, name in zip(sizes, _AXES, strict=False) if name]
    axes = ",".join(name for _, name in kept)
    return array.reshape([size for size, _ in kept], order="F"), replace(selection, axes=axes)


def _without_last_ones(sizes: list[int], least: int) -> list[int]:
    """Sizes without the ones at the end, down to ``least`` of them."""
    while len(sizes) > least and sizes[-1] == 1:
        sizes = sizes[:-1]
    return sizes + [1] * (least - len(sizes))
