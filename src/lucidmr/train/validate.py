"""Judging a network on its way: the same pairs each time, of subjects that it does not train on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lucidmr.device import autocast
from lucidmr.errors import LucidError
from lucidmr.pairs.source import CorpusPairs
from lucidmr.shapes import ContextVectors
from lucidmr.train.loss import relative_l1
from lucidmr.train.processes import Processes
from lucidmr.train.settings import TrainSettings
from lucidmr.train.share import Share
from lucidmr.train.stream import PairStream, Sources, batches, gather

_SEED: Final = 1_000_003
"""The same pairs for every run on the same data, whatever its own seed."""
_TOGETHER: Final = 8
"""Squares that the network looks at in one go."""
_SHOWN: Final = 4
"""Pairs in a picture."""
_LOUDER: Final = 5.0
"""How much louder differences are shown."""
_LEAST_MSE: Final = 1e-6
"""An error of a thousandth of the standardized range counts as none: gains over it say nothing."""


@dataclass(frozen=True)
class Examples:
    """One square of each pair; each process has its share.

    Attributes:
        inputs: Standardized.
        targets: What is wanted.
        contexts: What the network is told.
    """

    inputs: Float[Tensor, "pair slice freq phase"]
    targets: Float[Tensor, "pair 1 freq phase"]
    contexts: ContextVectors


class Judgement(NamedTuple):
    """What was measured.

    Attributes:
        loss: Mean loss.
        psnr_gain: By how much the peak signal-to-noise ratio of the output is above the input's, dB; mean over pairs.
        pairs: Over how many.
    """

    loss: float
    psnr_gain: float
    pairs: int


def held_back(sources: Sources, folders: Sequence[Path], settings: TrainSettings) -> tuple[Sources | None, str | None]:
    """What to judge a network by: the validation split of its corpus, or folders that were named for it.

    Args:
        sources: What it is trained with.
        folders: Folders that were named; there may be none.
        settings: Settings of the run.

    Returns:
        The sources, if there are any, and else why there are none.

    Raises:
        LucidError: Folders were named that hold nothing to judge by.
    """
    found = gather(folders, settings) if folders else sources
    if not isinstance(found, CorpusPairs):
        return (found, None) if folders else (None, "no volumes to judge by; name others than these with --validate")
    found = replace(found, split="validation", seed=_SEED, augment=False)
    try:
        _ = found.entries
    except LucidError as error:
        if folders:
            raise
        return None, str(error)
    return found, None


def simulate_examples(sources: Sources, settings: TrainSettings, processes: Processes) -> Examples:
    """Simulate this process's share of the fixed pairs, one at least.

    Args:
        sources: From :func:`held_back`.
        settings: Settings of the run.
        processes: Who shares.

    Returns:
        The examples.
    """
    one_by_one = replace(
        settings,
        seed=_SEED,
        slices_per_step=processes.count,
        accumulate=1,
        crops_per_slice=1,
        spread=1,
        synthetic_share=0.0,
        augment=False,
    )
    rounds = -(-settings.validation_pairs // processes.count)
    stream = PairStream(sources, one_by_one, rounds * processes.count)
    made = batches(stream, 0, Share(processes.rank, processes.count))
    return Examples(*map(torch.cat, zip(*made, strict=True)))


@torch.inference_mode()
def judge(
    network: nn.Module, examples: Examples, settings: TrainSettings, processes: Processes
) -> tuple[Judgement, Float[Tensor, "row column"]]:
    """Measure a network.

    Args:
        network: Gives enhanced middle slices for standardized images and contexts.
        examples: This process's share of the pairs.
        settings: Settings of the run.
        processes: Who shares.

    Returns:
        What was measured over all processes, and a picture of the first pairs of this one: a row each of input,
        output, target and five times the difference between the last two.
    """
    sums, rows = [0.0, 0.0, 0.0], list[Tensor]()
    for given, target, context in _together(examples):
        given, target, context = (part.to(processes.device) for part in (given, target, context))
        with autocast(processes.device, settings.precision):
            output = network(given, context)
        middle = given[:, given.shape[1] // 2, None]
        loss = relative_l1(output, target, given, settings.loss_floor) * len(given)
        gain = 10.0 * torch.log10(_mse(middle, target) / _mse(output, target)).sum()
        sums = [sums[0] + float(loss), sums[1] + float(gain), sums[2] + len(given)]
        rows += [_row(*images) for images in zip(middle, output, target, strict=True)][: _SHOWN - len(rows)]
    loss_sum, gain_sum, pairs = processes.total(sums)
    judgement = Judgement(round(loss_sum / pairs, 5), round(gain_sum / pairs, 3), int(pairs))
    return judgement, torch.cat(rows)


def _together(examples: Examples) -> Iterable[tuple[Tensor, ...]]:
    parts = (examples.inputs, examples.targets, examples.contexts)
    return zip(*(torch.split(part, _TOGETHER) for part in parts), strict=True)


def _mse(images: Float[Tensor, "b 1 h w"], target: Float[Tensor, "b 1 h w"]) -> Float[Tensor, " b"]:
    return (images - target).square().mean((1, 2, 3)) + _LEAST_MSE


def _row(given: Float[Tensor, "1 h w"], output: Float[Tensor, "1 h w"], target: Float[Tensor, "1 h w"]) -> Tensor:
    """Three images side by side in the target's window, and their difference."""
    low, high = (float(target.quantile(share)) for share in (0.005, 0.995))
    images = torch.cat([given, output, target, low + _LOUDER * (output - target).abs()], -1)[0]
    return ((images - low) / max(high - low, 1e-6)).cpu()
