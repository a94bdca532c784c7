"""CPU seconds per image of coil sensitivities: ours, SigPy and BART side by side in one run, on one thread each.

    python benchmarks/sensitivities.py [--rounds 3] [--side 320] [--coils 16] [--batch 8]

Ours takes the batch at once, the others take one image after the other (so one of them is timed). Rounds alternate;
the medians are printed. What is not installed is left out; BART's seconds include its program start and reading files.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before anything starts its threads

import torch
from cpu_seconds import cpu_seconds
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import resize_kspace, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.sensitivities import espirit, inati, low_resolution, walsh

LINES = 24


def main() -> None:
    """Time every method that is there and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 3), ("side", 320), ("coils", 16), ("batch", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kspace = scan(options.side, options.coils)
    with TemporaryDirectory() as folder:
        methods = {**ours(kspace, options.batch), **sigpy(kspace), **bart(kspace, Path(folder))}
        seconds: dict[str, list[float]] = {name: [] for name in methods}
        for _ in range(options.rounds):
            for name, run in methods.items():
                seconds[name].append(cpu_seconds(run))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    print(f"{options.side} x {options.side}, {options.coils} coils, {LINES} x {LINES} lines, batch {options.batch}")
    for name, median in medians.items():
        per_image = median / options.batch if name.startswith("ours") else median
        spread = max(seconds[name]) / min(seconds[name])
        print(f"{name:<16} {per_image:8.3f} s per image  (slowest / fastest round {spread:.2f})")
    for name in medians.keys() & {"SigPy ESPIRiT", "BART ESPIRiT"}:
        print(f"{name} / ours: {medians[name] / (medians['ours ESPIRiT'] / options.batch):.1f}")


def scan(side: int, n_coils: int) -> Tensor:
    """k-space (coil, 1, side, side) of the head phantom with 1 % of noise."""
    maps = loop_array_maps(n_coils, (1, side, side), torch.Generator().manual_seed(0))
    kspace = to_kspace(maps * image(anatomy_phantom(), side, side).reshape(1, side, side))
    return kspace + complex_noise(tuple(kspace.shape), 0.01, torch.Generator().manual_seed(1))


def ours(kspace: Tensor, batch: int) -> dict[str, Callable[[], object]]:
    """Each on a batch."""
    matrix = (1, kspace.shape[-2], kspace.shape[-1])
    lines = resize_kspace(kspace, (1, LINES, LINES)).repeat(batch, 1, 1, 1, 1)
    images = low_resolution(lines, matrix)
    return {
        "ours ESPIRiT": lambda: espirit(lines, matrix),
        "ours Walsh": lambda: walsh(images),
        "ours Inati": lambda: inati(images),
    }


def sigpy(kspace: Tensor) -> dict[str, Callable[[], object]]:
    """On one image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sigpy.mri.app import EspiritCalib
    except ImportError:
        return {}
    array = kspace[:, 0].numpy()
    return {"SigPy ESPIRiT": lambda: EspiritCalib(array, calib_width=LINES, show_pbar=False).run()}


def bart(kspace: Tensor, folder: Path) -> dict[str, Callable[[], object]]:
    """On one image, with its files in a folder."""
    if not (program := shutil.which("bart")):
        return {}
    array = kspace.numpy().transpose(2, 3, 1, 0)
    (folder / "kspace.hdr").write_text("# Dimensions\n" + " ".join(map(str, array.shape)) + " 1" * 12 + "\n")
    array.ravel(order="F").tofile(folder / "kspace.cfl")
    settings = ["-m1", f"-r{LINES}:{LINES}:1", "-k6:6:1"]
    command = [program, "ecalib", *settings, str(folder / "kspace"), str(folder / "maps")]
    return {"BART ESPIRiT": lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)}


if __name__ == "__main__":
    main()
