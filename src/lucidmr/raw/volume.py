"""Read image volumes: NIfTI files and DICOM series. They become pseudo-raw data in :mod:`lucidmr.raw.pseudo`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.nifti.file import is_nifti, open_nifti, real_values, stored_voxels
from lucidmr.raw.measurement import Facts

if TYPE_CHECKING:
    from lucidmr.dicom.series import ImageSeries


@dataclass(frozen=True)
class Volume:
    """Parallel slices of one scan.

    Attributes:
        images: (slice, row, column), float32, in the source's units.
        source: Name for provenance.
        facts: What the header tells.
        spacing: Distance between slices, rows and columns in mm; ``None`` where it is unknown.
    """

    images: Float[Tensor, "slice row column"]
    source: str
    facts: Facts = field(default_factory=Facts)
    spacing: tuple[float, float, float] | None = None


def read_volumes(folder: Path) -> Iterator[Volume]:
    """Read every NIfTI file and every DICOM series below a folder, in the order of their names.

    Args:
        folder: Where to look, recursively.

    Yields:
        One volume per file or stack of parallel images.

    Raises:
        LucidError: The folder does not exist or holds no image volume, or a file cannot be read.
    """
    if not folder.is_dir():
        raise LucidError(f"{folder}: no such folder; name one that holds NIfTI files or DICOM series")
    found = False
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    nifti = [path for path in files if is_nifti(path)]
    for path in nifti:
        found = True
        yield read_nifti(path)
    for home in topmost(path.parent for path in set(files) - set(nifti)):
        for volume in read_dicom(home):
            found = True
            yield volume
    if not found:
        raise LucidError(f"{folder}: holds no NIfTI file and no MR magnitude DICOM series; nothing to learn from")


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI volume; slices are taken across the axis with the thickest voxels.

    Raises:
        LucidError: The file cannot be read, is not 3D, holds complex or colour values, or nibabel (extra ``nifti``) is
            missing.
    """
    file = open_nifti(path)
    if len(file.shape) != 3:
        raise LucidError(f"{path}: has {len(file.shape)} dimensions; a single volume with 3 is needed")
    voxels = real_values(stored_voxels(path, file), file)
    zooms = [float(zoom) for zoom in file.header.get_zooms()[:3]]
    across = int(np.argmax(zooms))
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(voxels, across, 0)))
    spacing = (zooms.pop(across), zooms[0], zooms[1])
    return Volume(torch.nan_to_num(images), path.name, spacing=spacing)


def topmost(folders: Iterable[Path]) -> list[Path]:
    """The folders that lie in none of the others: DICOM is read recursively, and no series is to be read twice."""
    found: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(above) for above in found):
            found.append(folder)
    return found


def read_dicom(folder: Path) -> Iterator[Volume]:
    """Read every MR magnitude series in a folder and below; none where it holds no such series.

    Raises:
        LucidError: The folder or an image cannot be read.
    """
    from lucidmr.dicom.series import read_series

    for series in read_series(folder).series:
        images = torch.from_numpy(np.stack(list(series.images())))
        yield Volume(images, series.path(0).parent.name, _facts(series.headers[0]), _spacing(series))


def _spacing(series: "ImageSeries") -> tuple[float, float, float] | None:
    """Of a single stack of slices whose positions the headers tell."""
    first, second = (series.geometry(index) for index in (0, min(1, len(series) - 1)))
    if len(series.stacks) > 1 or first is None or second is None or first.distance == second.distance:
        return None
    return abs(second.distance - first.distance), *first.spacing


def _facts(header: Any) -> Facts:
    """Of a DICOM header; values of a wrong kind count as absent."""
    names = ("Manufacturer", "ManufacturerModelName", "BodyPartExamined", "ProtocolName", "PatientID")
    vendor, model, anatomy, protocol, subject = (str(header.get(name) or "").strip() or None for name in names)
    try:
        field_strength = float(header.get("MagneticFieldStrength"))
    except (TypeError, ValueError):
        field_strength = None
    return Facts(vendor, model, field_strength, anatomy, protocol, subject)
