"""What each choice is worth: small networks, the same steps each, judged on other subjects.

    python benchmarks/ablations.py TRAIN [TRAIN ...] --validate OTHER [OTHER ...] [--steps N] [--only NAME ...]

Every variant differs from the first in one thing. Seeds, steps, squares, learning rates are the same for all, and the
same simulated batches wherever the difference is not in the data. Judged on simulated pairs of the volumes that are
named for it, as they are:

- gain: mean gain in peak signal-to-noise ratio over the input, and its difference from the first variant's on the same
  pairs with its standard error;
- dial: mean deviation of the measured noise reduction from 1.5, 2, 3 and 4 asked, from two noise realisations of each
  scan, in homogeneous tissue; and what is measured where 3 is asked.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import inf, log2, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter
from typing import Any, Final

import torch
from torch import Tensor, nn

from lucidmr.context import CONTEXT_FIELDS
from lucidmr.degrade.draw import Degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.pairs.simulate import crop, reconstruct_pair, simulate_pair
from lucidmr.physics.image_noise import homogeneous_mask, local_mean
from lucidmr.raw.pseudo import NativeSlices, pseudo_raw
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.train.loss import relative_l1
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import Example, PairStream, Sources, batches, gather_slices

Told = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Small = NetworkSettings((16, 32, 48, 64), hidden=32)
ASKED: Final = (1.5, 2.0, 3.0, 4.0)
_LEAST_MSE: Final = 1e-6
"""An error of a thousandth of the standardized range counts as none."""
_SIDE: Final = 128
"""Of the squares that the dial is measured on."""
DENOISING: Final = DegradationRanges(
    gain_probability=0.0, partial_fourier_probability=0.0, acceleration_probability=0.0, noise=(0.02, 0.12)
)
NOT_COMMON: Final = DegradationRanges(base_fraction=(1.0, 1.0), restore_probability=1.0)


def as_is(contexts: Tensor) -> Tensor:
    """What the network is told."""
    return contexts


def without_noise(contexts: Tensor) -> Tensor:
    """The same without the noise level."""
    return _with(_with(contexts, "noise", 0.0), "noise_unknown", 1.0)


def as_deviations(contexts: Tensor) -> Tensor:
    """The noise-reduction factor read as a ratio of standard deviations: the root of that of variances."""
    return _with(contexts, "noise_reduction", 0.5 * contexts[:, CONTEXT_FIELDS.index("noise_reduction")])


def _with(contexts: Tensor, name: str, value: float | Tensor) -> Tensor:
    changed = contexts.clone()
    changed[:, CONTEXT_FIELDS.index(name)] = value
    return changed


def relative(output: Tensor, target: Tensor, given: Tensor) -> Tensor:
    """L1 relative to the input's own error."""
    return relative_l1(output, target, given, TrainSettings().loss_floor)


def plain_l1(output: Tensor, target: Tensor, given: Tensor) -> Tensor:
    """The paper's loss."""
    return relative_l1(output, target, given, inf)


def squared(output: Tensor, target: Tensor, _: Tensor) -> Tensor:
    """Mean squared error."""
    return (output - target).square().mean()


@dataclass(frozen=True)
class Variant:
    """A network and how it is trained; ``data`` changes what it is trained on."""

    name: str
    network: NetworkSettings = Small
    data: dict[str, Any] = field(default_factory=dict)
    loss: Loss = relative
    told: Told = as_is
    judged: Told = as_is


VARIANTS: Final = (
    Variant("as released, smaller"),
    Variant("no context, plain head", replace(Small, modulation="none", head="plain")),
    Variant("no context but the gates", replace(Small, modulation="none")),
    Variant("FiLM in every decoder stage", replace(Small, modulation="film")),
    Variant("DMP at the bottleneck", replace(Small, modulation="bottleneck")),
    Variant("plain head", replace(Small, head="plain")),
    Variant("no noise level told", told=without_noise, judged=without_noise),
    Variant("stem of single pixels", replace(Small, stem=1)),
    Variant("plain L1 loss", loss=plain_l1),
    Variant("squared loss", loss=squared),
    Variant("noisy targets", data={"target": "noisy"}),
    Variant("noisy targets, factor of deviations", data={"target": "noisy"}, told=as_deviations),
    Variant("no common degradation", data={"ranges": NOT_COMMON}),
    Variant("no synthetic anatomy", data={"synthetic_share": 0.0}),
    Variant("no augmentation", data={"augment": False}),
    Variant("neither of the two", data={"synthetic_share": 0.0, "augment": False}),
)


def trained(variant: Variant, made: Sequence[Example], seed: int) -> tuple[CEUNet, float]:
    """A network after all batches, the second half of them at a falling learning rate; and the seconds of a step."""
    torch.manual_seed(seed)
    network = CEUNet(variant.network)
    optimizer = torch.optim.Adam(network.parameters(), TrainSettings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2.0 - 2.0 * step / len(made)))
    start = perf_counter()
    for given, target, contexts in made:
        with torch.autocast("cpu", torch.bfloat16):
            output = network(given, variant.told(contexts))
        loss = variant.loss(output, target, given)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), TrainSettings.clip)
        optimizer.step()
        schedule.step()
    return network.eval(), (perf_counter() - start) / len(made)


