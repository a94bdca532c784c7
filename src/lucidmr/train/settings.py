"""Settings of a training run; they travel with the weights."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.device import Precision
from lucidmr.network.ce_unet import NetworkSettings
from lucidmr.pairs.simulate import TargetKind

CHANGEABLE: Final = ("minutes", "workers", "accumulate", "validation_pairs", "validation_minutes")
"""Settings that a run may change on its way: they decide how long, how fast and how closely watched, not what."""


@dataclass(frozen=True)
class TrainSettings:
    """One training run. The schedule's defaults are the paper's (arXiv 2405.03684, section 2.3).

    Attributes:
        epochs: Epochs at the full and at the reduced learning rate.
        slices_per_epoch: Simulated slices that count as one epoch.
        minutes: Stop after this many minutes and spread the schedule over them instead of over epochs; 0 = off.
        learning_rate: Adam's first learning rate; the second is a tenth of it.
        warmup: Steps over which the learning rate rises at the start.
        slices_per_step: Simulated slices in a batch, over all processes.
        accumulate: Parts that each process does its share of a batch in, to save memory.
        crops_per_slice: Squares cut from each.
        spread: Steps that the squares of a slice are spread over: a step then mixes those of so many times more slices.
        crop: Side of a square in standardized pixels.
        clip: Largest gradient norm.
        loss_floor: Each square's L1 error is divided by its input's own L1 error plus this, so that faint noise
            counts as much as strong noise; infinite values give the plain L1 loss.
        ema: Decay of the exponential moving average of the weights.
        target: Kind of target.
        synthetic_share: Share of slices that are synthetic anatomy, which has exactly known truth.
        augment: Whether volumes are shown in other orientations, contrasts, resolutions and fields of view, too.
        precision: Of the network's arithmetic, ``auto`` what the device is faster in; weights and losses are float32
            always.
        workers: Processes that simulate pairs for each training process; 0 simulates in that itself.
        seed: Everything random follows from it.
        validation_pairs: Pairs that the network is judged by on its way.
        validation_minutes: Time between two judgements.
        ranges: Degradations.
        network: The network.
    """

    epochs: tuple[int, int] = (10, 3)
    slices_per_epoch: int = 20_000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    warmup: int = 200
    slices_per_step: int = 4
    accumulate: int = 1
    crops_per_slice: int = 4
    spread: int = 1
    crop: int = 96
    clip: float = 1.0
    loss_floor: float = 0.005
    ema: float = 0.999
    target: TargetKind = "low_variance"
    synthetic_share: float = 0.5
    augment: bool = True
    precision: Precision = "auto"
    workers: int = 1
    seed: int = 0
    validation_pairs: int = 32
    validation_minutes: float = 10.0
    ranges: DegradationRanges = field(default_factory=DegradationRanges)
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self) -> None:
        counts = (
            "slices_per_epoch",
            "slices_per_step",
            "accumulate",
            "crops_per_slice",
            "spread",
            "crop",
            "validation_pairs",
        )
        for name in (*counts, "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        if self.crop % self.network.stride:
            raise ValueError(f"crop is {self.crop}; it must be a multiple of {self.network.stride}")
        for name in ("workers", "minutes", "validation_minutes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0.0 <= self.synthetic_share <= 1.0:
            raise ValueError(f"synthetic_share is {self.synthetic_share}; it must lie between 0 and 1")
        if self.spread > self.crops_per_slice:
            raise ValueError(f"spread is {self.spread}; there are only {self.crops_per_slice} squares of each slice")
        if self.slices_per_step % self.accumulate:
            raise ValueError(f"accumulate is {self.accumulate}; it must divide slices_per_step, {self.slices_per_step}")
        if self.steps < 1:
            raise ValueError(f"the schedule has no step: {self.epochs} epochs of {self.slices_per_epoch} slices")

    def to_json(self) -> dict[str, Any]:
        """Plain values for the log and the card."""
        return {**asdict(self), "network": self.network.to_json()}

    @property
    def lasting(self) -> dict[str, Any]:
        """The plain values that a run keeps from its first step to its last."""
        return {name: value for name, value in self.to_json().items() if name not in CHANGEABLE}

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return sum(self.epochs) * self.slices_per_epoch // self.slices_per_step
