import math
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import torch

import lucidmr
from lucidmr import device
from lucidmr.context import Context
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.series import read_series
from lucidmr.enhance import calibrate, dial, prepare, series_network
from lucidmr.enhance.pipeline import enhance
from lucidmr.errors import LucidError
from lucidmr.physics import phantoms
from lucidmr.physics.image_noise import NoiseEstimate
from noisy_head import phantom, root_sum_of_squares

SIDE = 96


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    """A standardized grid of 192 instead of 1024 pixels."""
    monkeypatch.setattr(prepare, "SIDE_2D", 192)
    monkeypatch.setattr(prepare, "SIDE_3D", 144)
    # The tiny network carries its image on a large offset, which bfloat16 cannot hold.
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)


def body(seed=0, noise=20.0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (
        phantoms.Ellipse((0.0, 0.0), (0.4, 0.3), intensity=1000.0),
        phantoms.Ellipse((0.1, 0.1), (0.05, 0.1), intensity=500.0),
    )
    clean = phantoms.image(shapes, SIDE, SIDE).real
    return (clean + noise * torch.randn(SIDE, SIDE, generator=generator)).clamp_min(0).numpy()


@pytest.fixture
def series(tmp_path):
    plane = Geometry((-40.0, -30.0, 7.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.8, 0.8))
    create_series([body(seed) for seed in range(5)], tmp_path / "in", Protocol(plane=plane, phase_axis="col"))
    return read_series(tmp_path / "in").series[0]


def test_nothing_asked_changes_nothing(series, tiny_model):
    done = enhance(series, lucidmr.Enhancement(noise_reduction=1.0, restore_partial_fourier=False), model=tiny_model)
    for index in range(len(series)):
        assert np.allclose(done.image(index), done.original(index), atol=0.05)


def test_the_network_is_told_the_noise_of_each_image(series, tiny_model, monkeypatch):
    told = []
    predicted = series_network.predicted

    def listening(network, stacks, vector, device):
        told.append(Context.from_vector(tuple(vector[0].tolist())))
        return predicted(network, stacks, vector, device)

    monkeypatch.setattr(series_network, "predicted", listening)
    done = enhance(series, lucidmr.Enhancement(noise_reduction=8.0), model=tiny_model)
    passes = done.dial(0).calibration.told
    told.clear()
    done.image(0)
    found = done.noise(0).sd / done.standardization.scale
    assert done.noise(0).sd == pytest.approx(20.0, rel=0.4)  # two ellipses are not what the gauge knows
    assert passes[0] == 1.0
    wanted = [math.log2(1 + 100 * one * found) for one in passes]
    assert [context.noise for context in told] == pytest.approx(wanted)


def test_no_more_noise_is_believed_than_the_network_answers(series, tiny_model, monkeypatch):
    found = enhance(series, model=tiny_model).noise(0)
    for too_high in (3.0, 10.0):
        wrong = replace(found, sd=20.0 * too_high)
        monkeypatch.setattr(dial, "measure_noise", lambda *_, wrong=wrong: wrong)
        # Of noise of 20 at most a quarter more is believed, and of what edges add.
        assert 18.0 < enhance(series, model=tiny_model).noise(0).sd < 32.0
    faint = replace(found, sd=10.0)
    monkeypatch.setattr(dial, "measure_noise", lambda *_: faint)
    assert enhance(series, model=tiny_model).noise(0) == faint


def test_noise_falls_as_asked_and_signal_stays(series, tiny_model, monkeypatch):
    monkeypatch.setattr(prepare, "SIDE_2D", SIDE)  # pixel by pixel the tiny network removes three quarters of it
    monkeypatch.setattr(calibrate, "MOST_BESIDE", math.inf)  # and edges with it
    monkeypatch.setattr(calibrate, "MOST_RISE", math.inf)
    measured = []
    for wanted in (1.0, 1.3, 1.7):
        done = enhance(series, lucidmr.Enhancement(noise_reduction=wanted), model=tiny_model)
        measured.append(done.measured.homogeneous)
        assert measured[-1] == pytest.approx(wanted, rel=0.1)
        inside = (slice(40, 50), slice(40, 50))
        assert done.image(2)[inside].mean() == pytest.approx(done.original(2)[inside].mean(), rel=0.01)
    assert measured == sorted(measured)


@pytest.mark.parametrize("wanted", [1.0, 2.0, 4.0])
def test_the_noise_floor_falls_by_the_factor_asked(tmp_path, tiny_model, wanted):
    truth = 1000.0 * phantom(SIDE)
    images = [root_sum_of_squares(truth, 60.0, seed=seed).numpy() for seed in range(2)]
    create_series(images, tmp_path / "in", Protocol())
    asked = lucidmr.Enhancement(noise_reduction=wanted)
    done = enhance(read_series(tmp_path / "in").series[0], asked, model=tiny_model)
    assert done.dial(0).calibration.expected < 4.0  # of tissue less can go than is asked in the end
    before, after = done.original(0), done.image(0)
    edge = np.s_[2:20]  # rows of air
    # What the tiny network leaves of the noise in air shines as well.
    assert 0.9 / wanted < after[edge].mean() / before[edge].mean() < 1.5 / wanted
    bright = np.kron(truth.numpy(), np.ones((2, 2))) > 600.0
    assert after[bright].mean() == pytest.approx(before[bright].mean(), rel=0.06)


def test_several_passes_remove_what_was_expected(series, monkeypatch):
    monkeypatch.setattr(prepare, "SIDE_2D", 192)  # the released weights, on a small grid
    done = enhance(series, lucidmr.Enhancement(noise_reduction=4.0))
    setting = done.dial(2).calibration
    assert len(setting.told) > 1
    assert done.measured.homogeneous == pytest.approx(setting.expected, rel=0.1)
    assert done.measured.homogeneous > 2.0
    inside = (slice(110, 130), slice(80, 110))
    assert done.image(2)[inside].mean() == pytest.approx(done.original(2)[inside].mean(), rel=0.01)


def test_where_nothing_can_be_measured_the_card_sets_the_dial(series, tiny_model, monkeypatch):
    monkeypatch.setattr(dial, "measure_noise", lambda *_: NoiseEstimate(0.0, 1.0, 1.0))
    asked = lucidmr.Enhancement(noise_reduction=2.0)
    assert enhance(series, asked, model=tiny_model).dial(0).calibration == calibrate.nominal(2.0)
    measured = {"noise": [0.01], "shares": [0.0, 1.0], "factors": [[1.0, 3.0]]}
    told = replace(tiny_model, card={**tiny_model.card, "dial": measured})
    assert enhance(series, asked, model=told).dial(0).calibration == calibrate.unmeasured(2.0, 0.5)
    with pytest.raises(ValueError, match="shows no noise"):
        enhance(series, asked, model=tiny_model).response(0)
    broken = replace(tiny_model, card={**tiny_model.card, "dial": {"noise": []}})
    with pytest.raises(LucidError, match="the card's 'dial'"):
        enhance(series, asked, model=broken).dial(0)


def test_series_that_differ_by_the_noise_reduction_share_passes(series, tiny_model, monkeypatch):
    asked = []
    predicted = series_network.predicted
    monkeypatch.setattr(series_network, "predicted", lambda *args: (asked.append(1), predicted(*args))[1])
    one = replace(enhance(series, lucidmr.Enhancement(2.0), model=tiny_model), calibrators={})
    other = replace(one, enhancement=lucidmr.Enhancement(1.5), dials={})
    alone = enhance(series, lucidmr.Enhancement(1.5), model=tiny_model).dial(0)
    asked.clear()
    one.dial(0)
    assert len(asked) > 0
    asked.clear()
    assert other.dial(0) == alone
    assert len(asked) == 0


def test_out_of_reach_is_said(series, tiny_model):
    done = enhance(series, lucidmr.Enhancement(noise_reduction=8.0), model=tiny_model)
    assert any("out of the network's reach" in line for line in done.warnings)


def test_phase_axis_decides_the_orientation(series, tiny_model):
    done = enhance(series, model=tiny_model)
    assert done.standardization.transposed
    assert done.context.extent_freq == pytest.approx(-1.0)


def test_three_dimensional_acquisitions_have_their_own_grid(tmp_path, tiny_model):
    create_series([body()], tmp_path / "in", Protocol(three_dimensional=True))
    done = enhance(read_series(tmp_path / "in").series[0], model=tiny_model)
    assert done.image(0).shape == (144, 144)


def test_saved_series_has_the_corners_of_the_source(series, tiny_model, tmp_path):
    files = enhance(series, model=tiny_model).save(tmp_path / "out")
    assert len(files) == len(series)
    for source, result in zip(sorted((tmp_path / "in").iterdir()), files, strict=True):
        old, new = (pydicom.dcmread(path) for path in (source, result))
        assert (new.Rows, new.Columns) == (192, 192)
        for corner in ((-0.5, -0.5), (1.0, 1.0)):
            assert np.allclose(_millimetres(old, corner), _millimetres(new, corner), atol=0.01)


def _millimetres(header, corner):
    """Outer corner of the image: (-0.5, -0.5) the first pixel's, (1, 1) the last one's."""
    row = -0.5 if corner[0] < 0 else header.Rows - 0.5
    column = -0.5 if corner[1] < 0 else header.Columns - 0.5
    position, axes = np.array(header.ImagePositionPatient, float), np.array(header.ImageOrientationPatient, float)
    return position + axes[:3] * column * float(header.PixelSpacing[1]) + axes[3:] * row * float(header.PixelSpacing[0])


def test_rerun_gives_the_same_uids(series, tiny_model, tmp_path):
    first, second = (enhance(series, model=tiny_model).save(tmp_path / name) for name in ("a", "b"))
    uids = [[pydicom.dcmread(path).SOPInstanceUID for path in files] for files in (first, second)]
    assert uids[0] == uids[1]


def test_constant_images_stay_and_are_finite(tmp_path, tiny_model):
    create_series([np.full((64, 64), 7.0, np.float32)] * 3, tmp_path / "in", Protocol())
    done = enhance(read_series(tmp_path / "in").series[0], model=tiny_model)
    assert np.allclose(done.image(1), 7.0, atol=0.1)
    assert done.measured is None
    assert any("no noise could be found" in line for line in done.warnings)


def test_single_tiny_image(tmp_path, tiny_model):
    create_series([np.arange(12, dtype=np.float32).reshape(3, 4) * 100], tmp_path / "in", Protocol())
    done = enhance(read_series(tmp_path / "in").series[0], model=tiny_model)
    assert np.isfinite(done.image(0)).all()


def test_values_that_are_not_finite_are_refused(series, tiny_model, monkeypatch):
    monkeypatch.setattr(type(series), "image", lambda self, index: np.full((SIDE, SIDE), np.nan, np.float32))
    with pytest.raises(LucidError, match="values that are not finite"):
        enhance(series, model=tiny_model)


def test_gain_along_slice_is_not_silently_dropped(series, tiny_model):
    done = enhance(series, lucidmr.Enhancement(gain_slice=2.0), model=tiny_model)
    assert any("gain along slice" in line for line in done.warnings)
    assert done.context == replace(done.context, gain_slice=0.0)


def test_python_interface(series, tiny_model):
    done = lucidmr.enhance(series, lucidmr.Enhancement(noise_reduction=1.2), model=tiny_model, device="cpu")
    assert len(done) == len(series)
    assert lucidmr.read_series is read_series
