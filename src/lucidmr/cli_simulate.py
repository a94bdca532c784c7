"""The subcommand ``simulate``; nothing heavy is imported before it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from lucidmr.console import complain, say, tracked
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.corpus.corpus import Corpus

_Folder = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Simulate:
    """Make training pairs from a corpus, one file each; those that are in OUT already are kept."""

    corpus: Annotated[_Folder, tyro.conf.arg(metavar="CORPUS")]
    """Folder that 'lucidmr corpus add' wrote to."""
    out: Annotated[_Folder, tyro.conf.arg(metavar="OUT")]
    """Folder for the pairs."""
    pairs: int = 1000
    """How many there are to be."""
    seed: int = 0
    """Everything random follows from it."""
    split: Literal["train", "validation", "test"] = "train"
    """Which subjects."""
    target: Literal["low_variance", "noisy"] = "low_variance"
    """Kind of target; noisy is the paper's."""
    slices: int = 1
    """Adjacent slices of an input, an odd number; more than 1 takes 3D scans alone, with the middle one as target."""
    workers: int = 1
    """Processes; with --ray, processors of the cluster to keep busy."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Ray cluster that does the work; its nodes see CORPUS and OUT under the same names."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where to compute; auto takes CUDA where there is one."""
    replay: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Simulate the pair of this file once more, into OUT, and compare the two."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write an HTML page on the pairs in OUT, what was drawn for them and examples; none are made."""

    def run(self) -> int:
        """Make the pairs; one that fails does not stop the others."""
        from lucidmr.corpus.corpus import Corpus

        if self.report is not None:
            return self._report(self.report)
        corpus = Corpus(self.corpus.resolve())
        return self._make(corpus) if self.replay is None else self._replay(corpus, self.replay)

    def _make(self, corpus: "Corpus") -> int:
        from lucidmr.pairs.write import write_pairs
        from lucidmr.scale import Workers

        if self.pairs < 1:
            raise LucidError(f"--pairs is {self.pairs}; it must be at least 1")
        try:
            workers, pairs = Workers(self.workers, self.ray), self._pairs(corpus)
        except ValueError as error:
            raise LucidError(f"--{error}") from error
        made = there = failed = 0
        outcomes = write_pairs(pairs, range(self.pairs), self.out.resolve(), workers)
        for outcome in tracked(outcomes, "simulating", self.pairs):
            made, failed = made + outcome.made, failed + bool(outcome.failed)
            there += not (outcome.made or outcome.failed)
            if outcome.failed:
                complain(outcome.failed)
        say(f"{made} pairs made, {there} there already, {failed} failed: {self.out}")
        return 1 if failed else 0

    def _pairs(self, corpus: "Corpus") -> Any:
        from lucidmr.device import choose_device
        from lucidmr.pairs.source import CorpusPairs

        device = choose_device(self.device)
        return CorpusPairs(corpus, self.seed, self.split, self.target, self.slices, device=device)

    def _replay(self, corpus: "Corpus", path: Path) -> int:
        import torch

        from lucidmr.device import choose_device
        from lucidmr.pairs.replay import replay
        from lucidmr.pairs.write import read_pair, read_record, write_pair

        found = read_pair(path)
        again = replay(read_record(path), corpus, choose_device(self.device))
        if self.out.resolve() == path.resolve().parent:
            raise LucidError(f"{self.out}: holds {path.name} itself; name another folder for the pair to go to")
        write_pair(self.out / path.name, again)
        if torch.equal(found.input, again.input) and torch.equal(found.target, again.target):
            say(f"the same to the last bit: {self.out / path.name}")
            return 0
        images = ((found.input, again.input), (found.target, again.target))
        most = max(float((one - other).abs().max()) / abs(again.rescale[0]) for one, other in images)
        complain(f"{path}: differs from its replay by up to {most:.3g} stored integers; same version and device?")
        return 1

    def _report(self, report: Path) -> int:
        from lucidmr.pairs.report import write_report
        from lucidmr.pairs.write import paths_in

        paths = paths_in(self.out)
        refused = write_report(tracked(iter(paths), "reading", len(paths)), report)
        for line in refused:
            complain(f"passed over: {line}")
        say(f"report of {len(paths) - len(refused)} pairs, {len(refused)} passed over: {report}")
        return 1 if refused else 0
