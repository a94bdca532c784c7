"""Training runs of milliseconds, for tests; as a script, one of them in a process that can be killed or multiplied.

``python tiny_training.py FOLDER [NAME=VALUE ...]``: settings that differ, as JSON.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from lucidmr.network.ce_unet import NetworkSettings
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.train import loop
from lucidmr.train.processes import Processes, joined
from lucidmr.train.settings import TrainSettings

CPU = Processes(0, 1, torch.device("cpu"))
CARD = {"name": "tiny", "version": "0"}
SETTINGS = TrainSettings(
    epochs=(2, 1),
    slices_per_epoch=2,
    learning_rate=1e-3,
    warmup=2,
    slices_per_step=1,
    crops_per_slice=1,
    crop=16,
    synthetic_share=0.0,
    augment=False,
    workers=0,
    validation_pairs=2,
    network=NetworkSettings(channels=(4, 6), hidden=4),
)
"""Six steps of a few milliseconds."""


def squares(seed: int = 0) -> list[NativeSlices]:
    """Two slices with something to learn from."""
    images = 0.6 + 0.4 * torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(seed))
    return [NativeSlices(images, 0.0, 1.0, "squares")]


def main() -> None:
    """Train in this process, or in one of several that torchrun started; every step is saved and logged."""
    folder, *changes = sys.argv[1:]
    settings = replace(SETTINGS, **{name: json.loads(value) for name, value in (c.split("=") for c in changes)})
    loop._SAVE_EVERY_SECONDS = -1.0
    loop._LOG_EVERY_STEPS = 1
    with joined(torch.device("cpu")) as processes:
        made = loop.train(squares(), settings, Path(folder), processes, CARD, held_back=squares(1))
    raise SystemExit(0 if made else 143)


if __name__ == "__main__":
    main()
