"""`lucidmr evaluate` from the command line."""

import json
import sys
from typing import get_args

import pytest
import torch

from lucidmr import cli, cli_evaluate, device
from lucidmr.enhance import prepare
from lucidmr.evaluate import bench
from lucidmr.evaluate.experiments import EXPERIMENTS


@pytest.fixture
def lucidmr(monkeypatch, capsys, tiny_weights, phantom_data):
    """Evaluate with tiny weights on a coarse grid; gives exit status, standard output and standard error."""
    monkeypatch.setattr(prepare, "SIDE_2D", 112)
    monkeypatch.setattr(prepare, "SIDE_3D", 80)
    monkeypatch.setattr(bench, "phantoms", lambda folder, seed: phantom_data)
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lucidmr", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return stopped.value.code, printed.out, printed.err

    return lambda *words: run(*words, "--weights", tiny_weights)


def test_every_experiment_can_be_named():
    assert {*EXPERIMENTS, "all", "compare"} == set(get_args(cli_evaluate.Choice))


def test_a_quick_evaluation_of_phantoms_and_its_comparison(lucidmr, tmp_path):
    status, out, err = lucidmr("vendors", "--quick", "--out", tmp_path / "a")
    assert (status, err) == (0, "")
    assert "report.html" in out
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["report.html", "results.json"]
    found = json.loads((tmp_path / "a" / "results.json").read_text())
    assert found["settings"]["quick"] == "yes"
    assert set(found["experiments"]["vendors"]["values"]["series"]) == {"head", "head again", "blocks", "head 3D"}
    status, out, _ = lucidmr("compare", tmp_path / "a", tmp_path / "a")
    assert (status, out) == (0, "0 numbers differ, 0 of them by more than their intervals (*)\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("vendors", "--out", "OUT"), "no data named"),
        (("vendors", "--quick"), "--out is missing"),
        (("vendors", "--quick", "--out", "OUT", "--seed", "-1"), "--seed is -1"),
        (("vendors", "OUT/none", "--out", "OUT"), "no such file or folder"),
        (("vendors", "--quick", "--out", "FULL"), "already exists"),
        (("compare", "OUT"), "1 results named"),
        (("compare", "OUT", "OUT"), "cannot be read"),
    ],
)
def test_bad_input_is_told_in_one_line(words, complaint, lucidmr, tmp_path):
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "letter.txt").write_text("mine")
    places = {"OUT": tmp_path / "OUT", "OUT/none": tmp_path / "none", "FULL": tmp_path / "FULL"}
    status, out, err = lucidmr(*(places.get(word, word) for word in words))
    assert (status, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["FULL"]


def test_a_region_must_be_a_circle(lucidmr, tmp_path):
    status, _, err = lucidmr("noise", "--quick", "--out", tmp_path / "a", "--roi", "5", "5", "0")
    assert status == 2
    assert "--roi" in err
