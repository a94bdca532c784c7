"""What a gain in resolution could bring at most: python benchmarks/known_edges.py DATA [DATA ...].

Slices of DATA are acquired at half of k_max along one direction, and a gain of 2 along it is asked for, nothing else.
The truth, all of k_max, is known: its edges beside those of the enhanced image show how much of sharpness and overshoot
is anatomy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import tyro

from lucidmr.console import say
from lucidmr.evaluate.bars import interval
from lucidmr.evaluate.bench import Bench, read_data
from lucidmr.evaluate.detail import regained, true_detail
from lucidmr.evaluate.finding import shown
from lucidmr.evaluate.sharpness import DIRECTIONS, Direction, EdgeSharpness, edge_sharpness
from lucidmr.evaluate.specimens import Specimen, specimens
from lucidmr.network.weights import packaged_models


class KnownEdges(NamedTuple):
    """Edges of one slice along one direction, over those at half of k_max.

    Attributes:
        specimen: Name.
        along: Direction of the gain.
        truth: All of k_max.
        ours: Enhanced.
        psnr_gain: PSNR of the enhanced image over the one at half of k_max, dB.
    """

    specimen: str
    along: Direction
    truth: EdgeSharpness
    ours: EdgeSharpness
    psnr_gain: float


@dataclass(frozen=True)
class CompareEdges:
    """Compare the edges of enhanced images with those of the truth."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """DICOM series, raw data, NIfTI volumes; files or folders."""
    specimens: int = 8
    """Slices, each of another series or scan as far as there are so many."""
    least: int = 5
    """Edges that a slice must have along a direction."""
    noise_reduction: float = 1.0
    """The noise dial."""
    seed: int = 0
    """Everything random follows from it."""

    def run(self) -> None:
        """Measure and print."""
        with TemporaryDirectory() as folder:
            data = read_data(self.data, Path(folder) / "out", self.seed)
            bench = Bench(packaged_models(), "cpu", False, self.seed, Path(folder), data.series, data.scans)
            every = [one for one in self._measured(bench) if one.truth.edges >= self.least]
        say("| | all of k_max | lucidmr |\n|---|---|---|")
        self._show("sharpness", [(one.truth.sharpness.value, one.ours.sharpness.value) for one in every])
        self._show("overshoot, %", [(one.truth.overshoot_after.value, one.ours.overshoot_after.value) for one in every])
        before = interval([one.ours.overshoot_before.value for one in every], self.seed)
        gain = interval([one.psnr_gain for one in every], self.seed)
        say(f"overshoot at half of k_max {shown(before, 1)} %; PSNR gain {shown(gain)} dB; {len(every)} slices")

    def _measured(self, bench: Bench) -> Iterator[KnownEdges]:
        for number, specimen in enumerate(specimens(bench, self.specimens)[0]):
            for along in DIRECTIONS:
                one = self._one(bench, specimen, along, f"{number}-{along}")
                say(
                    f"{one.specimen} along {along}: {one.truth.edges} edges, sharpness {one.truth.sharpness.value:.2f} "
                    f"(truth) {one.ours.sharpness.value:.2f}, PSNR {one.psnr_gain:+.2f} dB"
                )
                yield one

    def _one(self, bench: Bench, specimen: Specimen, along: Direction, name: str) -> KnownEdges:
        images = regained(bench, specimen, along, name, self.noise_reduction)
        edges = [
            edge_sharpness(images.before, one, along, bench.generator("edges"), images.pixel)
            for one in (images.truth, images.after)
        ]
        return KnownEdges(specimen.name, along, edges[0], edges[1], true_detail(images).psnr_gain)

    def _show(self, name: str, values: list[tuple[float, float]]) -> None:
        truth, ours = (shown(interval(list(side), self.seed)) for side in zip(*values, strict=True))
        say(f"| {name} | {truth} | {ours} |")


if __name__ == "__main__":
    tyro.cli(CompareEdges).run()
