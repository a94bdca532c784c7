"""Specimens and the simulated experiments, roughly, on phantoms and a tiny network."""

import json
import re
from dataclasses import replace

import pytest
import torch

from lucidmr.context import Directions, Enhancement
from lucidmr.errors import LucidError
from lucidmr.evaluate.bench import Bench, load_plain
from lucidmr.evaluate.experiments.acceleration import TABLE_2, sampling
from lucidmr.evaluate.experiments.artifacts import artifacts
from lucidmr.evaluate.experiments.pairs import WITHOUT, pairs
from lucidmr.evaluate.experiments.protocols import TABLE_1
from lucidmr.evaluate.experiments.protocols import sampling as sampling_of_setting
from lucidmr.evaluate.experiments.trust import trust
from lucidmr.evaluate.simulated import simulated_series
from lucidmr.evaluate.specimens import acquire, enhanced, phantom_volume, specimens
from lucidmr.pairs.describe import acquisition_of
from lucidmr.physics.fourier import IN_PLANE, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, kspace
from lucidmr.physics.sampling import AxisSampling, plane_mask
from lucidmr.reconstruct.settings import Reconstruction


@pytest.fixture
def bench(tiny_model, tmp_path):
    return Bench((tiny_model,), "cpu", quick=True, seed=0, folder=tmp_path, series={}, scans=())


def test_without_data_there_are_phantoms(bench):
    found, notes = specimens(bench, 2)
    assert [one.name for one in found] == ["phantom 1", "phantom 2"]
    assert notes == []
    assert all(one.scan.noise_sd == 0.0 for one in found)


def test_only_what_is_clean_is_a_truth_and_thin_slices_are_averaged(bench, tmp_path):
    head = to_image(kspace(anatomy_phantom(), 160, 128), IN_PLANE).real
    noise = complex_noise((5, 160, 128), 0.03, torch.Generator().manual_seed(0))
    images = 500 * (head + noise).abs()
    matrix = Directions(160.0, 128.0, 5.0)
    thin = acquisition_of(phantom_volume(bench).full)
    told = replace(thin, matrix=matrix, elliptical=False)
    volume = simulated_series(images, told, (1.0, 1.5, 1.5), tmp_path / "volume")
    slices = simulated_series(images, replace(told, three_dimensional=False), (1.0, 1.5, 1.5), tmp_path / "slices")
    for one in (volume, slices):
        one.headers[0].Manufacturer = "a vendor"  # our own simulations are no truths
    found, notes = specimens(replace(bench, series={"volume": volume, "slices": slices}), 4)
    assert [one.name for one in found] == ["volume"]
    assert len(notes) == 1
    assert re.match(r"slices: too noisy to be a truth \([3-5]\.\d% of tissue\)", notes[0])
    assert found[0].spacing == (5.0, 1.5, 1.5)


def test_noise_per_sample_is_noise_per_pixel_of_a_full_scan(bench):
    specimen = specimens(bench, 1)[0][0]
    how = Reconstruction(specimen.scan.matrix, combination="sensitivity_weighted", levels=65535)
    simulation = acquire(specimen, specimen.full, how, 0.05, 1)
    error = simulation.images - simulation.truth
    bright = simulation.truth > 0.5 * specimen.scan.signal
    assert float(error[bright].std()) == pytest.approx(0.05 * specimen.scan.signal, rel=0.1)


def test_the_truth_has_the_wanted_sampling(bench):
    specimen = specimens(bench, 1)[0][0]
    low = replace(specimen.full, freq=AxisSampling(48))
    how = Reconstruction(specimen.scan.matrix, levels=65535)
    simulation = acquire(specimen, low, how, 0.0, 1, specimen.full)
    whole = acquire(specimen, specimen.full, how, 0.0, 1)
    assert float((simulation.truth - whole.truth).norm() / whole.truth.norm()) < 2e-3
    assert float((simulation.images - whole.truth).norm() / whole.truth.norm()) > 0.02


def test_the_network_is_told_what_was_acquired(bench):
    specimen = specimens(bench, 1)[0][0]
    partial = replace(specimen.full, phase=AxisSampling(specimen.full.phase.width, 0.625))
    simulation = acquire(specimen, partial, Reconstruction(specimen.scan.matrix), 0.02, 1)
    series = enhanced(bench, simulation, "partial", Enhancement(2.0, gain_slice=2.0))
    assert series.context.missing_phase == pytest.approx(0.375, abs=0.01)
    assert series.context.gain_slice == 0.0


def test_the_protocols_are_those_of_table_2(bench):
    solid = phantom_volume(bench)
    plexus = TABLE_2[1]
    pattern = sampling(solid, plexus.fast).undersampling
    assert pattern is not None
    assert pattern.factor == 6
    planes = specimens(bench, 1)[0]
    lines = [int(plane_mask(sampling(planes[0], arm)).sum()) for arm in (TABLE_2[0].standard, TABLE_2[0].fast)]
    assert lines[1] < lines[0]


def test_the_settings_are_those_of_table_1(bench):
    solid = phantom_volume(bench)
    assert len(TABLE_1) == 8
    coarse = sampling_of_setting(solid, TABLE_1[3], 0)
    assert coarse.freq.width == pytest.approx(0.6 * solid.full.freq.width, abs=2)
    assert sampling_of_setting(solid, TABLE_1[1], 0).corner_cut == 1.0
    lines = [int(plane_mask(sampling_of_setting(solid, setting, 0)).sum()) for setting in TABLE_1[:2]]
    assert lines[1] < lines[0]


@pytest.mark.parametrize("experiment", [artifacts, trust, pairs])
def test_an_experiment_gives_tables_and_json(experiment, bench, tiny_model):
    pytest.importorskip("skimage")
    finding = experiment(replace(bench, without_context=tiny_model))
    assert finding.experiment == experiment.__name__
    assert finding.summary
    assert all(table.rows for table in finding.tables)
    assert all(figure.html.startswith("<img") for figure in finding.figures)
    json.dumps(finding.values)
    if experiment is trust:
        assert [figure.title for figure in finding.figures] == ["What was removed", "Local response"]
    if experiment is pairs:
        # The same network once more: without anything that it was not told.
        assert finding.measures["context"] == pytest.approx({"phantom 1": 0.0, "phantom 2": 0.0}, abs=1e-3)
        assert any(row[0] == WITHOUT for row in finding.tables[0].rows)


def test_weights_without_context_have_no_modulation(tiny_weights):
    with pytest.raises(LucidError, match="has modulation decoder and 1 slices; name 2D weights"):
        load_plain(tiny_weights, torch.device("cpu"))


def test_an_acquisition_is_repeatable(bench):
    first, second = (specimens(bench, 1)[0][0] for _ in range(2))
    how = Reconstruction(first.scan.matrix)
    images = [acquire(one, one.full, how, 0.05, 3).images for one in (first, second)]
    assert torch.equal(*images)
    assert not torch.equal(images[0], acquire(first, first.full, how, 0.05, 4).images)
