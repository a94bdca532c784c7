"""ISMRMRD: what is written is read back, and what is said of damaged files."""

import h5py
import pytest
import torch

from lucidmr.physics.fourier import FREQ, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.ismrmrd import CALIBRATION, CALIBRATION_AND_IMAGING, NOISE, REVERSE
from lucidmr.raw.ramp import Trapezoid
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import Selection
from properties import seeded
from raw_files import Acquisition, close, failure, ismrmrd_xml, oversampled, readouts, slices, volume, write_ismrmrd


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.h5"


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("kspace", [slices(), volume()], ids=["2D", "3D"])
def test_round_trip(path, kspace, factor) -> None:
    write_ismrmrd(path, list(readouts(oversampled(kspace, factor))), ismrmrd_xml(kspace.shape, factor))
    found = read_raw(path)
    close(found.kspace, kspace)
    assert found.acquired.all()
    assert found.noise is None
    assert found.calibration is None
    assert found.field_of_view_mm == (3.0 * kspace.shape[-3], 48.0, 40.0)
    facts = found.facts
    assert (facts.vendor, facts.model, facts.field_strength) == ("Maker", "One", 1.5)
    assert (facts.anatomy, facts.protocol, facts.subject) == ("KNEE", "T1 sag", "subject-7")
    assert found.source == "scan.h5"


def test_undersampled_partial_fourier_with_integrated_calibration(path) -> None:
    """Lines 0 to 14 of a header whose centre is line 5 of 20: the first five are omitted."""
    kspace = slices(2)
    kspace[..., :5] = 0
    kspace[..., 6:8] = kspace[..., 13:20:2] = 0
    lines = list(readouts(kspace))
    shifted = []
    for line in lines:
        number = line.entries["kspace_encode_step_1"]
        flags = () if not 8 <= number < 13 else (CALIBRATION_AND_IMAGING if number % 2 else CALIBRATION,)
        shifted.append(Acquisition(line.samples, flags, {**line.entries, "kspace_encode_step_1": number - 5}))
    limits = {"encodingLimits": {"kspace_encoding_step_1": {"minimum": 0, "maximum": 14, "center": 5}}}
    write_ismrmrd(path, shifted, ismrmrd_xml(kspace.shape, encoding=limits))
    found = read_raw(path)
    close(found.kspace, kspace)
    assert torch.equal(found.acquired, (kspace != 0).any(1))
    assert found.calibration is None


def test_separate_calibration_becomes_a_small_matrix(path) -> None:
    kspace, reference = slices(2), slices(2)[..., 6:14] * 3
    lines = list(readouts(kspace)) + list(readouts(reference, CALIBRATION))
    mode = {"parallelImaging": {"calibrationMode": "separate"}}
    write_ismrmrd(path, lines, ismrmrd_xml(kspace.shape, encoding=mode))
    found = read_raw(path, Selection(slices=(1,)))
    close(found.kspace, kspace[1:])
    # They were counted from 0, which cannot be about the image's centre, line 10.
    close(found.calibration, reference[1:])


def test_noise_scan_has_the_level_of_the_image(path) -> None:
    """Noise sampled every 8 us with 80 % of its band, an image every 5 us: 8 / (5 * 0.8) = 2 times its power."""
    noise = complex_noise((2, 5000), 2.0, seeded(1))
    scan = Acquisition(noise, (NOISE,), {"sample_time_us": 8.0})
    write_ismrmrd(path, [scan, *readouts(slices())], ismrmrd_xml(slices().shape))
    found = read_raw(path).noise
    assert found is not None
    close(found, noise * (8.0 / (5.0 * 0.8)) ** 0.5)


def test_asymmetric_echo(path) -> None:
    """The first six samples are missing; the seventh is then number 0, and DC number 6."""
    kspace = slices()
    short = kspace[..., 6:, :]
    write_ismrmrd(path, list(readouts(short, center_sample=6)), ismrmrd_xml(kspace.shape))
    found = read_raw(path)
    assert not found.acquired[..., :6, :].any()
    assert found.acquired[..., 6:, :].all()
    close(found.kspace[..., 6:, :], short)
    assert not found.kspace[..., :6, :].any()


