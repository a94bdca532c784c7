"""Turns real-world values back into the stored values of the source's pixel format."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lucidmr.dicom.values import integer, number


@dataclass(frozen=True)
class PixelFormat:
    """How one pixel is stored.

    Attributes:
        allocated: Bits per pixel, 8 or 16.
        stored: Bits used.
        signed: Two's complement or unsigned.
    """

    allocated: int
    stored: int
    signed: bool

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Little-endian type of the stored values."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.allocated // 8}")

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest stored value."""
        return (-(1 << self.stored - 1), (1 << self.stored - 1) - 1) if self.signed else (0, (1 << self.stored) - 1)

    def encode(self, values: NDArray[np.floating], slope: float, intercept: float) -> NDArray[np.integer]:
        """Invert the rescale, round, clip to the range and, where signed, keep unused high bits as the sign.

        Args:
            values: Real-world values, any shape, finite.
            slope: Real-world value per stored value.
            intercept: Real-world value of stored value 0.
        """
        stored = np.rint((values.astype(np.float64) - intercept) / slope)
        return np.clip(stored, *self.range).astype(self.dtype)


def pixel_format(header: Dataset) -> PixelFormat:
    """How the pixels of a file are stored."""
    allocated = integer(header, "BitsAllocated", 16)
    stored = min(integer(header, "BitsStored", allocated), allocated)
    return PixelFormat(allocated, stored, integer(header, "PixelRepresentation", 0) == 1)


def as_magnitude(values: NDArray[np.float32], source: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut what interpolation and sharpening push below 0 where the source has nothing there.

    A viewer without a window in the header would show it as a grey veil, and a fit could not take its logarithm.

    Args:
        values: Real-world values of a processed image.
        source: Those of its source, on any matrix.
    """
    found: NDArray[np.float32] = np.maximum(values, min(0.0, float(source.min())))
    return found


def put_pixels(header: Dataset, stored: NDArray[np.integer]) -> None:
    """Set pixel data and what describes it.

    Args:
        header: The file's attributes, changed in place.
        stored: Stored values, frames x rows x columns, in the header's pixel format.
    """
    header.Rows, header.Columns = stored.shape[1:]
    data = stored.tobytes()
    header.add_new(0x7FE00010, "OB" if stored.dtype.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    kind = "SS" if integer(header, "PixelRepresentation", 0) == 1 else "US"
    for tag, found in ((0x00280106, stored.min()), (0x00280107, stored.max())):
        header.add_new(tag, kind, int(found))


def restore_padding(header: Dataset, source: NDArray[np.integer], stored: NDArray[np.integer]) -> None:
    """Give padding its value back, in place: it marks pixels outside of the image. 0 marks nothing: it is also dark.

    Args:
        header: The source's attributes.
        source: Its stored values, rows x columns.
        stored: The new stored values, on the same or on another matrix of the same field of view.
    """
    padding = number(header, "PixelPaddingValue")
    low, high = np.iinfo(stored.dtype).min, np.iinfo(stored.dtype).max
    if not padding or not low <= padding <= high:
        return
    rows, columns = (
        (np.arange(new) * old // new).astype(np.intp) for new, old in zip(stored.shape, source.shape, strict=True)
    )
    stored[source[np.ix_(rows, columns)] == int(padding)] = int(padding)
