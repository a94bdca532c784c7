"""HDF5 files that are there completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import h5py

from lucidmr.files import whole_file


@contextmanager
def whole_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file made in memory and written by :func:`whole_file` when the block ends.

    HDF5 may crash where it cannot write, as on a full disk; writing bytes ends in an error that can be told.
    """
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        yield file
    with whole_file(path) as part:
        part.write_bytes(buffer.getbuffer())
