"""Series of every kind, synthetic where no scanner's sample is at hand, written back and read again.

Read again, a derived series must be its source on a finer grid: the same images in the same stacks at the same places,
with all that tells one image from another.
"""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lucidmr.dicom.create import Protocol, image_header
from lucidmr.dicom.derived import Form, write_derived
from lucidmr.dicom.diffusion import diffusion
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.kinds import OWN_SCHEME
from lucidmr.dicom.series import read_series
from lucidmr.dicom.storage import PixelFormat, put_pixels
from lucidmr.dicom.values import quiet

MATRIX = (24, 16)
OBLIQUE = Geometry((-20.0, 30.0, 10.0), (0.8, 0.6, 0.0), (0.0, 0.0, -1.0), (2.0, 1.5))
STEP = 5.5
WHOLE = Form()
KEPT = ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientPosition", "InstanceNumber",
        "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime", "StudyDate", "TemporalPositionIdentifier",
        "TriggerTime", "EchoTime", "EchoNumbers", "InversionTime", "DiffusionBValue", "DiffusionGradientOrientation",
        "ImageOrientationPatient", "SliceLocation", "SliceThickness", "SpacingBetweenSlices", "RescaleSlope",
        "RescaleIntercept", "BurnedInAnnotation", "SpecificCharacterSet")  # fmt: skip


def nothing(header, number):
    pass


@pytest.fixture
def write(tmp_path):
    """Write ``count`` images of one series; ``place`` tells the slice of each, ``change`` edits its header."""

    def _write(count, change=nothing, place=lambda number: number, matrix=MATRIX, name="a", **fields):
        folder = tmp_path / "in" / name
        folder.mkdir(parents=True)
        for number in range(count):
            header = image_header(Protocol(plane=OBLIQUE, slice_spacing=STEP, **fields), place(number), matrix)
            uid = f"1.2.{sum(name.encode())}.{number + 1}"
            header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = uid
            header.InstanceNumber = number + 1
            image = np.random.default_rng(number).integers(0, 4000, (1, *matrix)).astype("<u2")
            put_pixels(header, image)
            with quiet(), pydicom.config.disable_value_validation():
                change(header, number)
                pydicom.dcmwrite(folder / f"{number:03d}.dcm", header, enforce_file_format=True)
        return folder

    return _write


@pytest.fixture
def written_back(tmp_path, provenance):
    """Write every series below a folder on twice the matrix, check what must hold for all kinds, return the files.

    The derived files, series after series, in the order of their images.
    """

    def _written_back(folder, form=WHOLE):
        found = []
        for series in read_series(folder).series:
            out = tmp_path / "out" / str(len(list(tmp_path.glob("out/*"))))
            for path in write_derived(series, map(finer, series.images()), out, provenance, form=form):
                unmark(path)
            (again,) = read_series(out).series
            assert_same_series(series, again)
            with quiet():
                found += map(pydicom.dcmread, dict.fromkeys(map(again.path, range(len(again)))))
        uids = [header.SOPInstanceUID for header in found]
        assert len(set(uids)) == len(uids)
        return found

    return _written_back


def finer(image):
    return image.repeat(2, 0).repeat(2, 1)


def unmark(path):
    """Derived files are passed over when read; without the mark they are series like any other."""
    with quiet():
        written = pydicom.dcmread(path)
        assert written.CodingSchemeIdentificationSequence[-1].CodingSchemeDesignator == OWN_SCHEME
        del written.CodingSchemeIdentificationSequence
        written.save_as(path)


def assert_same_series(old, new):
    assert new.stacks == old.stacks
    assert (new.rows, new.columns) == (2 * old.rows, 2 * old.columns)
    for index in range(len(old)):
        np.testing.assert_array_equal(new.image(index), finer(old.image(index)))
        before, after = old.geometry(index), new.geometry(index)
        assert (before is None) == (after is None)
        if before is not None:
            corners = after.corners((new.rows, new.columns)), before.corners((old.rows, old.columns))
            np.testing.assert_allclose(*corners, atol=0.01)
        if not old.enhanced:
            assert_same_image(old.header(index), new.header(index))


def assert_same_image(old, new):
    for name in KEPT:
        assert new.get(name) == old.get(name), name
    assert diffusion(new) == diffusion(old)
    assert new.SourceImageSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert new.SeriesInstanceUID != old.SeriesInstanceUID
    assert list(new.ImageType) == ["DERIVED", "SECONDARY", *old.ImageType[2:]]


