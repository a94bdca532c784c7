"""NIfTI in and out: where the corners lie, what the sidecar tells and is told, and what is said of bad files."""

import contextlib
import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from lucidmr import Enhancement, LucidError, device
from lucidmr.dicom.header import acquisition, facts
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.source import Source
from lucidmr.enhance import prepare
from lucidmr.enhance.pipeline import enhance
from lucidmr.nifti.find import read_sources
from lucidmr.nifti.series import NiftiSeries, read_nifti_series
from lucidmr.standardize import resample

SHAPE = (20, 24, 5)
NOTHING = Enhancement(noise_reduction=1.0, restore_partial_fourier=False)
DONE = Provenance(model="base 1", version="0.1.0", weights="0123abcd", settings="noise reduction 2")
OBLIQUE = np.array([[-0.9, 0.1, 0.4, 30.0], [0.1, 1.1, 0.5, -70.0], [0.05, -0.4, 3.9, 12.0], [0.0, 0.0, 0.0, 1.0]])
SIDECAR = {
    "Manufacturer": "Siemens", "MagneticFieldStrength": 3, "MRAcquisitionType": "2D", "SeriesDescription": "t2_tse",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"], "SliceThickness": 3.5, "PartialFourier": 0.75,
    "BaseResolution": 12, "AcquisitionMatrixPE": 10, "ReconMatrixPE": 24, "PercentPhaseFOV": 100,
    "ParallelReductionFactorInPlane": 2, "PhaseEncodingDirection": "j-", "EffectiveEchoSpacing": 0.0005,
    "TotalReadoutTime": 0.0115, "PixelBandwidth": 200,
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    monkeypatch.setattr(prepare, "SIDE_2D", 40)
    monkeypatch.setattr(prepare, "SIDE_3D", 40)
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)


def voxels(shape=SHAPE, dtype=np.int16):
    """A noisy ellipsoid that is nowhere symmetric."""
    rng = np.random.default_rng(4)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[:3]), indexing="ij"))
    body = 800.0 * ((places - 0.1) ** 2).sum(0).__lt__(0.6) + 200 * places[0]
    return (np.abs(body[(...,) + (None,) * (len(shape) - 3)]) + rng.uniform(5, 40, shape)).astype(dtype)


def write(path: Path, data=None, affine=OBLIQUE, sidecar=None, change=lambda header: None) -> Path:
    image = nibabel.Nifti1Image(voxels() if data is None else data, affine)
    change(image.header)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    if sidecar is not None:
        path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json").write_text(json.dumps(sidecar))
    return path


def corners(image) -> np.ndarray:
    """The eight outer corners of the field of view in mm, by the affine."""
    return np.array([image.affine @ [*(np.array(at) * image.shape[:3] - 0.5), 1.0] for at in np.ndindex(2, 2, 2)])


def saved(path: Path, out: Path, model, wanted=NOTHING):
    files = enhance(read_nifti_series(path), wanted, model=model).save(out)
    return nibabel.load(files[0]), json.loads(files[0].with_name(files[1].name).read_text())


def test_it_is_a_source(tmp_path):
    assert isinstance(read_nifti_series(write(tmp_path / "a.nii")), Source)


