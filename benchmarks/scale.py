"""What the paper's amount of data would take: hours and cost, from measured rates and stated assumptions.

    python benchmarks/scale.py [--share 0.2] [--gpu-price 4.29] ...

Prints a Markdown table. The paper (arXiv 2405.03684, section 2.2.4) trains on 1 million slices of 2D and 2 million of
3D scans, 13 passes over them. Defaults that were measured name the benchmark that measures them anew; the others are
assumptions, and what follows from one is marked with an asterisk. Nothing here was measured on a GPU.
"""

import argparse
from dataclasses import dataclass

RAW_2D_MB = 320 * 320 * 16 * 8 / 1e6
"""A slice of 320 x 320 samples of 16 coils."""
RAW_3D_MB = 192 * 192 * 8 * 8 / 1e6
"""A slice's share of a volume with 192 x 192 x 96 samples of 8 coils."""


@dataclass(frozen=True)
class Rates:
    """Of one core, measured, but for the GPU's.

    Attributes:
        add: MB of raw data per second into a corpus.
        pair_2d: Seconds per 2D pair.
        pair_3d: Seconds per 3D pair, one stack of slices of a whole simulated volume.
        slice_flop: Training FLOP per slice.
        core: Training FLOP/s of a core.
        gpu: Training FLOP/s of a GPU.
    """

    add: float
    pair_2d: float
    pair_3d: float
    slice_flop: float
    core: float
    gpu: float


@dataclass(frozen=True)
class Machine:
    """What is rented.

    Attributes:
        name: What it is.
        cores: CPU cores in all; they add raw data and simulate.
        gpus: GPUs; they train, or the cores where there are none.
        price: US dollars per hour in all.
        efficiency: Share of the GPUs' speed that is left when they train together.
    """

    name: str
    cores: float
    gpus: int
    price: float
    efficiency: float = 1.0

    def train(self, rates: Rates) -> float:
        """Training FLOP/s."""
        return self.gpus * rates.gpu * self.efficiency if self.gpus else self.cores * rates.core


def row(machine: Machine, rates: Rates, slices: tuple[float, float], passes: int) -> str:
    """One row of the table: hours of each part one after the other, and what they cost."""
    in_2d, in_3d = slices
    add = (in_2d * RAW_2D_MB + in_3d * RAW_3D_MB) / rates.add / machine.cores / 3600
    simulate = (in_2d * rates.pair_2d + in_3d * rates.pair_3d) / machine.cores / 3600
    train = passes * sum(slices) * rates.slice_flop / machine.train(rates) / 3600
    total = add + simulate + train
    guessed = " | ".join(f"{part:.3g}*" for part in (train / passes, train, total))
    return f"| {machine.name} | {add:.3g} | {simulate:.3g} | {guessed} | {total * machine.price:,.0f}* |"


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    number = parser.add_argument
    number("--slices", type=float, nargs=2, default=[1e6, 2e6], help="of 2D and of 3D scans")
    number("--passes", type=int, default=13, help="of training over them")
    number("--add", type=float, default=29.0, help="MB/s and core into a corpus (benchmarks/corpus.py)")
    number("--pair-2d", type=float, default=1.11, help="core seconds (benchmarks/pairs.py)")
    number("--pair-3d", type=float, default=7.7, help="core seconds (benchmarks/pairs.py)")
    number("--step", type=float, default=1.07, help="seconds per training step of 4 slices on 2 cores, measured")
    number("--step-tflop", type=float, default=0.54, help="per step, counted")
    number("--peak", type=float, default=989.0, help="TFLOP/s of a GPU, dense bf16, its maker's figure")
    number("--share", type=float, default=0.2, help="of the peak that training reaches, assumed")
    number("--efficiency", type=float, default=0.9, help="of 32 GPUs together, assumed")
    number("--cpu-cores", type=float, default=64.0, help="of the CPU node")
    number("--cpu-price", type=float, default=2.552, help="US dollars per hour of the CPU node, list price")
    number("--gpu-cores", type=float, default=26.0, help="of the host per GPU")
    number("--gpu-price", type=float, nargs=2, default=[4.29, 3.99], help="US dollars per GPU hour, of 1 and of 32")
    options = parser.parse_args()
    rates = Rates(
        options.add,
        options.pair_2d,
        options.pair_3d,
        options.step_tflop * 1e12 / 4,
        options.step_tflop * 1e12 / options.step / 2,
        options.peak * 1e12 * options.share,
    )
    one, many = options.gpu_price
    machines = (
        Machine(f"CPU node, {options.cpu_cores:.0f} cores", options.cpu_cores, 0, options.cpu_price),
        Machine(f"1 H100, {options.gpu_cores:.0f} cores", options.gpu_cores, 1, one),
        Machine(
            f"32 H100, {32 * options.gpu_cores:.0f} cores", 32 * options.gpu_cores, 32, 32 * many, options.efficiency
        ),
    )
    print(
        f"| | add raw data, h | simulate once, h | one pass, h | {options.passes} passes, h | in all, h | US dollars |"
    )
    print("|---|---|---|---|---|---|---|")
    for machine in machines:
        print(row(machine, rates, tuple(options.slices), options.passes))


if __name__ == "__main__":
    main()
