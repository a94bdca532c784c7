import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.series import read_series
from lucidmr.dicom.storage import PixelFormat
from lucidmr.errors import LucidError

CORONAL = Geometry((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (1.0, 1.0))


def only(collection):
    assert len(collection.series) == 1, collection
    return collection.series[0]


def reasons(path):
    return [refusal.reason for refusal in read_series(path).refused]


def bundled(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about the names of its own test files
        found = get_testdata_file(name, download=False)
    assert found, f"{name} is not among pydicom's files"
    return Path(found)


def test_images_come_back_in_order_of_position(make, phantom, tmp_path):
    files = make()
    # Names and numbers say nothing about the position.
    for name, file in zip(("d", "b", "a", "c"), files, strict=True):
        file.rename(file.with_name(name + ".dcm"))
    series = only(read_series(tmp_path / "in"))
    assert (len(series), series.rows, series.columns) == (4, 24, 16)
    for index, image in enumerate(phantom):
        assert series.image(index).dtype == np.float32
        np.testing.assert_array_equal(series.image(index), image)
    assert [series.geometry(index).position[2] for index in range(4)] == pytest.approx([0, 5.5, 11, 16.5])


def test_one_file_and_an_iterator(make, phantom):
    series = only(read_series(str(make()[2])))
    np.testing.assert_array_equal(next(series.images()), phantom[2])
    assert series.description == "T2 TSE tra"
    assert series.number == 1


def test_reading_does_not_load_pixels(make, tmp_path, monkeypatch):
    make()
    monkeypatch.setattr("lucidmr.dicom.series.stored_values", lambda *_: pytest.fail("pixels were loaded"))
    assert len(only(read_series(tmp_path))) == 4
    assert all("PixelData" not in header for header in only(read_series(tmp_path)).headers)


def test_missing_path_is_one_clear_line(tmp_path):
    with pytest.raises(LucidError, match=r"nowhere: there is no such file or folder") as caught:
        read_series(tmp_path / "nowhere")
    assert "\n" not in str(caught.value)


def test_empty_folder_is_one_clear_line(tmp_path):
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(LucidError, match="empty: the folder holds no files"):
        read_series(tmp_path / "empty")


def test_other_files_are_counted_not_read(make, tmp_path):
    make()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "empty").touch()
    (tmp_path / "in" / "noise.bin").write_bytes(bytes(range(256)) * 4)
    found = read_series(tmp_path)
    assert len(only(found)) == 4
    assert [(refusal.label, refusal.reason) for refusal in found.refused] == [("3 files", "not a DICOM file")]


def test_a_broken_header_is_refused(make, tmp_path):
    file = make(images=[np.ones((4, 4), np.float32)])[0]
    whole = file.read_bytes()
    for cut in range(132, len(whole) - 40, 97):
        file.write_bytes(whole[:cut])
        found = read_series(file)
        assert not found.series
        assert found.refused[0].reason


def test_truncated_pixels_name_the_file_and_the_bytes(make, tmp_path):
    file = make()[1]
    file.write_bytes(file.read_bytes()[:-100])
    found = read_series(tmp_path)
    assert len(only(found)) == 3
    assert found.refused[0].reason == f"truncated pixel data in {file.name}: expected 768 bytes, got 668"
    assert any("missing slice" in line for line in found.warnings)


def test_missing_pixels_are_refused(make, edit):
    file = make()[0]
    edit(file, lambda dataset: dataset.pop("PixelData"))
    assert reasons(file) == [f"no pixel data in {file.name}"]


def test_truncated_compressed_pixels(make):
    file = make()[0]
    dataset = pydicom.dcmread(file)
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    dataset.save_as(file)
    whole = file.read_bytes()
    assert only(read_series(file)).rows == 24
    file.write_bytes(whole[:-20])
    assert reasons(file) == [f"truncated compressed pixel data in {file.name}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CT_small.dcm", "CT Image Storage, not MR"),
        ("SC_rgb_rle.dcm", "colour secondary capture"),
        ("rtplan.dcm", "RT Plan Storage, not MR"),
        ("rtdose.dcm", "RT Dose Storage, not MR"),
        ("test-SR.dcm", "Comprehensive SR Storage, not MR"),
        ("MR_truncated.dcm", "truncated pixel data in MR_truncated.dcm: expected 8192 bytes, got 8130"),
    ],
)
def test_bundled_files_that_are_refused(name, reason):
    assert reasons(bundled(name)) == [reason]


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE", "MR_small_bigendian", "MR_small_expb", "MR_small_implicit", "MR_small_jp2klossless",
     "MR_small_jpeg_ls_lossless", "MR_small_padded"],
)  # fmt: skip
def test_every_transfer_syntax_gives_the_same_image(name):
    expected = only(read_series(bundled("MR_small.dcm"))).image(0)
    assert expected.std() > 100
    np.testing.assert_array_equal(only(read_series(bundled(name + ".dcm"))).image(0), expected)


