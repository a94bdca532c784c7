"""The training loop: Adam, bf16 autocast, moving average of the weights, checkpoints, a log of JSON lines."""

import json
import math
import sys
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor, nn

from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet
from lucidmr.network.weights import save_weights
from lucidmr.train.loss import relative_l1
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import PairStream, Sources, batches

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
WEIGHTS = "weights.safetensors"
_SAVE_EVERY_SECONDS = 120.0
_LOG_EVERY_STEPS = 20


@dataclass
class _Run:
    """Everything that a checkpoint holds."""

    network: CEUNet
    average: CEUNet
    optimizer: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path, settings: TrainSettings) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "settings": json.dumps(settings.to_json()),
        }
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)

    def load(self, path: Path, settings: TrainSettings, device: torch.device) -> None:
        try:
            state = torch.load(path, map_location=device, weights_only=True)
            made_with = {**json.loads(state["settings"]), "minutes": 0, "workers": 0}
        except Exception as error:  # torch.load fails in many ways on a damaged file
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise LucidError(f"{path}: is not a checkpoint ({reason}); remove it to start anew") from error
        if made_with != json.loads(json.dumps({**settings.to_json(), "minutes": 0, "workers": 0})):
            raise LucidError(f"{path}: was made with other settings; resume with those, or name another folder")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def train(sources: Sources, settings: TrainSettings, folder: Path, device: torch.device, card: dict[str, Any]) -> Path:
    """Train a network, or go on with the checkpoint that lies in the folder.

    Args:
        sources: What pairs are simulated from.
        settings: Settings of the run.
        folder: Where checkpoint, log and weights go; made if missing.
        device: Where to train.
        card: What to record beside the settings: name, version, data sources.

    Returns:
        Path of the weights.

    Raises:
        LucidError: The checkpoint is of another run or damaged, or the loss becomes non-finite (the last good
            checkpoint stays).
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    network = CEUNet(settings.network).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(network, deepcopy(network), torch.optim.Adam(network.parameters(), settings.learning_rate))
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        run.load(checkpoint, settings, device)
    _steps(run, PairStream(sources, settings, settings.steps * settings.slices_per_step), settings, folder, device)
    compute = {
        "steps": run.step,
        "hours": round(run.seconds / 3600, 3),
        "device": _device_name(device),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    save_weights(run.average, {**card, "training": settings.to_json(), "compute": compute}, folder / WEIGHTS)
    return folder / WEIGHTS


def _steps(run: _Run, stream: PairStream, settings: TrainSettings, folder: Path, device: torch.device) -> None:
    """Run the schedule to its end."""
    began, saved = time.monotonic() - run.seconds, time.monotonic()
    losses: list[float] = []
    with Progress(disable=not sys.stderr.isatty()) as progress, (folder / LOG).open("a") as log:
        bar = progress.add_task("training", total=1.0)
        for batch in batches(stream, run.step * settings.slices_per_step):
            done = _progress(run, settings)
            if done >= 1.0:
                break
            for group in run.optimizer.param_groups:
                group["lr"] = learning_rate(done, run.step, settings)
            losses.append(_step(run, batch, settings, device, folder))
            run.step += 1
            run.seconds = time.monotonic() - began
            progress.update(bar, completed=done, description=f"step {run.step} loss {losses[-1]:.3f}")
            if run.step % _LOG_EVERY_STEPS == 0:
                entry = {
                    "step": run.step,
                    "seconds": round(run.seconds, 1),
                    "loss": round(sum(losses) / len(losses), 5),
                    "learning_rate": run.optimizer.param_groups[0]["lr"],
                }
                log.write(json.dumps(entry) + "\n")
                log.flush()
                losses.clear()
            if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                run.save(folder / CHECKPOINT, settings)
                saved = time.monotonic()
    run.save(folder / CHECKPOINT, settings)


def _step(
    run: _Run, batch: tuple[Tensor, Tensor, Tensor], settings: TrainSettings, device: torch.device, folder: Path
) -> float:
    """One optimizer step; returns the loss."""
    given, target, context = (tensor.to(device, non_blocking=True) for tensor in batch)
    with torch.autocast(device.type, torch.bfloat16):
        output = run.network(given, context)
    loss = relative_l1(output, target, given, settings.loss_floor)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise LucidError(f"{folder}: the loss became {value} at step {run.step}; the last checkpoint is kept")
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip)
    run.optimizer.step()
    decay = min(settings.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        pairs = zip(run.average.parameters(), run.network.parameters(), strict=True)
        averaged, current = (list(tensors) for tensors in zip(*pairs, strict=True))
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
    return value


def _progress(run: _Run, settings: TrainSettings) -> float:
    """Share of the schedule that is done: by time where minutes are given, by steps otherwise."""
    by_steps = run.step / settings.steps
    return max(by_steps, run.seconds / (60 * settings.minutes)) if settings.minutes else by_steps


def learning_rate(done: float, step: int, settings: TrainSettings) -> float:
    """The paper's two levels, the second a tenth of the first, after a short linear rise.

    Args:
        done: Share of the schedule that is done, 0 to 1.
        step: Steps done.
        settings: Settings of the run.

    Returns:
        The learning rate of the next step.
    """
    high, low = settings.epochs
    level = settings.learning_rate * (1.0 if done < high / (high + low) else 0.1)
    return level * min(1.0, (step + 1) / max(1, settings.warmup))


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads, bf16"
