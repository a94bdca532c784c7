"""The command line: one dataclass per subcommand.

Nothing heavy is imported before a subcommand runs: ``lucidmr --help`` answers at once.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from lucidmr.cli_simulate import Simulate
from lucidmr.console import complain as _complain
from lucidmr.console import say as _say
from lucidmr.console import tracked as _tracked
from lucidmr.context import Enhancement
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.dicom.series import ImageSeries, SeriesCollection
    from lucidmr.enhance.pipeline import EnhancedSeries

Device = Literal["auto", "cpu", "cuda"]
_Input = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="INPUT")]
_Output = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
_Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
_Gain = Annotated[float | None, tyro.conf.arg(metavar="G")]


@dataclass(frozen=True)
class Enhance:
    """Make MR series quieter and sharper; originals stay as they are, new series go to OUTPUT."""

    input: _Input
    """A DICOM file, a folder, or a DICOMDIR."""
    output: _Output
    """Folder for the enhanced series, one subfolder each."""
    noise_reduction: float = 2.0
    """Noise before over noise after, 1 to 8; 1 leaves it."""
    gain: _Gain = None
    """k_max after over k_max before in both in-plane directions, 1 to 3; 1 leaves it."""
    gain_freq: _Gain = None
    """The same along frequency encoding only."""
    gain_phase: _Gain = None
    """The same along phase encoding only."""
    restore_partial_fourier: bool = True
    """Fill in what partial Fourier left out, where the header tells of it."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of your own (.safetensors, its JSON card beside it); those of the package where nothing is said."""
    report: _Flag = False
    """Write report.html into OUTPUT: before, after, difference, measured noise reduction, header facts."""
    overwrite: _Flag = False
    """Replace earlier output."""

    @property
    def enhancement(self) -> Enhancement:
        """What the options ask for; a direction's own gain goes before the common one.

        Raises:
            LucidError: A value lies out of its range.
        """
        both = 1.0 if self.gain is None else self.gain
        try:
            return Enhancement(
                noise_reduction=self.noise_reduction,
                gain_freq=both if self.gain_freq is None else self.gain_freq,
                gain_phase=both if self.gain_phase is None else self.gain_phase,
                restore_partial_fourier=self.restore_partial_fourier,
            )
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error

    def run(self) -> int:
        """Enhance every series below INPUT; one that fails does not stop the others."""
        enhancement = self.enhancement
        from lucidmr.dicom.output import check_apart
        from lucidmr.dicom.series import read_series
        from lucidmr.enhance.device import choose_device
        from lucidmr.network.weights import PACKAGED, load_model

        found = read_series(self.input)
        _say_what_is_passed_over(found)
        for series in found.series:
            check_apart(self.output, series.root, series.paths)
        _check_output(self.output, self.overwrite)
        model = load_model(self.weights or PACKAGED, choose_device(self.device))
        done, failed = [], sum(refusal.damaged for refusal in found.refused)
        for series in found.series:
            try:
                done.append(self._one(series, enhancement, model))
            except LucidError as error:
                failed += 1
                _complain(str(error))
        if self.report and done:
            from lucidmr.evaluate.report import write_report
            from lucidmr.evaluate.summary import report_data

            write_report(report_data(done), self.output / "report.html")
            _say(f"report: {self.output / 'report.html'}")
        if not found.series:
            raise LucidError(f"{self.input}: holds no MR magnitude series that can be enhanced; the reasons are above")
        return 1 if failed else 0

    def _one(self, series: "ImageSeries", enhancement: Enhancement, model: Any) -> "EnhancedSeries":
        from lucidmr.dicom.derived import derived_folder_name
        from lucidmr.enhance.pipeline import enhance

        enhanced = enhance(series, enhancement, model=model, device=self.device)
        folder = self.output / derived_folder_name(series, enhanced.provenance)
        files = enhanced.save(folder, self.overwrite, lambda images: _tracked(images, series.label, len(series)))
        for line in enhanced.warnings:
            _complain(f"{series.label}: warning: {line}")
        _say(f"{series.label}: {len(series)} images in {len(files)} files, {folder}")
        return enhanced


