"""Pairs per second that ``lucidmr simulate`` writes by number of workers, and the memory over many pairs.

    python benchmarks/simulate.py [--pairs N] [--workers 1 2] [--size 96] [--coils 8] [--figure FILE]

The corpus is made on the fly: noisy 2D scans of a phantom, some of them partial Fourier. Memory is the resident size of
the process that simulates, sampled after every pair of a run with one worker.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import Card, write_scans
from lucidmr.corpus.split import Split
from lucidmr.drawing.charts import curve
from lucidmr.pairs.source import CorpusPairs
from lucidmr.pairs.write import write_pairs
from lucidmr.physics.analytic import kspace
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import random_phantom
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.raw.scan import RawScan
from lucidmr.scale import Workers

PICTURE = torch.zeros(4, 4, dtype=torch.uint8)
POINTS = 250
"""Of the figure: each is the largest size over its share of the pairs."""


def corpus(folder: Path, size: int, coils: int, measurements: int = 4, scans: int = 8) -> Corpus:
    """Scans of random phantoms, every other measurement with partial Fourier."""
    for number in range(measurements):
        partial = Sampling(AxisSampling(size), AxisSampling(size, 0.75)) if number % 2 else None
        found = [scan(size, coils, 100 * number + index, partial) for index in range(scans)]
        card = Card(
            f"phantom {number}",
            str(number),
            scans=scans,
            matrix=(1, size, size),
            coils=coils,
            virtual_coils=coils,
            noise_sd=0.01,
            sampling=partial,
        )
        write_scans(folder / f"{number:064x}.h5", card, found, (), PICTURE)
    return Corpus(folder, Split(0.0, 0.0))


def scan(size: int, coils: int, seed: int, sampling: Sampling | None) -> RawScan:
    """One noisy scan."""
    generator = torch.Generator().manual_seed(seed)
    body = to_image(kspace(random_phantom(generator, 30), size, size), IN_PLANE)
    samples = to_kspace(loop_array_maps(coils, (1, size, size), generator) * body)
    samples = samples + complex_noise(tuple(samples.shape), 0.01, generator)
    whole = RawScan(samples, 0.01, 1.0, source=f"phantom {seed}")
    return whole if sampling is None else replace(whole, kspace=samples * sampling_mask(sampling), sampling=sampling)


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor_seconds() -> float:
    """Of this process and of its workers that ended."""
    return sum(os.times()[:4])


def measure(pairs: CorpusPairs, count: int, workers: int, folder: Path) -> list[float]:
    """Print the rate, the size on disk, and the memory where this process does the work; MiB after every pair."""
    start, busy, sizes = time.perf_counter(), processor_seconds(), []
    for outcome in write_pairs(pairs, range(count), folder, Workers(workers)):
        sizes.append(resident())
        if outcome.failed:
            raise SystemExit(outcome.failed)
    seconds = time.perf_counter() - start
    stored = sum(path.stat().st_size for path in folder.rglob("0*.h5")) / count / 1024
    busy = (processor_seconds() - busy) / count
    rate = f"{count / seconds:6.2f} pairs/s, {1000 * busy:.0f} ms of processor time a pair"
    line = f"{workers} workers: {rate}, {count} pairs in {seconds:.1f} s, {stored:.0f} KiB each"
    if workers == 1:
        tenth = max(1, count // 10)
        parts = [median(sizes[at : at + tenth]) for at in range(0, tenth * 10, tenth)]
        line += f"; resident MiB by tenths: {', '.join(f'{part:.0f}' for part in parts)}"
    print(line)
    return sizes


def draw(sizes: list[float], path: Path) -> None:
    """Memory over pairs."""
    step = max(1, len(sizes) // POINTS)
    points = [(float(at + step), max(sizes[at : at + step])) for at in range(0, len(sizes) - step + 1, step)]
    path.write_text(curve(points, "pairs", "resident MiB"), encoding="utf-8")


def main() -> None:
    """Parse the arguments and measure every number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--coils", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="SVG of the memory over the pairs, of one worker")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        source = corpus(Path(folder), options.size, options.coils)
        for workers in options.workers:
            pairs = CorpusPairs(source, options.seed)
            sizes = measure(pairs, options.pairs, workers, Path(folder) / f"{workers} workers")
            if workers == 1 and options.figure:
                draw(sizes, options.figure)


if __name__ == "__main__":
    main()