def times_of(headers, name):
    return [float(header[name].value) for header in headers]


def test_multi_echo(write, written_back):
    def echo(header, number):
        header.EchoNumbers, header.EchoTime = number % 3 + 1, str(10 * (number % 3 + 1))

    headers = written_back(write(12, echo, place=lambda number: number // 3))
    assert times_of(headers, "EchoTime") == [10] * 4 + [20] * 4 + [30] * 4


@pytest.mark.parametrize("name", ["TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime"])
def test_time_points(write, written_back, name):
    def time(header, number):
        setattr(header, name, 1 + number % 3)

    assert (
        times_of(written_back(write(12, time, place=lambda number: number // 3)), name) == [1] * 4 + [2] * 4 + [3] * 4
    )


def siemens_weighting(header, b_value, direction):
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", str(b_value))
    if b_value:
        block.add_new(0x0E, "FD", direction)


def ge_weighting(header, b_value, direction):
    header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [1_000_000_000 + b_value, 8, 0, 0])
    block = header.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for element, value in zip((0xBB, 0xBC, 0xBD), direction, strict=True):
        block.add_new(element, "DS", str(value))


def philips_weighting(header, b_value, direction):
    header.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", float(b_value))
    block = header.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    for element, value in zip((0xB0, 0xB1, 0xB2), direction, strict=True):
        block.add_new(element, "FL", value)


def united_weighting(header, b_value, direction):
    block = header.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x09, "FD", float(b_value))
    block.add_new(0x37, "FD", direction)


def standard_weighting(header, b_value, direction):
    header.DiffusionBValue = float(b_value)
    if b_value:
        header.DiffusionGradientOrientation = direction


@pytest.mark.parametrize(
    "weigh", [siemens_weighting, ge_weighting, philips_weighting, united_weighting, standard_weighting]
)
def test_diffusion(write, written_back, weigh):
    weightings = [(0, [0.0, 0.0, 0.0]), (1000, [1.0, 0.0, 0.0]), (1000, [0.0, 0.6, 0.8])]
    folder = write(12, lambda header, number: weigh(header, *weightings[number % 3]), place=lambda number: number // 3)
    told = [diffusion(header) for header in written_back(folder)]
    assert told == [(b_value, *direction) for b_value, direction in weightings for _ in range(4)]


def by_type(header, component):
    header.ImageType = ["ORIGINAL", "PRIMARY", component, "ND"]


def by_word(header, component):
    words = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}
    header.ComplexImageComponent = words[component]


def by_number(header, component):
    header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", "MPRI".index(component))


@pytest.mark.parametrize("tell", [by_type, by_word, by_number])
def test_of_magnitude_phase_real_and_imaginary_images_the_magnitude_is_written(write, written_back, tell):
    folder = write(16, lambda header, number: tell(header, "MPRI"[number % 4]), place=lambda number: number // 4)
    assert [header.InstanceNumber for header in written_back(folder)] == [1, 5, 9, 13]
    reasons = {refusal.reason: len(refusal.paths) for refusal in read_series(folder).refused}
    assert reasons == {"phase image": 4, "real image": 4, "imaginary image": 4}


def move(header, by):
    header.ImagePositionPatient = [f"{a + b:.6f}" for a, b in zip(header.ImagePositionPatient, by, strict=True)]


def test_slices_that_are_not_stacked_along_their_normal(write, written_back):
    shift = 1.25 * np.asarray(OBLIQUE.column)
    headers = written_back(write(5, lambda header, number: move(header, number * shift)))
    steps = np.diff([np.array(header.ImagePositionPatient, float) for header in headers], axis=0)
    np.testing.assert_allclose(steps, np.tile(STEP * np.asarray(OBLIQUE.normal) + shift, (4, 1)), atol=1e-4)


def test_slices_numbered_against_their_order(write, written_back):
    headers = written_back(write(5, place=lambda number: 4 - number))
    assert [header.InstanceNumber for header in headers] == [5, 4, 3, 2, 1]
    assert np.all(np.diff(times_of(headers, "SliceLocation")) > 0)


def test_interleaved_slices(write, written_back):
    headers = written_back(write(6, place=[0, 2, 4, 1, 3, 5].__getitem__))
    assert [header.InstanceNumber for header in headers] == [1, 4, 2, 5, 3, 6]


def test_one_slice(write, written_back):
    (header,) = written_back(write(1))
    assert list(header.PixelSpacing) == [1.0, 0.75]


def test_slices_at_uneven_steps(write, written_back):
    places = [0, 1, 2, 4, 7]
    headers = written_back(write(5, place=places.__getitem__))
    along = [float(np.dot(np.array(header.ImagePositionPatient, float), OBLIQUE.normal)) for header in headers]
    np.testing.assert_allclose(np.diff(along), STEP * np.diff(places), atol=1e-4)


def test_several_orientations(write, written_back):
    def turn(header, number):
        if number >= 3:
            header.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]

    headers = written_back(write(6, turn, description="heart"))
    assert [header.ImageOrientationPatient[0] for header in headers] == [0.8] * 3 + [1.0] * 3


def test_no_positions(write, written_back):
    headers = written_back(write(4, lambda header, _: header.__delitem__("ImagePositionPatient")))
    assert [header.InstanceNumber for header in headers] == [1, 2, 3, 4]
    assert not any("ImagePositionPatient" in header for header in headers)


def test_no_plane_at_all(write, written_back):
    def strip(header, _):
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
            delattr(header, name)

    assert not any("PixelSpacing" in header for header in written_back(write(2, strip)))


def test_hidden_dates_and_burned_in_text(write, written_back):
    def hide(header, _):
        header.BurnedInAnnotation = "YES"
        for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "AcquisitionTime", "PatientBirthDate"):
            setattr(header, name, "***")

    folder = write(2, hide)
    assert any("burned" in line for line in read_series(folder).warnings)
    for header in written_back(folder):
        assert (header.BurnedInAnnotation, header.StudyDate, header.AcquisitionTime) == ("YES", "***", "***")
        assert header.SeriesDate != "***"


def test_one_image_twice_is_written_once(write, written_back):
    def repeat(header, number):
        if number == 4:
            header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = f"{header.SOPInstanceUID[:-1]}1"
            header.InstanceNumber = 1

    assert len(written_back(write(5, repeat, place=[0, 1, 2, 3, 0].__getitem__))) == 4


def test_two_images_under_one_uid_do_not_become_one(write, written_back):
    def same(header, number):
        if number == 3:
            header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = f"{header.SOPInstanceUID[:-1]}1"

    folder = write(4, same)
    assert [header.InstanceNumber for header in written_back(folder)] == [1, 2, 3]
    assert [refusal.damaged for refusal in read_series(folder).refused] == [True]


def test_two_series_under_one_uid(write, written_back, tmp_path):
    def same(header, _):
        header.SeriesInstanceUID = "1.2.3"

    write(3, same, name="one", number=1)
    write(3, same, name="two", number=2, description="other")
    assert any("one series UID" in line for line in read_series(tmp_path / "in").warnings)
    headers = written_back(tmp_path / "in")
    assert [header.SeriesNumber for header in headers] == [1001] * 3 + [1002] * 3
    assert len({header.SeriesInstanceUID for header in headers}) == 2


@pytest.mark.parametrize(
    ("syntax", "how", "method"),
    [
        (pydicom.uid.JPEG2000, {"j2k_cr": [8], "encoding_plugin": "pylibjpeg"}, "ISO_15444_1"),
        (pydicom.uid.JPEGLSNearLossless, {"jls_error": 3}, "ISO_14495_1"),
    ],
)
def test_a_source_compressed_with_loss_stays_marked(write, written_back, syntax, how, method):
    def compress(header, _):
        header.compress(syntax, generate_instance_uid=False, **how)

    for header in written_back(write(2, compress, matrix=(64, 48))):
        assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert (header.LossyImageCompression, header.LossyImageCompressionMethod) == ("01", method)


@pytest.mark.parametrize(("least", "expected"), [(0, 0), (-7, -7)])
def test_a_magnitude_image_does_not_become_negative(make, tmp_path, provenance, least, expected):
    image = np.full((24, 16), 100.0)
    image[0, 0] = least
    paths = make(images=[image], format=PixelFormat(16, 16, True))
    (series,) = read_series(paths[0]).series
    undershot = finer(series.image(0))
    undershot[30:, :] = -50
    (file,) = write_derived(series, [undershot], tmp_path / "out", provenance)
    written = pydicom.dcmread(file)
    assert (written.pixel_array.min(), written.SmallestImagePixelValue) == (expected, expected)


@pytest.fixture
def numaris_x(enhanced, phantom, edit):
    """A Siemens XA file of one volume without and one with diffusion weighting, with its private groups."""
    path = enhanced(phantom, echoes=(70.0, 70.0))

    def dress(dataset):
        dataset.Manufacturer, dataset.SoftwareVersions = "Siemens Healthineers", "syngo MR XA60"
        protocol = privately(0x0021, "SIEMENS MR SDS 01", 0x19, "OB", b"### ASCCONV BEGIN ###\n")
        nest(dataset.SharedFunctionalGroupsSequence[0], "SIEMENS MR SDS 01", protocol)
        for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            weighting = Dataset()
            weighting.DiffusionBValue = 1000.0 if number >= 4 else 0.0
            weighting.DiffusionDirectionality = "DIRECTIONAL" if number >= 4 else "NONE"
            if number >= 4:
                direction = Dataset()
                direction.DiffusionGradientOrientation = [0.0, 0.6, 0.8]
                weighting.DiffusionGradientDirectionSequence = Sequence([direction])
            group.MRDiffusionSequence = Sequence([weighting])
            told = privately(0x0021, "SIEMENS MR SDI 02", 0x58, "SH", f"64p*64 {number}")
            nest(group, "SIEMENS MR SDI 02", told)

    edit(path, dress)
    return path


def privately(group, creator, element, kind, value):
    found = Dataset()
    found.private_block(group, creator, create=True).add_new(element, kind, value)
    return found


def nest(group, creator, told):
    group.private_block(0x0021, creator, create=True).add_new(0xFE, "SQ", Sequence([told]))


def test_diffusion_in_a_multi_frame_file_with_private_groups(numaris_x, written_back):
    (header,) = written_back(numaris_x)
    shared = header.SharedFunctionalGroupsSequence[0].private_block(0x0021, "SIEMENS MR SDS 01")[0xFE].value[0]
    assert shared.private_block(0x0021, "SIEMENS MR SDS 01")[0x19].value.startswith(b"### ASCCONV")
    for number, group in enumerate(header.PerFrameFunctionalGroupsSequence):
        assert group.MRDiffusionSequence[0].DiffusionBValue == (1000 if number >= 4 else 0)
        told = group.private_block(0x0021, "SIEMENS MR SDI 02")[0xFE].value[0]
        assert told.private_block(0x0021, "SIEMENS MR SDI 02")[0x58].value == f"64p*64 {number}"


def test_diffusion_in_a_multi_frame_file_as_single_frames(numaris_x, written_back):
    headers = written_back(numaris_x, Form(classic=True))
    assert [diffusion(header) for header in headers] == [(0, 0, 0, 0)] * 4 + [(1000, 0, 0.6, 0.8)] * 4
    for number, header in enumerate(headers):
        told = header.private_block(0x0021, "SIEMENS MR SDI 02")[0xFE].value[0]
        assert told.private_block(0x0021, "SIEMENS MR SDI 02")[0x58].value == f"64p*64 {number}"


def test_volumes_of_a_united_imaging_grid(write, written_back):
    """Three volumes of five slices, each in one image: made by the rules of dcm2niix's UIH/README."""
    tile, count = (8, 6), 5

    def grid(header, number):
        header.ImageType = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
        united_weighting(header, 0 if number == 0 else 1000, [float(number == 1), float(number == 2), 0.0])
        block = header.private_block(0x0065, "Image Private Header", create=True)
        block.add_new(0x50, "DS", str(count))
        places = [Dataset() for _ in range(count)]
        for index, place in enumerate(places):
            plane = OBLIQUE.shifted(index * STEP * np.asarray(OBLIQUE.normal))
            place.ImagePositionPatient = [f"{value:.6f}" for value in plane.position]
        block.add_new(0x51, "SQ", Sequence(places))

    # Three tiles in a row, two rows: the sixth is empty.
    folder = write(3, grid, place=lambda _: 0, matrix=(2 * tile[0], 3 * tile[1]))
    (series,) = read_series(folder).series
    assert (len(series), series.rows, series.columns) == (15, *tile)
    headers = written_back(folder)
    assert [diffusion(header)[0] for header in headers] == [0, 1000, 1000]
    for header in headers:
        assert (header.Rows, header.Columns) == (32, 36)
        assert not header.pixel_array[16:, 24:].any()
