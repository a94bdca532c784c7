"""3D series: which network they get, which neighbours it sees, what it is told, and what must not depend on it."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch

from lucidmr import device
from lucidmr.context import Enhancement
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.enhance import calibrate, prepare
from lucidmr.enhance.calibrate import nominal
from lucidmr.enhance.neighbours import Neighbours, stack_noise
from lucidmr.enhance.pipeline import enhance
from lucidmr.enhance.prepare import facts_of, plan_of
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import Model, adapted
from lucidmr.physics import phantoms
from lucidmr.physics.image_noise import NoiseEstimate
from properties import seeded

SIDE = 48
DEPTH = 12
VOLUME = Protocol(three_dimensional=True, slice_thickness=1.0, slice_spacing=1.0)
NOTHING = Enhancement(noise_reduction=1.0, restore_partial_fourier=False)


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    """A standardized grid of the images' own matrix."""
    monkeypatch.setattr(prepare, "SIDE_2D", SIDE)
    monkeypatch.setattr(prepare, "SIDE_3D", SIDE)
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)


def slices(count=DEPTH, seed=0):
    """Noisy ellipses that grow from slice to slice."""
    generator = seeded(seed)
    for place in range(count):
        shape = phantoms.Ellipse((0.0, 0.0), (0.25 + 0.01 * place, 0.4), intensity=1000.0)
        clean = phantoms.image((shape,), SIDE, SIDE).real
        yield (clean + 20.0 * torch.randn(SIDE, SIDE, generator=generator)).clamp_min(0).numpy()


def written(folder: Path, protocol: Protocol = VOLUME, count: int = DEPTH, seed: int = 0) -> ImageSeries:
    create_series(slices(count, seed), folder, protocol)
    return read_series(folder).series[0]


@pytest.fixture
def volume(tmp_path):
    return written(tmp_path / "in")


@pytest.fixture(scope="module")
def random_3d():
    """A network of seven slices whose every weight is random."""
    torch.manual_seed(0)
    network = CEUNet(NetworkSettings(channels=(8, 8, 8, 8, 8), hidden=4, slices=7))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.1)
    return Model(network.eval(), {"name": "random", "version": "0"}, "0" * 64)


@pytest.fixture(scope="module")
def tiny_3d(tiny_model):
    """The tiny network of single slices, taught to take seven."""
    network = adapted(tiny_model.network, replace(tiny_model.network.settings, slices=7))
    return Model(network.eval(), {"name": "tiny", "version": "3"}, "1" * 64)


def test_nothing_asked_changes_nothing(volume, random_3d):
    done = enhance(volume, NOTHING, model=random_3d)
    for index in (0, 5, DEPTH - 1):
        assert np.allclose(done.image(index), done.original(index), atol=0.05)


def test_derived_images_name_as_many_slices_as_the_network_takes(volume, tiny_model, tiny_3d):
    made = [enhance(volume, NOTHING, model=model).provenance.slices for model in (tiny_model, tiny_3d)]
    assert made == [1, 7]


def test_a_network_taught_to_take_seven_does_what_it_did_with_one(volume, tiny_model, tiny_3d):
    asked = Enhancement(noise_reduction=2.0, gain_freq=1.5)
    flat, deep = (replace(enhance(volume, asked, model=model), fixed=nominal(2.0)) for model in (tiny_model, tiny_3d))
    for index in (0, 6):
        assert np.allclose(flat.image(index), deep.image(index), atol=0.01)


def test_noise_falls_as_asked_and_the_stack_shares_one_setting(volume, tiny_3d, monkeypatch):
    monkeypatch.setattr(calibrate, "MOST_BESIDE", math.inf)  # the tiny network takes edges off as well
    monkeypatch.setattr(calibrate, "MOST_RISE", math.inf)
    done = enhance(volume, Enhancement(noise_reduction=1.5), model=tiny_3d)
    assert done.measured.homogeneous == pytest.approx(1.5, rel=0.15)
    assert all(done.dial(index) is done.dial(0) for index in range(DEPTH))


def test_the_middle_slice_depends_on_three_neighbours_either_side(volume, random_3d, monkeypatch):
    asked = Enhancement(noise_reduction=4.0, gain_slice=2.0)
    done = replace(enhance(volume, asked, model=random_3d), fixed=nominal(4.0))
    before = done.image(5)
    stored = ImageSeries.image
    for changed, seen in ((1, False), (2, True), (4, True), (8, True), (9, False)):
        brighter = lambda self, index, which=changed: stored(self, index) * (1.0 + 0.2 * (index == which))  # noqa: E731
        monkeypatch.setattr(ImageSeries, "image", brighter)
        assert np.array_equal(replace(done).image(5), before) != seen


def test_end_slices_are_repeated_and_stacks_stay_apart(tmp_path):
    for echo in (1, 2):
        create_series(slices(8), tmp_path / "in" / str(echo), replace(VOLUME, echo_time=10.0 * echo))
    series = read_series(tmp_path / "in").series[0]
    assert sorted(map(len, series.stacks)) == [8, 8]
    around = Neighbours(series, plan_of(series, facts_of(series)), 7)
    assert around.numbers(0) == (0, 0, 0, 0, 1, 2, 3)
    assert around.numbers(6) == (3, 4, 5, 6, 7, 7, 7)
    assert around.numbers(8) == (8, 8, 8, 8, 9, 10, 11)
    stored = around.stored(8)
    assert stored.shape == (7, SIDE, SIDE)
    assert torch.equal(stored[0], stored[3])
    assert np.array_equal(stored[4].numpy(), series.image(9))