@dataclass(frozen=True)
class Inspect:
    """Show what was acquired, per series: every fact with value, source and confidence, and the context it becomes."""

    input: _Input
    """A DICOM file, a folder, or a DICOMDIR."""
    as_json: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False
    """For programs."""

    def run(self) -> int:
        """Print the facts."""
        from lucidmr.dicom.series import read_series
        from lucidmr.inspection import as_dict, show

        found = read_series(self.input)
        if self.as_json:
            _say(json.dumps(as_dict(found), indent=2))
        else:
            show(found)
        return 1 if any(refusal.damaged for refusal in found.refused) or not found.series else 0


@dataclass(frozen=True)
class Demo:
    """Simulate a phantom scan into a DICOM series, enhance it, and show before, after and difference."""

    output: _Output = Path("demo")
    """Folder for the series, pictures and report."""
    device: Device = "auto"
    """Where to compute."""
    overwrite: _Flag = False
    """Replace an earlier demo."""

    def run(self) -> int:
        """Make the demo."""
        from lucidmr.demo import make_demo

        _check_output(self.output, self.overwrite)
        for line in make_demo(self.output, self.device, self.overwrite):
            _say(line)
        return 0


@dataclass(frozen=True)
class Train:
    """Train the 2D network on pairs simulated from a corpus or from image volumes (NIfTI files, DICOM series)."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """A corpus, or folders that hold volumes."""
    out: Path = Path("runs/2d")
    """Folder for checkpoint, log and weights; a run that was stopped goes on from its checkpoint."""
    minutes: float = 0.0
    """Spread the schedule over so many minutes; 0 runs the paper's 10 + 3 epochs."""
    slices_per_epoch: int = 20_000
    """Simulated slices that count as one epoch."""
    slices_per_step: int = 4
    """Simulated slices in a batch; four squares are cut from each."""
    learning_rate: float = 1e-3
    """Adam's learning rate for the first epochs; a tenth of it for the last."""
    target: Literal["low_variance", "noisy"] = "low_variance"
    """Kind of target; noisy is the paper's."""
    workers: int = 1
    """Processes that simulate pairs."""
    threads: int = 0
    """CPU threads of the training process; 0 leaves it to torch."""
    seed: int = 0
    """Everything random follows from it."""
    device: Device = "auto"
    """Where to train."""
    name: str = "lucidmr-2d"
    """Name for the card of the weights."""
    card: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON file with what else to record on the card, such as data sources and licences."""

    def run(self) -> int:
        """Train, or go on with a stopped run."""
        import torch

        from lucidmr import __version__
        from lucidmr.enhance.device import choose_device
        from lucidmr.train.loop import train
        from lucidmr.train.settings import TrainSettings
        from lucidmr.train.stream import gather, names_of

        if self.threads:
            torch.set_num_threads(self.threads)
        names = ("minutes", "slices_per_epoch", "slices_per_step", "learning_rate", "target", "workers", "seed")
        try:
            settings = TrainSettings(**{name: getattr(self, name) for name in names})
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error
        device, extra = choose_device(self.device), _read_json(self.card)
        sources = gather(self.data, settings)
        volumes = names_of(sources)
        _say(f"{len(volumes)} volumes; training on {device}")
        card = {
            "name": self.name,
            "version": __version__,
            "volumes": volumes,
            **extra,
        }
        _say(f"weights: {train(sources, settings, self.out, device, card)}")
        return 0


@dataclass(frozen=True)
class CorpusAdd:
    """Judge, prewhiten and store raw data and image volumes; what is in the corpus already is passed over."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RAW")]
    """Files of raw data, NIfTI files, or folders that hold such or DICOM series."""
    to: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The corpus."""
    workers: int = 1
    """Processes."""
    most_coils: int = 16
    """Largest number of virtual coils."""
    least_snr: float = 3.0
    """Signal over noise below which a scan is refused."""
    subject: Literal["folder", "file"] = "folder"
    """What counts as one subject, never split between training and testing, where the header names none."""
    axes: str | None = None
    """Axes of plain arrays in the order of their shape, such as coil,freq,phase."""
    variable: str | None = None
    """Which array of a file that holds several."""
    domain: Literal["kspace", "image"] = "kspace"
    """What plain arrays hold."""

    def run(self) -> int:
        """Add every source; one that fails does not stop the others."""
        from lucidmr.corpus.add import Adding, add_all, find_sources
        from lucidmr.raw.prepare import Preparation
        from lucidmr.raw.selection import Selection

        try:
            preparation = Preparation(most_coils=self.most_coils, least_snr=self.least_snr)
            selection = Selection(axes=self.axes, variable=self.variable, domain=self.domain)
            how = Adding(self.to, preparation, selection, self.subject, self.workers)
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error
        sources = find_sources(self.data, self.to)
        added = there = refused = 0
        for outcome in _tracked(add_all(sources, how), "adding", len(sources)):
            added, there, refused = added + outcome.added, there + outcome.there, refused + bool(outcome.refused)
            for line in (*outcome.remarks, *outcome.refused):
                _complain(line)
        _say(f"{added} measurements added, {there} there already, {refused} sources refused: {self.to}")
        if not added + there:
            raise LucidError(f"{', '.join(map(str, self.data))}: holds nothing to use; the reasons are above")
        return 1 if refused else 0


@dataclass(frozen=True)
class CorpusShow:
    """Count what is in a corpus."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The corpus."""
    as_json: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False
    """For programs."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write an HTML page with a picture of every measurement and what was found."""
    validation: float = 0.1
    """Share of the subjects for validation."""
    test: float = 0.1
    """Share of the subjects for testing."""

    def run(self) -> int:
        """Print the counts."""
        from lucidmr.corpus.corpus import Corpus
        from lucidmr.corpus.report import write_report
        from lucidmr.corpus.split import Split
        from lucidmr.corpus.summary import lines, summary

        try:
            corpus = Corpus(self.corpus, Split(self.validation, self.test))
        except ValueError as error:
            raise LucidError(f"--{error}") from error
        found = summary(corpus)
        _say(json.dumps(found, indent=2) if self.as_json else "\n".join(lines(found)))
        if self.report is not None:
            write_report(corpus, self.report)
            _complain(f"report: {self.report}")
        return 0


