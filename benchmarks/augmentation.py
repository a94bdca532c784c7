"""Do augmentation and synthetic anatomy pay? Small networks, the same steps each, judged on other subjects.

    python benchmarks/augmentation.py TRAIN [TRAIN ...] --validate OTHER [OTHER ...] [--steps N] [--pairs N]

Four networks: with and without augmentation of the volumes, with and without synthetic anatomy. Each is judged by its
gain in peak signal-to-noise ratio on the same simulated pairs, which come from the volumes that are named for it as
they are, without augmentation. Seeds, steps, squares and degradations are the same for all.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import torch
from torch import Tensor, nn

from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.train.loss import relative_l1
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import Example, PairStream, Sources, batches, gather

SYNTHETIC_SHARE = 0.3
_LEAST_MSE = 1e-6
"""An error of a thousandth of the standardized range counts as none."""


def trained(sources: Sources, settings: TrainSettings, device: torch.device) -> CEUNet:
    """A network after all steps of its settings, the second half of them at a falling learning rate."""
    torch.manual_seed(settings.seed)
    network = CEUNet(settings.network).to(device)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2.0 - 2.0 * step / settings.steps))
    for batch in batches(PairStream(sources, settings, settings.steps * settings.slices_per_step), 0):
        given, target, context = (part.to(device) for part in batch)
        loss = relative_l1(network(given, context), target, given, settings.loss_floor)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def gains(network: CEUNet, examples: list[Example], device: torch.device) -> Iterator[float]:
    """Gain in peak signal-to-noise ratio of every pair, dB."""
    for example in examples:
        given, target, context = (part.to(device) for part in example)
        middle = given[:, given.shape[1] // 2, None]
        yield float(10.0 * torch.log10(_mse(middle, target) / _mse(network(given, context), target)).mean())


def _mse(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).square().mean((1, 2, 3)) + _LEAST_MSE


def main() -> None:
    """Train and judge the four networks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("train", nargs="+", type=Path)
    parser.add_argument("--validate", nargs="+", type=Path, required=True, help="volumes of other subjects")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    device = torch.device(options.device)
    settings = TrainSettings(
        epochs=(1, 0),
        slices_per_epoch=4 * options.steps,
        crop=128,
        workers=options.workers,
        seed=options.seed,
        network=NetworkSettings((16, 32, 48, 64), hidden=32),
    )
    sources, others = gather(options.train, settings), gather(options.validate, settings)
    fixed = replace(settings, seed=1_000_003, synthetic_share=0.0, augment=False)
    held_back = PairStream(others, fixed, options.pairs)
    examples = [held_back[index] for index in range(options.pairs)]
    for augment, share in product((False, True), (0.0, SYNTHETIC_SHARE)):
        start = perf_counter()
        network = trained(sources, replace(settings, augment=augment, synthetic_share=share), device)
        found = list(gains(network, examples, device))
        name = f"augmentation {'on' if augment else 'off':3}  synthetic {share:3.0%}"
        error = stdev(found) / sqrt(len(found))
        print(f"{name}  gain {mean(found):5.2f} +- {error:.2f} dB  ({perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