def test_asymmetric_echo_with_oversampling(path) -> None:
    """The crop is that of the zero-filled readout: the same image wherever it has one."""
    kspace = slices()
    wide = oversampled(kspace)
    wide[..., :14, :] = 0
    write_ismrmrd(path, list(readouts(wide[..., 14:, :], center_sample=10)), ismrmrd_xml(kspace.shape, 2))
    found = read_raw(path)
    assert not found.kspace[..., :7, :].any()
    assert torch.equal(found.acquired, (found.kspace != 0).any(1))
    expected = to_image(wide, (FREQ,))[..., 12:36, :]
    assert float((to_image(found.kspace, (FREQ,)) - expected).norm() / expected.norm()) < 0.1


def test_reversed_readouts_are_flipped_and_others_left_out(path) -> None:
    kspace = slices(1)
    lines = list(readouts(kspace))
    for number in range(1, len(lines), 2):
        lines[number] = Acquisition(lines[number].samples.flip(-1), (REVERSE,), lines[number].entries)
    junk = [Acquisition(lines[0].samples * 9, (flag,), lines[0].entries) for flag in (23, 24, 26, 27)]
    write_ismrmrd(path, junk + lines, ismrmrd_xml(kspace.shape, encoding={"trajectory": "epi"}))
    read = read_raw(path)
    close(read.kspace, kspace)
    assert read.alternating


def test_averages_contrasts_and_repetitions(path) -> None:
    kspace = slices(2)
    lines = [
        line
        for repetition in range(2)
        for contrast in range(2)
        for average in range(2)
        for line in readouts(
            kspace * (1 + repetition + 10 * contrast + 100 * average),
            repetition=repetition,
            contrast=contrast,
            average=average,
        )
    ]
    noise = Acquisition(torch.ones(2, 8, dtype=torch.complex64), (NOISE,), {"sample_time_us": 4.0})
    write_ismrmrd(path, [*lines, noise], ismrmrd_xml(kspace.shape))
    found = read_raw(path)
    factors = torch.tensor([51.0, 51.0, 61.0, 61.0, 52.0, 52.0, 62.0, 62.0])
    close(found.kspace, torch.cat([kspace] * 4) * factors[:, None, None, None, None])
    close(found.noise, noise.samples / 2.0**0.5)
    selection = Selection(averages=1, contrast=1, repetition=0, slices=(1,))
    found = read_raw(path, selection)
    close(found.kspace, kspace[1:] * 111)
    close(found.noise, noise.samples)
    assert found.source == "scan.h5[averages=1, contrast=1, repetition=0, slices=(1,)]"
    assert "has no contrast 2; there are 0, 1" in failure(path, Selection(contrast=2))
    assert "has no slices 5" in failure(path, Selection(slices=(0, 5)))


def test_ramp_samples_are_brought_to_the_grid(path) -> None:
    """EPI sampled on its ramps: unequal distances, known from the header."""
    kspace = slices(1, matrix=(48, 20))
    positions = Trapezoid(100.0, 200.0, 100.0, 20.0, 360.0).positions(96)
    pixels = torch.arange(96, dtype=torch.float64) - 48
    wave = torch.polar(torch.ones(96, 96, dtype=torch.float64), -2 * torch.pi * positions[:, None] * pixels / 96)
    wide = (wave / 96**0.5).to(torch.complex64) @ to_image(oversampled(kspace), (FREQ,))
    times = {"rampUpTime": 100, "flatTopTime": 200, "rampDownTime": 100, "acqDelayTime": 20, "numSamples": 96}
    named = "".join(
        f"<userParameterLong><name>{name}</name><value>{value}</value></userParameterLong>"
        for name, value in times.items()
    )
    named += "<userParameterDouble><name>dwellTime</name><value>3.75</value></userParameterDouble>"
    encoding = {"trajectory": "epi", "trajectoryDescription": named}
    write_ismrmrd(path, list(readouts(wide)), ismrmrd_xml(kspace.shape, 2, encoding))
    found = to_image(read_raw(path).kspace)
    assert float((found - to_image(kspace)).norm() / to_image(kspace).norm()) < 0.02


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><ismrmrdHeader>&b;</ismrmrdHeader>'


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (BOMB, "declares a document type"),
        ("<ismrmrdHeader>", "its XML header is damaged"),
        ("<other/>", "starts with 'other', not ismrmrdHeader"),
        ("<ismrmrdHeader/>", "has no encoding"),
        (ismrmrd_xml((1, 24, 20), encoding={"trajectory": "spiral"}), "has a spiral trajectory; only Cartesian"),
        (ismrmrd_xml((1, 24, 20)).replace("<x>24<", "<x>-24<"), "encodedSpace/matrixSize/x of its XML header is '-24'"),
        (ismrmrd_xml((1, 24, 20)).replace("<x>24<", "<x>9e9<"), "encodedSpace/matrixSize/x of its XML header is '9e9'"),
        (ismrmrd_xml((1, 24, 20)).replace("<x>24</x>", ""), "encodedSpace/matrixSize/x of its XML header is missing"),
        (ismrmrd_xml((60000, 24, 60000)), "its header asks for"),
        (ismrmrd_xml((1, 16, 20)), "do not fit its matrix of 16"),
    ],
)
def test_a_wrong_header_is_told(path, xml, message) -> None:
    write_ismrmrd(path, list(readouts(slices(1))), xml)
    assert message in failure(path)


