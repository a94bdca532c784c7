"""Writes a folder whole or not at all, and never where the source files lie."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lucidmr.errors import LucidError

FILE_NAME = "IM_{:04d}.dcm"
_OWN_FILE = re.compile(r"IM_\d{4,}\.dcm")


@contextmanager
def new_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its name when the block ends without an error.

    Args:
        folder: The wanted folder; missing parents are made.
        overwrite: Replace a folder that is already there, if it holds nothing but what Lucid MR wrote.

    Raises:
        LucidError: The folder is there already, holds other files, or cannot be written.
    """
    _check_free(folder, overwrite)
    part = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir(parents=True)
        yield part
        _replace(folder, part)
    except OSError as error:
        raise LucidError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_apart(folder: Path, root: Path, sources: Sequence[Path]) -> None:
    """Refuse to write into, over or above the source.

    Args:
        folder: The wanted folder.
        root: The file or folder that was read.
        sources: The files that were read.

    Raises:
        LucidError: The output would touch the source.
    """
    wanted = folder.resolve()
    homes = {source.resolve().parent for source in sources}
    inside = {root.resolve()} if root.is_dir() else set()
    if root.name.upper() == "DICOMDIR":
        inside.add(root.resolve().parent)
    if wanted in homes or any(wanted.is_relative_to(place) for place in inside):
        raise LucidError(f"{folder}: the output lies in the source folder; choose a folder outside of it")
    if any(home.is_relative_to(wanted) for home in homes):
        raise LucidError(f"{folder}: the output folder holds the source; choose another folder")


def _check_free(folder: Path, overwrite: bool) -> None:
    try:
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        taken = bool(names) or (folder.exists() and not folder.is_dir())
    except OSError as error:
        raise LucidError(f"{folder}: cannot be read ({error.strerror or error}); choose another folder") from error
    if not taken:
        return
    if not overwrite:
        raise LucidError(f"{folder}: already exists; choose another folder or allow overwriting")
    if not names or not all(_OWN_FILE.fullmatch(name) for name in names):
        raise LucidError(f"{folder}: holds files that Lucid MR did not write; choose another folder")


def _replace(folder: Path, part: Path) -> None:
    if not folder.exists():
        part.rename(folder)
        return
    old = part.with_suffix(".old")
    folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)
