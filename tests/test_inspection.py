"""What `lucidmr inspect` says of a series, and what it can do without."""

import subprocess
import sys

import numpy as np
import pydicom
import pytest

from lucidmr.dicom.create import create_series
from lucidmr.dicom.series import read_series
from lucidmr.inspection import as_dict, show


@pytest.fixture
def series(tmp_path):
    """Write a series, change its files by a function of the data set, and read it."""

    def _series(change=lambda dataset: None, images=None):
        for file in create_series(images or [np.full((24, 16), 7.0)] * 3, tmp_path / "in"):
            dataset = pydicom.dcmread(file)
            change(dataset)
            dataset.save_as(file)
        return read_series(tmp_path / "in")

    return _series


def contradict(dataset):
    dataset.PercentSampling = "50"


def strip(dataset):
    for name in ("AcquisitionMatrix", "PercentSampling", "PercentPhaseFieldOfView"):
        delattr(dataset, name)


def zero_filled(matrix=(96, 96), samples=60, seed=1):
    """A body with noise, of which ``samples`` along a row were acquired."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    body = 400.0 * (x**2 + y**2 < 0.6) + 200 * (abs(x - 0.1) < 0.2) * (abs(y) < 0.4) + rng.normal(0, 30, matrix)
    kspace = np.fft.fftshift(np.fft.fft2(body))
    kspace[:, : (96 - samples) // 2] = kspace[:, 96 - (96 - samples) // 2 :] = 0
    return np.abs(np.fft.ifft2(np.fft.ifftshift(kspace))).astype(np.float32)


def test_a_contradiction_is_marked(series, capsys):
    found = series(contradict)
    show(found)
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "matrix phase" in line)
    assert " ! " in lines[at]
    assert any("but 12 samples" in line for line in lines[at : at + 4])
    assert as_dict(found)["series"][0]["facts"]["matrix_phase"]["others"][0]["value"] == 12.0


def test_damaged_private_data_is_said(series, capsys):
    def damage(dataset):
        dataset.Manufacturer = "GE"
        dataset.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", b"\0" * 10)

    found = series(damage)
    assert any("damaged private data" in line for line in as_dict(found)["series"][0]["warnings"])
    show(found)
    assert "damaged private data" in " ".join(capsys.readouterr().out.split())


def test_a_silent_header_is_helped_out_by_the_pixels(series):
    told = as_dict(series(strip, [zero_filled(seed=seed) for seed in range(4)]))["series"][0]["facts"]
    assert told["matrix_phase"]["value"] == pytest.approx(60, rel=0.15)
    assert told["matrix_phase"]["source"] == "zero rim of the Fourier transform"
    assert told["matrix_freq"]["value"] is None


def test_pixels_that_cannot_be_read_do_not_hide_the_header(series, monkeypatch):
    found = series(strip)
    for path in found.series[0].paths:
        path.unlink()
    told = as_dict(found)["series"][0]
    assert told["facts"]["phase_axis"]["value"] == "row"
    assert any("file" in line for line in told["warnings"])


def test_a_complete_header_needs_no_torch(series):
    found = series()
    code = (
        "import sys; from lucidmr.dicom.series import read_series; from lucidmr.inspection import as_dict;"
        f"as_dict(read_series({str(found.series[0].root)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
