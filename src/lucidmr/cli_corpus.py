"""The subcommand ``corpus``; nothing heavy is imported before it runs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lucidmr.console import complain, say, tracked
from lucidmr.errors import LucidError


@dataclass(frozen=True)
class CorpusAdd:
    """Judge, prewhiten and store raw data and image volumes; what is in the corpus already is passed over."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RAW")]
    """Files of raw data, NIfTI files, or folders that hold such or DICOM series."""
    to: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The corpus."""
    workers: int = 1
    """Processes; with --ray, processors of the cluster to keep busy."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Ray cluster that does the work; its nodes see RAW and DIR under the same names."""
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
        from lucidmr.scale import Workers

        # Absolute, as the nodes of a cluster work in folders of their own; links keep their names.
        data, folder = [path.absolute() for path in self.data], self.to.absolute()
        try:
            preparation = Preparation(most_coils=self.most_coils, least_snr=self.least_snr)
            selection = Selection(axes=self.axes, variable=self.variable, domain=self.domain)
            how, workers = Adding(folder, preparation, selection, self.subject), Workers(self.workers, self.ray)
        except ValueError as error:
            raise LucidError(f"--{str(error).replace('_', '-')}") from error
        sources = find_sources(data, folder)
        added = there = refused = 0
        for outcome in tracked(add_all(sources, how, workers), "adding", len(sources)):
            added, there, refused = added + outcome.added, there + outcome.there, refused + bool(outcome.refused)
            for line in (*outcome.remarks, *outcome.refused):
                complain(line)
        say(f"{added} measurements added, {there} there already, {refused} sources refused: {self.to}")
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
        say(json.dumps(found, indent=2) if self.as_json else "\n".join(lines(found)))
        if self.report is not None:
            write_report(corpus, self.report)
            complain(f"report: {self.report}")
        return 0


_CorpusAction = Annotated[CorpusAdd, tyro.conf.subcommand("add")] | Annotated[CorpusShow, tyro.conf.subcommand("show")]


@dataclass(frozen=True)
class CorpusCommand:
    """Keep raw data ready to train with in a folder: add to it, show what is in it."""

    action: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[_CorpusAction]]

    def run(self) -> int:
        """Do what is asked."""
        return self.action.run()
