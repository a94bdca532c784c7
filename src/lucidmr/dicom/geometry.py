"""Where the pixels of one image lie in the patient.

DICOM (PS3.3 C.7.6.2): Image Plane module. The position is the *centre* of the first pixel.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """The plane of one image, in mm, in the patient's coordinates (left, posterior, head).

    Attributes:
        position: Centre of the first pixel (row 0, column 0).
        row: Unit vector along which the column index grows.
        column: Unit vector along which the row index grows.
        spacing: Distance between the centres of adjacent rows, of adjacent columns.
    """

    position: Vector
    row: Vector
    column: Vector
    spacing: tuple[float, float]

    @property
    def orientation(self) -> tuple[float, ...]:
        """The six values of ImageOrientationPatient."""
        return self.row + self.column

    @property
    def normal(self) -> Vector:
        """Unit vector across the plane."""
        normal = np.cross(self.row, self.column)
        return _vector(normal / np.linalg.norm(normal))

    @property
    def distance(self) -> float:
        """Distance of the plane from the origin along :attr:`normal`, in mm."""
        return float(np.dot(self.position, self.normal))

    def shifted(self, by: NDArray[np.float64]) -> "Geometry":
        """The same plane elsewhere, ``by`` mm away."""
        return replace(self, position=_vector(np.asarray(self.position) + by))

    def moved_to(self, row: float, column: float) -> "Geometry":
        """The same plane with its first pixel where this one has pixel (row, column); fractions are welcome."""
        down, right = np.asarray(self.column) * self.spacing[0], np.asarray(self.row) * self.spacing[1]
        return self.shifted(row * down + column * right)

    def resampled(self, old: tuple[int, int], new: tuple[int, int]) -> "Geometry":
        """The same field of view on another matrix, aligned at the outer corners of the corner pixels.

        Args:
            old: Rows and columns now.
            new: Rows and columns wanted.
        """
        steps = old[0] / new[0], old[1] / new[1]
        # The centre of the first pixel lies half a pixel inside the corner, before and after.
        moved = self.moved_to((steps[0] - 1) / 2, (steps[1] - 1) / 2)
        return replace(moved, spacing=(self.spacing[0] * steps[0], self.spacing[1] * steps[1]))

    def corners(self, matrix: tuple[int, int]) -> NDArray[np.float64]:
        """The outer corners of the image (rows, columns), 4 x 3, in mm: first, end of row 0, end of column 0, last."""
        row = np.asarray(self.row) * self.spacing[1]
        column = np.asarray(self.column) * self.spacing[0]
        first = np.asarray(self.position) - (row + column) / 2
        down, right = column * matrix[0], row * matrix[1]
        return np.stack([first, first + right, first + down, first + down + right])


Numbers = tuple[float, ...]


def geometry(position: Numbers, orientation: Numbers, spacing: Numbers) -> Geometry | None:
    """Build a geometry from the three header attributes; ``None`` if one is absent or makes no sense."""
    if len(position) != 3 or len(orientation) != 6 or len(spacing) != 2 or min(spacing) <= 0:
        return None
    row, column = _unit(orientation[:3]), _unit(orientation[3:])
    if row is None or column is None or abs(sum(a * b for a, b in zip(row, column, strict=True))) > 0.05:
        return None
    return Geometry((position[0], position[1], position[2]), row, column, (spacing[0], spacing[1]))


def _unit(vector: tuple[float, ...]) -> Vector | None:
    length = sqrt(sum(v * v for v in vector))
    return _vector(np.asarray(vector) / length) if 0.9 < length < 1.1 else None


def _vector(values: NDArray[np.float64]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
