"""The training loop: Adam, autocast, moving average of the weights; one process or one of several."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lucidmr.console import complain
from lucidmr.device import autocast
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet
from lucidmr.network.weights import Model, adapted, save_weights
from lucidmr.pairs.source import CorpusPairs
from lucidmr.train.checkpoint import Origin, Run, load, save
from lucidmr.train.compute import Compute, compute_of
from lucidmr.train.log import Log, open_log
from lucidmr.train.loss import relative_l1
from lucidmr.train.processes import Processes, told_to_stop
from lucidmr.train.settings import TrainSettings
from lucidmr.train.share import Share
from lucidmr.train.stream import Example, PairStream, Sources, batches, names_of
from lucidmr.train.validate import Examples, judge, simulate_examples

WEIGHTS = "weights.safetensors"
_SAVE_EVERY_SECONDS = 120.0
_LOG_EVERY_STEPS = 20


@dataclass(frozen=True)
class _Job:
    """What stays as it is from the first step to the last."""

    settings: TrainSettings
    folder: Path
    processes: Processes
    origin: Origin
    compute: Compute
    examples: Examples | None
    log: Log | None


def train(
    sources: Sources,
    settings: TrainSettings,
    folder: Path,
    processes: Processes,
    card: dict[str, Any],
    *,
    held_back: Sources | None = None,
    start: Model | None = None,
    tensorboard: bool = False,
) -> Path | None:
    """Train a network, or go on with the checkpoint that lies in the folder.

    Args:
        sources: What pairs are simulated from.
        settings: Settings of the run.
        folder: Where checkpoint, log, pictures and weights go; made if missing, the same for all processes.
        processes: Who trains.
        card: What to record beside the settings: name, version, data sources.
        held_back: What the pairs are simulated from that the network is judged by on its way.
        start: Network to start from; ``None`` = random weights.
        tensorboard: Write for TensorBoard as well.

    Returns:
        Path of the weights; ``None`` if SIGTERM asked to stop: a checkpoint is saved.

    Raises:
        LucidError: The checkpoint is of another run or damaged, the processes do not fit the settings, or something
            is not finite (the last good checkpoint stays).
    """
    if settings.slices_per_step % (processes.count * settings.accumulate):
        raise LucidError(
            f"--slices-per-step is {settings.slices_per_step}; it must be a multiple of "
            f"{processes.count} processes x {settings.accumulate} parts"
        )
    folder.mkdir(parents=True, exist_ok=True)
    origin = {**settings.lasting, "data": _content(sources), "start": start and start.sha256}
    run = _begin(settings, start, processes.device)
    remark = load(run, folder, origin, processes.device)
    if remark and processes.first:
        complain(f"warning: {remark}")
    if processes.decided(run.step) != [run.step]:
        raise LucidError(f"{folder}: is not the same on all computers; name a folder that they share")
    examples = None if held_back is None else simulate_examples(held_back, settings, processes)
    with open_log(folder, run.step, tensorboard) if processes.first else nullcontext() as log, told_to_stop() as told:
        job = _Job(settings, folder, processes, origin, compute_of(settings, processes), examples, log)
        finished = _steps(run, PairStream(sources, settings, settings.steps * settings.slices_per_step), job, told)
        _save(run, job)
        judged = _judge(run, job) if finished else {}
    if not finished:
        return None
    if processes.first:
        started = {"started_from": {"name": start.name, "sha256": start.sha256}} if start else {}
        compute = {"compute": job.compute.of_run(run.step, run.seconds)}
        save_weights(
            run.average, {**card, "training": settings.to_json(), **started, **compute, **judged}, folder / WEIGHTS
        )
    return folder / WEIGHTS


def _content(sources: Sources) -> dict[str, Any]:
    """What a run on these data must find again when it goes on."""
    if isinstance(sources, CorpusPairs):
        return {"measurements": sources.settings["measurements"]}
    return {"volumes": names_of(sources)}


def _begin(settings: TrainSettings, start: Model | None, device: torch.device) -> Run:
    torch.manual_seed(settings.seed)
    network = adapted(start.network, settings.network) if start else CEUNet(settings.network)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Run(network, deepcopy(network), torch.optim.Adam(network.parameters(), settings.learning_rate))


def _steps(run: Run, stream: PairStream, job: _Job, told: Callable[[], bool]) -> bool:
    """Run the schedule; whether it came to its end."""
    settings, processes = job.settings, job.processes
    share = Share(processes.rank, processes.count, settings.accumulate)
    parts = batches(stream, run.step * settings.slices_per_step, share)
    model = _wrapped(run.network, settings, processes)
    began = time.monotonic() - run.seconds
    saved = judged = time.monotonic()
    window = _Window(run.seconds)
    with Progress(disable=not (processes.first and sys.stderr.isatty())) as progress:
        bar = progress.add_task("training", total=1.0)
        while True:
            now = time.monotonic()
            done, to_save, to_judge, stop = processes.decided(
                _progress(run, settings),
                now - saved > _SAVE_EVERY_SECONDS,
                now - judged > 60.0 * settings.validation_minutes,
                told(),
            )
            if to_save:
                _save(run, job)
                saved = time.monotonic()
            if to_judge:
                _judge(run, job)
                judged = time.monotonic()
            if done >= 1.0 or stop:
                return done >= 1.0
            for group in run.optimizer.param_groups:
                group["lr"] = learning_rate(done, run.step, settings)
            window.add(*_step(run, model, parts, job))
            run.step += 1
            run.seconds = time.monotonic() - began
            progress.update(bar, completed=done, description=f"step {run.step} loss {window.losses[-1]:.3f}")
            if run.step % _LOG_EVERY_STEPS == 0:
                window = _written(window, run, job)


@dataclass
class _Window:
    """The steps between two lines of the log."""

    since: float
    losses: list[float] = field(default_factory=list)
    waited: float = 0.0

    def add(self, loss: float, waited: float) -> None:
        self.losses.append(loss)
        self.waited += waited


def _written(window: _Window, run: Run, job: _Job) -> _Window:
    """Write a line of the log; gives the next window."""
    seconds = run.seconds - window.since
    if job.log is not None:
        values = {
            "seconds": round(run.seconds, 1),
            "loss": round(sum(window.losses) / len(window.losses), 5),
            "learning_rate": run.optimizer.param_groups[0]["lr"],
            "waiting": round(window.waited / max(seconds, 1e-9), 3),
            **job.compute.rate(len(window.losses), seconds),
        }
        job.log.write(run.step, values)
    return _Window(run.seconds)


def _wrapped(network: CEUNet, settings: TrainSettings, processes: Processes) -> nn.Module:
    """The network as the steps call it: its gradients averaged over the processes."""
    if processes.count == 1:
        return network
    unused = settings.network.modulation == "none"  # then nobody listens to the embedding
    return DistributedDataParallel(network, find_unused_parameters=unused)


def _step(run: Run, model: nn.Module, parts: Iterator[Example], job: _Job) -> tuple[float, float]:
    """One optimizer step; returns the loss over all processes and the seconds spent waiting for data."""
    settings = job.settings
    run.optimizer.zero_grad(set_to_none=True)
    total = waited = 0.0
    for part in range(1, settings.accumulate + 1):
        asked = time.monotonic()
        example = next(parts)
        waited += time.monotonic() - asked
        is_last = part == settings.accumulate
        with model.no_sync() if isinstance(model, DistributedDataParallel) and not is_last else nullcontext():
            total += _backward(run, model, example, job)
    _check(float(nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip)), "gradient", run, job)
    run.optimizer.step()
    decay = min(settings.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        pairs = zip(run.average.parameters(), run.network.parameters(), strict=True)
        averaged, current = (list(tensors) for tensors in zip(*pairs, strict=True))
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
    return total, waited


def _backward(run: Run, model: nn.Module, example: Example, job: _Job) -> float:
    """Add the gradient of one part of a step; returns its share of the loss over all processes."""
    settings, device = job.settings, job.processes.device
    given, target, context = (tensor.to(device, non_blocking=True) for tensor in example)
    with autocast(device, settings.precision):
        output = model(given, context)
    loss = relative_l1(output, target, given, settings.loss_floor) / settings.accumulate
    (total,) = job.processes.total([float(loss.detach())])
    _check(total, "loss", run, job)
    loss.backward()  # type: ignore[no-untyped-call]
    return total / job.processes.count


def _check(value: float, what: str, run: Run, job: _Job) -> None:
    """Stop where something is not finite, before it reaches the weights."""
    if not math.isfinite(value):
        first = run.step * job.settings.slices_per_step
        raise LucidError(
            f"{job.folder}: the {what} became {value} at step {run.step}; the last checkpoint is kept "
            f"(items {first} to {first + job.settings.slices_per_step - 1} of the stream)"
        )


def _save(run: Run, job: _Job) -> None:
    if job.processes.first:
        save(run, job.folder, job.origin)


def _judge(run: Run, job: _Job) -> dict[str, Any]:
    """Judge the average where there is something to judge by, and write it down."""
    if job.examples is None:
        return {}
    judgement, picture = judge(run.average, job.examples, job.settings, job.processes)
    judged = {"validation": judgement._asdict()}
    if job.log is not None:
        job.log.write(run.step, {"seconds": round(run.seconds, 1), **judged})
        job.log.picture(run.step, picture)
    return judged


def _progress(run: Run, settings: TrainSettings) -> float:
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
