"""What can be enhanced: the images of one series, whatever kind of file they came from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.provenance import Provenance

if TYPE_CHECKING:
    from lucidmr.dicom.header.fact import Told


@runtime_checkable
class Source(Protocol):
    """The magnitude images of one series that share matrix, pixel spacing and phase encoding axis.

    Images are numbered from 0: stack after stack, sorted by position within each stack.
    """

    @property
    def root(self) -> Path:
        """The path that the user gave."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """Image numbers of each stack (one echo, one b-value, one time point ...)."""

    @property
    def rows(self) -> int:
        """Pixels of a column."""

    @property
    def columns(self) -> int:
        """Pixels of a row."""

    @property
    def depth(self) -> int:
        """Images of a stack, as most of the stacks have."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the user should know, one line each."""

    @property
    def label(self) -> str:
        """What people call it."""

    @property
    def description(self) -> str:
        """What the scanner's operator called it; empty if that is not known."""

    @property
    def identity(self) -> dict[str, Any]:
        """What programs know it by, ready for JSON."""

    def __len__(self) -> int: ...

    def geometry(self, index: int) -> Geometry | None:
        """Position, orientation and spacing of an image in mm; ``None`` if that is not known."""

    def image(self, index: int) -> NDArray[np.float32]:
        """Read an image: real-world values, rows x columns.

        Raises:
            LucidError: The file is gone or cannot be decoded.
        """

    def told(self) -> "Told":
        """What the files say of the acquisition, and the distances between pixels and slices."""

    def folder(self, output: Path, provenance: Provenance) -> Path:
        """Where below ``output`` its enhanced images go."""

    def write(
        self, images: Iterable[NDArray[np.float32]], folder: Path, provenance: Provenance, overwrite: bool
    ) -> list[Path]:
        """Write processed images in the format of the source; all files appear, or none.

        Args:
            images: One per image, in order: real-world values, rows x columns on any one matrix of the same field of
                view.
            folder: Where to.
            provenance: What was done.
            overwrite: Replace an earlier output of Lucid MR.

        Returns:
            The files.

        Raises:
            LucidError: The folder cannot be used, an image holds values that are not finite, or a file is gone.
        """
