"""How well noise is known, without and with the gauge: python benchmarks/noise_gauge.py FOLDER [FOLDER ...].

FOLDERs hold volumes of subjects that the gauge has not learned from. Prints the level found over the true one.
"""

from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Annotated

import torch
import tyro

from lucidmr.console import say
from lucidmr.network.weights import PACKAGED_GAUGE, load_gauge
from lucidmr.train.gauge import GaugeSettings, measured
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import gather


@dataclass(frozen=True)
class JudgeGauge:
    """Compare the levels found with the true ones of simulated scans."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Folders that hold volumes."""
    weights: Path = PACKAGED_GAUGE
    """The gauge."""
    scans: int = 400
    """Simulated scans; no synthetic anatomy among them."""
    seed: int = 5
    """Everything random follows from it."""

    def run(self) -> None:
        """Simulate and print."""
        gauge, found = load_gauge(self.weights), GaugeSettings(self.scans, seed=self.seed, workers=0)
        scans = list(measured(gather(self.data, TrainSettings()), found, synthetic=0.0))
        without = torch.tensor([-one.logarithm for one in scans])
        _show("statistic alone", without)
        _show("with the gauge", without + torch.tensor([gauge.logarithm(one.seen.float()) for one in scans]))


def _show(name: str, errors: torch.Tensor) -> None:
    low, middle, high = (exp(float(errors.quantile(share))) for share in (0.05, 0.5, 0.95))
    off = exp(float(errors.abs().median())) - 1.0
    say(f"{name}: found over true {middle:.2f} [{low:.2f}, {high:.2f}], half of all within {off:.0%}")


if __name__ == "__main__":
    tyro.cli(JudgeGauge).run()
