"""Which reader is taken, and what is said where none can."""

import re
from pathlib import Path

import pytest

from lucidmr.errors import LucidError
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import Selection

ENDINGS = ["h5", "mrd", "dat", "cfl", "hdr", "ra", "npy", "npz", "mat"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_empty_and_foreign_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with pytest.raises(LucidError, match=re.escape(f"{path}: no such file; name a file of raw data")):
        read_raw(path)
    path.write_bytes(b"")
    with pytest.raises(LucidError, match=re.escape(f"{path}: is empty")):
        read_raw(path)
    path.write_text("a text with the right ending, long enough to hold any header " * 4)
    with pytest.raises(LucidError, match=re.escape(str(tmp_path))) as caught:
        read_raw(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(LucidError, match="no such file"):
        read_raw(tmp_path)


@pytest.mark.parametrize(
    "selection",
    [{"averages": -1}, {"contrast": -1}, {"repetition": -2}, {"slices": ()}, {"slices": (1, -1)}],
)
def test_a_selection_that_cannot_be_is_refused(selection: dict) -> None:
    name = next(iter(selection))
    with pytest.raises(ValueError, match=f"^{name} is "):
        Selection(**selection)


def test_every_part_of_a_selection_is_named_in_the_source() -> None:
    assert Selection().source("a.h5") == "a.h5"
    selection = Selection(averages=0, slices=(1, 2), variable="raw")
    assert selection.source("a.h5") == "a.h5[averages=0, slices=(1, 2), variable=raw]"
