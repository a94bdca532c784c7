"""Writes processed images as NIfTI on a finer grid of the same field of view, with a sidecar of what was done."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from lucidmr.dicom.output import check_apart
from lucidmr.dicom.provenance import Provenance, plain
from lucidmr.dicom.storage import PixelFormat, as_magnitude
from lucidmr.errors import LucidError
from lucidmr.nifti.file import in_planes, open_nifti, scaling, stem
from lucidmr.nifti.inheritance import applying
from lucidmr.nifti.sidecar import derived_sidecar, sidecar_path

if TYPE_CHECKING:
    from lucidmr.nifti.series import NiftiSeries

_MARK: Final = "Lucid MR"
_LONGEST: Final = 79
"""Characters of the header's description."""
_COMPANIONS: Final = (".bval", ".bvec")
"""Files that go with a diffusion series; they count in axes of the array, which stay."""


def write_nifti(
    series: "NiftiSeries",
    images: Iterable[NDArray[np.float32]],
    folder: Path,
    provenance: Provenance,
    overwrite: bool = False,
) -> list[Path]:
    """Write processed images under the names of their source. All files appear, or none.

    Type of the voxels, slope, intercept, orientation and the codes of both transforms stay those of the source.

    Args:
        series: The source.
        images: One per image of the source, in its order: real values, rows x columns, all of one shape.
        folder: Where to write; not the source's.
        provenance: What was done.
        overwrite: Replace an earlier output of Lucid MR.

    Returns:
        The NIfTI file, its sidecar, and what else lay beside the source.

    Raises:
        LucidError: A file cannot be written, or an image holds values that are not finite.
        ValueError: The number of images is not that of the series, or their shapes differ.
    """
    import nibabel

    check_apart(folder, series.root, series.paths)
    target = folder / series.path.name
    part = folder / f".{target.name}.{uuid4().hex[:8]}.part"
    try:
        _check_free(target, overwrite)
        part.mkdir(parents=True)
        voxels = _voxels(series, images)
        image = type(series.file)(voxels, None, _header(series, voxels.shape, provenance))
        # nibabel forgets those of the header that an image is made with.
        image.header.set_slope_inter(*scaling(series.file))
        nibabel.save(image, part / target.name)
        sidecar = derived_sidecar(series.sidecar, series.path.name, provenance, series.file.shape, voxels.shape)
        sidecar_path(part / target.name).write_text(json.dumps(sidecar, indent=2) + "\n", "utf-8")
        for companion in companions(series.path):
            shutil.copyfile(companion, part / (stem(target) + companion.suffix))
        # The volume last: where it is, the others are.
        names = sorted((file.name for file in part.iterdir()), key=lambda name: (name == target.name, name))
        for name in names:
            (part / name).replace(folder / name)
    except OSError as error:
        raise LucidError(f"{target}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [folder / name for name in reversed(names)]


def is_own(file: Any) -> bool:
    """Whether Lucid MR wrote an opened file."""
    return bytes(file.header["descrip"].item()).startswith(_MARK.encode())


def _check_free(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        raise LucidError(f"{target}: already exists; choose another folder or allow overwriting")
    try:
        own = is_own(open_nifti(target))
    except LucidError:
        own = False
    if not own:
        raise LucidError(f"{target}: is no file that Lucid MR wrote; choose another folder")


def companions(path: Path) -> list[Path]:
    """What belongs to a NIfTI file but for the sidecar: the most specific file of each kind."""
    return [file for ending in _COMPANIONS for file in applying(path, ending)[-1:]]


def _voxels(series: "NiftiSeries", images: Iterable[NDArray[np.float32]]) -> NDArray[np.number]:
    """All images as the voxels of the new file, in the source's type and order of axes."""
    voxels: NDArray[np.number] | None = None
    count = 0
    for index, image in enumerate(images):
        if voxels is None:
            shape = list(series.file.shape)
            shape[series.axes[1]], shape[series.axes[2]] = image.shape
            voxels = np.empty(shape, series.file.get_data_dtype().newbyteorder("="), order="F")
        if not np.isfinite(image).all():
            raise LucidError(f"{series.label}: image {index + 1} holds values that are not finite; not written")
        magnitude = as_magnitude(image, series.image(index))
        in_planes(voxels, series.axes)[divmod(index, series.depth)] = _stored(series, magnitude)
        count = index + 1
    if voxels is None or count != len(series):
        raise ValueError(f"{count} images for the {len(series)} of {series.label}")
    return voxels


def _stored(series: "NiftiSeries", image: NDArray[np.float32]) -> NDArray[np.number]:
    dtype, (slope, intercept) = series.file.get_data_dtype(), scaling(series.file)
    if dtype.kind == "f":
        return (image.astype(np.float64) - intercept) / slope
    bits = 8 * dtype.itemsize
    return PixelFormat(bits, bits, dtype.kind == "i").encode(image, slope, intercept)


def _header(series: "NiftiSeries", shape: tuple[int, ...], provenance: Provenance) -> Any:
    """The source's header on another matrix of the same field of view, aligned at its outer corners."""
    header = series.file.header.copy()
    header.set_data_shape(shape)
    sform, sform_code = header.get_sform(), int(header["sform_code"])
    finer = _between(series.file.shape, shape)
    header["pixdim"][1:4] *= np.diag(finer)[:3]
    # The quaternion stays as it is: rotation to the last bit.
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = _moved(series.file.header, finer)
    if sform_code > 0:
        header.set_sform(sform @ finer, sform_code)
    header["descrip"] = plain(provenance.description, _LONGEST)
    # What other tools keep there (AFNI its own geometry) holds for the old matrix.
    header.extensions.clear()
    return header


def _moved(header: Any, finer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of the first voxel by the quaternion."""
    placed: NDArray[np.float64] = header.get_qform() @ finer
    return placed[:3, 3]


def _between(old: tuple[int, ...], new: tuple[int, ...]) -> NDArray[np.float64]:
    """New voxel indices to old ones: voxels are volumes, and the outer corners of both grids coincide."""
    steps = np.array([before / after for before, after in zip(old[:3], new[:3], strict=True)])
    found = np.diag([*steps, 1.0])
    found[:3, 3] = (steps - 1) / 2
    return found
