"""What commands print: results on standard output, everything else on standard error."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any


def say(line: str) -> None:
    """Print a result."""
    print(line)  # noqa: T201


def complain(line: str) -> None:
    """Print a warning or an error, in one line."""
    print(f"lucidmr: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201


def tracked(items: Iterator[Any], label: str, total: int) -> Iterable[Any]:
    """The same items with a progress bar, where someone watches."""
    from rich.console import Console
    from rich.progress import track

    return track(items, label, total, disable=not sys.stderr.isatty(), console=Console(stderr=True))
