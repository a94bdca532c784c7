"""Several training processes work as one."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tiny_training
from lucidmr.train import loop
from lucidmr.train.checkpoint import CHECKPOINT
from lucidmr.train.log import LOG
from lucidmr.train.loop import WEIGHTS, train
from lucidmr.train.processes import joined, told_to_stop
from lucidmr.train.share import WHOLE, Share
from tiny_training import CARD, CPU, SETTINGS, squares


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def together(count: int, folder: Path, *changes: str) -> list[int]:
    """What torchrun does: the same command in several processes that find each other; their exit statuses."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    command = [sys.executable, str(tiny_training.__file__), str(folder), *changes]
    started = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]
    return [process.wait() for process in started]


def losses(folder: Path, kind: str = "loss") -> list[float]:
    entries = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [entry[kind] for entry in entries if kind in entry]


def test_two_processes_give_the_loss_curve_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does half of every step, in two parts."""
    monkeypatch.setattr(loop, "_LOG_EVERY_STEPS", 1)
    settings = replace(SETTINGS, slices_per_step=4, slices_per_epoch=16, precision="fp32")
    train(squares(), settings, tmp_path / "one", CPU, CARD, held_back=squares(1))
    changes = ("slices_per_step=4", "slices_per_epoch=16", 'precision="fp32"', "accumulate=2")
    assert together(2, tmp_path / "two", *changes) == [0, 0]
    assert len(losses(tmp_path / "one")) == 12
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=2e-5)
    assert losses(tmp_path / "two", "validation") == losses(tmp_path / "one", "validation")
    one, two = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True)["network"] for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], atol=1e-6, rtol=1e-5)
    assert (tmp_path / "two" / WEIGHTS).exists()


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 1), (2, 1), (1, 4), (2, 2)])
def test_the_shares_of_a_step_are_its_items(processes: int, accumulate: int) -> None:
    whole = list(WHOLE.parts(8, 24, 8))
    assert whole == [list(range(8, 16)), list(range(16, 24))]
    shares = [list(Share(rank, processes, accumulate).parts(8, 24, 8)) for rank in range(processes)]
    for step, items in enumerate(whole):
        parts = [part for share in shares for part in share[step * accumulate : (step + 1) * accumulate]]
        assert [item for part in parts for item in part] == items
        assert len({len(part) for part in parts}) == 1


def test_without_torchrun_a_process_is_alone() -> None:
    with joined(CPU.device) as processes:
        assert processes == CPU
        assert processes.first
        assert processes.total([1.0, 2.0]) == processes.decided(1.0, 2) == [1.0, 2.0]


def test_sigterm_leaves_a_note_within_the_block_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with told_to_stop() as told:
        assert not told()
        signal.raise_signal(signal.SIGTERM)
        assert told()
    assert signal.getsignal(signal.SIGTERM) == before
