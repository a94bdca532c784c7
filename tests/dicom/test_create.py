import numpy as np
import pydicom
import pytest

from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.storage import PixelFormat
from lucidmr.errors import LucidError


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"three_dimensional": True, "partial_fourier": True, "phase_axis": "col", "matrix": (16, 12)},
        {"format": PixelFormat(16, 16, True), "slope": 0.5, "acceleration": 2.0},
    ],
)
def test_created_series_are_valid(make, fields, new_errors, tmp_path):
    nothing = tmp_path / "nothing"
    nothing.touch()
    for file in make(**fields):
        assert new_errors(nothing, file) == []


def test_values_go_through_the_rescale(make):
    file = make(images=[np.array([[1.0, 2.0], [3.5, 4.0]])], slope=0.5, intercept=-1.0)[0]
    header = pydicom.dcmread(file)
    assert header.pixel_array.tolist() == [[4, 6], [9, 10]]
    assert (header.RescaleSlope, header.RescaleIntercept) == (0.5, -1)


def test_the_same_identity_makes_the_same_study(tmp_path):
    first, second, other = (
        pydicom.dcmread(create_series([np.ones((4, 4))], tmp_path / str(number), Protocol(identity, number=number))[0])
        for number, identity in enumerate(("a", "a", "b"))
    )
    assert first.StudyInstanceUID == second.StudyInstanceUID != other.StudyInstanceUID
    assert len({header.SeriesInstanceUID for header in (first, second, other)}) == 3


def test_existing_folders_are_kept(make):
    make()
    with pytest.raises(LucidError, match="already exists"):
        make()
