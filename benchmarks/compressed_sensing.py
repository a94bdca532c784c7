"""CPU seconds of compressed sensing against BART and SigPy, single-threaded, side by side in one run.

    OMP_NUM_THREADS=1 python benchmarks/compressed_sensing.py [--rounds 3] [--batch 8]

Random R = 4 with 24 calibration lines, 320 x 320, 16 coils, 30 iterations, the same maps and regularization. The others
take one image at a time, and the time of one is multiplied by the batch. Those not installed are skipped.
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
from typing import get_args

import torch
from cpu_seconds import cpu_seconds
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.undersampling import RandomUndersampling
from lucidmr.reconstruct.compressed_sensing import Prior, compressed_sensing

COILS, MATRIX, ITERATIONS, WEIGHT = 16, (1, 320, 320), 30, 2e-3
BART = {"wavelet": "W:3:0", "total_variation": "T:3:0"}
SIGPY = {"wavelet": "L1WaveletRecon", "total_variation": "TotalVariationRecon"}
Jobs = dict[str, Callable[[], object]]


def main() -> None:
    """Print medians, and how many times slower each oracle is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kspace, maps, mask = scan()
    batch = kspace.repeat(options.batch, 1, 1, 1, 1), maps.repeat(options.batch, 1, 1, 1, 1), mask
    ours: Jobs = {prior: our_job(*batch, prior) for prior in get_args(Prior)}
    with TemporaryDirectory() as folder:
        others = bart_jobs(kspace, maps, Path(folder)) | sigpy_jobs(kspace, maps)
        times: dict[str, list[float]] = {name: [] for name in [*ours, *others]}
        for _ in range(options.rounds):
            for name, job in (ours | others).items():
                times[name].append(cpu_seconds(job) * (1 if name in ours else options.batch))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, seconds in medians.items():
        print(f"{name:<28} {seconds:7.2f} s   {seconds / medians[name.split(',')[0]]:6.1f} x")


def scan() -> tuple[Tensor, Tensor, Tensor]:
    """Undersampled noisy k-space of a head, the maps and the mask."""
    generator = torch.Generator().manual_seed(0)
    maps = loop_array_maps(COILS, MATRIX, generator)
    full = to_kspace(maps * image(anatomy_phantom(), *MATRIX[1:]))
    plane = RandomUndersampling(4.0).pattern(torch.ones(1, MATRIX[2], dtype=torch.bool))
    mask = plane[:, None, :].expand(MATRIX)
    return (full + complex_noise(tuple(full.shape), 0.01, generator)) * mask, maps, mask


def regularization(kspace: Tensor, maps: Tensor) -> float:
    """Ours in the units of the data, which the others take."""
    return WEIGHT * float((maps.conj() * to_image(kspace)).sum(0).abs().max())


def our_job(kspace: Tensor, maps: Tensor, mask: Tensor, prior: Prior) -> Callable[[], Tensor]:
    """The whole batch."""
    return lambda: compressed_sensing(kspace, maps, mask, prior, WEIGHT, ITERATIONS)


def bart_jobs(kspace: Tensor, maps: Tensor, folder: Path) -> Jobs:
    """BART reads and writes files: that much is part of its time."""
    if shutil.which("bart") is None:
        return {}
    files = [folder / name for name in ("kspace", "maps", "image")]
    for file, array in zip(files, (kspace, maps), strict=False):
        write_cfl(file, array)

    def job(prior: str) -> Callable[[], object]:
        how = ["-S", "-w1", f"-i{ITERATIONS}", "-R", f"{BART[prior]}:{regularization(kspace, maps)}"]
        return lambda: subprocess.run(["bart", "pics", *how, *map(str, files)], check=True, capture_output=True)

    return {f"{prior}, BART pics": job(prior) for prior in BART}


def sigpy_jobs(kspace: Tensor, maps: Tensor) -> Jobs:
    """The same number of iterations, of the method that SigPy chooses."""
    if importlib.util.find_spec("sigpy") is None:
        return {}
    with warnings.catch_warnings(action="ignore"):
        from sigpy.mri import app
    data, coils, weight = kspace[:, 0].numpy(), maps[:, 0].numpy(), regularization(kspace, maps)

    def job(prior: str) -> Callable[[], object]:
        recon = getattr(app, SIGPY[prior])
        return lambda: recon(data, coils, weight, max_iter=ITERATIONS, show_pbar=False).run()

    return {f"{prior}, SigPy": job(prior) for prior in SIGPY}


def write_cfl(file: Path, array: Tensor) -> None:
    """(coil, slice, freq, phase) in BART's order (readout, phase 1, phase 2, coil), column by column."""
    coil, partition, freq, phase = array.shape
    file.with_suffix(".hdr").write_text(f"# Dimensions\n{freq} {phase} {partition} {coil}\n")
    array.permute(0, 1, 3, 2).contiguous().numpy().tofile(file.with_suffix(".cfl"))


if __name__ == "__main__":
    main()
