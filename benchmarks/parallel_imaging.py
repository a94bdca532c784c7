"""CPU seconds of GRAPPA and SENSE against pygrappa, BART and SigPy, single-threaded, side by side in one run.

    OMP_NUM_THREADS=1 python benchmarks/parallel_imaging.py [--rounds 3] [--batch 8]

R = 3 with 24 integrated calibration lines, 320 x 320, 16 coils. GRAPPA: calibration and filling, 5 x 4 kernels. SENSE:
ten iterations of conjugate gradients, the same maps and regularization. The others take one image at a time, and the
time of one is multiplied by the batch. Those not installed are skipped.
"""

import argparse
import importlib.util
import shutil
import statistics
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from cpu_seconds import cpu_seconds
from torch import Tensor

from lucidmr.physics.fourier import central_band, to_kspace
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.grappa import grappa, grappa_weights
from lucidmr.reconstruct.sense import sense

COILS, MATRIX, R, KERNEL = 16, (1, 320, 320), 3, (1, 5, 4)
ITERATIONS, LAMBDA = 10, 1e-3


def main() -> None:
    """Print medians, and how many times slower each oracle is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kspace, maps, mask, calibration = scan()
    batch = (kspace.repeat(options.batch, 1, 1, 1, 1), calibration.repeat(options.batch, 1, 1, 1, 1))
    ours = {"GRAPPA": grappa_job(*batch, mask), "SENSE": sense_job(batch[0], maps, mask)}
    others = grappa_oracles(kspace, calibration) | sense_oracles(kspace, maps)
    times: dict[str, list[float]] = {name: [] for name in [*ours, *others]}
    for _ in range(options.rounds + 1):
        for name, job in ours.items():
            times[name].append(cpu_seconds(job))
        for name, job in others.items():
            times[name].append(cpu_seconds(job) * options.batch)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, seconds in medians.items():
        print(f"{name:<28} {seconds:7.2f} s   {seconds / medians[name.split(',')[0]]:6.1f} x")


def scan() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Undersampled k-space of a disc seen by smooth maps, the maps, the mask and the calibration lines."""
    freq, phase = torch.meshgrid(*((torch.arange(n) - n // 2) / n for n in MATRIX[1:]), indexing="ij")
    angle = 2 * torch.pi * torch.arange(COILS)[:, None, None] / COILS
    toward = (freq * torch.cos(angle) + phase * torch.sin(angle))[:, None]
    maps = torch.polar(torch.exp(3 * toward), toward)
    maps /= maps.abs().square().sum(0).sqrt()
    full = to_kspace(maps * ((freq**2 + phase**2) < 0.16))
    full += 1e-3 * torch.view_as_complex(torch.randn(*full.shape, 2, generator=torch.Generator().manual_seed(0)))
    plane = UniformUndersampling(phase=R).pattern(torch.ones(1, MATRIX[2], dtype=torch.bool))
    mask = plane[:, None, :].expand(MATRIX)
    return full * mask, maps, mask, full[..., slice(*central_band(MATRIX[2], 24))]


def grappa_job(kspace: Tensor, calibration: Tensor, mask: Tensor) -> Callable[[], Tensor]:
    """Ours, calibration included."""
    return lambda: grappa(kspace, mask, grappa_weights(calibration, UniformUndersampling(phase=R), KERNEL))


def sense_job(kspace: Tensor, maps: Tensor, mask: Tensor) -> Callable[[], Tensor]:
    """Ours, all iterations done."""
    return lambda: sense(kspace, maps, mask, LAMBDA, ITERATIONS, tolerance=0.0)


def grappa_oracles(kspace: Tensor, calibration: Tensor) -> dict[str, Callable[[], object]]:
    """Windows of 4 R - 1 samples hold the four nearest lines; cgrappa takes at most 4 R - 3 here, with three lines."""
    if importlib.util.find_spec("pygrappa") is None:
        return {}
    with warnings.catch_warnings(action="ignore"):
        from pygrappa import cgrappa, mdgrappa
    data, lines = (array[:, 0].numpy() for array in (kspace, calibration))
    double = [array.astype("complex128") for array in (data, lines)]  # all that cgrappa takes
    window = (KERNEL[1], 4 * R - 1)
    return {
        "GRAPPA, pygrappa.mdgrappa": lambda: mdgrappa(data, lines, window, coil_axis=0),
        "GRAPPA, pygrappa.cgrappa": lambda: cgrappa(*double, kernel_size=(KERNEL[1], 4 * R - 3), coil_axis=0),
    }


def sense_oracles(kspace: Tensor, maps: Tensor) -> dict[str, Callable[[], object]]:
    """BART reads and writes files: that much is part of its time."""
    found: dict[str, Callable[[], object]] = {}
    if importlib.util.find_spec("sigpy") is not None:
        with warnings.catch_warnings(action="ignore"):
            from sigpy.mri.app import SenseRecon
        data, coils = kspace[:, 0].numpy(), maps[:, 0].numpy()
        found["SENSE, SigPy"] = lambda: SenseRecon(
            data, coils, lamda=LAMBDA, max_iter=ITERATIONS, show_pbar=False
        ).run()
    if shutil.which("bart"):
        folder = TemporaryDirectory()
        files = [Path(folder.name) / name for name in ("kspace", "maps", "image")]
        for file, array in zip(files, (kspace, maps), strict=False):
            write_cfl(file, array)
        command = ["bart", "pics", "-S", "-l2", f"-r{LAMBDA}", f"-i{ITERATIONS}", *map(str, files)]
        keep = folder  # the folder lives as long as the job
        found["SENSE, BART pics"] = lambda: (keep, subprocess.run(command, check=True, capture_output=True))
    return found


def write_cfl(file: Path, array: Tensor) -> None:
    """(coil, slice, freq, phase) in BART's order (readout, phase 1, phase 2, coil), column by column."""
    coil, partition, freq, phase = array.shape
    file.with_suffix(".hdr").write_text(f"# Dimensions\n{freq} {phase} {partition} {coil}\n")
    array.permute(0, 1, 3, 2).contiguous().numpy().tofile(file.with_suffix(".cfl"))


if __name__ == "__main__":
    main()
