"""Single-frame files from a multi-frame source."""

import numpy as np
import pydicom
import pytest

from lucidmr.dicom.derived import Form, write_derived
from lucidmr.dicom.header import acquisition, facts
from lucidmr.dicom.kinds import CLASSIC
from lucidmr.dicom.series import read_series
from lucidmr.dicom.storage import PixelFormat
from lucidmr.errors import LucidError


def source_of(path):
    (series,) = read_series(path).series
    return series


@pytest.fixture
def split(enhanced, phantom, tmp_path, provenance):
    """A multi-frame source of two echoes and the single-frame files of twice the matrix made from it."""
    source = source_of(enhanced(phantom, echoes=(10.0, 20.0), slopes=[1, 2] * 4))
    grown = [image.repeat(2, 0).repeat(2, 1) for image in source.images()]
    files = write_derived(source, grown, tmp_path / "out", provenance, form=Form(classic=True))
    return source, grown, files


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_frame_becomes_a_file_of_the_same_place_and_values(split):
    source, grown, files = split
    assert len(files) == len(source) == 8
    uids = set()
    for number, path in enumerate(files):
        written = pydicom.dcmread(path)
        uids.add(written.SOPInstanceUID)
        assert written.SOPClassUID == written.file_meta.MediaStorageSOPClassUID == CLASSIC
        slope = float(written.get("RescaleSlope", 1))
        np.testing.assert_array_equal(written.pixel_array * slope, grown[number])
        wanted = source.geometry(number).resampled((24, 16), (48, 32))
        assert tuple(map(float, written.ImagePositionPatient)) == pytest.approx(wanted.position, abs=1e-4)
        assert tuple(map(float, written.PixelSpacing)) == pytest.approx(wanted.spacing)
        assert (written.EchoTime, written.InstanceNumber) == (10 if number < 4 else 20, number + 1)
        assert (written.SliceThickness, written.SpacingBetweenSlices) == (5, 5.5)
        reference = written.SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.header(0).SOPInstanceUID
        assert reference.ReferencedFrameNumber == number + 1
        assert not {"NumberOfFrames", "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence"} & set(written.dir())
    assert len(uids) == 8


def test_what_was_acquired_is_told_in_the_words_of_single_frames(split, edit):
    source, _, files = split
    written = pydicom.dcmread(files[0])
    assert (written.ImageType[:3], written.ScanOptions) == (["DERIVED", "SECONDARY", "M"], "PFP")
    assert written.InPlanePhaseEncodingDirection == "COL"
    assert list(written.AcquisitionMatrix) == [16, 0, 0, 12]
    edit(files[0], lambda dataset: dataset.__delitem__("CodingSchemeIdentificationSequence"))
    before, after = acquisition(facts(source)), acquisition(facts(source_of(files[0])))
    assert (before.matrix, before.acceleration_phase) == (after.matrix, after.acceleration_phase)


def test_single_frames_are_valid_where_their_source_is(split, new_errors):
    source, _, files = split
    assert new_errors(source.paths[0], files[-1]) == []


def test_single_frames_are_objects_of_their_own(split, enhanced, phantom, tmp_path, provenance):
    source, grown, files = split
    (whole,) = write_derived(source, grown, tmp_path / "whole", provenance)
    again = write_derived(source, grown, tmp_path / "again", provenance, form=Form(classic=True))
    names = ("SeriesInstanceUID", "SOPInstanceUID", "StudyInstanceUID")
    one, two, other = ([pydicom.dcmread(path)[name].value for name in names] for path in (files[3], again[3], whole))
    assert one == two
    assert one[:2] != other[:2]
    assert one[2] == other[2]


def test_private_attributes_of_a_frame_move_to_the_top(enhanced, phantom, tmp_path, provenance, edit):
    def privately(dataset):
        dataset.private_block(0x2005, "GEMS_TOP", create=True).add_new(0x01, "LO", "at the top")
        for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            group.private_block(0x2005, "GEMS_FRAME", create=True).add_new(0x01, "LO", f"of frame {number}")

    path = enhanced(phantom)
    edit(path, privately)
    source = source_of(path)
    files = write_derived(source, source.images(), tmp_path / "out", provenance, form=Form(classic=True))
    written = pydicom.dcmread(files[2])
    assert written.private_block(0x2005, "GEMS_TOP")[0x01].value == "at the top"
    assert written.private_block(0x2005, "GEMS_FRAME")[0x01].value == "of frame 2"


@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_compression_loses_nothing(enhanced, phantom, tmp_path, provenance, classic):
    source = source_of(enhanced(phantom))
    form = Form(classic=classic, compressed=True)
    grown = [image.repeat(2, 0).repeat(4, 1) for image in source.images()]
    files = write_derived(source, grown, tmp_path / "out", provenance, form=form)
    read = [pydicom.dcmread(path) for path in files]
    assert {found.file_meta.TransferSyntaxUID for found in read} == {pydicom.uid.JPEG2000Lossless}
    pixels = np.stack([found.pixel_array for found in read]).reshape(4, 48, 64)
    np.testing.assert_array_equal(pixels, np.stack(grown))
    assert read[0].get("LossyImageCompression", "00") == "00"


def test_compressed_signed_values(make, tmp_path, provenance):
    image = np.random.default_rng(0).integers(-100, 2000, (40, 36)).astype(np.float32)
    paths = make(images=[image], format=PixelFormat(16, 12, True))
    source = source_of(paths[0].parent)
    files = write_derived(source, source.images(), tmp_path / "out", provenance, form=Form(compressed=True))
    for path, derived in zip(paths, files, strict=True):
        np.testing.assert_array_equal(pydicom.dcmread(derived).pixel_array, pydicom.dcmread(path).pixel_array)


def test_an_image_too_small_to_compress_is_one_clear_line(make, tmp_path, provenance):
    source = source_of(make()[0])
    with pytest.raises(LucidError, match="too small for JPEG 2000") as raised:
        write_derived(source, source.images(), tmp_path / "out", provenance, form=Form(compressed=True))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
