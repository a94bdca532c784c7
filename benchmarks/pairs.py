"""Whole training pairs per second over the default mixture of scenarios, and the memory they take.

    python benchmarks/pairs.py [--pairs N] [--device cpu|cuda] [--seed S] [--stages]

2D scans of 320 x 320 samples with 16 coils, 3D scans of 192 x 192 x 96 with 8; data on the device throughout.
"""

import argparse
import resource
from collections import Counter
from collections.abc import Callable
from functools import wraps
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs import simulate
from lucidmr.pairs.simulate import simulate_pair
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct import chain
from lucidmr.reconstruct.sensitivities import Sensitivities

SCANS = {"2D 320 x 320 x 16 coils": ((1, 320, 320), 16), "3D 192 x 192 x 96 x 8 coils": ((96, 192, 192), 8)}

_RESPONSE = "noise response"
_OTHERS = "all else"
STAGES: dict[str, list[tuple[Any, str]]] = {
    "acquisition and noise": [(simulate, "acquire"), (simulate, "complex_noise")],
    "sensitivities": [(Sensitivities, "maps")],
    "unaliasing": [(chain, "unalias")],
    "partial Fourier, filter": [(chain, "completed"), (chain, "anti_ringing")],
    "interpolation, combination": [(simulate, "combine")],
    "normalization to storage": [(simulate, "normalization_gain"), (simulate, "correct"), (simulate, "store")],
    _RESPONSE: [(simulate, "noise_response")],
}
"""The functions that make up each stage of a pair, where they are looked up."""


class Stopwatch:
    """Seconds per stage. What one stage needs of another counts there; the response counts as a whole."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: Counter[str] = Counter()
        self._device = device
        self._running = [_OTHERS]
        self._since = 0.0

    def start(self) -> None:
        """Time runs from here on."""
        self._since = perf_counter()

    def watch(self) -> None:
        """Time every function of every stage from here on."""
        for stage, functions in STAGES.items():
            for owner, name in functions:
                setattr(owner, name, self._timed(getattr(owner, name), stage))

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.lap()
            self._running.append(_RESPONSE if _RESPONSE in self._running else stage)
            try:
                return function(*args, **kwargs)
            finally:
                self.lap()
                self._running.pop()

        return timed

    def lap(self) -> None:
        """Add the time since the last call to the stage that runs."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        now = perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


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


def measure(name: str, pairs: int, device: torch.device, seed: int, stopwatch: Stopwatch) -> None:
    """Print one line per kind of reconstruction, one for the whole mixture, and the seconds of each stage."""
    raw = scan(*SCANS[name], device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds: dict[str, list[float]] = {}
    for index in range(pairs + 1):
        if index == 1:  # the first one warms up
            stopwatch.seconds.clear()
        stopwatch.start()
        start = perf_counter()
        pair = simulate_pair(raw, DegradationRanges(), torch.Generator().manual_seed(seed + index))
        stopwatch.lap()
        if index:
            seconds.setdefault(kind(pair.provenance), []).append(perf_counter() - start)
    every = [value for values in seconds.values() for value in values]
    held = (raw.kspace.nbytes + raw.maps.nbytes) / 2**30
    memory = f"peak memory {peak_memory(device):.1f} GiB, {held:.1f} of it the scan and its sensitivities"
    print(f"{name}: {len(every) / sum(every):.2f} pairs/s, {memory}")
    for method, values in sorted(seconds.items()):
        print(f"  {method:<20} {len(values):4d} pairs, median {median(values):7.3f} s, longest {max(values):7.3f} s")
    if len(stopwatch.seconds) > 1:
        for stage in (*STAGES, _OTHERS):
            print(f"    {stage:<28} {stopwatch.seconds[stage] / len(every):7.3f} s a pair")


def main() -> None:
    """Parse the arguments and measure both kinds of scan."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=40, help="2D pairs; a tenth as many 3D pairs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", action="store_true", help="print the mean time of each stage, too")
    options = parser.parse_args()
    device = torch.device(options.device)
    stopwatch = Stopwatch(device)
    if options.stages:
        stopwatch.watch()
    for name, pairs in zip(SCANS, (options.pairs, max(2, options.pairs // 10)), strict=True):
        measure(name, pairs, device, options.seed, stopwatch)


if __name__ == "__main__":
    main()
