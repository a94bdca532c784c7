"""The experiments of Jeong et al. (arXiv 2405.03684, section 3), each a function from a bench to a finding."""

from collections.abc import Mapping
from typing import Final

from lucidmr.evaluate.bench import Bench, Experiment
from lucidmr.evaluate.experiments.acceleration import acceleration
from lucidmr.evaluate.experiments.artifacts import artifacts
from lucidmr.evaluate.experiments.dimensions import dimensions
from lucidmr.evaluate.experiments.edge_sharpness import SLICES, sharpness
from lucidmr.evaluate.experiments.noise_dial import noise_dial
from lucidmr.evaluate.experiments.pairs import SCENARIOS, SPECIMENS, pairs
from lucidmr.evaluate.experiments.protocols import protocols
from lucidmr.evaluate.experiments.trust import trust
from lucidmr.evaluate.experiments.vendors import vendors
from lucidmr.evaluate.finding import Finding
from lucidmr.evaluate.peers import TILE
from lucidmr.evaluate.sharpening import SLAB

EXPERIMENTS: Final[Mapping[str, Experiment]] = {
    "dimensions": dimensions,
    "noise": noise_dial,
    "sharpness": sharpness,
    "artifacts": artifacts,
    "protocols": protocols,
    "vendors": vendors,
    "acceleration": acceleration,
    "pairs": pairs,
    "trust": trust,
}
"""By their names on the command line, in the paper's order."""
TAKEN: Final[Mapping[str, str]] = {
    "images, noise": "the middle one of every series",
    "images, sharpness": f"{SLICES} in the middle of every series, projections of {SLAB}",
    "images, pairs": f"{SPECIMENS} specimens, {SCENARIOS} scenarios each; peers tuned on the middle {TILE} x {TILE}",
}
"""What of the data experiments look at, where not just a rough answer is wanted."""


def run_experiment(name: str, bench: Bench) -> Finding:
    """Run one experiment; whatever stops it becomes its finding, so that the others go on.

    Args:
        name: One of :data:`EXPERIMENTS`.
        bench: What to run it on.
    """
    try:
        return EXPERIMENTS[name](bench)
    except Exception as error:  # noqa: BLE001 - after an hour of work no surprise may lose the rest
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding(name, name.capitalize(), notes=(f"{name}: stopped: {reason}",), failed=True)
