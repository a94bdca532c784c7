"""The data of an evaluation: what is read, what is simulated, and which images repeat others."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from lucidmr.context import Acquisition, Directions, Enhancement
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.header import acquisition, facts
from lucidmr.dicom.series import read_series
from lucidmr.errors import LucidError
from lucidmr.evaluate.bench import before_after, middle, read_data
from lucidmr.evaluate.repeats import find_repeats
from lucidmr.evaluate.simulated import simulated_series

PLAIN = Acquisition(
    Directions(48.0, 40.0, None), Directions(1.0, 1.0, 1.0), 1.0, 1.0, 1.0, elliptical=False, three_dimensional=False
)
VOLUME = replace(PLAIN, matrix=Directions(48.0, 40.0, 10.0), three_dimensional=True)


@pytest.mark.parametrize(
    "wanted",
    [
        PLAIN,
        replace(PLAIN, partial_fourier=Directions(1.0, 0.75, 1.0), acceleration_phase=2.0),
        replace(VOLUME, acceleration_phase=2.5, acceleration_slice=2.0, elliptical=True),
        replace(VOLUME, acceleration_random=7.0, elliptical=True),
    ],
    ids=["plain", "partial and parallel", "both directions", "random"],
)
def test_a_simulated_series_tells_its_acquisition(wanted, tmp_path):
    images = torch.rand(12, 64, 64)
    series = simulated_series(images, wanted, (2.0, 1.5, 1.5), tmp_path / "made")
    assert acquisition(facts(series)) == wanted
    found = torch.stack([torch.from_numpy(image) for image in series.images()])
    torch.testing.assert_close(found, images, atol=1e-4, rtol=0)


def test_a_simulated_series_keeps_its_sign(tmp_path):
    images = torch.linspace(-3.0, 5.0, 64 * 64).reshape(1, 64, 64)
    series = simulated_series(images, PLAIN, (5.0, 1.5, 1.5), tmp_path / "made")
    torch.testing.assert_close(torch.from_numpy(series.image(0)), images[0], atol=2e-4, rtol=0)


@pytest.mark.parametrize(("count", "wanted", "found"), [(9, 3, [3, 4, 5]), (2, 5, [0, 1]), (1, 1, [0])])
def test_the_middle_of_a_series(count, wanted, found):
    assert middle(count, wanted) == found


def test_images_before_and_after_have_rows_along_phase(bench, tmp_path):
    image = torch.linspace(0.0, 1.0, 64).expand(64, 64).numpy() * 1000
    for axis in ("row", "col"):
        create_series([image], tmp_path / axis, Protocol(phase_axis=axis))
        series = read_series(tmp_path / axis).series[0]
        before = before_after(bench.enhance(series, Enhancement(1.0)), [0]).before[0]
        along_phase = float(before[50, 100] - before[50, 10])
        assert (along_phase > 500) == (axis == "row")


def test_data_of_any_kind_are_read_and_names_are_unique(tmp_path):
    rng = np.random.default_rng(0)
    ball = 500.0 * (np.hypot(*np.mgrid[-48:48, -48:48]) < 40)
    noisy = [np.abs(ball + rng.normal(0, 5, ball.shape)).astype(np.float32) for _ in range(3)]
    for number in (1, 2):
        create_series(noisy, tmp_path / "data" / f"{number}" / "T2", Protocol(number=number))
    nibabel.save(nibabel.Nifti1Image(np.stack(noisy, -1), np.diag([1, 1, 4, 1])), tmp_path / "data" / "T1.nii.gz")
    np.save(tmp_path / "data" / "odd.npy", np.zeros(3))
    (tmp_path / "data" / "out").mkdir()
    data = read_data([tmp_path / "data"], tmp_path / "data" / "out", 0)
    assert list(data.series) == ["T2: T2 TSE tra", "T2: T2 TSE tra (2)"]
    assert [scan.source for scan in data.scans] == ["T1.nii.gz[0]", "T1.nii.gz[1]"]
    assert len(data.notes) == 1
    assert "odd.npy" in data.notes[0]


def test_nothing_to_evaluate_on_is_told_in_one_line(tmp_path):
    (tmp_path / "letter.txt").write_text("no image")
    with pytest.raises(LucidError, match="holds nothing to evaluate on"):
        read_data([tmp_path], tmp_path / "out", 0)


def test_an_image_acquired_twice_is_found(phantom_data):
    repeats = find_repeats(phantom_data.series.values())
    assert [(one.series.description, other.series.description) for one, other in repeats] == [("head", "head again")]


def test_another_contrast_is_no_repetition(phantom_data, tmp_path):
    head = phantom_data.series["head"]
    told = acquisition(facts(head))
    brighter = 1.3 * torch.stack([torch.from_numpy(image) for image in head.images()])
    other = simulated_series(brighter, told, (5.0, 2.0, 2.0), tmp_path / "other")
    assert find_repeats([head, other]) == []
