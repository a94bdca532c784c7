"""Carry what 2D weights have learned over to 3D weights that started from them: python tools/carry_over.py --help.

The 3D network starts as the 2D one. Where the 2D weights were trained on since, the difference is added to the 3D ones,
weight by weight (task arithmetic: Ilharco et al., ICLR 2023): what both have learned adds up as long as they have not
gone far from where they parted. Whether it helps must be measured.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from lucidmr.console import complain, say
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet
from lucidmr.network.weights import Model, adapted, load_model, save_weights


@dataclass(frozen=True)
class CarryOver:
    """Add to 3D weights what 2D weights have learned since the 3D ones started from them."""

    started: Path
    """The 2D weights that the 3D ones started from (.safetensors), or the latest that were carried over to them."""
    learned: Path
    """The 2D weights that have been trained on since."""
    onto: Path
    """The 3D weights."""
    out: Path
    """The new 3D weights; their card lies beside them."""
    share: float = 1.0
    """How much to keep of what the 3D weights have learned themselves: less where that was little, on few data."""

    def run(self) -> None:
        """Add and save."""
        started, learned, onto = (load_model(path) for path in (self.started, self.learned, self.onto))
        network = carried_over(started, learned, onto, self.share)
        card: dict[str, Any] = {name: value for name, value in onto.card.items() if name not in ("sha256", "dial")}
        carried = {
            "started": started.sha256,
            "learned": learned.sha256,
            "onto": onto.sha256,
            "share": self.share,
        }
        save_weights(network, {**card, "carried_over": [*_steps(onto), carried]}, self.out)
        say(f"weights: {self.out}")


def carried_over(started: Model, learned: Model, onto: Model, share: float) -> CEUNet:
    """The network of ``learned`` plus a share of what ``onto`` has learned since ``started``.

    Raises:
        LucidError: ``onto`` neither started from ``started`` nor has been given what those had learned, or the networks
            do not fit.
    """
    latest = _steps(onto)[-1]["learned"] if _steps(onto) else onto.card.get("started_from", {}).get("sha256")
    if started.sha256 != latest:
        raise LucidError(f"{onto.name} did not start from these weights of {started.name}; name those that it did")
    network = onto.network
    before, after = (adapted(model.network, network.settings).state_dict() for model in (started, learned))
    own = {name: value - before[name] for name, value in network.state_dict().items()}
    weights = {name: after[name] + share * value for name, value in own.items()}
    network.load_state_dict(weights)
    return network


def _steps(weights: Model) -> list[dict[str, Any]]:
    """What was carried over to weights, the earliest first."""
    steps: list[dict[str, Any]] = weights.card.get("carried_over", [])
    return steps


if __name__ == "__main__":
    try:
        tyro.cli(CarryOver).run()
    except LucidError as error:
        complain(f"error: {error}")
        sys.exit(2)
