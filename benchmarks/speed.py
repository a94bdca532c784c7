"""Seconds per 1024 x 1024 slice and peak memory of the network, bfloat16 against float32, side by side in one run.

    python benchmarks/speed.py [--rounds 5]

Each precision runs in a process of its own, so that peak memory is its own; rounds alternate.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time


def main() -> None:
    """Compare the two precisions, or be one of the two processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=("bfloat16", "float32"))
    options = parser.parse_args()
    if options.one:
        print(*one(options.one))
        return
    found: dict[str, list[tuple[float, float]]] = {"bfloat16": [], "float32": []}
    for _ in range(options.rounds):
        for name, results in found.items():
            command = [sys.executable, __file__, "--one", name]
            seconds, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            results.append((float(seconds), float(memory)))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    for name, (seconds, memory) in medians.items():
        print(f"{name}: {seconds:.2f} s per 1024 x 1024 slice, peak memory {memory / 1024:.2f} GiB")
    print(f"float32 / bfloat16: {medians['float32'][0] / medians['bfloat16'][0]:.2f}")


def one(precision: str) -> tuple[float, float]:
    """Median seconds of three slices after a warm-up, and peak memory of this process in MiB."""
    import torch

    from lucidmr.context import Context
    from lucidmr.network.weights import load_model

    network = load_model().network
    image, context = torch.rand(1, 1, 1024, 1024), torch.tensor([Context(noise_reduction=1.0).vector])
    times = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        for _ in range(4):
            began = time.perf_counter()
            network(image, context)
            times.append(time.perf_counter() - began)
    return statistics.median(times[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