def test_damaged_acquisitions_are_told(path) -> None:
    kspace = slices(1)
    good, xml = list(readouts(kspace)), ismrmrd_xml(kspace.shape)
    write_ismrmrd(path, [*good, Acquisition(good[0].samples[:, 4:], (), good[0].entries)], xml)
    assert "different number_of_samples (20, 24)" in failure(path)
    write_ismrmrd(path, [Acquisition(good[0].samples[:0], (), good[0].entries)], xml)
    assert "without coils or samples" in failure(path)
    write_ismrmrd(path, [Acquisition(good[0].samples * torch.nan, (), good[0].entries), *good], xml)
    assert "not finite" in failure(path)
    write_ismrmrd(path, [Acquisition(good[0].samples, (), {"encoding_space_ref": 3})], xml)
    assert "encoding 3, which its header lacks" in failure(path)
    write_ismrmrd(path, [Acquisition(good[0].samples, (NOISE,), {})], xml)
    assert "holds no imaging data" in failure(path)
    write_ismrmrd(path, [], xml)
    assert "holds no acquisitions" in failure(path)


def test_a_truncated_file_is_told(path) -> None:
    content = write_ismrmrd(path, list(readouts(slices(1))), ismrmrd_xml((1, 24, 20))).read_bytes()
    for share in (0.3, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        assert "cannot be read as raw data" in failure(path)


def test_acquisitions_that_are_declared_but_not_stored_are_told(path) -> None:
    write_ismrmrd(path, list(readouts(slices(1))), ismrmrd_xml((1, 24, 20)))
    with h5py.File(path, "r+") as file:
        file["dataset/data"].resize((10**9,))
    assert "its header asks for" in failure(path)


@pytest.mark.parametrize("length", [2**32 - 1, 10**6])
def test_a_length_beyond_the_file_is_told_before_anything_is_allocated(path, length) -> None:
    write_ismrmrd(path, list(readouts(slices(1))), ismrmrd_xml((1, 24, 20)))
    with h5py.File(path) as file:
        chunk = file["dataset/data"].id.get_chunk_info(0).byte_offset
        kind = file["dataset/data"].id.get_type()
    place = chunk + 3 * kind.get_size() + kind.get_member_offset(kind.get_member_index(b"data"))
    content = bytearray(path.read_bytes())
    content[place : place + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    assert f"an element of {length} values is longer than it" in failure(path)


def test_a_chunk_beyond_the_end_is_told(tmp_path) -> None:
    """The index gives the size of a chunk in front of its place."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", data=slices(1).numpy(), chunks=(1, 2, 1, 24, 20), compression=1)
    with h5py.File(path) as file:
        info = file["kspace"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    size, place = info.size.to_bytes(4, "little"), info.byte_offset.to_bytes(8, "little")
    at = next(at for at in range(len(content)) if content[at : at + 4] == size and place in content[at : at + 64])
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    assert "lie beyond its end" in failure(path, Selection(axes="scan,coil,slice,freq,phase"))


def test_axes_are_not_taken_for_formats_that_tell_theirs(path) -> None:
    write_ismrmrd(path, list(readouts(slices(1))), ismrmrd_xml((1, 24, 20)))
    assert "tells its own axes" in failure(path, Selection(axes="coil,freq,phase"))
    assert "holds the groups dataset" in failure(path, Selection(variable="other"))
