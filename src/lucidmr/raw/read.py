"""Read raw data of any format."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import h5py

from lucidmr.errors import LucidError
from lucidmr.raw.arrays import read_npy, read_npz
from lucidmr.raw.bart import RAWARRAY, read_cfl, read_ra
from lucidmr.raw.fastmri import is_fastmri, read_fastmri
from lucidmr.raw.files import reading
from lucidmr.raw.hdf5 import read_hdf5
from lucidmr.raw.ismrmrd import groups, read_ismrmrd
from lucidmr.raw.matlab import MAGIC, read_matlab
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import EVERYTHING, Selection
from lucidmr.raw.twix import read_twix

_Reader = Callable[[Path, Selection], Measurement]

_FORMATS: Final = (
    "ISMRMRD and fastMRI (.h5), Siemens twix (.dat), BART (.cfl, .ra), NumPy (.npy, .npz) and MATLAB (.mat) can be read"
)
_WITH_HEADER: Final = ("ISMRMRD", "fastMRI", "Siemens twix")


def read_raw(path: Path, selection: Selection = EVERYTHING) -> Measurement:
    """Read a file of raw data, whichever its format.

    Args:
        path: The file; of BART's pair either the .cfl or the .hdr file.
        selection: What to take of it, and what the file does not tell.

    Returns:
        The measurement.

    Raises:
        LucidError: The file is missing, damaged or of no format that can be read, or what is selected is not in it.
    """
    if not path.is_file():
        raise LucidError(f"{path}: no such file; name a file of raw data")
    with reading(path, "raw data"):
        kind, reader = _format(path, selection)
    if kind in _WITH_HEADER and (selection.axes or selection.domain != "kspace"):
        raise LucidError(f"{path}: is {kind}, which tells its own axes; leave axes and domain out")
    with reading(path, kind):
        return reader(path, selection)


def _format(path: Path, selection: Selection) -> tuple[str, _Reader]:
    """Name and reader of a file's format, by its content where that tells."""
    with path.open("rb") as file:
        start = file.read(128)
    if not start:
        raise LucidError(f"{path}: is empty; name a file of raw data")
    if h5py.is_hdf5(path):
        return _hdf5_format(path, selection)
    if start.startswith(b"\x93NUMPY"):
        return "NumPy", read_npy
    if start.startswith(b"PK\x03\x04"):
        return "NumPy", read_npz
    if start.startswith(RAWARRAY):
        return "RawArray", read_ra
    if start.startswith(MAGIC):
        return "MATLAB", read_matlab
    if path.suffix in (".cfl", ".hdr"):
        return "BART", read_cfl
    if path.suffix == ".dat":
        return "Siemens twix", read_twix
    raise LucidError(f"{path}: is of no known format; {_FORMATS}")


def _hdf5_format(path: Path, selection: Selection) -> tuple[str, _Reader]:
    with h5py.File(path) as file:
        if groups(file):
            return "ISMRMRD", read_ismrmrd
        if is_fastmri(file) and selection.variable is None and selection.axes is None:
            return "fastMRI", read_fastmri
    return "HDF5", read_hdf5
