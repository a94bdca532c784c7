"""What one answer of a network gives is written on its card."""

import json
from pathlib import Path
from shutil import copy

import pytest

import measure_dial
from lucidmr.enhance import prepare
from lucidmr.enhance.calibrate import DialMap
from lucidmr.network.weights import load_model


def test_the_dial_is_measured_and_the_weights_stay(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / tiny_weights.name
    for suffix in (".safetensors", ".json"):
        copy(tiny_weights.with_suffix(suffix), tmp_path)
    monkeypatch.setattr(prepare, "SIDE_2D", 160)
    monkeypatch.setattr(measure_dial, "_NOISE", (0.02, 0.08))
    before = load_model(weights)
    measure_dial.MeasureDial(weights, (96, 80), 1).run()
    after = load_model(weights)
    assert after.sha256 == before.sha256
    found = DialMap.from_json(after.card["dial"])
    assert len(found.noise) == 2
    assert found.noise[0] < found.noise[1]
    assert all(row[0] == pytest.approx(1.0, abs=0.01) for row in found.factors)
    assert 0.0 <= found.share(1.2, found.noise[0]) <= 1.2
    assert json.loads(weights.with_suffix(".json").read_text())["dial"]["measured_on"] == "phantoms"
