"""Files like those of fastMRI."""

from pathlib import Path

import h5py
import pytest
import torch

from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import Selection
from raw_files import close, failure, ismrmrd_xml, oversampled, slices, write_fastmri


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file1.h5"


def test_multi_coil_slices_without_oversampling(path: Path) -> None:
    kspace = slices()
    write_fastmri(path, oversampled(kspace)[:, :, 0], ismrmrd_xml(kspace.shape, 2))
    found = read_raw(path)
    close(found.kspace, kspace)
    assert found.acquired.all()
    assert found.field_of_view_mm == (3.0, 48.0, 40.0)
    assert (found.facts.subject, found.facts.protocol, found.facts.vendor) == ("subject-9", "T1 sag", "Maker")
    found = read_raw(path, Selection(slices=(2, 0)))
    close(found.kspace, kspace[[0, 2]])
    assert found.source == "file1.h5[slices=(2, 0)]"


def test_single_coil(path: Path) -> None:
    kspace = slices(coils=1)
    write_fastmri(path, kspace[:, 0, 0], ismrmrd_xml(kspace.shape))
    close(read_raw(path).kspace, kspace)


def test_lines_that_are_not_acquired(path: Path) -> None:
    """Zero padding at the edges, and the mask of a test set."""
    kspace = slices()
    kspace[..., :2] = 0
    mask = torch.arange(20) % 3 == 0
    write_fastmri(path, oversampled(kspace)[:, :, 0], ismrmrd_xml(kspace.shape, 2), mask)
    found = read_raw(path)
    expected = mask & (torch.arange(20) >= 2)
    assert torch.equal(found.acquired, expected.expand(3, 1, 24, 20))
    close(found.kspace, kspace * expected)


def test_a_selection_or_file_that_does_not_fit_is_told(path: Path) -> None:
    kspace = slices()
    write_fastmri(path, kspace[:, :, 0], ismrmrd_xml(kspace.shape))
    assert "has 3 slices, numbered from 0 on" in failure(path, Selection(slices=(3,)))
    assert "select slices only" in failure(path, Selection(contrast=1))
    write_fastmri(path, kspace[:, :, 0].abs(), ismrmrd_xml(kspace.shape))
    assert "its kspace is float32 (3, 2, 24, 20)" in failure(path)
    write_fastmri(path, kspace[:, :, 0], "<ismrmrdHeader")
    assert "its XML header is damaged" in failure(path)
    write_fastmri(path, kspace[:, :, 0] * torch.inf, ismrmrd_xml(kspace.shape))
    assert "not finite" in failure(path)
    write_fastmri(path, kspace[:, :, 0], ismrmrd_xml(kspace.shape), torch.ones(7, dtype=torch.bool))
    assert "cannot be read as fastMRI" in failure(path)


def test_without_a_header_it_is_a_plain_array(path: Path) -> None:
    kspace = slices()
    write_fastmri(path, kspace[:, :, 0], None)
    assert 'name its axes in that order, as in axes="coil,freq,phase"' in failure(path)
    close(read_raw(path, Selection(axes="scan,coil,freq,phase")).kspace, kspace)


def test_what_is_declared_but_not_stored_is_told(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", (10**4, 10, 640, 320), "c8", chunks=(1, 1, 640, 320))
        file["ismrmrd_header"] = ismrmrd_xml((1, 640, 320)).encode()
    assert "its header asks for" in failure(path)