def test_the_order_of_the_files_does_not_matter(volume, random_3d, tmp_path):
    (tmp_path / "other").mkdir()
    for number, path in enumerate(sorted((tmp_path / "in").iterdir())):
        header = pydicom.dcmread(path)
        header.InstanceNumber = (7 * number) % DEPTH + 1
        header.save_as(tmp_path / "other" / f"{header.InstanceNumber:03d}.dcm")
    other = read_series(tmp_path / "other").series[0]
    first, second = (enhance(series, model=random_3d) for series in (volume, other))
    for index in (0, 5, DEPTH - 1):
        assert np.array_equal(first.image(index), second.image(index))
        assert volume.geometry(index) == other.geometry(index)


def test_what_is_told_of_the_slice_direction(volume, random_3d, tmp_path):
    asked = Enhancement(gain_slice=2.0)
    told = enhance(volume, asked, model=random_3d).context
    assert (told.extent_slice, told.extent_slice_unknown, told.gain_slice) == (0.0, 0.0, 1.0)
    interpolated = written(tmp_path / "interpolated", replace(VOLUME, slice_thickness=2.0))
    assert enhance(interpolated, asked, model=random_3d).context.extent_slice == pytest.approx(-1.0)


def test_gain_along_slice_acts_only_when_asked(volume, random_3d):
    plain, also_plain, sharper = (
        replace(enhance(volume, Enhancement(gain_slice=gain), model=random_3d), fixed=nominal(2.0))
        for gain in (1.0, 1.0, 2.0)
    )
    assert np.array_equal(plain.image(5), also_plain.image(5))
    assert not np.allclose(plain.image(5), sharper.image(5), atol=1.0)
    assert plain.provenance != sharper.provenance
    assert "gain along slice 2" in sharper.provenance.settings
    assert not any("along slice" in line for line in sharper.warnings)


def test_a_gain_along_slice_needs_adjoining_slices_of_a_volume(tiny_model, tmp_path):
    flat, short = written(tmp_path / "flat", Protocol()), written(tmp_path / "short", count=6)
    for series, needed in ((flat, "a 3D acquisition"), (short, "7 adjoining slices")):
        plain, asked = (enhance(series, Enhancement(gain_slice=gain), model=tiny_model) for gain in (1.0, 2.0))
        assert f"a gain along slice needs {needed}: it was ignored" in asked.warnings
        assert np.array_equal(plain.image(3), asked.image(3))
        assert plain.provenance == asked.provenance


def test_what_the_network_has_not_learned_is_told_where_it_is_asked(volume, random_3d, tiny_model):
    model = replace(random_3d, card={**random_3d.card, "unlearned": ["gain along slice"]})
    plain, asked = (enhance(volume, Enhancement(gain_slice=gain), model=model) for gain in (1.0, 2.0))
    (told,) = (line for line in asked.warnings if "along slice" in line)
    assert told.startswith(f"{model.name} has not learned a gain along slice: it changes next to nothing; name 2D")
    assert not any("along slice" in line for line in plain.warnings)
    both = enhance(volume, Enhancement(gain_slice=2.0), model=(model, tiny_model))
    assert both.model is model
    assert both.sharpens_along_slice
    assert not any("along slice" in line for line in both.warnings)


def test_each_series_gets_the_network_that_fits(volume, tiny_model, random_3d, tmp_path):
    both = (random_3d, tiny_model)
    flat, short = written(tmp_path / "flat", Protocol()), written(tmp_path / "short", count=6)
    assert enhance(volume, model=both).model is random_3d
    assert enhance(volume, model=tiny_model).model is tiny_model
    assert enhance(flat, model=both).model is tiny_model
    assert enhance(short, model=both).model is tiny_model
    apart = written(tmp_path / "apart", replace(VOLUME, slice_spacing=8.0))
    assert enhance(apart, model=both).model is tiny_model
    with pytest.raises(LucidError, match=r"is a 2D acquisition .*, the weights random 0 need at least 7"):
        enhance(flat, model=random_3d)
    with pytest.raises(LucidError, match=r"is a 3D acquisition with 6 adjoining slices, .* name 2D weights as well"):
        enhance(short, model=random_3d)


def test_slices_are_read_once_and_not_kept(volume, random_3d, monkeypatch):
    done = replace(enhance(volume, model=random_3d), fixed=nominal(2.0))
    done.dial(0)
    read, stored = Counter(), ImageSeries.image

    def counted(self, index):
        read[index] += 1
        return stored(self, index)

    monkeypatch.setattr(ImageSeries, "image", counted)
    assert len(list(replace(done).images())) == DEPTH
    assert set(read.values()) == {1}
    list(done.images())
    read.clear()
    done.original(0)
    assert read[0] == 1


@pytest.mark.parametrize("extent", [1.0, 0.5])
def test_noise_of_neighbours_is_that_of_the_volume(extent):
    noise = NoiseEstimate(3.0, 1.0, 0.6)
    numbers = (0, 0, 0, 1, 2, 3, 4)
    drawn = stack_noise(numbers, (128, 128), noise, extent, seeded())
    assert torch.allclose(drawn[0], drawn[2], atol=1e-4)
    assert float(drawn.std(dim=(1, 2)).mean()) == pytest.approx(3.0, rel=0.03)
    correlation = torch.corrcoef(drawn.flatten(1))
    expected = torch.sinc(extent * (torch.tensor(numbers)[:, None] - torch.tensor(numbers)))
    assert torch.allclose(correlation, expected, atol=0.05)
