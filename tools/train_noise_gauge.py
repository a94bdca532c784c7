"""Train the noise gauge: python tools/train_noise_gauge.py FOLDER... --out FILE.safetensors.

FOLDERs hold volumes (NIfTI files, DICOM series) or are a corpus; half an hour on two cores with what is set here.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import tyro

from lucidmr import __version__
from lucidmr.console import say
from lucidmr.network.weights import save_gauge
from lucidmr.train.gauge import GaugeSettings, train_gauge
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import gather, names_of


@dataclass(frozen=True)
class TrainNoiseGauge:
    """Train the noise gauge on scans simulated from image volumes or a corpus."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """A corpus, or folders that hold volumes."""
    out: Path
    """The weights (.safetensors); their card lies beside them."""
    pairs: int = GaugeSettings.pairs
    """Simulated scans to learn from."""
    epochs: int = GaugeSettings.epochs
    """How often each is shown."""
    workers: int = GaugeSettings.workers
    """Processes that simulate; 0 simulates in this one."""
    seed: int = GaugeSettings.seed
    """Everything random follows from it."""
    card: Path | None = None
    """JSON file with what else to record on the card, such as data sources and licences."""

    def run(self) -> None:
        """Train and save."""
        sources = gather(self.data, TrainSettings())
        settings = GaugeSettings(self.pairs, self.epochs, workers=self.workers, seed=self.seed)
        losses: list[float] = []

        def watch(step: int, loss: float) -> None:
            losses.append(loss)
            if step % 200 == 199:
                say(f"step {step + 1}: loss {fmean(losses[-200:]):.4f}")

        gauge = train_gauge(sources, settings, watch)
        told: dict[str, Any] = json.loads(self.card.read_text()) if self.card else {}
        training = {"pairs": self.pairs, "epochs": self.epochs, "seed": self.seed, "volumes": names_of(sources)}
        save_gauge(gauge, {"name": "lucidmr-noise", "version": __version__, **told, "training": training}, self.out)
        say(f"weights: {self.out}")


if __name__ == "__main__":
    tyro.cli(TrainNoiseGauge).run()