@pytest.mark.parametrize("codes", [(1, 1), (2, 0), (0, 4), (0, 0)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_corners_of_the_field_of_view_stay(tmp_path, tiny_model, name, codes):
    def coded(header):
        # A quaternion holds no shear: it gets a plane of its own.
        header.set_qform(nibabel.affines.from_matvec(np.diag([-1.0, 1.2, 4.0]), [5, 6, 7]), codes[0])
        header.set_sform(OBLIQUE, codes[1])

    path = write(tmp_path / "in" / name, affine=None, change=coded)
    before = nibabel.load(path)
    after, _ = saved(path, tmp_path / "out", tiny_model)
    assert after.shape == (33, 40, 5)
    assert (int(after.header["qform_code"]), int(after.header["sform_code"])) == codes
    np.testing.assert_allclose(corners(after), corners(before), atol=1e-4)
    for word in ("quatern_b", "quatern_c", "quatern_d"):
        assert after.header[word] == before.header[word]
    sizes = [np.array(image.header.get_zooms()) * image.shape for image in (before, after)]
    np.testing.assert_allclose(*sizes, rtol=1e-6)


@pytest.mark.parametrize("across", [0, 1, 2])
def test_nothing_asked_is_interpolation_in_the_plane_alone(tmp_path, tiny_model, across):
    data = np.moveaxis(voxels(), 2, across)
    affine = np.diag([*np.insert([1.0, 1.2], across, 4.0), 1.0])
    path = write(tmp_path / "in" / "a.nii", data, affine)
    after, _ = saved(path, tmp_path / "out", tiny_model)
    new, old = (np.moveaxis(np.asarray(image), across, 0).astype(np.float32) for image in (after.dataobj, data))
    expected = resample(torch.from_numpy(old), new.shape[1:])
    np.testing.assert_allclose(new, expected.clamp_min(0).numpy(), atol=1.0)


def test_volumes_of_a_series_keep_their_order(tmp_path, tiny_model):
    data = np.stack([voxels() + 1000 * time for time in range(3)], 3).astype(np.int16)
    path = write(tmp_path / "in" / "a.nii.gz", data)
    series = read_nifti_series(path)
    assert series.stacks == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11, 12, 13, 14))
    np.testing.assert_array_equal(series.image(7), data[:, :, 2, 1].T)
    after, _ = saved(path, tmp_path / "out", tiny_model)
    levels = np.median(np.asarray(after.dataobj), axis=(0, 1, 2))
    np.testing.assert_allclose(np.diff(levels), 1000, atol=20)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2"])
def test_type_slope_and_intercept_stay(tmp_path, tiny_model, dtype):
    data = (voxels(dtype=np.float64) / 5).astype(dtype)
    header = nibabel.Nifti1Header(endianness=">" if dtype == ">i2" else "<")
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(data, OBLIQUE, header)
    image.header.set_slope_inter(0.25, -3.0)
    path = tmp_path / "in" / "a.nii"
    path.parent.mkdir()
    nibabel.save(image, path)
    assert read_nifti_series(path).image(2) == pytest.approx(np.asarray(nibabel.load(path).dataobj)[:, :, 2].T)
    after, _ = saved(path, tmp_path / "out", tiny_model)
    assert after.get_data_dtype() == np.dtype(dtype)
    assert (after.dataobj.slope, after.dataobj.inter) == (0.25, -3.0)
    assert np.asarray(after.dataobj).mean() == pytest.approx(data.mean() * 0.25 - 3, rel=0.01)


def test_a_sidecar_tells_what_was_acquired(tmp_path):
    told = facts(read_nifti_series(write(tmp_path / "a.nii", sidecar=SIDECAR)))
    found = acquisition(told)
    assert found.matrix[:2] == (12, 10)
    assert found.partial_fourier.phase == 0.75
    assert found.acceleration_phase == 2
    assert found.three_dimensional is False
    assert told.phase_axis.value == "col"
    assert told.normalized.value is True
    assert told.partial_fourier_phase.source == "sidecar PartialFourier"
    assert str(told.partial_fourier_phase.confidence) == "exact"
    assert told.manufacturer.source == "sidecar Manufacturer"
    assert told.slice_spacing.source == "NIfTI pixdim"
    assert not any("(0018" in getattr(told, name).source for name in vars(told) if name != "warnings")


@pytest.mark.parametrize(
    ("words", "axis"),
    [
        ({"PhaseEncodingDirection": "i"}, "row"),
        ({"PhaseEncodingAxis": "j"}, "col"),
        ({"InPlanePhaseEncodingDirectionDICOM": "ROW"}, "row"),
        ({"PhaseEncodingDirection": "j", "InPlanePhaseEncodingDirectionDICOM": "ROW"}, "col"),
    ],
)
def test_phase_axis_of_a_sidecar(tmp_path, words, axis):
    assert facts(read_nifti_series(write(tmp_path / "a.nii", sidecar=words))).phase_axis.value == axis


def test_axes_named_by_the_header_go_before_the_size_of_voxels(tmp_path):
    path = write(tmp_path / "a.nii", change=lambda header: header.set_dim_info(freq=2, phase=1, slice=0))
    series = read_nifti_series(path)
    assert (series.depth, series.rows, series.columns) == (20, 5, 24)
    assert facts(series).phase_axis.value == "row"


def test_slices_are_never_taken_along_phase(tmp_path):
    path = write(tmp_path / "a.nii", affine=np.eye(4), sidecar={"PhaseEncodingDirection": "k"})
    assert read_nifti_series(path).depth == 24


