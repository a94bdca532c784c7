"""Files that are there completely or not at all."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from lucidmr.errors import LucidError

_ABANDONED_S: Final = 3600.0
"""A temporary file that nobody wrote to for so long was left by a process that was killed."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its name, flushed to disk, when the block ends without an error.

    Each writer has a temporary file of its own, so that any number may write the same one: the last counts.

    Args:
        path: The wanted file; one that exists is replaced.

    Yields:
        The temporary file, to be made and closed in the block.

    Raises:
        LucidError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        yield part
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise LucidError(
            f"{path}: cannot be written ({error.strerror}); make room or choose another folder, and run it again"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files of writers that were killed."""
    for part in folder.glob(".*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
