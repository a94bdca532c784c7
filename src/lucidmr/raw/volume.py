"""Read image volumes: NIfTI files and DICOM series. They become pseudo-raw data in :mod:`lucidmr.raw.pseudo`."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.raw.measurement import Facts


@dataclass(frozen=True)
class Volume:
    """Parallel slices of one scan.

    Attributes:
        images: (slice, row, column), float32, in the source's units.
        source: Name for provenance.
        facts: What the header tells.
    """

    images: Float[Tensor, "slice row column"]
    source: str
    facts: Facts = field(default_factory=Facts)


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
    nifti = [path for path in files if path.name.endswith((".nii", ".nii.gz"))]
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
    try:
        import nibabel
    except ImportError as error:
        raise LucidError(f"{path}: reading NIfTI needs nibabel; pip install 'lucidmr[nifti]'") from error
    try:
        file: Any = nibabel.load(path)
        if file.get_data_dtype().kind not in "iuf":
            raise LucidError(f"{path}: holds {file.get_data_dtype()} values; a volume of real numbers is needed")
        voxels = np.asarray(file.dataobj, dtype=np.float32)
        if path.suffix == ".gz":
            _read_to_the_end(path)
    except (
        *(OSError, EOFError, ValueError, ZlibError),
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LucidError(f"{path}: cannot be read as NIfTI ({reason}); replace or remove the file") from error
    if voxels.ndim != 3:
        raise LucidError(f"{path}: has {voxels.ndim} dimensions; a single volume with 3 is needed")
    across = int(np.argmax(file.header.get_zooms()[:3]))
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(voxels, across, 0)))
    return Volume(torch.nan_to_num(images), path.name)


def _read_to_the_end(path: Path) -> None:
    """Let gzip verify its checksum, which stands after the last voxel and is not read for the voxels alone."""
    with gzip.open(path) as file:
        while file.read(1 << 24):
            pass


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
        yield Volume(images, series.path(0).parent.name, _facts(series.headers[0]))


def _facts(header: Any) -> Facts:
    """Of a DICOM header; values of a wrong kind count as absent."""
    names = ("Manufacturer", "ManufacturerModelName", "BodyPartExamined", "ProtocolName", "PatientID")
    vendor, model, anatomy, protocol, subject = (str(header.get(name) or "").strip() or None for name in names)
    try:
        field_strength = float(header.get("MagneticFieldStrength"))
    except (TypeError, ValueError):
        field_strength = None
    return Facts(vendor, model, field_strength, anatomy, protocol, subject)
