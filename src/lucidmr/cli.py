"""The command line: one dataclass per subcommand.

Nothing heavy is imported before a subcommand runs: ``lucidmr --help`` answers at once.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from lucidmr.cli_corpus import CorpusCommand
from lucidmr.cli_evaluate import Evaluate
from lucidmr.cli_simulate import Simulate
from lucidmr.cli_train import Train
from lucidmr.console import complain as _complain
from lucidmr.console import say as _say
from lucidmr.console import tracked as _tracked
from lucidmr.context import Enhancement
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.dicom.series import SeriesCollection
    from lucidmr.dicom.source import Source
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
    """A DICOM file, a folder, a DICOMDIR, or a NIfTI file."""
    output: _Output
    """Folder for the enhanced series: a subfolder for each DICOM series, NIfTI files under their own names."""
    noise_reduction: float = 2.0
    """Noise before over noise after, 1 to 8; 1 leaves it."""
    gain: _Gain = None
    """k_max after over k_max before in both in-plane directions, 1 to 3; 1 leaves it."""
    gain_freq: _Gain = None
    """The same along frequency encoding only."""
    gain_phase: _Gain = None
    """The same along phase encoding only."""
    gain_slice: _Gain = None
    """The same along slice, of 3D acquisitions only; --gain does not set it."""
    restore_partial_fourier: bool = True
    """Fill in what partial Fourier left out, where the header tells of it."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""
    weights: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE"), tyro.conf.UseAppendAction] = ()
    """Weights of your own (.safetensors, its JSON card beside it), once for 2D and once for 3D acquisitions if you have
    both; those of the package where nothing is said."""
    classic: _Flag = False
    """Write single-frame DICOM files from multi-frame ones too."""
    compress: _Flag = False
    """Write DICOM pixel data in JPEG 2000, without loss, instead of uncompressed."""
    include_dl: _Flag = False
    """Process series, too, that the scanner reconstructed with deep learning already."""
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
                gain_slice=1.0 if self.gain_slice is None else self.gain_slice,
                restore_partial_fourier=self.restore_partial_fourier,
            )
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error

    def run(self) -> int:
        """Enhance every series below INPUT; one that fails does not stop the others."""
        enhancement = self.enhancement
        from lucidmr.device import choose_device
        from lucidmr.dicom.output import check_apart
        from lucidmr.network.weights import load_model, packaged_models
        from lucidmr.nifti.find import read_sources

        found = read_sources(self.input)
        _say_what_is_passed_over(found)
        wanted = [
            series
            for series in found.series
            if not _reconstructed_by_learning(series, self.include_dl) or self.include_dl
        ]
        for series in wanted:
            check_apart(self.output, series.root, series.paths)
        _check_output(self.output, self.overwrite)
        device = choose_device(self.device)
        models = tuple(load_model(path, device) for path in self.weights) or packaged_models(device)
        done, failed = [], sum(refusal.damaged for refusal in found.refused)
        for series in wanted:
            try:
                done.append(self._one(self._formed(series), enhancement, models))
            except LucidError as error:
                failed += 1
                _complain(str(error))
        if self.report and done:
            from lucidmr.evaluate.report import write_report
            from lucidmr.evaluate.summary import report_data

            write_report(report_data(done), self.output / "report.html")
            _say(f"report: {self.output / 'report.html'}")
        if not wanted:
            raise LucidError(f"{self.input}: holds no MR magnitude series that can be enhanced; the reasons are above")
        return 1 if failed else 0

    def _formed(self, series: "Source") -> "Source":
        """The series, told how its derived files are written."""
        from lucidmr.dicom.derived import Form
        from lucidmr.dicom.series import ImageSeries

        form = Form(self.classic, self.compress)
        return replace(series, form=form) if isinstance(series, ImageSeries) else series

    def _one(self, series: "Source", enhancement: Enhancement, models: Any) -> "EnhancedSeries":
        from lucidmr.enhance.pipeline import enhance

        enhanced = enhance(series, enhancement, model=models, device=self.device)
        folder = series.folder(self.output, enhanced.provenance)
        files = enhanced.save(folder, self.overwrite, lambda images: _tracked(images, series.label, len(series)))
        for line in enhanced.warnings:
            _complain(f"{series.label}: warning: {line}")
        _say(f"{series.label}: {len(series)} images in {len(files)} files, {folder}")
        return enhanced


@dataclass(frozen=True)
class Inspect:
    """Show what was acquired, per series: every fact with value, source and confidence, and the context it becomes."""

    input: _Input
    """A DICOM file, a folder, a DICOMDIR, or a NIfTI file."""
    as_json: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False
    """For programs."""

    def run(self) -> int:
        """Print the facts."""
        from lucidmr.inspection import as_dict, show
        from lucidmr.nifti.find import read_sources

        found = read_sources(self.input)
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


_COMMANDS: dict[str, Callable[..., Any]] = {
    "enhance": Enhance,
    "inspect": Inspect,
    "demo": Demo,
    "train": Train,
    "corpus": CorpusCommand,
    "simulate": Simulate,
    "evaluate": Evaluate,
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
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has enough, as in `lucidmr inspect ... | head`; what is left must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except LucidError as error:
        _complain(f"error: {error}")
        status = 2
    except KeyboardInterrupt:
        _complain("stopped; nothing half-written is left behind")
        status = 130
    raise SystemExit(status)


def _say_what_is_passed_over(found: "SeriesCollection[Source]") -> None:
    for refusal in found.refused:
        _complain(f"passed over: {refusal.label}: {refusal.reason}")
    for line in found.warnings:
        _complain(f"warning: {line}")


def _reconstructed_by_learning(series: "Source", included: bool) -> bool:
    """Whether the header says so; the user is told."""
    from lucidmr.dicom.header import facts

    told = facts(series).dl_reconstructed
    if told.value:
        what = f"reconstructed with deep learning by the scanner already ({told.source})"
        advice = "; add --include-dl to process it all the same"
        _complain(f"{series.label}: warning: {what}" if included else f"passed over: {series.label}: {what}{advice}")
    return bool(told.value)


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