def test_a_file_without_preamble_and_meta_information(make, phantom):
    file = make()[0]
    dataset = pydicom.dcmread(file)
    del dataset.file_meta, dataset.preamble
    dataset.save_as(file, implicit_vr=False, little_endian=True)
    assert file.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(only(read_series(file)).image(0), phantom[0])


def test_signed_values_and_per_slice_rescale(make, edit, tmp_path):
    images = [np.full((8, 8), value, np.float32) for value in (-30, 100, 1000)]
    files = make(images=images, format=PixelFormat(16, 16, True))

    def rescale(dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = str(dataset.InstanceNumber * 2), "-5"

    for file in files:
        edit(file, rescale)
        edit(file, lambda dataset: dataset.pop("SmallestImagePixelValue"))
    series = only(read_series(tmp_path))
    assert [float(series.image(index)[0, 0]) for index in range(3)] == [-65.0, 395.0, 5995.0]


def test_a_slope_of_zero_does_not_erase_the_image(make, edit, phantom):
    file = make()[0]
    edit(file, lambda dataset: setattr(dataset, "RescaleSlope", "0"))
    np.testing.assert_array_equal(only(read_series(file)).image(0), phantom[0])


def test_eight_bits_and_a_constant_image(make, tmp_path):
    make(images=[np.full((7, 9), 200.0, np.float32)], format=PixelFormat(8, 8, False))
    np.testing.assert_array_equal(only(read_series(tmp_path)).image(0), np.full((7, 9), 200, np.float32))


def test_missing_slice_is_reported(make, tmp_path):
    make(images=[np.ones((8, 8), np.float32)] * 7)[3].unlink()
    found = read_series(tmp_path)
    assert len(only(found)) == 6
    assert found.warnings == ("series 1 (T2 TSE tra): 1 missing slice: a gap between slices 5.50 mm apart",)


def test_the_same_instance_twice_is_used_once(make, tmp_path):
    file = make()[1]
    shutil.copy(file, file.with_name("copy.dcm"))
    found = read_series(tmp_path)
    assert len(only(found)) == 4
    assert any("repeats a SOP Instance UID" in line for line in found.warnings)


def test_one_uid_for_two_images_is_refused(make, edit, tmp_path):
    files = make()
    uid = pydicom.dcmread(files[0]).SOPInstanceUID
    edit(files[2], lambda dataset: setattr(dataset, "SOPInstanceUID", uid))
    found = read_series(tmp_path)
    assert len(only(found)) == 3
    (refusal,) = found.refused
    assert refusal.damaged
    assert refusal.reason == f"another image, {files[0].name}, has the same SOP Instance UID; export the series again"


def test_two_images_at_one_position_are_both_kept_and_reported(make, edit, tmp_path):
    file = make()[1]
    copy = Path(shutil.copy(file, file.with_name("copy.dcm")))

    def rename(dataset):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        dataset.InstanceNumber = 9

    edit(copy, rename)
    found = read_series(tmp_path)
    assert sorted(map(len, only(found).stacks)) == [1, 4]
    assert any("1 duplicate slice: two images at the same position" in line for line in found.warnings)


def test_echoes_and_time_points_become_stacks(make, edit, tmp_path, phantom):
    make("one", echo_time=10.0)
    make("two", echo_time=30.0, images=phantom[::-1])
    series = only(read_series(tmp_path))
    assert series.stacks == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert [series.header(index).EchoTime for index in (0, 3, 4, 7)] == [10, 10, 30, 30]
    np.testing.assert_array_equal(series.image(4), phantom[3])


def test_repeats_without_any_tag_follow_the_instance_numbers(make, edit, tmp_path):
    for repeat in range(3):
        for file in make(f"r{repeat}", images=[np.full((8, 8), 10.0 * repeat + place) for place in range(4)]):

            def renumber(dataset, repeat=repeat):
                dataset.InstanceNumber += 4 * repeat
                dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.{dataset.InstanceNumber}"

            edit(file, renumber)
    found = read_series(tmp_path)
    series = only(found)
    values = [[int(series.image(index)[0, 0]) for index in stack] for stack in series.stacks]
    assert values == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
    assert found.warnings == ()


def test_mixed_matrix_sizes_become_two_series(make, edit, tmp_path):
    make("small", images=[np.ones((8, 8), np.float32)] * 2)
    for file in make("large", images=[np.ones((16, 16), np.float32)] * 2):

        def rename(dataset):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{dataset.InstanceNumber}"

        edit(file, rename)
    found = read_series(tmp_path)
    assert sorted(series.rows for series in found.series) == [8, 16]
    assert len({series.uid for series in found.series}) == 1
    assert any("each is processed by itself" in line for line in found.warnings)


def orientations(make, edit, **fields):
    make("axial", images=[np.ones((8, 8), np.float32)] * 3, **fields)
    for file in make("coronal", images=[np.ones((8, 8), np.float32)] * 3, plane=CORONAL, **fields):

        def rename(dataset):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{dataset.InstanceNumber}"

        edit(file, rename)


def test_localizers_with_several_orientations_are_refused(make, edit, tmp_path):
    orientations(make, edit, description="3-plane localizer")
    found = read_series(tmp_path)
    assert not found.series
    assert [(len(refusal.paths), refusal.reason) for refusal in found.refused] == [(6, "localizer with 2 orientations")]


def test_other_series_with_several_orientations_become_stacks(make, edit, tmp_path):
    orientations(make, edit, description="long axis")
    assert list(map(len, only(read_series(tmp_path)).stacks)) == [3, 3]


def test_a_localizer_of_one_orientation_is_processed(make, tmp_path):
    make(description="localizer", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    assert len(only(read_series(tmp_path))) == 4


def test_images_without_a_position_keep_the_order_of_their_numbers(make, edit, tmp_path, phantom):
    for file in make():
        edit(file, lambda dataset: dataset.pop("ImagePositionPatient"))
    found = read_series(tmp_path)
    assert "4 images have no position" in found.warnings[0]
    np.testing.assert_array_equal(only(found).image(2), phantom[2])


def test_dicomdir_lists_the_files(make, tmp_path, phantom):
    files = make("DISC")
    directory = Dataset()
    records = [Dataset() for _ in files]
    for record, file in zip(records, files, strict=True):
        with pydicom.config.disable_value_validation():  # a file ID of a real DICOMDIR has no extension
            record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["DISC", file.name]
    directory.DirectoryRecordSequence = Sequence([Dataset(), *records])
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    with pydicom.config.disable_value_validation():  # a file ID of a real DICOMDIR has no extension
        pydicom.dcmwrite(tmp_path / "in" / "DICOMDIR", directory, enforce_file_format=True)
    (tmp_path / "in" / "unlisted.txt").write_text("hello")
    found = read_series(tmp_path / "in" / "DICOMDIR")
    np.testing.assert_array_equal(only(found).image(3), phantom[3])
    assert found.refused == ()
    assert len(only(read_series(tmp_path / "in"))) == 4
    files[0].unlink()
    found = read_series(tmp_path / "in" / "DICOMDIR")
    assert [(refusal.label, refusal.reason) for refusal in found.refused] == [("IM_0001.dcm", "the file is missing")]


def test_a_real_dicomdir():
    found = read_series(bundled("DICOMDIR"))
    assert sum(map(len, found.series)) > 0
    assert {"CT Image Storage, not MR"} <= {refusal.reason for refusal in found.refused}


def test_undecodable_pixels_name_the_file(make):
    file = make()[0]
    dataset = pydicom.dcmread(file)
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff" * 200])
    dataset.save_as(file)
    series = only(read_series(file))
    with pytest.raises(LucidError, match=rf"{file.name}: the pixel data cannot be decoded") as caught:
        series.image(0)
    assert "\n" not in str(caught.value)


def test_a_file_that_went_away_is_named(make):
    file = make()[0]
    series = only(read_series(file))
    file.unlink()
    with pytest.raises(LucidError, match=r"IM_0001.dcm: cannot be read"):
        series.image(0)


def test_a_rewritten_file_is_read_again(make, edit):
    file = make()[0]
    series = only(read_series(file))
    before = series.image(0)
    edit(file, lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData))))
    assert before.any()
    assert not series.image(0).any()


def test_warnings_about_lossy_and_processed_sources(make, edit, tmp_path):
    for file in make(image_type=("DERIVED", "PRIMARY", "M", "DRB")):
        edit(file, lambda dataset: setattr(dataset, "LossyImageCompression", "01"))
    lines = " | ".join(read_series(tmp_path).warnings)
    assert "compressed with loss" in lines
    assert "DERIVED" in lines