def test_without_a_sidecar_the_matrix_is_measured(tmp_path):
    rng = np.random.default_rng(2)
    spectrum = np.zeros((64, 64, 4), complex)
    spectrum[16:48, 16:48] = np.fft.fftshift(np.fft.fft2(rng.uniform(0, 100, (32, 32, 4)) + 500, axes=(0, 1)), (0, 1))
    data = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, (0, 1)), axes=(0, 1))).astype(np.float32)
    series = read_nifti_series(write(tmp_path / "a.nii", data, np.diag([1.0, 1.0, 5.0, 1.0])))
    told = prepare.facts_of(series)
    assert told.matrix_freq.value == pytest.approx(32, abs=3)
    assert told.matrix_freq.source == "zero rim of the Fourier transform"
    assert any("no sidecar" in line for line in series.warnings)


def test_the_new_sidecar_says_what_was_done(tmp_path, tiny_model):
    path = write(tmp_path / "in" / "a.nii.gz", sidecar=SIDECAR)
    after, sidecar = saved(path, tmp_path / "out", tiny_model, Enhancement(noise_reduction=1.5))
    assert sidecar["ImageType"] == ["DERIVED", "SECONDARY", "M", "NORM"]
    assert sidecar["Sources"] == ["a.nii.gz"]
    made = sidecar["GeneratedBy"][-1]
    assert made["Name"] == "Lucid MR"
    assert made["WeightsSHA256"] == tiny_model.sha256
    assert "noise reduction 1.5" in made["Description"]
    assert sidecar["ReconMatrixPE"] == after.shape[1]
    assert sidecar["EffectiveEchoSpacing"] * (after.shape[1] - 1) == pytest.approx(0.0115)
    assert sidecar["BaseResolution"] == 12
    with pytest.raises(LucidError, match="already processed by Lucid MR"):
        read_nifti_series(tmp_path / "out" / "a.nii.gz")


@pytest.mark.parametrize("kind", ["P", "ADC", "REAL"])
def test_what_is_no_magnitude_image_is_refused(tmp_path, kind):
    path = write(tmp_path / "a.nii", sidecar={"ImageType": ["ORIGINAL", "PRIMARY", kind]})
    with pytest.raises(LucidError, match="by its sidecar"):
        read_nifti_series(path)
    assert not read_sources(path).refused[0].damaged


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": ' * 5000, "\xff\xfe", '{"SliceThickness": "x"}'])
def test_a_bad_sidecar_is_passed_over(tmp_path, content):
    path = write(tmp_path / "a.nii")
    (tmp_path / "a.json").write_text(content, "latin-1")
    facts(read_nifti_series(path))


ODD = ["***", -1, 0, 10**400, 1e400, float("nan"), [], [1], {}, None, True, "nan", ["a", 2]]


@pytest.mark.parametrize("word", [*SIDECAR, "PartialFourierDirection", "ScanOptions", "CompressedSensingFactor"])
def test_odd_values_in_a_sidecar(tmp_path, word):
    path = write(tmp_path / "a.nii")
    for value in ODD:
        (tmp_path / "a.json").write_text(json.dumps({**SIDECAR, word: value}))
        acquisition(facts(read_nifti_series(path)))


def test_a_folder_holds_both(tmp_path):
    from lucidmr.dicom.create import create_series

    create_series([np.full((24, 16), 5.0, np.float32)] * 2, tmp_path / "dicom")
    write(tmp_path / "sub-01" / "anat" / "T1w.nii.gz", sidecar=SIDECAR)
    (tmp_path / "sub-01" / "broken.nii").write_bytes(b"text")
    found = read_sources(tmp_path)
    assert [series.label for series in found.series] == ["series 1 (T2 TSE tra)", "T1w.nii.gz"]
    assert [refusal.label for refusal in found.refused] == ["broken.nii"]
    volume = found.series[1]
    assert volume.folder(tmp_path.parent / "out", DONE) == tmp_path.parent / "out" / "sub-01" / "anat"


def images_of(series: NiftiSeries):
    return [series.image(index) for index in range(len(series))]


