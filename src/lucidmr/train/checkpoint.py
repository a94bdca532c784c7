"""Checkpoints: whole whenever the process is killed, and never of another run.

A new one is written beside the old, flushed, and takes its name only then; the old one stays as the previous.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from lucidmr.errors import LucidError
from lucidmr.files import whole_file
from lucidmr.network.ce_unet import CEUNet

CHECKPOINT: Final = "checkpoint.pt"
PREVIOUS: Final = "checkpoint.previous.pt"
_LONGEST: Final = 48
"""Characters of a value in a message."""

Origin = dict[str, Any]
"""Plain values that a run keeps from its first step to its last: settings, data, what it started from."""


@dataclass
class Run:
    """What changes from step to step.

    Attributes:
        network: What is trained.
        average: Moving average of its weights; what is judged and published.
        optimizer: Its state.
        step: Steps done.
        seconds: Time they took.
    """

    network: CEUNet
    average: CEUNet
    optimizer: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0


def save(run: Run, folder: Path, origin: Origin) -> None:
    """Write a checkpoint.

    Args:
        run: The run.
        folder: Its folder.
        origin: Its origin.

    Raises:
        LucidError: It cannot be written, or a weight is not finite: the last good one stays.
    """
    networks = {"network": run.network.state_dict(), "average": run.average.state_dict()}
    for name, weights in networks.items():
        broken = next((part for part, tensor in weights.items() if not bool(tensor.isfinite().all())), None)
        if broken is not None:
            raise LucidError(
                f"{folder}: {broken} of the {name} is not finite at step {run.step}; the last checkpoint is kept"
            )
    counts = {"step": run.step, "seconds": run.seconds, "origin": json.dumps(origin)}
    path = folder / CHECKPOINT
    with whole_file(path) as part:
        torch.save({**networks, "optimizer": run.optimizer.state_dict(), **counts}, part)
        with suppress(FileNotFoundError):
            path.replace(folder / PREVIOUS)


def load(run: Run, folder: Path, origin: Origin, device: torch.device) -> str | None:
    """Go on where the newest readable checkpoint was, if there is any.

    Args:
        run: Gets its state.
        folder: Where checkpoints are.
        origin: Of the run that is to go on.
        device: Where it computes.

    Returns:
        What is wrong with the newest one where the previous one had to be taken; else ``None``.

    Raises:
        LucidError: None can be read, or it is of another run.
    """
    problem: LucidError | None = None
    for path in (folder / CHECKPOINT, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            state, before = _read(path, device)
        except LucidError as error:
            problem = problem or error
            continue
        _check(path, before, json.loads(json.dumps(origin)))
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.step, run.seconds = state["step"], state["seconds"]
        return f"{problem}; going on from {PREVIOUS}, step {run.step}" if problem else None
    if problem is not None:
        raise LucidError(f"{problem}; remove it to start anew") from problem
    return None


def _read(path: Path, device: torch.device) -> tuple[dict[str, Any], Origin]:
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        missing = {"network", "average", "optimizer", "step", "seconds"} - state.keys()
        if missing:
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
        return state, json.loads(state["origin"])
    except Exception as error:  # torch.load fails in many ways on a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise LucidError(f"{path}: is not a checkpoint ({reason})") from error


def _check(path: Path, before: Origin, now: Origin) -> None:
    """Refuse a checkpoint of another run, naming the first difference."""
    old, new = dict(_flat(before)), dict(_flat(now))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            was, is_ = (str(values.get(name, "not there"))[:_LONGEST] for values in (old, new))
            raise LucidError(
                f"{path}: was made with other settings; resume with those, or name another folder "
                f"({name} was {was}, is {is_})"
            )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
