"""The weights in the package: they load, their card is complete, and on a phantom they do what the dial says."""

import json
from itertools import pairwise

import numpy as np
import pytest

import lucidmr
from lucidmr.context import SCHEMA_VERSION
from lucidmr.demo import simulate_slice
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.enhance import prepare
from lucidmr.enhance.calibrate import DialMap
from lucidmr.network.weights import (
    PACKAGED_2D,
    PACKAGED_3D,
    PACKAGED_GAUGE,
    load_gauge,
    load_model,
    packaged_models,
)
from lucidmr.physics.phantoms import anatomy_phantom


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released") / "in"
    images = (simulate_slice(anatomy_phantom(where), 5) for where in (-0.2, 0.0, 0.2))
    create_series(images, folder, Protocol(matrix=(256, 192)))
    return lucidmr.read_series(folder).series[0]


@pytest.fixture(autouse=True)
def coarser_grid(monkeypatch):
    """Twice instead of three times the matrix: a quarter of the time, and extents the network knows as well."""
    monkeypatch.setattr(prepare, "SIDE_2D", 640)


@pytest.mark.parametrize("path", [PACKAGED_2D, PACKAGED_3D])
def test_card_is_complete(path):
    model = load_model(path)
    card = model.card
    assert card["context_schema"] == SCHEMA_VERSION
    assert card["sha256"] == model.sha256
    assert all({"name", "source", "licence"} <= entry.keys() for entry in card["data"])
    assert sum(run["steps"] for run in card["lineage"]) > 1000
    assert {"training", "network", "volumes", "intended_use", "measured"} <= card.keys()
    assert 9e6 < sum(parameter.numel() for parameter in model.network.parameters()) < 14e6
    dial = DialMap.from_json(card["dial"])
    assert 0.0 < dial.share(1.2, 0.02) < dial.share(1.4, 0.02) <= 1.2


def test_the_gauge_and_the_size_of_all_weights():
    assert sum(parameter.numel() for parameter in load_gauge().parameters()) < 1e5
    card = json.loads(PACKAGED_GAUGE.with_suffix(".json").read_text())
    assert {"name", "version", "license", "training", "gauge_schema", "intended_use"} <= card.keys()
    assert all({"name", "source", "licence"} <= entry.keys() for entry in card["data"])
    assert sum(path.stat().st_size for path in PACKAGED_2D.parent.iterdir()) < 50e6


def test_the_3d_network_takes_3d_acquisitions():
    assert [model.network.settings.slices for model in packaged_models()] == [1, 7]


def test_dial_on_a_phantom(model, series):
    measured = []
    for wanted in (1.0, 1.5, 2.0):
        done = lucidmr.enhance(series, lucidmr.Enhancement(noise_reduction=wanted), model=model)
        measured.append(done.measured.homogeneous)
        assert measured[-1] == pytest.approx(wanted, rel=0.2)
    assert all(a < b for a, b in pairwise(measured))


def test_nothing_asked_does_no_harm(model, series):
    asked = lucidmr.Enhancement(noise_reduction=1.0, restore_partial_fourier=False)
    done = lucidmr.enhance(series, asked, model=model)
    before, after = done.original(1), done.image(1)
    assert np.abs(after - before).mean() < 0.005 * np.ptp(before)