def test_what_is_there_is_not_written_over(tmp_path):
    series = read_nifti_series(write(tmp_path / "in" / "a.nii"))
    files = series.write(images_of(series), tmp_path / "out", DONE, overwrite=False)
    assert [path.name for path in files] == ["a.nii", "a.json"]
    with pytest.raises(LucidError, match="already exists"):
        series.write(images_of(series), tmp_path / "out", DONE, overwrite=False)
    series.write(images_of(series), tmp_path / "out", DONE, overwrite=True)
    write(tmp_path / "out" / "a.nii")
    with pytest.raises(LucidError, match="no file that Lucid MR wrote"):
        series.write(images_of(series), tmp_path / "out", DONE, overwrite=True)
    with pytest.raises(LucidError, match="in the source folder"):
        series.write(images_of(series), tmp_path / "in", DONE, overwrite=True)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_magnitude_image_does_not_become_negative(tmp_path, dtype):
    series = read_nifti_series(write(tmp_path / "in" / "a.nii", voxels(dtype=dtype)))
    images = [image - 500 for image in images_of(series)]
    files = series.write(images, tmp_path / "out", DONE, overwrite=False)
    assert np.asarray(nibabel.load(files[0]).dataobj).min() == 0


def test_a_failure_leaves_nothing(tmp_path):
    series = read_nifti_series(write(tmp_path / "in" / "a.nii"))
    broken = [np.full((24, 20), np.nan, np.float32)] * len(series)
    with pytest.raises(LucidError, match="not finite"):
        series.write(broken, tmp_path / "out", DONE, overwrite=False)
    assert list((tmp_path / "out").iterdir()) == []


def test_gradients_of_a_diffusion_series_go_along(tmp_path):
    path = write(tmp_path / "in" / "dwi.nii.gz", np.stack([voxels()] * 2, 3))
    for ending in ("bval", "bvec"):
        (tmp_path / "in" / f"dwi.{ending}").write_text(f"{ending} 0 1000\n")
    series = read_nifti_series(path)
    names = [file.name for file in series.write(images_of(series), tmp_path / "out", DONE, overwrite=False)]
    assert names == ["dwi.nii.gz", "dwi.json", "dwi.bvec", "dwi.bval"]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((20, 24), "has 2 dimensions"),
        ((6, 6, 3, 2, 2), "has 5 dimensions"),
        ((20, 1, 5), "fewer than 2 rows or columns"),
    ],
)
def test_other_shapes_are_refused(tmp_path, shape, words):
    path = write(tmp_path / "a.nii", np.ones(shape, np.float32), np.diag([1.0, 1.0, 4.0, 1.0]))
    with pytest.raises(LucidError, match=words):
        read_nifti_series(path)


def test_values_that_are_not_finite_are_counted(tmp_path, tiny_model):
    data = voxels().astype(np.float32)
    data[3, 4, 1], data[0, 0, 0] = np.nan, np.inf
    series = read_nifti_series(write(tmp_path / "a.nii", data))
    with pytest.raises(LucidError, match="holds 2 values that are not finite"):
        enhance(series, NOTHING, model=tiny_model)


def message(path: Path) -> str:
    """What is said of a file by whatever finds the fault."""
    with pytest.raises(LucidError) as caught:
        read_nifti_series(path).image(0)
    words = str(caught.value)
    assert "\n" not in words
    assert words.startswith(f"{path}: ")
    return words


def test_sizes_beyond_the_file_are_refused_before_memory_is_taken(tmp_path):
    def huge(header):
        header["dim"][1:4] = 30_000

    for name in ("a.nii", "a.nii.gz"):
        raw = bytearray(write(tmp_path / "small.nii").read_bytes())
        header = nibabel.Nifti1Header(bytes(raw[:348]))
        huge(header)
        raw[:348] = header.binaryblock
        path = tmp_path / name
        path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
        assert "more than it can hold" in message(path)


def test_a_bomb_is_not_followed_to_its_end(tmp_path):
    path = write(tmp_path / "a.nii")
    bomb = tmp_path / "b.nii.gz"
    bomb.write_bytes(gzip.compress(path.read_bytes() + bytes(50_000_000)))
    assert "goes on after its last voxel" in message(bomb)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_flipped_and_missing_bytes(tmp_path, name):
    whole = write(tmp_path / name).read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / ("x" + name)
    for _ in range(150):
        content = bytearray(whole[: int(rng.integers(len(whole)))] if rng.random() < 0.3 else whole)
        for place in rng.integers(0, min(400, len(content)) or 1, 4):
            content[place : place + 1] = bytes([int(rng.integers(256))])
        path.write_bytes(content)
        with contextlib.suppress(LucidError):
            series = read_nifti_series(path)
            facts(series)
            series.image(0)
