"""The subcommand ``evaluate``; nothing heavy is imported before it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import tyro

from lucidmr.console import complain, say, tracked
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.evaluate.bench import Bench

Choice = Literal[
    "all",
    "compare",
    "dimensions",
    "noise",
    "sharpness",
    "artifacts",
    "protocols",
    "vendors",
    "acceleration",
    "pairs",
    "trust",
]
"""What can be named; the experiments are those of :data:`lucidmr.evaluate.experiments.EXPERIMENTS`."""
_LEAST_RADIUS: Final = 2


@dataclass(frozen=True)
class Evaluate:
    """Run the paper's experiments on your own data, with confidence intervals; or compare two such runs."""

    experiment: Annotated[Choice, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The paper's dimensions, noise, sharpness, artifacts, protocols, vendors, acceleration; pairs (against truth and
    other methods) and trust (lesions, residuals); all of them; or compare, which takes the output of two runs."""
    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = ()
    """DICOM series, raw k-space and NIfTI volumes: files, or folders that hold any of them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for report.html and results.json; it must not hold anything yet."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """A rough answer in a minute or two; on phantoms where no DATA are named."""
    roi: Annotated[tuple[int, int, int] | None, tyro.conf.arg(metavar="X Y R")] = None
    """Measure noise in this circle, pixels of the stored image; homogeneous regions are found where nothing is said."""
    weights: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE"), tyro.conf.UseAppendAction] = ()
    """Weights of your own; given twice, 2D and 3D ones. Those of the package where nothing is said."""
    without_context: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """2D weights of a network without modulation, trained on the same pairs: pairs tells what the context gives."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes CUDA where there is one."""
    seed: int = 0
    """Everything random follows from it."""

    def run(self) -> int:
        """Run the experiments; one that fails does not stop the others."""
        return self._compare() if self.experiment == "compare" else self._evaluate()

    def _compare(self) -> int:
        from lucidmr.evaluate.compare import compare

        if len(self.data) != 2:
            raise LucidError(f"compare: {len(self.data)} results named; name the output of two evaluations")
        differences = compare(*self.data)
        for name, first, second, is_apart in differences:
            values = " -> ".join("nothing" if value is None else f"{value:.4g}" for value in (first, second))
            say(f"{'* ' if is_apart else '  '}{name}: {values}")
        apart = sum(one.is_apart for one in differences)
        say(f"{len(differences)} numbers differ, {apart} of them by more than their intervals (*)")
        return 0

    def _evaluate(self) -> int:
        from tempfile import TemporaryDirectory

        from lucidmr.dicom.output import new_folder
        from lucidmr.evaluate.experiment_report import PAGE, Evaluation, write_evaluation
        from lucidmr.evaluate.experiments import EXPERIMENTS, run_experiment

        if self.out is None:
            raise LucidError("--out is missing; name a folder for the report")
        if not self.data and not self.quick:
            raise LucidError("no data named; name DICOM, raw k-space or NIfTI, or add --quick for phantoms")
        if self.seed < 0:
            raise LucidError(f"--seed is {self.seed}; it must not be negative")
        if self.roi is not None and (min(self.roi) < 0 or self.roi[2] < _LEAST_RADIUS):
            raise LucidError(f"--roi is {self.roi}; name column, row and a radius of at least {_LEAST_RADIUS} pixels")
        with new_folder(self.out, overwrite=False) as part, TemporaryDirectory() as scratch:
            bench = self._bench(Path(scratch), self.out)
            names = list(EXPERIMENTS) if self.experiment == "all" else [self.experiment]
            runs = (run_experiment(name, bench) for name in names)
            findings = list(tracked(runs, "evaluating", len(names)))
            write_evaluation(Evaluation(findings, self._settings(bench), bench.data, self.seed, bench.notes), part)
        for note in (note for finding in findings if finding.failed for note in finding.notes):
            complain(note)
        say(f"report: {self.out / PAGE}")
        return 1 if any(finding.failed for finding in findings) else 0

    def _bench(self, scratch: Path, out: Path) -> "Bench":
        from lucidmr.device import choose_device
        from lucidmr.evaluate.bench import Bench, Circle, load_plain, phantoms, read_data
        from lucidmr.network.weights import load_model, packaged_models

        device = choose_device(self.device)
        models = tuple(load_model(path, device) for path in self.weights) or packaged_models(device)
        data = read_data(self.data, out, self.seed) if self.data else phantoms(scratch, self.seed)
        region = None if self.roi is None else Circle(*self.roi)
        plain = None if self.without_context is None else load_plain(self.without_context, device)
        return Bench(
            models, self.device, self.quick, self.seed, scratch, data.series, data.scans, region, data.notes, plain
        )

    def _settings(self, bench: "Bench") -> dict[str, str]:
        from datetime import datetime

        import torch

        from lucidmr import __version__
        from lucidmr.evaluate.experiments import TAKEN

        return {
            "lucidmr": __version__,
            "torch": str(torch.__version__),
            **{f"weights {model.name}": model.sha256 for model in bench.models},
            "weights without context": bench.without_context.sha256 if bench.without_context else "none",
            "device": self.device,
            "quick": "yes" if self.quick else "no",
            **({} if self.quick else TAKEN),
            "seed": str(self.seed),
            "region of interest": "automatic" if self.roi is None else "column {}, row {}, radius {}".format(*self.roi),
            "created": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        }
