"""Reads single header values without trusting them: an odd value is a missing value, never a crash or a warning."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

READ_ERRORS = (ValueError, TypeError, KeyError, AttributeError, IndexError, NotImplementedError, OverflowError,
               BytesLengthException, struct.error, EOFError, OSError, RecursionError, MemoryError)  # fmt: skip
"""What pydicom raises on a value that breaks its VR, or whose length is absurd."""


@contextmanager
def quiet() -> Iterator[None]:
    """Mute Python warnings: pydicom warns about every odd value of a scanner's file, and a user can mend none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def value(dataset: Dataset, keyword: str) -> Any:
    """The value of a standard attribute, ``None`` if it is absent, empty or unreadable."""
    try:
        found = dataset.get(keyword)
    except READ_ERRORS:
        return None
    return None if found is None or found == "" else found


def private(dataset: Dataset, group: int, creator: str, element: int) -> Any:
    """The value of a private attribute, looked up by its creator (its block moves from file to file)."""
    try:
        return dataset.private_block(group, creator)[element].value
    except READ_ERRORS:
        return None


def private_bytes(dataset: Dataset, group: int, creator: str, element: int) -> bytes:
    """The value of a private attribute that holds a block of bytes; empty if it is absent or anything else."""
    found = private(dataset, group, creator, element)
    return found if isinstance(found, bytes) else b""


def private_item(dataset: Dataset, group: int, creator: str, element: int) -> Dataset | None:
    """The first item of a private sequence, ``None`` if there is none."""
    found = private(dataset, group, creator, element)
    try:
        return found[0] if isinstance(found[0], Dataset) else None
    except READ_ERRORS:
        return None


def private_text(dataset: Dataset, group: int, creator: str, element: int) -> str:
    """The same as :func:`text` for a private attribute; one whose VR was lost on the way is read as text."""
    found = private(dataset, group, creator, element)
    return _text(found.decode("latin-1").strip("\0 ") if isinstance(found, bytes) else found)


def private_numbers(dataset: Dataset, group: int, creator: str, element: int) -> tuple[float, ...]:
    """The same as :func:`numbers` for a private attribute."""
    found = private(dataset, group, creator, element)
    return _numbers(found.decode("latin-1").strip("\0 ").split("\\") if isinstance(found, bytes) else found)


def text(dataset: Dataset, keyword: str) -> str:
    """The value as one stripped string, empty if absent; several values are joined by a backslash."""
    return _text(value(dataset, keyword))


def _text(found: Any) -> str:
    if found is None or isinstance(found, Sequence):
        return ""
    parts = found if isinstance(found, MultiValue | list | tuple) else [found]
    return "\\".join(str(part).strip() for part in parts)


def tokens(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued string, upper case, in order; empty if absent."""
    joined = text(dataset, keyword).upper()
    return tuple(joined.split("\\")) if joined else ()


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The values as floats; empty if absent or if any of them is not a finite number."""
    return _numbers(value(dataset, keyword))


def _numbers(found: Any) -> tuple[float, ...]:
    if found is None:
        return ()
    try:
        parts = found if isinstance(found, MultiValue | list | tuple) else [found]
        result = tuple(float(part) for part in parts)
    except READ_ERRORS:
        return ()
    return result if all(isfinite(part) for part in result) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a float, ``None`` if absent or not a finite number."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    """The first value as an integer, ``default`` if absent or not a number."""
    found = number(dataset, keyword)
    return default if found is None else int(found)


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none if it is absent or no sequence."""
    found = value(dataset, keyword)
    return list(found) if isinstance(found, Sequence) else []


def one_line(words: str) -> str:
    """What a header says, fit to be shown: no control characters, on one line, not endless."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:200]


def item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, ``None`` if there is none."""
    return next(iter(items(dataset, keyword)), None)


def reason(error: BaseException) -> str:
    """What an error of pydicom or a codec says, on one line; some add the trace of another one."""
    return one_line(str(error).partition("Traceback")[0]) or type(error).__name__
