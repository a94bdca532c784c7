"""All slices of a volume in one image: Siemens' mosaics, United Imaging's volume frames.

Neither is DICOM. Siemens (nibabel, "Siemens mosaic format"): a square grid around the centre of the first slice, so the
position of the image is not that of any slice; number and normal of the slices are in the CSA header. United Imaging
(dcm2niix, UIH/README): ceil(sqrt(n)) tiles in a row and as many rows as needed; a private sequence holds the positions.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isfinite, isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import DSfloat

from lucidmr.dicom.csa import CSA_CREATOR, read_csa
from lucidmr.dicom.geometry import Geometry, geometry
from lucidmr.dicom.values import integer, number, numbers, private, private_bytes, private_numbers, tokens

_UIH_CREATOR: Final = "Image Private Header"
_REVERSED: Final = re.compile(rb"sSliceArray\.ucImageNumb\w*\s*=\s*(0x)?0*[1-9]")


@dataclass(frozen=True)
class Mosaic:
    """A grid of tiles, row after row.

    Attributes:
        slices: Tiles that hold one.
        down: Tiles of a column.
        across: Tiles of a row.
    """

    slices: int
    down: int
    across: int

    def tile(self, matrix: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of a tile of an image of ``matrix`` rows and columns."""
        return matrix[0] // self.down, matrix[1] // self.across

    def apart(self, image: NDArray[np.integer]) -> NDArray[np.integer]:
        """Slices x rows x columns of an image, rows x columns."""
        rows, columns = self.tile((image.shape[0], image.shape[1]))
        tiles = image.reshape(self.down, rows, self.across, columns).swapaxes(1, 2)
        return tiles.reshape(-1, rows, columns)[: self.slices]

    def together(self, slices: NDArray[np.integer]) -> NDArray[np.integer]:
        """The image of slices x rows x columns; empty tiles are 0."""
        rows, columns = slices.shape[1:]
        tiles = np.zeros((self.down * self.across, rows, columns), slices.dtype)
        tiles[: self.slices] = slices
        grid = tiles.reshape(self.down, self.across, rows, columns).swapaxes(1, 2)
        return grid.reshape(self.down * rows, self.across * columns)


def mosaic_of(header: Dataset) -> Mosaic | None:
    """How the slices lie in the image of a file; ``None`` if it shows one slice.

    Args:
        header: The file's attributes.

    Raises:
        ValueError: The header does not say how, in one line.
    """
    words = tokens(header, "ImageType")
    # NUMARIS/X takes mosaics apart into frames and leaves the word.
    if integer(header, "NumberOfFrames", 1) > 1 or not {"MOSAIC", "VFRAME"} & set(words):
        return None
    if "VFRAME" in words:
        slices = _first(private_numbers(header, 0x0065, _UIH_CREATOR, 0x50))
    else:
        slices = _first(_csa_numbers(header, "NumberOfImagesInMosaic"))
    if slices < 1:
        raise ValueError("mosaic that does not say how many slices it holds; export it as single slices")
    across = isqrt(slices - 1) + 1
    found = Mosaic(slices, ceil(slices / across) if "VFRAME" in words else across, across)
    matrix = integer(header, "Rows", 0), integer(header, "Columns", 0)
    if matrix[0] % found.down or matrix[1] % found.across:
        grid = f"{found.down} x {found.across} tiles"
        raise ValueError(f"mosaic of {slices} slices whose {matrix[0]} x {matrix[1]} pixels are not {grid}")
    if not planes_of(header, found):
        raise ValueError("mosaic that does not say where its slices lie; export it as single slices")
    if _REVERSED.search(private_bytes(header, 0x0029, CSA_CREATOR, 0x20)):
        raise ValueError("mosaic in reversed order of slices; export it as single slices")
    return found


def resample_tiles(header: Dataset, mosaic: Mosaic, matrix: tuple[int, int]) -> None:
    """Write the positions of the slices on another matrix where the header lists them, in place.

    Args:
        header: The attributes of the source.
        mosaic: Its tiles.
        matrix: Rows and columns of the whole image wanted.
    """
    old = mosaic.tile((integer(header, "Rows", 0), integer(header, "Columns", 0)))
    for frame, plane in zip(_listed(header), planes_of(header, mosaic), strict=False):
        moved = plane.resampled(old, mosaic.tile(matrix)).position
        frame.ImagePositionPatient = [DSfloat(entry, auto_format=True) for entry in moved]


def planes_of(header: Dataset, mosaic: Mosaic) -> list[Geometry]:
    """Where each slice of a mosaic lies; empty if the header does not say."""
    whole = plane_of(header)
    if whole is None:
        return []
    if not (listed := _listed(header)):
        return _stacked(header, mosaic, whole)
    places = (numbers(frame, "ImagePositionPatient") for frame in listed)
    planes = [geometry(place, whole.orientation, whole.spacing) for place in places]
    found = [plane for plane in planes if plane is not None]
    return found if len(found) == len(planes) == mosaic.slices else []


def plane_of(header: Dataset) -> Geometry | None:
    """The plane of a file's whole image; ``None`` if the header does not say."""
    position, orientation = numbers(header, "ImagePositionPatient"), numbers(header, "ImageOrientationPatient")
    return geometry(position, orientation, numbers(header, "PixelSpacing"))


def _stacked(header: Dataset, mosaic: Mosaic, whole: Geometry) -> list[Geometry]:
    step, normal = number(header, "SpacingBetweenSlices"), _csa_numbers(header, "SliceNormalVector")
    if not step or len(normal) != 3:
        return []
    matrix = integer(header, "Rows", 0), integer(header, "Columns", 0)
    rows, columns = mosaic.tile(matrix)
    # The first slice lies around the centre of the mosaic.
    first = whole.moved_to((matrix[0] - rows) / 2, (matrix[1] - columns) / 2)
    return [first.shifted(index * step * np.asarray(normal)) for index in range(mosaic.slices)]


def _listed(header: Dataset) -> list[Dataset]:
    """United Imaging's descriptions of the slices."""
    found = private(header, 0x0065, _UIH_CREATOR, 0x51) if "VFRAME" in tokens(header, "ImageType") else None
    return list(found) if isinstance(found, Sequence) else []


def _csa_numbers(header: Dataset, name: str) -> tuple[float, ...]:
    try:
        found = tuple(map(float, _csa(private_bytes(header, 0x0029, CSA_CREATOR, 0x10))[name]))
    except (ValueError, KeyError):
        return ()
    return found if all(map(isfinite, found)) else ()


# Asked several times in a row for the same file.
_csa = lru_cache(maxsize=1)(read_csa)


def _first(values: tuple[float, ...]) -> int:
    return int(values[0]) if values else 0
