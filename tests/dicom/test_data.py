"""Everything in the development data is read without a crash, and written again without harm."""

import hashlib

import numpy as np
import pydicom
import pytest

from lucidmr.dicom.derived import derived_folder_name, write_derived
from lucidmr.dicom.header import acquisition, facts
from lucidmr.dicom.pixels import stored_values
from lucidmr.dicom.series import read_series

pytestmark = pytest.mark.data


def folders(data):
    return sorted([*data.glob("*/dicom/*"), *data.glob("headers/*")])


def digests(paths):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in paths}


def corners(header):
    """Outer corners of the first and the last frame's pixels, straight from the header."""
    found = []
    enhanced = header.SOPClassUID == pydicom.uid.EnhancedMRImageStorage
    groups = header.PerFrameFunctionalGroupsSequence if enhanced else [header]
    for group in (groups[0], groups[-1]):

        def macro(name, group=group):
            if group is header:
                return header
            return (group if name in group else header.SharedFunctionalGroupsSequence[0])[name].value[0]

        spacing = np.array(macro("PixelMeasuresSequence").PixelSpacing, float)
        row, column = np.array(macro("PlaneOrientationSequence").ImageOrientationPatient, float).reshape(2, 3)
        first = np.array(macro("PlanePositionSequence").ImagePositionPatient, float)
        first = first - (row * spacing[1] + column * spacing[0]) / 2
        found += [first, first + row * spacing[1] * header.Columns + column * spacing[0] * header.Rows]
    return np.stack(found)


@pytest.mark.parametrize("kind", ["train", "evaluate"])
def test_every_magnitude_series_is_processable(data, kind):
    for folder in folders(data):
        if folder.parts[-3] == kind:
            found = read_series(folder)
            assert found.series, (folder, found.refused)
            assert {refusal.reason for refusal in found.refused} <= {"signed values: a field map or phase image"}


def test_table_of_series(data, capsys):
    lines = []
    for folder in folders(data):
        found = read_series(folder)
        lines += [f"{folder.name}: {series!r} {acquisition(facts(series))}" for series in found.series]
        lines += [f"{folder.name}: refused: {refusal.label}: {refusal.reason}" for refusal in found.refused]
        assert all(refusal.reason and "\n" not in refusal.reason for refusal in found.refused)
        assert found.series or found.refused
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # the vendors' odd values, read here by plain pydicom
def test_derived_series_keep_place_and_validity(data, tmp_path, provenance, new_errors):
    for folder in folders(data):
        for series in read_series(folder).series:
            before = digests(series.paths)
            out = tmp_path / folder.name / derived_folder_name(series, provenance)
            grown = (image.repeat(2, axis=0).repeat(2, axis=1) for image in series.images())
            files = write_derived(series, grown, out, provenance)
            assert digests(series.paths) == before
            assert len(files) == len(series.paths)
            # Files are written in the order of their first images.
            order = list(dict.fromkeys(frame.file for frame in series.frames))
            for place in {0, len(files) - 1}:
                source, derived = series.paths[order[place]], files[place]
                old, new = pydicom.dcmread(source), pydicom.dcmread(derived)
                assert np.abs(corners(new) - corners(old)).max() < 0.01
                expected = old.pixel_array.repeat(2, axis=-2).repeat(2, axis=-1)
                np.testing.assert_array_equal(new.pixel_array, expected)
                assert new_errors(source, derived) == []


def test_nine_transfer_syntaxes_of_one_image_decode_alike(data):
    paths = sorted(path for path in (data / "headers" / "dcm_qa_ts" / "In").iterdir() if path.suffix == ".dcm")
    images = [stored_values(path, 0) for path in paths]
    syntaxes = {pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID for path in paths}
    assert len(syntaxes) >= 6
    assert images[0].std() > 0
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])
