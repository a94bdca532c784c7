import dataclasses
import hashlib
from datetime import datetime

import numpy as np
import pydicom
import pytest

from lucidmr.dicom.derived import derived_folder_name, write_derived
from lucidmr.dicom.series import read_series
from lucidmr.dicom.storage import PixelFormat
from lucidmr.errors import LucidError


def source_of(path):
    found = read_series(path)
    assert len(found.series) == 1, found
    return found.series[0]


def read_back(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def grown(image, factor=(2, 2)):
    return np.kron(image, np.ones(factor, np.float32))


def test_identical_images_keep_every_stored_value_and_the_identity_changes(make, tmp_path, provenance):
    originals = [pydicom.dcmread(path) for path in make()]
    series = source_of(tmp_path / "in")
    files = write_derived(series, series.images(), tmp_path / "out", provenance)
    assert [path.name for path in files] == [f"IM_000{n}.dcm" for n in (1, 2, 3, 4)]
    for original, derived in zip(originals, read_back(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(derived.pixel_array, original.pixel_array)
        assert derived.SOPInstanceUID == derived.file_meta.MediaStorageSOPInstanceUID != original.SOPInstanceUID
        assert derived.SeriesInstanceUID != original.SeriesInstanceUID
        for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "AcquisitionDate", "InstanceNumber",
                     "AcquisitionMatrix", "BitsStored", "PixelRepresentation", "ImagePositionPatient",
                     "PixelSpacing", "Manufacturer", "SpecificCharacterSet", "WindowWidth"):  # fmt: skip
            assert derived[name].value == original[name].value, name


def test_provenance_is_in_the_header(make, tmp_path, provenance):
    make(image_type=("ORIGINAL", "PRIMARY", "M", "NORM"))
    series = source_of(tmp_path / "in")
    when = datetime(2027, 5, 6, 7, 8, 9)
    write_derived(series, series.images(), tmp_path / "out", dataclasses.replace(provenance, created=when))
    header = read_back(tmp_path / "out")[2]
    assert list(header.ImageType) == ["DERIVED", "SECONDARY", "M", "NORM"]
    assert header.SeriesNumber == 1001
    assert header.SeriesDescription == "T2 TSE tra Lucid MR"
    assert (header.SeriesDate, header.SeriesTime, header.ContentTime) == ("20270506", "070809", "070809")
    assert "weights 0123abcd" in header.DerivationDescription
    assert [code.CodeValue for code in header.DerivationCodeSequence] == ["DLRECON"]
    assert header.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99LUCIDMR"
    reference = header.SourceImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == series.header(2).SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    equipment = header.ContributingEquipmentSequence[-1]
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert equipment.ManufacturerModelName == "base"
    assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert header.preamble == b"\0" * 128


@pytest.mark.parametrize("factor", [(2, 2), (3, 1), (1, 4)])
def test_resampled_images_keep_their_corners(make, tmp_path, provenance, factor, new_errors):
    sources = make()
    series = source_of(tmp_path / "in")
    files = write_derived(series, (grown(image, factor) for image in series.images()), tmp_path / "out", provenance)
    for index, header in enumerate(read_back(tmp_path / "out")):
        position, spacing = np.array(header.ImagePositionPatient, float), np.array(header.PixelSpacing, float)
        row, column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        # The outer corner of the first pixel, and of the last, half a pixel beyond their centres.
        first = position - (row * spacing[1] + column * spacing[0]) / 2
        last = first + row * spacing[1] * header.Columns + column * spacing[0] * header.Rows
        expected = series.geometry(index).corners((series.rows, series.columns))
        np.testing.assert_allclose([first, last], expected[[0, 3]], atol=0.01)
        assert (header.Rows, header.Columns) == (24 * factor[0], 16 * factor[1])
        assert header.DerivationCodeSequence[0].CodeValue == "113085"
        assert all(len(str(entry)) <= 16 for entry in [*header.PixelSpacing, *header.ImagePositionPatient])
        assert new_errors(sources[index], files[index]) == []


def test_awkward_factors_fit_decimal_strings(make, tmp_path, provenance, edit):
    for file in make():
        edit(file, lambda dataset: setattr(dataset, "PixelSpacing", ["0.4296875", "0.4296875"]))
    series = source_of(tmp_path / "in")
    write_derived(series, [np.zeros((77, 91), np.float32)] * 4, tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[0]
    assert float(header.PixelSpacing[0]) * 77 == pytest.approx(0.4296875 * 24, abs=1e-9)
    assert all(len(entry.original_string) <= 16 for entry in header.PixelSpacing)


def test_a_rerun_makes_the_same_objects_and_other_settings_make_others(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    other = dataclasses.replace(provenance, settings="noise reduction 3")
    for name, how in (("a", provenance), ("b", provenance), ("c", other)):
        write_derived(series, series.images(), tmp_path / "out" / name, how)
    uids = [[header.SOPInstanceUID for header in read_back(tmp_path / "out" / name)] for name in "abc"]
    assert uids[0] == uids[1]
    assert not set(uids[0]) & set(uids[2])
    assert len(set(uids[0])) == 4
    assert all(pydicom.uid.UID(uid).is_valid for uid in uids[0])


def test_primary_on_request(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", dataclasses.replace(provenance, examination="PRIMARY"))
    assert list(read_back(tmp_path / "out")[0].ImageType)[:2] == ["DERIVED", "PRIMARY"]


def test_values_go_back_through_each_slice_rescale_and_are_clipped(make, tmp_path, provenance, edit):
    for file in make(images=[np.full((8, 8), 100.0)] * 3):

        def rescale(dataset):
            dataset.RescaleSlope, dataset.RescaleIntercept = str(dataset.InstanceNumber), "-10"

        edit(file, rescale)
    series = source_of(tmp_path / "in")
    ramp = np.linspace(-1e6, 1e6, 64, dtype=np.float32).reshape(8, 8)
    write_derived(series, [series.image(0), np.full((8, 8), 70.4, np.float32), ramp], tmp_path / "out", provenance)
    first, second, third = read_back(tmp_path / "out")
    assert (first.pixel_array == 100).all()
    assert (second.pixel_array == round((70.4 + 10) / 2)).all()
    assert (third.pixel_array.min(), third.pixel_array.max()) == (0, 4095)
    assert (third.SmallestImagePixelValue, third.LargestImagePixelValue) == (0, 4095)


def test_every_slice_keeps_its_own_scale_of_the_real_world(make, tmp_path, provenance, edit):
    """Philips scales every slice by itself, and says so in three places."""
    for number, file in enumerate(make(), start=1):

        def scale(dataset, number=number):
            dataset.RescaleSlope, dataset.RescaleIntercept = str(number), "0"
            mapping = pydicom.Dataset()
            mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5 * number, 0.0
            dataset.RealWorldValueMappingSequence = pydicom.Sequence([mapping])
            block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
            block.add_new(0x0E, "FL", 1.0 / number)
            copy = pydicom.Dataset()
            copy.PixelSpacing, copy.NumberOfAverages = ["1", "1"], "2"
            block = dataset.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
            block.add_new(0x0F, "SQ", pydicom.Sequence([copy]))

        edit(file, scale)
    series = source_of(tmp_path / "in")
    files = write_derived(series, (0.5 * image for image in series.images()), tmp_path / "out", provenance)
    for source, path in zip(series.paths, files, strict=True):
        old, new = pydicom.dcmread(source), pydicom.dcmread(path)
        np.testing.assert_array_equal(new.pixel_array, np.rint(0.5 * old.pixel_array))
        assert new.RescaleSlope == old.RescaleSlope
        assert new.RealWorldValueMappingSequence == old.RealWorldValueMappingSequence
        assert new[0x2005, 0x100E].value == old[0x2005, 0x100E].value
        # Readers would take the pixel spacing from the private copy, where nobody keeps it right.
        assert list(new[0x2005, 0x110F].value[0].keys()) == [0x00180083]


@pytest.mark.parametrize("layout", [PixelFormat(16, 16, True), PixelFormat(8, 8, False), PixelFormat(16, 12, True)])
def test_pixel_formats_round_trip(make, tmp_path, provenance, layout):
    low, high = layout.range
    images = [np.linspace(low // 8, high, 15).round().reshape(3, 5)]
    make(images=images, format=layout)
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[0]
    np.testing.assert_array_equal(header.pixel_array, images[0])
    assert (header.BitsAllocated, header.BitsStored) == (layout.allocated, layout.stored)
    assert (header["SmallestImagePixelValue"].VR == "SS") is layout.signed
    assert len(header.PixelData) % 2 == 0


def test_a_constant_image(make, tmp_path, provenance):
    make(images=[np.zeros((6, 6))])
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[0]
    assert not header.pixel_array.any()
    assert float(header.WindowWidth) >= 1


def test_stale_elements_go_and_private_ones_stay(make, tmp_path, provenance, edit):
    def dress(dataset):
        dataset.IconImageSequence = pydicom.Sequence([pydicom.Dataset()])
        dataset.VOILUTSequence = pydicom.Sequence([pydicom.Dataset()])
        dataset.add_new("LargestPixelValueInSeries", "US", 9)
        dataset.WindowWidth = "0"
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "10"
        dataset.PatientName = "Müller^Ägidius"
        block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x29, "OB", b"histogram!")
        block.add_new(0x39, "IS", "1000")
        dataset.private_block(0x0043, "SOME ARCHIVE", create=True).add_new(0x29, "LO", "whatever")
        for tag, kind, value in ((0x60000010, "US", 24), (0x60000011, "US", 16), (0x60003000, "OW", bytes(48))):
            dataset.add_new(tag, kind, value)

    for file in make():
        edit(file, dress)
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "same", provenance)
    write_derived(series, map(grown, series.images()), tmp_path / "grown", provenance)
    same, larger = read_back(tmp_path / "same")[0], read_back(tmp_path / "grown")[0]
    for header in (same, larger):
        for name in ("IconImageSequence", "VOILUTSequence", "LargestPixelValueInSeries"):
            assert name not in header
        assert (header.LossyImageCompression, header.LossyImageCompressionRatio) == ("01", 10)
        assert header.PatientName == "Müller^Ägidius"
        assert header[0x0043, 0x1039].value == 1000
        assert (0x0043, 0x1029) not in header
        assert header.private_creators(0x0043) == ["GEMS_PARM_01"]
        assert (0x0043, 0x1129) not in header
        assert header.WindowWidth >= 1
    assert (0x6000, 0x3000) in same
    assert (0x6000, 0x3000) not in larger


def test_padding_keeps_its_value(make, tmp_path, provenance, edit):
    image = np.full((8, 8), 50.0)
    image[:, :2] = -2000
    for file in make(images=[image], format=PixelFormat(16, 16, True)):
        edit(file, lambda dataset: dataset.add_new("PixelPaddingValue", "SS", -2000))
        edit(file, lambda dataset: dataset.pop("SmallestImagePixelValue"))
    series = source_of(tmp_path / "in")
    write_derived(series, [np.full((16, 24), 60.0, np.float32)], tmp_path / "out", provenance)
    pixels = read_back(tmp_path / "out")[0].pixel_array
    assert (pixels[:, :6] == -2000).all()
    assert (pixels[:, 6:] == 60).all()


def test_long_texts_are_cut(make, tmp_path, provenance):
    make(description="d" * 64)
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", dataclasses.replace(provenance, settings="µ" * 3000))
    header = read_back(tmp_path / "out")[0]
    assert len(header.SeriesDescription) == 64
    assert header.SeriesDescription.endswith(" Lucid MR")
    assert len(header.DerivationDescription) <= 1024


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_leave_nothing_behind(make, tmp_path, provenance, bad):
    make()
    series = source_of(tmp_path / "in")
    images = list(series.images())
    images[2][3, 3] = bad
    with pytest.raises(LucidError, match="image 3 holds values that are not finite"):
        write_derived(series, images, tmp_path / "out", provenance)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("count", [3, 5])
def test_a_wrong_number_of_images_leaves_nothing_behind(make, tmp_path, provenance, count):
    make()
    series = source_of(tmp_path / "in")
    with pytest.raises(ValueError, match="images"):
        write_derived(series, [series.image(0)] * count, tmp_path / "out", provenance)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_images_of_different_shapes_are_refused(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    with pytest.raises(ValueError, match="shape"):
        write_derived(series, [series.image(0), grown(series.image(1))], tmp_path / "out", provenance)


def test_the_source_is_not_touched(make, tmp_path, provenance):
    files = make()
    before = [hashlib.sha256(path.read_bytes()).digest() for path in files]
    series = source_of(tmp_path / "in")
    write_derived(series, map(grown, series.images()), tmp_path / "out", provenance)
    assert [hashlib.sha256(path.read_bytes()).digest() for path in files] == before
    assert sorted(path.name for path in (tmp_path / "in" / "a").iterdir()) == [path.name for path in files]


@pytest.mark.parametrize("where", ["in", "in/a", "in/a/out", "in/new", "."])
def test_output_in_or_over_the_source_is_refused(make, tmp_path, provenance, where):
    make()
    series = source_of(tmp_path / "in")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LucidError, match=r"source.*choose"):
        write_derived(series, series.images(), tmp_path / where, provenance, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_existing_output_is_kept_unless_overwriting_is_allowed(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    with pytest.raises(LucidError, match="already exists"):
        write_derived(series, map(grown, series.images()), tmp_path / "out", provenance)
    assert read_back(tmp_path / "out")[0].Rows == 24
    write_derived(series, map(grown, series.images()), tmp_path / "out", provenance, overwrite=True)
    assert read_back(tmp_path / "out")[0].Rows == 48
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("name", ["thesis.tex", "IM_0001.dcm"])
def test_overwriting_never_deletes_files_of_others(make, tmp_path, provenance, name):
    make()
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    (tmp_path / "out" / name).write_text("precious")
    with pytest.raises(LucidError, match="files that Lucid MR did not write"):
        write_derived(series, series.images(), tmp_path / "out", provenance, overwrite=True)
    assert (tmp_path / "out" / name).read_text() == "precious"


def test_overwriting_never_deletes_another_scanners_files(make, tmp_path, provenance, edit):
    make()
    for file in make("other"):
        edit(file, lambda dataset: setattr(dataset.file_meta, "ImplementationVersionName", "SCANNER"))
    (tmp_path / "in" / "other").rename(tmp_path / "other")
    series = source_of(tmp_path / "in")
    with pytest.raises(LucidError, match="files that Lucid MR did not write"):
        write_derived(series, series.images(), tmp_path / "other", provenance, overwrite=True)
    assert len(source_of(tmp_path / "other")) == 4


def test_an_interrupted_source_of_images_leaves_nothing_behind(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")

    def images():
        yield series.image(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_derived(series, images(), tmp_path / "out", provenance)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_unwritable_output_is_one_clear_line(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    (tmp_path / "file").touch()
    with pytest.raises(LucidError, match=r"out: cannot be written \(Not a directory\)") as caught:
        write_derived(series, series.images(), tmp_path / "file" / "out", provenance)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("syntax", [pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRBigEndian])
def test_other_encodings_become_explicit_little_endian(make, tmp_path, provenance, syntax, phantom):
    for file in make():
        dataset = pydicom.dcmread(file)
        pixels = dataset.pixel_array
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.add_new(0x00091001, "OW", b"\x01\x02\x03\x04")
        if not syntax.is_little_endian:
            dataset.PixelData = pixels.astype(">u2").tobytes()
        dataset.add_new(0x00090010, "LO", "GEMS_IDEN_01")
        arguments = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        pydicom.dcmwrite(file, dataset, enforce_file_format=True, **arguments)
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[1]
    np.testing.assert_array_equal(header.pixel_array, phantom[1])
    if not syntax.is_little_endian:
        # The words of the source, in the other byte order.
        assert header[0x0009, 0x1001].value == b"\x02\x01\x04\x03"


def test_a_compressed_source_is_written_uncompressed(make, tmp_path, provenance, phantom):
    for file in make():
        dataset = pydicom.dcmread(file)
        dataset.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
        dataset.save_as(file)
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[3]
    assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    np.testing.assert_array_equal(header.pixel_array, phantom[3])
    assert "LossyImageCompression" not in header


def test_own_output_is_recognised(make, tmp_path, provenance):
    make()
    series = source_of(tmp_path / "in")
    write_derived(series, series.images(), tmp_path / "out", provenance)
    assert {refusal.reason for refusal in read_series(tmp_path / "out").refused} == {"already processed by Lucid MR"}


def test_parts_of_one_series_go_to_folders_of_their_own_and_stay_one_series(make, tmp_path, provenance, edit):
    make("small", images=[np.ones((8, 8))])
    for file in make("large", images=[np.ones((16, 16))]):

        def rename(dataset):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"

        edit(file, rename)
    parts = read_series(tmp_path / "in").series
    names = [derived_folder_name(part, provenance) for part in parts]
    assert len(set(names)) == 2
    assert all(name.startswith("1001_T2_TSE_tra_") for name in names)
    for part, name in zip(parts, names, strict=True):
        write_derived(part, part.images(), tmp_path / "out" / name, provenance)
    headers = [header for name in names for header in read_back(tmp_path / "out" / name)]
    assert len({header.SeriesInstanceUID for header in headers}) == 1
    assert len({header.SOPInstanceUID for header in headers}) == 2


def test_functional_groups_in_a_single_frame_file_change_nothing(make, tmp_path, provenance, edit):
    for file in make():
        edit(file, lambda dataset: setattr(dataset, "PerFrameFunctionalGroupsSequence", [pydicom.Dataset()]))
    series = source_of(tmp_path / "in")
    write_derived(series, map(grown, series.images()), tmp_path / "out", provenance)
    header = read_back(tmp_path / "out")[0]
    assert list(header.PixelSpacing) == [0.5, 0.5]
    assert list(header.ImagePositionPatient) == [-0.25, -0.25, 0]
