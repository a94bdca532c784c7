"""Read MATLAB files of version 5 to 7; those of 7.3 are HDF5.

Source: MathWorks, MAT-File Format. After a header of 128 bytes come elements, each a tag (type, size) and data. An
array is an element of elements: flags, dimensions, name, real and imaginary part; a structure has its fields instead.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lucidmr.raw.arrays import choose, from_array
from lucidmr.raw.files import MOST_EXPANSION, check_size
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import Selection

MAGIC: Final = b"MATLAB 5.0"
_HEADER_BYTES: Final = 128
_MATRIX, _COMPRESSED = 14, 15
_STORED: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of elements. Numbers may be stored in a smaller type than that of their array."""
_STRUCTURE: Final = 2
_CLASSES: Final = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX: Final = 0x800

_Element = tuple[int, memoryview]
"""Type and data."""


@dataclass(frozen=True)
class _Array:
    """An array that is not converted yet."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: list[_Element]
    endian: str

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def load(self) -> NDArray[Any]:
        real, *imaginary = (np.frombuffer(data, self.endian + _STORED[kind]) for kind, data in self.parts)
        if not imaginary:
            return real.reshape(self.shape, order="F")
        joined = np.empty(len(real), np.complex64)
        joined.real, joined.imag = real, imaginary[0]
        return joined.reshape(self.shape, order="F")


def read_matlab(path: Path, selection: Selection) -> Measurement:
    """Read an array from a MATLAB file of version 5 to 7.

    Args:
        path: The file.
        selection: Names of its axes, which array ("struct.field" inside a structure), and what to take of it.

    Raises:
        LucidError: The file is damaged, the array or its axes are not clear, or it holds no complex numbers.
    """
    content = path.read_bytes()
    endian = "<" if content[:_HEADER_BYTES].endswith(b"IM") else ">"
    arrays = dict(_variables(memoryview(content)[_HEADER_BYTES:], endian, path))
    return from_array(choose(arrays, selection, path).load(), selection, path)


def _variables(content: memoryview, endian: str, path: Path) -> Iterator[tuple[str, _Array]]:
    for kind, data in _elements(content, endian):
        if kind == _COMPRESSED:
            yield from _variables(_inflated(data, path), endian, path)
        elif kind == _MATRIX:
            yield from _matrix("", data, endian)


def _elements(content: memoryview, endian: str) -> Iterator[_Element]:
    at = 0
    while at < len(content):
        kind, size = unpack_from(f"{endian}II", content, at)
        start = at + 8
        if kind >> 16:  # up to four bytes of data stand in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(content):
            raise ValueError(f"an element of {size} bytes is cut off")
        yield kind, content[start : start + size]
        at = start + size if kind == _COMPRESSED else start + size + -(start + size - at) % 8


def _inflated(data: memoryview, path: Path) -> memoryview:
    inflate = zlib.decompressobj()
    content = inflate.decompress(data, MOST_EXPANSION * len(data) + 1)
    check_size(path, len(content), len(data))
    if not inflate.eof:
        raise ValueError("a compressed variable is cut off")
    return memoryview(content)


def _matrix(prefix: str, data: memoryview, endian: str) -> Iterator[tuple[str, _Array]]:
    """A numeric array, or those in the fields of a structure; nothing of other kinds."""
    parts = list(_elements(data, endian))
    if len(parts) < 4:
        return
    (_, flags), (_, sizes), (_, label), *parts = parts
    (flag,) = unpack_from(f"{endian}I", flags)
    name = prefix + bytes(label).decode("ascii")
    shape = tuple(np.frombuffer(sizes, f"{endian}i4").tolist())
    kind = flag & 0xFF
    if kind == _STRUCTURE and set(shape) <= {1}:
        (_, width), (_, labels), *fields = parts
        (step,) = unpack_from(f"{endian}i", width)
        names = [bytes(labels[at : at + step]).split(b"\0")[0].decode("ascii") for at in range(0, len(labels), step)]
        for field, (_, content) in zip(names, fields, strict=True):
            yield from _matrix(f"{name}.{field}", content, endian)
    elif kind in _CLASSES:
        dtype = np.dtype(_CLASSES[kind])
        if flag & _COMPLEX:
            dtype = np.result_type(dtype, np.complex64)
        yield name, _Array(shape, dtype, parts[: 2 if flag & _COMPLEX else 1], endian)
