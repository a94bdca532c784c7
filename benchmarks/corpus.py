"""Throughput of ``lucidmr corpus add`` on synthetic scans.

    python benchmarks/corpus.py [--files N] [--slices N] [--coils N] [--size N]

Multi-slice 2D measurements as NumPy files, added by 1 and by 2 processes into corpora of their own, side by side.
"""

import argparse
import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch

from lucidmr.corpus.add import Adding, add_all, find_sources
from lucidmr.physics.analytic import kspace
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import random_phantom
from lucidmr.raw.selection import Selection
from lucidmr.scale import Workers


def write_measurement(path: Path, slices: int, coils: int, size: int, seed: int) -> None:
    """One measurement of phantoms with noise of 1/30 of their signal."""
    generator = torch.Generator().manual_seed(seed)
    body = to_image(kspace(random_phantom(generator, 40), size, size), IN_PLANE)
    samples = to_kspace(loop_array_maps(coils, (1, size, size), generator) * body)[:, 0]
    noise = complex_noise((slices, *samples.shape), float(body.abs().max()) / 30, generator)
    np.save(path, (samples + noise).numpy())


def cpu_seconds() -> float:
    """Of this process and of workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--coils", type=int, default=12)
    parser.add_argument("--size", type=int, default=320)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as place:
        home = Path(place)
        (home / "raw").mkdir()
        for number in range(options.files):
            path = home / "raw" / f"{number}.npy"
            write_measurement(path, options.slices, options.coils, options.size, number)
        sources = find_sources([home / "raw"], home / "corpus")
        megabytes = sum(source.path.stat().st_size for source in sources) / 1e6
        print(f"{options.files} files, {megabytes:.0f} MB")
        for workers in (1, 2, 1, 2):
            how = Adding(home / f"corpus-{perf_counter()}", selection=Selection(axes="scan,coil,freq,phase"))
            start, used = perf_counter(), cpu_seconds()
            added = sum(outcome.added for outcome in add_all(sources, how, Workers(workers)))
            wall, cpu = perf_counter() - start, cpu_seconds() - used
            rate = f"{megabytes / wall:.0f} MB/s, {added * options.slices / wall:.1f} slices/s"
            print(f"{workers} workers: {added} added in {wall:.1f} s ({cpu:.1f} CPU s), {rate}")


if __name__ == "__main__":
    main()
