"""The subcommand ``train``; nothing heavy is imported before it runs."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from lucidmr.console import complain, say
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.train.processes import Processes
    from lucidmr.train.settings import TrainSettings
    from lucidmr.train.stream import Sources

_SETTINGS = (
    "minutes",
    "slices_per_epoch",
    "slices_per_step",
    "crops_per_slice",
    "spread",
    "crop",
    "accumulate",
    "learning_rate",
    "synthetic_share",
    "target",
    "precision",
    "workers",
    "seed",
    "validation_pairs",
    "validation_minutes",
)
_STOPPED = 143
"""What the shell says of a process that SIGTERM ended."""


@dataclass(frozen=True)
class Train:
    """Train a network on pairs simulated from a corpus or from image volumes; under torchrun on many devices."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """A corpus, or folders that hold volumes (NIfTI files, DICOM series)."""
    out: Path = Path("runs/mine")
    """Folder for checkpoint, log, pictures and weights; a run that was stopped goes on from its checkpoint."""
    slices: int = 1
    """Neighbouring slices that the network looks at: 1 for 2D acquisitions, 7 for 3D ones."""
    modulation: Literal["none", "film", "bottleneck", "decoder"] = "decoder"
    """Where the network is told of the context: nowhere (what 'evaluate --without-context' compares with), at the
    bottleneck as in the paper, or there and in every decoder stage, by filters or by film's scales and shifts."""
    start: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights to start from (.safetensors), such as those of a 2D network for a 3D one or for one without
    modulation; random ones otherwise."""
    minutes: float = 0.0
    """Spread the schedule over so many minutes; 0 runs the paper's 10 + 3 epochs."""
    slices_per_epoch: int = 20_000
    """Simulated slices that count as one epoch."""
    slices_per_step: int = 4
    """Simulated slices in a batch, over all processes; for a 3D network, simulated 3D scans."""
    crops_per_slice: int = 4
    """Squares cut from each; 16 for 3D scans, which take longer to simulate."""
    spread: int = 1
    """Steps that the squares of a slice are spread over, so that each step sees so many times more slices; 16 for 3D
    scans."""
    crop: int = 96
    """Side of a square, pixels of the network's grid: about two for each that was acquired."""
    accumulate: int = 1
    """Parts that each process does its share of a batch in, to save memory."""
    learning_rate: float = 1e-3
    """Adam's learning rate for the first epochs; a tenth of it for the last."""
    synthetic_share: float = 0.5
    """Share of slices that are synthetic anatomy."""
    gain_probability: float = 0.35
    """Share of pairs in which a given direction is to become sharper."""
    target: Literal["low_variance", "noisy"] = "low_variance"
    """Kind of target; noisy is the paper's."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Of the network's arithmetic; auto takes bf16 where the device is faster in it."""
    workers: int = 1
    """Processes that simulate pairs for each training process; 0 simulates in that itself."""
    threads: int = 0
    """CPU threads of the training process; 0 leaves it to torch."""
    seed: int = 0
    """Everything random follows from it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    simulate_on: Literal["cpu", "cuda"] = "cpu"
    """Where pairs are simulated from a corpus."""
    validate: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER"), tyro.conf.UseAppendAction] = ()
    """Folders with volumes of other subjects to judge the network by; a corpus has some of its own."""
    validation_pairs: int = 32
    """Pairs to judge it by."""
    validation_minutes: float = 10.0
    """Time between two judgements."""
    tensorboard: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write for TensorBoard as well (extra lucidmr[tensorboard])."""
    name: str | None = None
    """Name for the card of the weights; lucidmr-2d or lucidmr-3d where nothing is said."""
    card: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON file with what else to record on the card, such as data sources and licences."""

    def run(self) -> int:
        """Train, or go on with a stopped run."""
        import torch

        from lucidmr.device import choose_device
        from lucidmr.train.processes import joined

        if self.threads:
            torch.set_num_threads(self.threads)
        settings, card = self._settings(), self._card()
        with joined(choose_device(self.device)) as processes:
            return self._train(settings, card, processes)

    def _train(self, settings: "TrainSettings", card: dict[str, Any], processes: "Processes") -> int:
        from lucidmr.network.weights import load_model
        from lucidmr.train.loop import train
        from lucidmr.train.stream import gather, names_of
        from lucidmr.train.validate import held_back

        sources = self._on_device(gather(self.data, settings), processes)
        volumes = names_of(sources)
        judged_by, missing = held_back(sources, self.validate, settings)
        if processes.first:
            others = f" in {processes.count} processes" if processes.count > 1 else ""
            say(f"{len(volumes)} volumes; training on {processes.device.type}{others}")
            if missing:
                complain(f"warning: {missing}; the network is not judged on its way")
        made = train(
            sources,
            settings,
            self.out,
            processes,
            {**card, "volumes": volumes},
            held_back=judged_by,
            start=None if self.start is None else load_model(self.start),
            tensorboard=self.tensorboard,
        )
        if made is None:
            if processes.first:
                complain(f"stopped by SIGTERM; the same command goes on from {self.out}")
            return _STOPPED
        if processes.first:
            say(f"weights: {made}")
        return 0

    def _settings(self) -> "TrainSettings":
        from lucidmr.degrade.settings import DegradationRanges
        from lucidmr.network.ce_unet import NetworkSettings
        from lucidmr.train.settings import TrainSettings

        try:
            network = NetworkSettings(slices=self.slices, modulation=self.modulation)
            ranges = DegradationRanges(gain_probability=self.gain_probability)
            return TrainSettings(network=network, ranges=ranges, **{name: getattr(self, name) for name in _SETTINGS})
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error

    def _card(self) -> dict[str, Any]:
        from lucidmr import __version__

        name = self.name or ("lucidmr-2d" if self.slices == 1 else "lucidmr-3d")
        return {"name": name, "version": __version__, **_read_json(self.card)}

    def _on_device(self, sources: "Sources", processes: "Processes") -> "Sources":
        """The same sources, simulated where it is asked for."""
        from lucidmr.pairs.source import CorpusPairs

        if self.simulate_on == "cpu":
            return sources
        if processes.device.type != "cuda" or not isinstance(sources, CorpusPairs):
            raise LucidError("--simulate-on cuda: is for training on CUDA from a corpus; leave it out")
        return replace(sources, device=processes.device)


def _read_json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LucidError(f"{path}: cannot be read as JSON ({error}); mend the file or leave --card out") from error
    return found
