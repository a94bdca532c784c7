"""Volumes kept in one image: synthetic files of the two vendors that write such."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lucidmr.dicom.create import Protocol, image_header
from lucidmr.dicom.derived import write_derived
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.mosaic import Mosaic
from lucidmr.dicom.series import read_series
from lucidmr.dicom.storage import PixelFormat, put_pixels

TILE = (6, 4)
OBLIQUE = Geometry((-20.0, 30.0, 10.0), (0.8, 0.6, 0.0), (0.0, 0.0, -1.0), (2.0, 1.5))
STEP = 3.3


def slices_of(count, seed=0):
    return np.random.default_rng(seed).integers(1, 4000, (count, *TILE)).astype("<u2")


def write(folder, layout, slices, words, finish, number=1, identity="a"):
    """One file that holds ``slices``, the first of them in the plane OBLIQUE."""
    protocol = Protocol(identity, plane=OBLIQUE, slice_spacing=STEP, image_type=("ORIGINAL", "PRIMARY", *words))
    header = image_header(protocol, number, TILE)
    header.AcquisitionNumber = header.InstanceNumber = number
    finish(header)
    put_pixels(header, layout.together(slices)[None])
    folder.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(folder / f"{number}.dcm", header, enforce_file_format=True)
    return folder / f"{number}.dcm"


@pytest.fixture
def siemens(tmp_path, csa):
    """A Siemens mosaic; ``towards`` -1 runs against the normal of the plane."""

    def _siemens(slices, towards=1, protocol=b"", number=1, **elements):
        layout = Mosaic(len(slices), across := int(np.ceil(np.sqrt(len(slices)))), across)
        normal = towards * np.asarray(OBLIQUE.normal)
        told = {"NumberOfImagesInMosaic": [str(len(slices))], "SliceNormalVector": [f"{v:.8f}" for v in normal]}

        def finish(header):
            block = header.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
            block.add_new(0x10, "OB", csa(told | elements))
            block.add_new(0x20, "OB", protocol)
            # The mosaic lies around the centre of its first slice.
            whole = OBLIQUE.moved_to(-(across - 1) * TILE[0] / 2, -(across - 1) * TILE[1] / 2)
            header.ImagePositionPatient = [f"{v:.6f}" for v in whole.position]

        return write(tmp_path / "in" / "siemens", layout, slices, ("M", "ND", "MOSAIC"), finish, number)

    return _siemens


@pytest.fixture
def united(tmp_path):
    def _united(slices, places=None):
        layout = Mosaic(len(slices), 4, 5)

        def finish(header):
            block = header.private_block(0x0065, "Image Private Header", create=True)
            block.add_new(0x50, "DS", str(len(slices)))
            frames = []
            for plane in planes(len(slices) if places is None else places):
                frames.append(Dataset())
                frames[-1].ImagePositionPatient = [f"{v:.6f}" for v in plane.position]
            block.add_new(0x51, "SQ", Sequence(frames))

        return write(tmp_path / "in" / "united", layout, slices, ("M", "VFRAME"), finish)

    return _united


def planes(count, towards=1):
    return [OBLIQUE.shifted(towards * index * STEP * np.asarray(OBLIQUE.normal)) for index in range(count)]


def single(path):
    found = read_series(path)
    assert len(found.series) == 1, found
    return found.series[0]


def assert_same(found, wanted):
    np.testing.assert_allclose(found.position, wanted.position, atol=1e-4)
    np.testing.assert_allclose(found.spacing, wanted.spacing)
    assert found.orientation == pytest.approx(wanted.orientation)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 20])
def test_apart_and_together_are_inverse(count):
    layout = Mosaic(count, across := int(np.ceil(np.sqrt(count))), across)
    slices = slices_of(count)
    image = layout.together(slices)
    assert layout.tile(image.shape) == TILE
    np.testing.assert_array_equal(layout.apart(image), slices)
    assert np.count_nonzero(image) == slices.size


@pytest.mark.parametrize("towards", [1, -1])
def test_slices_of_a_siemens_mosaic_are_images_with_positions(siemens, towards):
    slices = slices_of(5)
    series = single(siemens(slices, towards))
    assert (len(series), series.rows, series.columns, series.depth) == (5, *TILE, 5)
    order = range(5) if towards == 1 else range(4, -1, -1)
    for index, tile in enumerate(order):
        np.testing.assert_array_equal(series.image(index), slices[tile])
        assert_same(series.geometry(index), planes(5, towards)[tile])


def test_mosaics_of_a_time_series_are_stacks(siemens):
    paths = [siemens(slices_of(5, seed), number=seed) for seed in (1, 2, 3)]
    series = single(paths[0].parent)
    assert [len(stack) for stack in series.stacks] == [5, 5, 5]
    np.testing.assert_array_equal(series.image(7), slices_of(5, 2)[2])


def test_united_imaging_lists_the_positions(united):
    slices = slices_of(20)
    series = single(united(slices))
    for index in range(20):
        np.testing.assert_array_equal(series.image(index), slices[index])
        assert_same(series.geometry(index), planes(20)[index])


@pytest.mark.parametrize("vendor", ["siemens", "united"])
@pytest.mark.parametrize("factor", [1, 2])
def test_a_mosaic_is_written_back_as_a_mosaic(request, vendor, factor, tmp_path, provenance):
    source = single(request.getfixturevalue(vendor)(slices_of(20)))
    grown = [image.repeat(factor, 0).repeat(factor, 1) for image in source.images()]
    (path,) = write_derived(source, grown, tmp_path / "out", provenance)
    written = pydicom.dcmread(path)
    old = pydicom.dcmread(source.paths[0])
    assert (written.Rows, written.Columns) == (factor * old.Rows, factor * old.Columns)
    # A derived file is passed over; without the mark it must read like the source.
    del written.CodingSchemeIdentificationSequence
    written.save_as(tmp_path / "again.dcm")
    again = single(tmp_path / "again.dcm")
    assert (again.rows, again.columns) == (factor * TILE[0], factor * TILE[1])
    for index in range(20):
        np.testing.assert_array_equal(again.image(index), grown[index])
        wanted = source.geometry(index).resampled(TILE, (again.rows, again.columns))
        assert_same(again.geometry(index), wanted)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NumberOfImagesInMosaic": []}, "mosaic that does not say how many slices it holds"),
        ({"NumberOfImagesInMosaic": ["inf"]}, "mosaic that does not say how many slices it holds"),
        ({"NumberOfImagesInMosaic": ["1000000"]}, "mosaic of 1000000 slices whose 18 x 12 pixels are not 1000 x 1000"),
        ({"SliceNormalVector": ["0", "1"]}, "mosaic that does not say where its slices lie"),
        ({"protocol": b"sSliceArray.ucImageNumbTra\t = \t0x1\n"}, "mosaic in reversed order of slices"),
    ],
)
def test_mosaics_that_cannot_be_taken_apart_are_refused(siemens, changes, reason):
    found = read_series(siemens(slices_of(5), **changes))
    assert not found.series
    assert found.refused[0].reason.startswith(reason)


def test_united_imaging_must_list_every_slice(united):
    assert "where its slices lie" in read_series(united(slices_of(20), places=19)).refused[0].reason


def test_padding_and_sign_survive(siemens, tmp_path, provenance, edit):
    path = siemens(slices_of(5))
    layout = PixelFormat(16, 12, True)

    def signed(dataset):
        dataset.PixelRepresentation = 1
        for tag, number in ((0x00280106, 0), (0x00280107, 4000), (0x00280120, 7)):
            dataset.add_new(tag, "SS", number)

    edit(path, signed)
    source = single(path)
    (derived,) = write_derived(source, source.images(), tmp_path / "out", provenance)
    np.testing.assert_array_equal(pydicom.dcmread(derived).pixel_array, pydicom.dcmread(path).pixel_array)
    assert layout.dtype == pydicom.dcmread(derived).pixel_array.dtype
