"""The experiments on phantoms, with a network that only takes high frequencies away."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lucidmr.context import Enhancement
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.series import read_series
from lucidmr.enhance import calibrate
from lucidmr.evaluate import experiments, sharpening
from lucidmr.evaluate.bench import BeforeAfter, Circle
from lucidmr.evaluate.experiments import EXPERIMENTS, run_experiment
from lucidmr.evaluate.experiments.noise_dial import circle_mask
from lucidmr.evaluate.sharpening import Trial, outcomes, projected_along_freq, reformatted, scales_of


def only(bench, *names):
    return replace(bench, series={name: bench.series[name] for name in names})


def test_the_noise_dial_reads_what_was_asked(bench, monkeypatch):
    monkeypatch.setattr(calibrate, "MOST_BESIDE", math.inf)  # this network takes edges off as well
    monkeypatch.setattr(calibrate, "MOST_RISE", math.inf)
    found = EXPERIMENTS["noise"](only(bench, "head", "head again"))
    dial = found.values["series"]["head"]
    assert dial["1"]["homogeneous"] == pytest.approx(1.0, abs=1e-3)
    assert dial["2"]["homogeneous"] > 1.3
    assert abs(dial["2"]["signal"]) < 1.0  # half a percent is the noise floor of four channels, which comes down
    assert found.values["repeated"]["1"] == [pytest.approx(1.0, abs=1e-3)]
    assert found.values["repeated"]["4"][0] > 1.05
    assert set(found.measures) == {"dial", "dial body", "signal"}
    assert len(found.figures) == 2


def test_without_repetition_or_noise_the_dial_says_so(bench, tmp_path):
    create_series([np.full((64, 64), 1000.0, np.float32)], tmp_path / "clean", Protocol())
    clean = read_series(tmp_path / "clean").series[0]
    found = EXPERIMENTS["noise"](replace(bench, series={"clean": clean}))
    assert found.tables == ()
    assert any("no noise" in note for note in found.notes)
    assert any("no repeated acquisitions" in note for note in found.notes)


def test_a_given_region_is_measured(bench):
    found = EXPERIMENTS["noise"](replace(only(bench, "head"), region=Circle(56, 56, 6)))
    assert len(found.values["series"]["head"]["2"]["regions"]) == 1


def test_a_circle_keeps_its_place_on_a_finer_grid():
    mask = circle_mask(Circle(10, 4, 3), (16, 20), (64, 80))
    row, column = (where.float().mean() for where in mask.nonzero().unbind(1))
    assert (float(row), float(column)) == (pytest.approx(4 * 4 + 1.5), pytest.approx(4 * 10 + 1.5))
    assert int(mask.sum()) == pytest.approx(3.1416 * 12**2, rel=0.03)


def test_edges_are_measured_along_every_direction(bench):
    found = list(outcomes(bench, bench.series["blocks"], Trial("freq", noise_reduction=1.0), 1))
    assert [(one.along, one.is_asked, one.kind) for one in found] == [
        ("freq", True, "source"),
        ("phase", False, "source"),
    ]
    # This network has no details to add: with the dial at 1 nothing changes.
    assert [one.edges.sharpness.value for one in found] == [pytest.approx(1.0, abs=1e-3)] * 2
    assert found[0].is_reliable


def test_projections_are_of_volumes_alone(bench):
    kinds = {
        name: {one.kind for one in outcomes(bench, bench.series[name], Trial("phase"), 1, slab=True)}
        for name in ("blocks", "head 3D")
    }
    assert kinds == {"blocks": {"source"}, "head 3D": {"source", "projection"}}


def test_edges_along_slice_are_measured_on_volumes(bench, monkeypatch):
    monkeypatch.setattr(sharpening, "asked_directions", lambda series: ("freq", "phase", "slice"))
    found = outcomes(bench, bench.series["head 3D"], Trial("phase"), 1, slab=True)
    along_slice = [one for one in found if one.along == "slice"]
    assert [one.kind for one in along_slice] == ["source", "projection"]
    assert not any(one.is_asked for one in along_slice)


def test_a_slab_is_reformatted_with_slice_in_the_place_of_freq():
    volume = torch.arange(4.0)[:, None, None].expand(4, 64, 48)
    slab = BeforeAfter(volume, 2.0 * volume)
    assert reformatted(slab).before[5, :, 7].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert projected_along_freq(slab).after[0, :, 7].tolist() == [0.0, 2.0, 4.0, 6.0]


def test_pixels_per_acquired_pixel(bench):
    scales = scales_of(bench.enhance(bench.series["head"], Enhancement()))
    # The filter's roll-off may count as not acquired.
    assert tuple(scales) == (pytest.approx(1.0, rel=0.12), pytest.approx(112 / 84, rel=0.12), 1.0)


def test_sharpness_reports_what_is_reliable(bench):
    found = EXPERIMENTS["sharpness"](only(bench, "blocks", "head"))
    assert set(found.measures["sharpness freq"]) == {"blocks"}
    assert any("fewer than 50 edges in head" in note for note in found.notes)
    assert any("no gain along slice" in note for note in found.notes)


def test_vendors_has_a_row_for_every_series(bench):
    found = EXPERIMENTS["vendors"](bench)
    assert [row[0] for row in found.tables[0].rows] == list(bench.series)
    assert max(found.measures["harm"].values()) < 0.01
    assert len(found.figures) == len(bench.series)


def test_dimensions_are_added_one_by_one(bench):
    found = EXPERIMENTS["dimensions"](bench)
    assert list(found.values["steps"]) == [
        "original",
        "noise",
        "+ freq k_max",
        "+ partial Fourier",
        "+ phase k_max",
    ]
    assert found.values["series"].startswith("head")
    assert any("along slice" in note for note in found.notes)


@pytest.mark.parametrize("name", ["dimensions", "noise", "sharpness", "vendors"])
def test_without_series_an_experiment_says_so(name, bench):
    found = run_experiment(name, replace(bench, series={}))
    assert not found.failed
    assert "no DICOM series among the data" in found.notes


def test_a_surprise_is_told_and_stops_no_other(bench, monkeypatch):
    def broken(_):
        raise RuntimeError("division by\nzero")

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"vendors": broken})
    found = run_experiment("vendors", bench)
    assert found.failed
    assert found.notes == ("vendors: stopped: division by zero",)


def test_what_a_header_says_is_looked_up_once(bench, monkeypatch):
    head = bench.series["head"]
    first = bench.enhance(head, Enhancement(2.0))
    monkeypatch.setattr("lucidmr.evaluate.bench.enhance", None)
    again, other = (bench.enhance(head, Enhancement(factor)) for factor in (2.0, 3.0))
    assert first is again
    assert other.context.noise_reduction > first.context.noise_reduction
    assert other.dial(0) != first.dial(0)


def test_randomness_depends_on_seed_and_purpose(bench):
    draws = [
        float(torch.rand(1, generator=one.generator(purpose)))
        for one, purpose in ((bench, "a"), (bench, "a"), (bench, "b"), (replace(bench, seed=1), "a"))
    ]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3
