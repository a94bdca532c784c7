"""Checkpoints: whole whenever the process dies, never of another run."""

import json
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tiny_training
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet
from lucidmr.network.weights import load_model
from lucidmr.train.checkpoint import CHECKPOINT, PREVIOUS, Run, load, save
from lucidmr.train.log import LOG
from lucidmr.train.loop import WEIGHTS, train
from tiny_training import CARD, CPU, SETTINGS, squares

ORIGIN = {"seed": 0, "network": {"channels": [4, 6]}}
EPOCH = 8


@pytest.fixture
def run() -> Run:
    network = CEUNet(SETTINGS.network)
    return Run(network, deepcopy(network), torch.optim.Adam(network.parameters()), 3, 1.5)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(tiny_training.__file__), str(folder), f"slices_per_epoch={EPOCH}"]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())})


def test_a_killed_run_gives_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    """Of 2 N steps: about N, kill -9, the others."""
    process, log = start(tmp_path / "killed"), tmp_path / "killed" / LOG
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= EPOCH * 3 // 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert start(tmp_path / "killed").wait() == 0
    train(squares(), replace(SETTINGS, slices_per_epoch=EPOCH), tmp_path / "whole", CPU, CARD)
    killed, whole = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("killed", "whole"))
    assert killed["step"] == whole["step"] == 3 * EPOCH
    for part in ("network", "average"):
        assert all(torch.equal(tensor, killed[part][name]) for name, tensor in whole[part].items())
    for number, state in whole["optimizer"]["state"].items():
        assert all(torch.equal(value, killed["optimizer"]["state"][number][name]) for name, value in state.items())
    assert load_model(tmp_path / "killed" / WEIGHTS).sha256 == load_model(tmp_path / "whole" / WEIGHTS).sha256
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines() if "loss" in json.loads(line)]
    assert steps == list(range(1, 3 * EPOCH + 1))  # each once, those that were done again included


def test_where_there_is_none_a_run_begins(run: Run, tmp_path: Path) -> None:
    assert load(run, tmp_path, ORIGIN, CPU.device) is None
    assert run.step == 3


def test_the_previous_one_is_taken_where_the_newest_cannot_be_read(run: Run, tmp_path: Path) -> None:
    save(run, tmp_path, ORIGIN)
    run.step = 4
    save(run, tmp_path, ORIGIN)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for damaged in (b"", whole[: len(whole) // 2]):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        remark = load(run, tmp_path, ORIGIN, CPU.device)
        assert remark is not None
        assert remark.startswith(f"{tmp_path / CHECKPOINT}: is not a checkpoint")
        assert remark.endswith(f"going on from {PREVIOUS}, step 3")
        assert run.step == 3
    (tmp_path / CHECKPOINT).unlink()  # killed between two names
    assert load(run, tmp_path, ORIGIN, CPU.device) is None
    (tmp_path / PREVIOUS).write_bytes(b"")
    with pytest.raises(LucidError, match=r"is not a checkpoint .*; remove it to start anew"):
        load(run, tmp_path, ORIGIN, CPU.device)


def test_one_that_cannot_be_written_leaves_the_last(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(run, tmp_path, ORIGIN)

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(LucidError, match=r"cannot be written .No space left on device"):
            save(run, tmp_path, ORIGIN)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    run.step = 0
    load(run, tmp_path, ORIGIN, CPU.device)
    assert run.step == 3


@pytest.mark.parametrize("which", ["network", "average"])
def test_weights_that_are_not_finite_are_never_saved(run: Run, tmp_path: Path, which: str) -> None:
    save(run, tmp_path, ORIGIN)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        getattr(run, which).head.bias[0] = float("inf")
    with pytest.raises(LucidError, match=f"head.bias of the {which} is not finite at step 3; the last"):
        save(run, tmp_path, ORIGIN)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(
    ("origin", "difference"),
    [
        ({**ORIGIN, "seed": 5}, "seed was 0, is 5"),
        ({**ORIGIN, "network": {"channels": (4, 8)}}, "network.channels was [4, 6], is [4, 8]"),
        ({**ORIGIN, "start": "abc"}, "start was not there, is abc"),
    ],
)
def test_the_first_difference_to_another_run_is_named(
    run: Run, tmp_path: Path, origin: dict[str, object], difference: str
) -> None:
    save(run, tmp_path, ORIGIN)
    with pytest.raises(LucidError) as caught:
        load(run, tmp_path, origin, CPU.device)
    assert str(caught.value) == (
        f"{tmp_path / CHECKPOINT}: was made with other settings; resume with those, or name another folder "
        f"({difference})"
    )
