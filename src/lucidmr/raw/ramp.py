"""Readouts sampled while the gradient ramps, as EPI does: back to equal distances in k-space."""

from dataclasses import dataclass
from math import pi, sqrt

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.linalg import pinv

from lucidmr.physics.fourier import to_kspace

_LEAST_SINGULAR = 0.1
"""Share of the largest singular value below which samples tell too little; bounds the noise that is added."""


@dataclass(frozen=True)
class Trapezoid:
    """A trapezoidal readout gradient and when it is sampled, all in the same unit of time.

    Attributes:
        rise: Duration of the ramp up.
        flat: Duration of the flat top.
        fall: Duration of the ramp down.
        delay: From the start of the ramp to that of sampling.
        duration: Of sampling.
    """

    rise: float
    flat: float
    fall: float
    delay: float
    duration: float

    def __post_init__(self) -> None:
        total = self.rise + self.flat + self.fall
        if min(self.rise, self.flat, self.fall, self.delay) < 0 or not 0 < self.delay + self.duration <= total:
            raise ValueError(f"the readout gradient is {self}; sampling must lie within it")

    def area(self, time: Float[Tensor, " time"]) -> Float[Tensor, " time"]:
        """Area under the gradient up to each time, its top being 1."""
        up = time.clamp(max=self.rise) ** 2 / max(2.0 * self.rise, 1e-12)
        down = (time - self.rise - self.flat).clamp_min(0.0) ** 2 / max(2.0 * self.fall, 1e-12)
        return up + (time - self.rise).clamp_min(0.0) - down

    def positions(self, samples: int) -> Float[Tensor, " sample"]:
        """Where samples lie in k-space relative to DC, such that they span as many equal distances."""
        edges = self.area(torch.tensor([self.delay, self.delay + self.duration], dtype=torch.float64))
        time = self.delay + (torch.arange(samples, dtype=torch.float64) + 0.5) * (self.duration / samples)
        middle = 0.5 * (self.rise + self.fall) / 2.0 + 0.5 * self.flat
        return (self.area(time) - middle) * (samples / (edges[1] - edges[0]))


def onto_grid(positions: Float[Tensor, " sample"]) -> Complex[Tensor, "sample sample"]:
    """The matrix that takes samples at unequal distances to those of the Cartesian grid.

    Args:
        positions: Relative to DC, in samples of the grid.

    Returns:
        The regularized inverse of the Fourier transform at the positions, followed by that on the grid.
    """
    n = len(positions)
    pixels = torch.arange(n, dtype=torch.float64) - n // 2
    turns = positions.double()[:, None] * pixels / n
    transform = torch.polar(torch.ones_like(turns), -2.0 * pi * turns) / sqrt(n)
    inverse: Tensor = pinv(transform, rtol=_LEAST_SINGULAR)
    return to_kspace(inverse.T, (-1,)).T.to(torch.complex64)
