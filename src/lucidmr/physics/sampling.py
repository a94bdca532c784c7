"""Which k-space samples were acquired, axis by axis: k_max and partial Fourier."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from lucidmr.physics.fourier import central_band


@dataclass(frozen=True)
class AxisSampling:
    """Contiguous sampling of one axis.

    Attributes:
        width: Samples between -k_max and +k_max.
        fraction: Sampled share of that width (partial Fourier), 0.5 to 1.
        early: True when the omitted samples are those of negative k.
    """

    width: int
    fraction: float = 1.0
    early: bool = True

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}; it must be at least 1")
        if not 0.5 <= self.fraction <= 1.0:
            raise ValueError(f"fraction is {self.fraction:g}; it must lie between 0.5 and 1")

    @property
    def samples(self) -> int:
        """Samples acquired; DC is always among them."""
        return min(self.width, max(self.width // 2 + 1, round(self.width * self.fraction)))


def axis_mask(n: int, sampling: AxisSampling) -> Bool[Tensor, " n"]:
    """Mask of the samples acquired on a centred axis of ``n`` samples."""
    start, stop = central_band(n, sampling.width)
    missing = min(stop - start, sampling.width) - min(stop - start, sampling.samples)
    mask = torch.zeros(n, dtype=torch.bool)
    mask[start + missing if sampling.early else start : stop if sampling.early else stop - missing] = True
    return mask
