"""Two evaluations beside each other: what differs, and whether by more than chance."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lucidmr.errors import LucidError
from lucidmr.evaluate.experiment_report import NUMBERS

_INTERVAL = {"value", "low", "high"}


class Difference(NamedTuple):
    """A number that two evaluations do not agree on.

    Attributes:
        name: Where it stands in the results.
        first: Its value in the first; ``None`` where it is not there.
        second: The same of the second.
        is_apart: Whether both have intervals, and these do not overlap.
    """

    name: str
    first: float | None
    second: float | None
    is_apart: bool


class _Number(NamedTuple):
    value: float | None
    low: float | None = None
    high: float | None = None


def compare(first: Path, second: Path) -> list[Difference]:
    """Find the numbers that differ.

    Args:
        first: Results of ``lucidmr evaluate``: the JSON file or its folder.
        second: The same.

    Returns:
        The differences in the order of the first; numbers of the second alone follow.

    Raises:
        LucidError: A file is not there or holds no such results.
    """
    one, other = (dict(_numbers(_read(path))) for path in (first, second))
    nothing = _Number(None)
    pairs = ((name, one.get(name, nothing), other.get(name, nothing)) for name in {**one, **other})
    return [Difference(name, a.value, b.value, _is_apart(a, b)) for name, a, b in pairs if a.value != b.value]


def _read(path: Path) -> dict[str, Any]:
    file = path / NUMBERS if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("bars", "experiments")}
    except OSError as error:
        raise LucidError(f"{file}: cannot be read ({error.strerror}); name the output of an evaluation") from error
    except (ValueError, LookupError, TypeError) as error:
        raise LucidError(f"{file}: holds no results of an evaluation; name the output of one") from error


def _numbers(found: Any, name: str = "") -> Iterator[tuple[str, _Number]]:
    """Every number below a value, by its place; those with an interval as one."""
    if isinstance(found, Mapping):
        if found.keys() == _INTERVAL:
            yield name, _Number(**found)
            return
        for key, entry in found.items():
            yield from _numbers(entry, f"{name} / {key}" if name else key)
    elif isinstance(found, list):
        for index, entry in enumerate(found):
            yield from _numbers(entry, f"{name} [{index}]")
    elif isinstance(found, int | float) and not isinstance(found, bool):
        yield name, _Number(found)


def _is_apart(one: _Number, other: _Number) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low or other.high < one.low
