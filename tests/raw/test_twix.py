"""Siemens raw data: measured phantoms where the data folder is there, and damaged files."""

import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.physics.fourier import to_image
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import EVERYTHING, Selection
from lucidmr.raw.twix import CALIBRATION, CALIBRATION_AND_IMAGING, NOISE, REVERSED
from raw_files import close, failure, oversampled, slices, volume


def measured(*names: str) -> Path:
    if not (place := os.environ.get("LUCIDMR_DATA")):
        pytest.skip("LUCIDMR_DATA does not name the development data folder")
    pytest.importorskip("twixtools")
    return Path(place, "evaluate", "raw", *names)


def magnitude(found: Measurement) -> Tensor:
    return to_image(found.kspace).norm(dim=1)[0, 0]


def block(
    samples: Tensor, mask: int = 0, centre: tuple[int, int, int] = (24, 10, 0), **counters: int
) -> SimpleNamespace:
    """A data block as twixtools gives it; the centre is that of column, line and partition."""
    names = ("Lin", "Par", "Ave", "Sli", "Eco", "Phs", "Rep", "Set")
    mdh = SimpleNamespace(
        EvalInfoMask=mask,
        UsedChannels=samples.shape[0],
        SamplesInScan=samples.shape[1],
        Counter=SimpleNamespace(**{name: counters.get(name, 0) for name in names}),
        **dict(zip(("CenterCol", "CenterLin", "CenterPar"), centre, strict=True)),
    )
    return SimpleNamespace(data=samples.numpy(), mdh=mdh)


def blocks(kspace: Tensor, mask: int = 0, centre: tuple[int, int, int] = (24, 10, 0), **counters: int) -> list:
    """Every line that holds something."""
    n_scan, _, n_slice, _, n_phase = kspace.shape
    return [
        block(kspace[scan, :, par, :, lin], mask, centre, Lin=lin, Par=par, Sli=scan, **counters)
        for scan in range(n_scan)
        for par in range(n_slice)
        for lin in range(n_phase)
        if kspace[scan, :, par, :, lin].any()
    ]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Read measurements of the given blocks as if a file had held them."""

    def read(*scans: list, kspace: dict | None = None, mode: int = 1, selection: Selection = EVERYTHING) -> Measurement:
        described = {"lPhaseEncodingLines": 20, "lPartitions": 6, "ucDimension": 2, "ucTrajectory": 1, **(kspace or {})}
        yaps = {"sKSpace": described, "sPat": {"ucRefScanMode": mode}, "sRXSPEC": {"alDwellTime": [5000]}}
        header = {"MeasYaps": yaps, "Dicom": {"flReadoutOSFactor": 2.0}}
        found = [{"hdr": header, "mdb": scan} for scan in scans]
        monkeypatch.setitem(sys.modules, "twixtools", SimpleNamespace(read_twix=lambda *_, **__: found))
        path = tmp_path / "a.dat"
        path.write_bytes(struct.pack("<IIIIQQ", 0, 1, 1, 1, 0, 0) + bytes(128))
        return read_raw(path, selection)

    return read


@pytest.mark.parametrize("kspace", [slices(), volume()], ids=["2D", "3D"])
def test_lines_are_sorted_and_oversampling_removed(read, kspace: Tensor) -> None:
    lines = blocks(oversampled(kspace), centre=(24, 10, kspace.shape[2] // 2))
    junk = [block(torch.ones(2, 48, dtype=torch.complex64), 1 << bit) for bit in (1, 5, 14, 21)]
    dimension = {"ucDimension": 2 if kspace.shape[2] == 1 else 4}
    close(read(junk + lines[::-1], kspace=dimension).kspace, kspace)


def test_partial_fourier_and_reversed_and_averaged_lines(read) -> None:
    """Five lines are omitted and the counters start after them; every other line runs backwards."""
    kspace = slices()
    kspace[..., :5] = 0
    lines = blocks(oversampled(kspace)[..., 5:], centre=(24, 5, 0))
    lines += blocks(3 * oversampled(kspace)[..., 5:], centre=(24, 5, 0), Ave=1)
    for line in lines[1::2]:
        line.data, line.mdh.EvalInfoMask = line.data[:, ::-1].copy(), REVERSED
    found = read(lines)
    close(found.kspace, 2 * kspace)
    assert torch.equal(found.acquired, (kspace != 0).any(1))
    close(read(lines, selection=Selection(averages=1, slices=(2,))).kspace, 3 * kspace[2:])


def test_asymmetric_echo(read) -> None:
    kspace = slices()
    wide = oversampled(kspace)
    found = read(blocks(wide[..., 14:, :], centre=(10, 10, 0)))
    assert found.kspace.shape == kspace.shape
    assert not found.acquired[..., :7, :].any()
    assert found.acquired[..., 7:, :].all()
    assert float((found.kspace - kspace)[..., 9:, :].norm() / kspace[..., 9:, :].norm()) < 0.1


def test_calibration_lines_integrated_and_separate(read) -> None:
    kspace = slices()
    imaging = kspace.clone()
    imaging[..., 1::2] = 0
    both = oversampled(imaging)
    extra = oversampled(kspace - imaging)
    extra[..., :6] = extra[..., 14:] = 0
    lines = blocks(both, CALIBRATION_AND_IMAGING) + blocks(extra, CALIBRATION)
    found = read(lines, mode=2)
    expected = kspace.clone()
    expected[..., 1:6:2] = expected[..., 15::2] = 0
    close(found.kspace, expected)
    assert found.calibration is None
    found = read(blocks(both) + blocks(oversampled(kspace)[..., 6:14], CALIBRATION, (24, 4, 0)), mode=4)
    close(found.kspace, imaging)
    close(found.calibration, kspace[..., 6:14])


def test_noise_of_an_earlier_measurement(read) -> None:
    """130 Hz per sample and 79.3 % of the band against 5 us per sample."""
    noise = np.random.default_rng(0).normal(size=(2, 256)).astype(np.complex64)
    scan = [block(torch.from_numpy(noise), NOISE)]
    found = read(scan, blocks(oversampled(slices()))).noise
    assert found is not None
    close(found, torch.from_numpy(noise) * (1e6 / (130 * 256) / (5 * 0.793)) ** 0.5)


def test_what_cannot_be_read_is_told(read) -> None:
    lines = blocks(oversampled(slices()))
    with pytest.raises(LucidError, match="has a trajectory of type 2; only Cartesian"):
        read(lines, kspace={"ucTrajectory": 2})
    with pytest.raises(LucidError, match="holds no imaging data"):
        read([block(torch.ones(2, 48, dtype=torch.complex64), NOISE)])
    with pytest.raises(LucidError, match="has readouts of different size"):
        read([*lines, block(torch.ones(2, 40, dtype=torch.complex64))])
    with pytest.raises(LucidError, match="its header asks for"):
        read(lines, kspace={"lPhaseEncodingLines": 10**8})


@pytest.mark.data
def test_gradient_echo() -> None:
    path = measured("twixtools_gre.dat")
    found = read_raw(path)
    assert found.kspace.shape == (1, 2, 1, 160, 160)
    assert found.acquired.all()
    assert found.field_of_view_mm == (4.0, 200.0, 200.0)
    assert (found.facts.vendor, found.facts.model, found.facts.protocol) == ("SIEMENS", "Skyra", "gre")
    assert found.facts.field_strength == pytest.approx(2.89, abs=0.01)
    image = magnitude(found)
    assert float(image[60:100, 110:130].mean() / image[:10, :10].mean()) > 8.0
    with pytest.raises(LucidError, match="has no contrast 3; there are 0"):
        read_raw(path, Selection(contrast=3))


@pytest.mark.data
def test_echo_planar_readouts_have_the_geometry_of_the_gradient_echo() -> None:
    """The same phantom: readouts in both directions, sampled on the gradient's ramps too."""
    echo_planar = magnitude(read_raw(measured("twixtools_epi.dat")))
    gradient_echo = magnitude(read_raw(measured("twixtools_gre.dat")))
    assert echo_planar.shape == (80, 80)
    reference = gradient_echo.reshape(80, 2, 80, 2).mean((1, 3))
    pair = [image - image.mean() for image in (echo_planar, reference)]
    assert float((pair[0] * pair[1]).sum() / (pair[0].norm() * pair[1].norm())) > 0.8


