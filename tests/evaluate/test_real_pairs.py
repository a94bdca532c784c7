"""Standard and fast scans of one head, as two series of one study."""

from dataclasses import replace

import pytest
import torch

from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.series import read_series
from lucidmr.evaluate.experiments import EXPERIMENTS
from lucidmr.evaluate.real_pairs import compare_real, find_real_pairs
from noisy_head import phantom

FIELD = 224.0
PLANE = Geometry((-112.0, -112.0, 10.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0))


def scanned(folder, side, noise, moved=0, **says):
    """A head scanned on a matrix, the field of view moved by whole pixels down and to the right."""
    step = FIELD / side
    head = torch.nn.functional.interpolate(phantom(448)[None, None], (side, side), mode="area")[0, 0]
    image = torch.roll(head, (-moved, -moved), (0, 1))
    image = image + noise * torch.randn(side, side, generator=torch.Generator().manual_seed(side))
    # The outer corner of the first pixel stays where it is.
    corner = [entry + (0.5 + moved) * step for entry in PLANE.position[:2]]
    plane = replace(PLANE, position=(*corner, PLANE.position[2]), spacing=(step, step))
    protocol = replace(Protocol("one study", folder.name, plane=plane, slope=0.001), **says)
    create_series([image.clamp_min(0.0).numpy()], folder, protocol)
    return read_series(folder).series[0]


@pytest.fixture
def scans(tmp_path):
    return {
        "fast": scanned(tmp_path / "fast", 96, 0.06, moved=3, number=2, acceleration=2.0),
        "standard": scanned(tmp_path / "standard", 112, 0.02),
    }


def test_a_pair_is_found_whatever_the_order(scans):
    (pair,) = find_real_pairs(scans)
    assert (pair.name, pair.numbers) == ("standard, fast", (0, 0))
    # Half of the lines, and fewer of them.
    assert pair.time == pytest.approx(0.5 * 96 / 112)


@pytest.mark.parametrize(
    "says",
    [
        {"identity": "another study"},
        {"echo_time": 20.0},
        {"acceleration": 1.0},
        {"plane": replace(PLANE, position=(-112.0, -112.0, 30.0), spacing=(2.3, 2.3))},
        {"plane": replace(PLANE, spacing=(4.0, 4.0))},
        {"plane": replace(PLANE, column=(0.0, 0.0, -1.0), spacing=(2.3, 2.3))},
    ],
    ids=["study", "contrast", "as slow", "plane", "field of view", "orientation"],
)
def test_what_differs_otherwise_is_no_pair(tmp_path, says):
    standard = scanned(tmp_path / "standard", 112, 0.02)
    fast = scanned(tmp_path / "fast", 112, 0.06, **{"number": 2, "acceleration": 2.0, **says})
    assert find_real_pairs({"standard": standard, "fast": fast}) == []


def test_partial_fourier_saves_time_and_keeps_the_contrast(tmp_path):
    standard = scanned(tmp_path / "standard", 112, 0.02)
    fast = scanned(tmp_path / "fast", 112, 0.02, number=2, partial_fourier=True)
    (pair,) = find_real_pairs({"standard": standard, "fast": fast})
    assert pair.time < 0.9


def test_the_fast_scan_is_compared_where_it_shows_the_same_place(bench, scans):
    (pair,) = find_real_pairs(scans)
    found = compare_real(bench, pair)
    standard, fast, enhanced = found.images
    assert standard.shape == fast.shape == enhanced.shape
    # Moved back: what is left is noise and resolution. Three pixels apart it would be several times as much.
    assert found.difference[0] < 0.15
    shifted = torch.roll(fast, 8, 0)
    assert float((shifted - standard).norm() / standard.norm()) > 2.0 * found.difference[0]
    assert found.asked.noise_reduction > 1.5
    assert (found.asked.gain_freq, found.asked.gain_phase) == (pytest.approx(112 / 96),) * 2
    assert found.noise[1] > found.noise[0]
    assert found.noise[2] < found.noise[1]


def test_acceleration_reports_real_pairs(bench, scans):
    found = EXPERIMENTS["acceleration"](replace(bench, series=scans))
    table = next(table for table in found.tables if table.title.startswith("Really acquired"))
    assert [row[0] for row in table.rows] == ["standard, fast"]
    assert "standard, fast" in found.values
    assert any(figure.title == "standard, fast" for figure in found.figures)
    assert not any("different scan times" in note for note in found.notes)


def test_a_pair_without_homogeneous_tissue_is_noted(bench, tmp_path):
    dark = {
        name: scanned(tmp_path / name, 112, 0.0, number=number, acceleration=factor, slope=100.0)
        for name, number, factor in (("standard", 1, 1.0), ("fast", 2, 2.0))
    }
    found = EXPERIMENTS["acceleration"](replace(bench, series=dark))
    assert any("standard, fast: no homogeneous region" in note for note in found.notes)


def test_without_pairs_it_says_so(bench):
    found = EXPERIMENTS["acceleration"](replace(bench, series={}))
    assert any("different scan times" in note for note in found.notes)
