"""Settings of a training run; they travel with the weights."""

from dataclasses import asdict, dataclass, field
from typing import Any

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.network.ce_unet import NetworkSettings
from lucidmr.pairs.simulate import TargetKind


@dataclass(frozen=True)
class TrainSettings:
    """One training run. The schedule's defaults are the paper's (arXiv 2405.03684, section 2.3).

    Attributes:
        epochs: Epochs at the full and at the reduced learning rate.
        slices_per_epoch: Simulated slices that count as one epoch.
        minutes: Stop after this many minutes and spread the schedule over them instead of over epochs; 0 = off.
        learning_rate: Adam's first learning rate; the second is a tenth of it.
        warmup: Steps over which the learning rate rises at the start.
        slices_per_step: Simulated slices in a batch.
        crops_per_slice: Squares cut from each.
        crop: Side of a square in standardized pixels.
        clip: Largest gradient norm.
        loss_floor: Each square's L1 error is divided by its input's own L1 error plus this, so that faint noise
            counts as much as strong noise; infinite values give the plain L1 loss.
        ema: Decay of the exponential moving average of the weights.
        target: Kind of target.
        synthetic_share: Share of slices that are synthetic anatomy, which has exactly known truth.
        workers: Processes that simulate pairs; 0 simulates in the training process.
        seed: Everything random follows from it.
        ranges: Degradations.
        network: The network.
    """

    epochs: tuple[int, int] = (10, 3)
    slices_per_epoch: int = 20_000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    warmup: int = 200
    slices_per_step: int = 4
    crops_per_slice: int = 4
    crop: int = 192
    clip: float = 1.0
    loss_floor: float = 0.005
    ema: float = 0.999
    target: TargetKind = "low_variance"
    synthetic_share: float = 0.3
    workers: int = 1
    seed: int = 0
    ranges: DegradationRanges = field(default_factory=DegradationRanges)
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def __post_init__(self) -> None:
        for name in ("slices_per_epoch", "slices_per_step", "crops_per_slice", "crop", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        if self.crop % self.network.stride:
            raise ValueError(f"crop is {self.crop}; it must be a multiple of {self.network.stride}")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; it must not be negative")
        if self.steps < 1:
            raise ValueError(f"the schedule has no step: {self.epochs} epochs of {self.slices_per_epoch} slices")

    def to_json(self) -> dict[str, Any]:
        """Plain values for the log and the card."""
        return {**asdict(self), "network": self.network.to_json()}

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return sum(self.epochs) * self.slices_per_epoch // self.slices_per_step
