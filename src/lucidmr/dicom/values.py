"""Reads single header values without trusting them: an odd value is a missing value, never a crash or a warning."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

READ_ERRORS = (ValueError, TypeError, KeyError, AttributeError, IndexError, NotImplementedError, OverflowError)
"""What pydicom raises on a value that breaks its VR."""


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


def text(dataset: Dataset, keyword: str) -> str:
    """The value as one stripped string, empty if absent; several values are joined by a backslash."""
    found = value(dataset, keyword)
    if found is None:
        return ""
    parts = found if isinstance(found, MultiValue | list | tuple) else [found]
    return "\\".join(str(part).strip() for part in parts)


def tokens(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued string, upper case, in order; empty if absent."""
    joined = text(dataset, keyword).upper()
    return tuple(joined.split("\\")) if joined else ()


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The values as floats; empty if absent or if any of them is not a finite number."""
    found = value(dataset, keyword)
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


def item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, ``None`` if there is none."""
    found = value(dataset, keyword)
    try:
        return found[0] if found else None
    except READ_ERRORS:
        return None
