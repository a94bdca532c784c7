"""NIfTI files as series of images: which axis is what, what the sidecar tells, and the voxels when asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lucidmr.dicom.geometry import Geometry, geometry
from lucidmr.dicom.header import Told
from lucidmr.dicom.header.fact import Facts, PhaseAxis, exact
from lucidmr.dicom.provenance import Provenance
from lucidmr.errors import LucidError
from lucidmr.nifti.file import in_planes, open_nifti, real_values, stored_voxels
from lucidmr.nifti.sidecar import Sidecar, phase_axis, read_sidecar, sidecar_refusal, sidecar_remarks, told_by
from lucidmr.nifti.write import is_own, write_nifti

_ALIKE: Final = 1.01
"""Voxel sizes that differ by less than this factor are the same."""
_TO_DICOM: Final = np.diag([-1.0, -1.0, 1.0])
"""NIfTI's x and y grow to the right and the front of the patient, DICOM's to the left and the back."""


@dataclass(frozen=True, eq=False)
class NiftiSeries:
    """The images of one NIfTI file: volume after volume, slice after slice.

    Attributes:
        root: The path that the user gave.
        path: The file.
        file: nibabel's image of it.
        sidecar: What lies beside it; empty where nothing does.
        axes: The axes of the array along slices, along which a row's index grows, and along which a column's does.
        warnings: What the user should know, one line each.
    """

    root: Path
    path: Path
    file: Any
    sidecar: Sidecar
    axes: tuple[int, int, int]
    warnings: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    @property
    def rows(self) -> int:
        """Pixels of a column."""
        return int(self.file.shape[self.axes[1]])

    @property
    def columns(self) -> int:
        """Pixels of a row."""
        return int(self.file.shape[self.axes[2]])

    @property
    def depth(self) -> int:
        """Slices of a volume."""
        return int(self.file.shape[self.axes[0]])

    @cached_property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """Image numbers of each volume."""
        numbers = range(len(self))
        return tuple(tuple(numbers[start : start + self.depth]) for start in range(0, len(self), self.depth))

    def __len__(self) -> int:
        return self.depth * int(np.prod(self.file.shape[3:], dtype=int))

    def __repr__(self) -> str:
        return (
            f"<NiftiSeries {self.label}: {len(self)} images {self.rows} x {self.columns}, {len(self.stacks)} volumes>"
        )

    @property
    def label(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def description(self) -> str:
        """SeriesDescription of the sidecar, empty if there is none."""
        found = self.sidecar.get("SeriesDescription")
        return found if isinstance(found, str) else ""

    @property
    def identity(self) -> dict[str, Any]:
        """What programs know it by, ready for JSON."""
        return {"file": str(self.path), "description": self.description}

    def geometry(self, index: int) -> Geometry | None:
        """Position, orientation and spacing of image ``index`` in mm, in DICOM's coordinates."""
        affine = np.asarray(self.file.affine, np.float64)
        slices, down, right = (_TO_DICOM @ affine[:3, axis] for axis in self.axes)
        position = _TO_DICOM @ affine[:3, 3] + index % self.depth * slices
        spacing = (float(np.linalg.norm(down)), float(np.linalg.norm(right)))
        if not np.isfinite(affine).all() or min(spacing) <= 0:
            return None
        return geometry(tuple(position), (*(right / spacing[1]), *(down / spacing[0])), spacing)

    def image(self, index: int) -> NDArray[np.float32]:
        """Read image ``index``.

        Returns:
            Real values (slope and intercept applied), rows x columns.

        Raises:
            LucidError: The file is truncated or damaged, or holds values that are not finite.
        """
        return real_values(self._planes[index // self.depth, index % self.depth], self.file)

    @cached_property
    def _planes(self) -> NDArray[np.number]:
        """All voxels as stored, volume x slice x row x column."""
        stored = stored_voxels(self.path, self.file)
        if not np.isfinite(stored).all():
            count = int((~np.isfinite(stored)).sum())
            raise LucidError(f"{self.path}: holds {count} values that are not finite; replace them, by 0 for instance")
        return in_planes(stored, self.axes)

    def told(self) -> Told:
        """What the sidecar says of the acquisition, and the size of the voxels."""
        told = told_by(self.sidecar, self.axes)
        return Told((self._header_facts(), *told.sources), told.warnings)

    def folder(self, output: Path, _provenance: Provenance) -> Path:
        """The output mirrors the folders of the input."""
        below = self.path.parent.relative_to(self.root) if self.root.is_dir() else Path()
        return output / below

    def write(
        self, images: Iterable[NDArray[np.float32]], folder: Path, provenance: Provenance, overwrite: bool
    ) -> list[Path]:
        """Write processed images as a NIfTI file of the same name with a sidecar."""
        return write_nifti(self, images, folder, provenance, overwrite)

    def _header_facts(self) -> Facts:
        zooms = [float(zoom) for zoom in self.file.header.get_zooms()[:3]]
        names = zip(("slice_spacing", "spacing_row", "spacing_column"), self.axes, strict=True)
        found: dict[str, Any] = {name: exact(zooms[axis], "NIfTI pixdim") for name, axis in names if zooms[axis] > 0}
        along = self.file.header.get_dim_info()[1]
        if phase_axis(self.sidecar) is None and along in self.axes[1:]:
            axis: PhaseAxis = "row" if along == self.axes[2] else "col"
            found["phase_axis"] = exact(axis, "NIfTI dim_info")
        return found


def read_nifti_series(path: Path | str, root: Path | None = None) -> NiftiSeries:
    """Read the header and the sidecar of a NIfTI file.

    Args:
        path: The file.
        root: The folder that the user gave, if it is not the file.

    Raises:
        LucidError: The file cannot be read, or holds what cannot be processed.
    """
    path = Path(path)
    file = open_nifti(path)
    dimensions = len(file.shape)
    if dimensions not in (3, 4):
        raise LucidError(
            f"{path}: has {dimensions} dimensions; a volume with 3 or a series of volumes with 4 is needed"
        )
    if is_own(file):
        raise LucidError(f"{path}: already processed by Lucid MR; give the original")
    sidecar, problems = read_sidecar(path)
    if reason := sidecar_refusal(sidecar):
        raise LucidError(f"{path}: {reason} by its sidecar; magnitude images are needed")
    axes = _axes(file, sidecar)
    if min(file.shape[axes[1]], file.shape[axes[2]]) < 2:
        raise LucidError(f"{path}: its images have fewer than 2 rows or columns; one volume of real size is needed")
    return NiftiSeries(root or path, path, file, sidecar, axes, (*problems, *sidecar_remarks(sidecar)))


def _axes(file: Any, sidecar: Sidecar) -> tuple[int, int, int]:
    """Slices lie along the axis that the header names, else along the longest voxels, and never along phase."""
    named = file.header.get_dim_info()[2]
    zooms = np.abs(np.asarray(file.header.get_zooms()[:3], float))
    free = [axis for axis in range(3) if axis != phase_axis(sidecar)]
    longest = max(float(zooms[axis]) for axis in free)
    # Of voxels that are alike the last axis: there converters put the slices.
    slices = named if named in free else max(axis for axis in free if zooms[axis] * _ALIKE >= longest)
    right, down = (axis for axis in range(3) if axis != slices)
    return slices, down, right