@torch.inference_mode()
def gains(network: CEUNet, examples: Sequence[Example], judged: Told) -> list[float]:
    """Gain in peak signal-to-noise ratio of every pair, dB."""
    return [
        float(10.0 * torch.log10(_mse(given, target) / _mse(network(given, judged(contexts)), target)).mean())
        for given, target, contexts in examples
    ]


def _mse(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).square().mean((1, 2, 3)) + _LEAST_MSE


@dataclass(frozen=True)
class Repeated:
    """One scan twice: (2, 1, freq, phase) with noise of its own each, and what the network is told."""

    images: Tensor
    contexts: Tensor
    tissue: Tensor


def repeated(slices: NativeSlices, seed: int) -> Repeated:
    """The same degradation and reconstruction of a slice with two noise realisations."""
    generator = torch.Generator().manual_seed(seed)
    scan = pseudo_raw(slices, int(torch.randint(len(slices.images), (1,), generator=generator)), generator)
    pair = simulate_pair(scan, DENOISING, generator)
    drawn = Degradation.from_json(pair.provenance["degradation"])
    how = Reconstruction.from_json(pair.provenance["reconstruction"])
    again = reconstruct_pair(scan, replace(drawn, noise_seed=drawn.noise_seed + 1), how, "low_variance")
    low, high = pair.input.quantile(0.01), pair.input.quantile(0.99)
    scale = float((high - low).clamp_min(1e-6))
    origin = (pair.grid[0] - _SIDE) // 2, (pair.grid[1] - _SIDE) // 2
    pairs = (replace(pair, input=image) for image in (pair.input, again.input))
    both = [crop(one, _SIDE, origin, float(low), scale)[0] for one in pairs]
    contexts = torch.tensor([pair.context.with_noise(pair.noise / scale).vector] * 2)
    return Repeated(torch.stack(both), contexts, homogeneous_mask(both[0][0]))


@torch.inference_mode()
def dial(network: CEUNet, scans: Sequence[Repeated], judged: Told) -> list[float]:
    """Median noise reduction over scans for each of the factors asked."""
    found = []
    for asked in ASKED:
        reached = []
        for scan in scans:
            output = network(scan.images, judged(_with(scan.contexts, "noise_reduction", log2(asked))))
            before, after = (local_mean((images[0, 0] - images[1, 0]).square()) for images in (scan.images, output))
            reached.append(float((before / after.clamp_min(1e-12))[scan.tissue].median().sqrt()))
        found.append(median(reached))
    return found


def _batches(sources: Sources, settings: TrainSettings, passes: int) -> list[Example]:
    """The batches of all passes over the same pairs; what costs is to simulate them."""
    once = list(batches(PairStream(sources, settings, settings.steps * settings.slices_per_step), 0))
    return [batch for seed in range(passes) for batch in random.Random(seed).sample(once, len(once))]


def main() -> None:
    """Train and judge the variants."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("train", nargs="+", type=Path)
    parser.add_argument("--validate", nargs="+", type=Path, required=True, help="volumes of other subjects")
    parser.add_argument("--steps", type=int, default=400, help="steps of a pass over the pairs")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=96)
    parser.add_argument("--scans", type=int, default=24, help="scans that the dial is measured on")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=None, help="names of variants beside the first")
    options = parser.parse_args()
    settings = TrainSettings(
        epochs=(1, 0),
        slices_per_epoch=2 * options.steps,
        slices_per_step=2,
        crops_per_slice=8,
        crop=96,
        workers=options.workers,
        seed=options.seed,
    )
    sources, others = gather_slices(options.train), gather_slices(options.validate)
    fixed = replace(settings, seed=1_000_003, crop=192, crops_per_slice=1, synthetic_share=0.0, augment=False)
    held_back = PairStream(others, fixed, options.pairs)
    examples = [held_back[index] for index in range(options.pairs)]
    scans = [repeated(others[index % len(others)], index) for index in range(options.scans)]
    chosen = [v for v in VARIANTS if options.only is None or v is VARIANTS[0] or v.name in options.only]
    first: list[float] = []
    print("| variant | gain, dB | against the first, dB | dial deviation | measured at 3 | s a step |\n|" + "---|" * 6)
    for data, variants in groupby(chosen, key=lambda variant: variant.data):
        made = _batches(sources, replace(settings, **data), options.passes)
        for variant in variants:
            network, seconds = trained(variant, made, options.seed)
            found, reached = gains(network, examples, variant.judged), dial(network, scans, variant.judged)
            first = first or found
            change = [one - other for one, other in zip(found, first, strict=True)]
            deviation = mean(abs(got / asked - 1.0) for got, asked in zip(reached, ASKED, strict=True))
            print(
                f"| {variant.name} | {mean(found):.2f} | {mean(change):+.2f} ± {stdev(change) / sqrt(len(change)):.2f} "
                f"| {deviation:.0%} | {reached[ASKED.index(3.0)]:.2f} | {seconds:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
