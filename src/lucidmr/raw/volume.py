"""Read image volumes: NIfTI files and DICOM series. They become pseudo-raw data in :mod:`lucidmr.raw.pseudo`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.errors import LucidError


@dataclass(frozen=True)
class Volume:
    """Parallel slices of one scan.

    Attributes:
        images: (slice, row, column), float32, in the source's units.
        source: Name for provenance.
    """

    images: Float[Tensor, "slice row column"]
    source: str


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
    for path in files:
        if path.name.endswith((".nii", ".nii.gz")):
            found = True
            yield read_nifti(path)
    for parent in sorted({path.parent for path in files if not path.name.endswith((".nii", ".nii.gz"))}):
        for volume in _dicom_volumes(parent):
            found = True
            yield volume
    if not found:
        raise LucidError(f"{folder}: holds no NIfTI file and no MR magnitude DICOM series; nothing to learn from")


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI volume; slices are taken across the axis with the thickest voxels.

    Raises:
        LucidError: The file cannot be read, is not 3D, or nibabel (extra ``nifti``) is missing.
    """
    try:
        import nibabel
    except ImportError as error:
        raise LucidError(f"{path}: reading NIfTI needs nibabel; pip install 'lucidmr[nifti]'") from error
    try:
        file: Any = nibabel.load(path)
        voxels = np.asarray(file.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise LucidError(f"{path}: cannot be read as NIfTI ({error}); replace or remove the file") from error
    if voxels.ndim != 3:
        raise LucidError(f"{path}: has {voxels.ndim} dimensions; a single volume with 3 is needed")
    across = int(np.argmax(file.header.get_zooms()[:3]))
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(voxels, across, 0)))
    return Volume(torch.nan_to_num(images), path.name)


def _dicom_volumes(folder: Path) -> Iterator[Volume]:
    from lucidmr.dicom.series import read_series

    for series in read_series(folder).series:
        yield Volume(torch.from_numpy(np.stack(list(series.images()))), f"{folder.name}")