@pytest.mark.data
def test_without_oversampling_and_all_reversed() -> None:
    found = read_raw(measured("pulseq", "01_GRE_example.dat"))
    assert found.kspace.shape == (1, 1, 1, 256, 256)
    assert found.acquired.all()


def test_a_missing_twixtools_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(bytes(20000))
    monkeypatch.setitem(sys.modules, "twixtools", None)
    assert "needs twixtools; pip install 'lucidmr[siemens]'" in failure(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a text with the right ending, of some length", "is no Siemens raw data"),
        (bytes(20000), "is no Siemens raw data"),
        (struct.pack("<II", 0, 1000) + bytes(20000), "is no Siemens raw data"),
        (struct.pack("<IIIIQQ", 0, 1, 1, 1, 10240, 10**15) + bytes(20000), "is cut off"),
        (struct.pack("<II", 0, 1), "cannot be read as Siemens twix"),
        (struct.pack("<IIIIQQ", 0, 1, 1, 1, 10240, 5000) + bytes(20000), "cannot be read as Siemens twix"),
    ],
)
def test_files_of_another_kind_and_damaged_ones(tmp_path: Path, content: bytes, message: str) -> None:
    pytest.importorskip("twixtools")
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    assert message in failure(path)


@pytest.mark.data
@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.99])
def test_truncated_files_are_told(tmp_path: Path, share: float) -> None:
    content = measured("twixtools_gre.dat").read_bytes()
    path = tmp_path / "a.dat"
    path.write_bytes(content[: int(share * len(content))])
    assert "cut off" in failure(path) or "cannot be read" in failure(path)
