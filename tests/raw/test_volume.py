"""Image volumes from NIfTI files and DICOM folders, and what is said when they cannot be read."""

import gzip
import re
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from lucidmr.dicom.create import Protocol, create_series
from lucidmr.errors import LucidError
from lucidmr.raw.volume import read_nifti, read_volumes

VOXELS = np.random.default_rng(0).integers(0, 1000, (20, 24, 6)).astype(np.float32)


def write(path: Path, voxels: np.ndarray = VOXELS, zooms: tuple[float, ...] = (1.0, 1.0, 4.0)) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([*zooms[:3], 1.0])), path)
    return path


def failure(path: Path) -> str:
    with pytest.raises(LucidError) as caught:
        read_nifti(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_slices_run_across_the_thickest_voxels(tmp_path: Path, name: str) -> None:
    volume = read_nifti(write(tmp_path / name))
    assert volume.source == name
    assert volume.images.dtype == torch.float32
    np.testing.assert_array_equal(volume.images.numpy(), np.moveaxis(VOXELS, 2, 0))
    first = read_nifti(write(tmp_path / name, zooms=(3.0, 1.0, 1.0)))
    np.testing.assert_array_equal(first.images.numpy(), VOXELS)


def test_slope_and_intercept_are_applied_and_gaps_filled(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS.astype(np.int16), np.diag([1, 1, 4, 1]))
    image.header.set_slope_inter(0.5, 7.0)
    nibabel.save(image, tmp_path / "scaled.nii")
    expected = np.moveaxis(VOXELS.astype(np.int16), 2, 0) * 0.5 + 7.0
    np.testing.assert_allclose(read_nifti(tmp_path / "scaled.nii").images.numpy(), expected, rtol=1e-6)
    broken = VOXELS.copy()
    broken[3, 4, 5] = np.nan
    assert float(read_nifti(write(tmp_path / "nan.nii", broken)).images[5, 3, 4]) == 0.0


def test_a_missing_nibabel_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert "needs nibabel; pip install 'lucidmr[nifti]'" in failure(path)


def test_a_series_of_volumes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", np.zeros((6, 6, 6, 3), np.float32))
    assert "has 4 dimensions; a single volume with 3 is needed" in failure(path)


@pytest.mark.parametrize("dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_complex_and_colour_values_are_refused(tmp_path: Path, dtype: np.dtype) -> None:
    path = write(tmp_path / "a.nii", np.zeros((6, 6, 6), dtype))
    assert "a volume of real numbers is needed" in failure(path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = write(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "cannot be read as NIfTI" in failure(path)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    content = write(tmp_path / "a.nii.gz").read_bytes()
    path = tmp_path / "b.nii.gz"
    damaged = bytearray(content)
    damaged[len(content) // 3 : len(content) // 3 + 40] = bytes(40)
    path.write_bytes(damaged)
    assert "cannot be read as NIfTI" in failure(path)
    path.write_bytes(b"a text")
    assert "cannot be read as NIfTI" in failure(path)
    header = bytearray(gzip.decompress(content))
    header[70:72] = b"\xff\x7f"  # a data type that does not exist
    path = tmp_path / "c.nii"
    path.write_bytes(header)
    assert "cannot be read as NIfTI" in failure(path)


def test_a_folder_gives_its_volumes_in_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.nii.gz", "a.nii", "deep/c.nii"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    assert [volume.source for volume in read_volumes(tmp_path)] == ["a.nii", "b.nii.gz", "c.nii"]


def test_dicom_series_are_read_once_each(tmp_path: Path) -> None:
    """Also when a folder holds both files and folders with more of them."""
    rng = np.random.default_rng(1)
    truth = {name: rng.integers(0, 900, (3, 24, 16)).astype(np.float32) for name in ("top", "inner")}
    create_series(list(truth["top"]), tmp_path / "top", Protocol(number=1))
    create_series(list(truth["inner"]), tmp_path / "top" / "inner", Protocol(number=2))
    write(tmp_path / "top" / "a.nii")
    volumes = list(read_volumes(tmp_path))
    assert sorted(volume.source for volume in volumes) == ["a.nii", "inner", "top"]
    found = {volume.source: volume.images.numpy() for volume in volumes}
    for name, images in truth.items():
        np.testing.assert_allclose(np.sort(found[name], 0), np.sort(images, 0), atol=1.0)


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_without_images_is_named(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / content).write_text("not an image")
    with pytest.raises(LucidError, match=re.escape(f"{tmp_path}: holds no NIfTI file and no MR magnitude DICOM")):
        list(read_volumes(tmp_path))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LucidError, match="no such folder; name one that holds NIfTI files or DICOM series"):
        list(read_volumes(tmp_path / "nowhere"))
