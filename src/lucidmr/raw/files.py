"""What all readers share: how a failure is told, and how much memory a file may ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lucidmr.errors import LucidError

MOST_EXPANSION = 100
"""k-space may be compressed, or zero where nothing was acquired, but never by this much."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a damaged file makes a reader raise into one line.

    Args:
        path: The file.
        kind: Name of its format.

    Raises:
        LucidError: The reader failed.
    """
    try:
        yield
    except LucidError:
        raise
    except Exception as error:  # damaged files make libraries stumble in ways that no list covers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LucidError(f"{path}: cannot be read as {kind} ({reason}); replace or remove the file") from error


def check_size(path: Path, wanted: int, stored: int) -> None:
    """Refuse a header that asks for more memory than the file's content can fill.

    Args:
        path: The file.
        wanted: Bytes that its header asks for.
        stored: Bytes that are there to fill them.

    Raises:
        LucidError: It asks for too much.
    """
    if wanted > MOST_EXPANSION * max(stored, 1):
        raise LucidError(
            f"{path}: its header asks for {wanted} bytes and {stored} are there to fill them; replace the file"
        )
