"""Whole training pairs per second over the default mixture of scenarios, and the memory they take.

    python benchmarks/pairs.py [--pairs N] [--device cpu|cuda] [--seed S]

2D scans of 320 x 320 samples with 16 coils, 3D scans of 192 x 192 x 96 with 8; data on the device throughout.
"""

import argparse
import resource
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs.simulate import simulate_pair
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.scan import RawScan

SCANS = {"2D 320 x 320 x 16 coils": ((1, 320, 320), 16), "3D 192 x 192 x 96 x 8 coils": ((96, 192, 192), 8)}


def body(matrix: tuple[int, int, int], device: torch.device) -> Tensor:
    """Nested ellipsoids with some texture."""
    axes = [(torch.arange(n, device=device) - n // 2) / n if n > 1 else torch.zeros(1, device=device) for n in matrix]
    radius = (
        axes[0][:, None, None].square() + axes[1][None, :, None].square() + axes[2][None, None, :].square()
    ).sqrt()
    texture = 1 + 0.1 * torch.sin(60 * axes[1])[None, :, None] * torch.cos(45 * axes[2])[None, None, :]
    return ((radius < 0.42).float() - 0.4 * (radius < 0.2).float()) * texture


def scan(matrix: tuple[int, int, int], n_coils: int, device: torch.device) -> RawScan:
    """A raw scan with known sensitivities and a little noise of its own."""
    generator = torch.Generator(device).manual_seed(1)
    maps = loop_array_maps(n_coils, matrix, generator, shaded=True)
    kspace = to_kspace(maps * (body(matrix, device) * smooth_phase(matrix, 0.5, generator)))
    noisy = kspace + complex_noise(tuple(kspace.shape), 0.005, generator)
    return RawScan(noisy, 0.005, 1.0, maps, "benchmark")


def kind(provenance: dict) -> str:
    """What decides the cost of a pair."""
    unaliasing = provenance["reconstruction"]["unaliasing"]
    return "none" if unaliasing is None else unaliasing["method"]


def peak_memory(device: torch.device) -> float:
    """GiB: of the process on the CPU, allocated on the device otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(name: str, pairs: int, device: torch.device, seed: int) -> None:
    """Print one line per kind of reconstruction and one for the whole mixture."""
    raw = scan(*SCANS[name], device)
    seconds: dict[str, list[float]] = {}
    for index in range(pairs + 1):
        start = perf_counter()
        pair = simulate_pair(raw, DegradationRanges(), torch.Generator().manual_seed(seed + index))
        if device.type == "cuda":
            torch.cuda.synchronize()
        if index:  # the first one warms up
            seconds.setdefault(kind(pair.provenance), []).append(perf_counter() - start)
    every = [value for values in seconds.values() for value in values]
    print(f"{name}: {len(every) / sum(every):.2f} pairs/s, peak memory {peak_memory(device):.1f} GiB")
    for method, values in sorted(seconds.items()):
        print(f"  {method:<20} {len(values):4d} pairs, median {median(values):7.3f} s, longest {max(values):7.3f} s")


def main() -> None:
    """Parse the arguments and measure both kinds of scan."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=40, help="2D pairs; a tenth as many 3D pairs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    device = torch.device(options.device)
    for name, pairs in zip(SCANS, (options.pairs, max(2, options.pairs // 10)), strict=True):
        measure(name, pairs, device, options.seed)


if __name__ == "__main__":
    main()