_CorpusAction = Annotated[CorpusAdd, tyro.conf.subcommand("add")] | Annotated[CorpusShow, tyro.conf.subcommand("show")]


@dataclass(frozen=True)
class CorpusCommand:
    """Keep raw data ready to train with in a folder: add to it, show what is in it."""

    action: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[_CorpusAction]]

    def run(self) -> int:
        """Do what is asked."""
        return self.action.run()


_COMMANDS: dict[str, Callable[..., Any]] = {
    "enhance": Enhance,
    "inspect": Inspect,
    "demo": Demo,
    "train": Train,
    "corpus": CorpusCommand,
    "simulate": Simulate,
}


def main() -> None:
    """Entry point of ``lucidmr``."""
    from lucidmr import __version__

    if sys.argv[1:] == ["--version"]:
        _say(f"lucidmr {__version__}")
        return
    command = tyro.extras.subcommand_cli_from_dict(
        _COMMANDS,
        prog="lucidmr",
        description="One model that makes any MR series quieter and sharper: DICOM in, DICOM out. "
        "Research software, not a medical device.",
    )
    try:
        status = command.run()
    except LucidError as error:
        _complain(f"error: {error}")
        status = 2
    except KeyboardInterrupt:
        _complain("stopped; nothing half-written is left behind")
        status = 130
    raise SystemExit(status)


def _say_what_is_passed_over(found: "SeriesCollection") -> None:
    for refusal in found.refused:
        _complain(f"passed over: {refusal.label}: {refusal.reason}")
    for line in found.warnings:
        _complain(f"warning: {line}")


def _check_output(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something, unless overwriting is allowed.

    Raises:
        LucidError: It does, or it is a file or cannot be read or made.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise LucidError(f"{folder}: is a file; name a folder for the output")
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise LucidError(f"{folder}: already holds something; choose another folder or add --overwrite")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LucidError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def _read_json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LucidError(f"{path}: cannot be read as JSON ({error}); mend the file or leave --card out") from error
    return found
