"""Patterns of undersampling in the slice-phase plane: uniform (CAIPIRINHA included) and random.

A pattern is what the scan acquired of the ``inside`` of the plane (inside k_max, partial Fourier and corner cut). A 2D
acquisition has a plane of one row. Patterns are made on the CPU.
"""

from dataclasses import dataclass
from math import gcd, isfinite
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lucidmr.physics.fourier import central_band
from lucidmr.physics.poisson_disc import poisson_disc

PlaneMask = Bool[Tensor, "slice phase"]

MOST_ACCELERATION: Final = 16.0
MOST_DECAY: Final = 8.0
_LEAST_DENSITY: Final = 1.0 / 16.0
"""Of random samples, relative to the densest: no part of k-space is left empty."""


@dataclass(frozen=True)
class UniformUndersampling:
    """Every R-th line (SENSE, GRAPPA), the pattern through DC.

    A factor that is not whole samples the lines nearest to its multiples: 2.5 steps by 3 and 2 in turn.

    Attributes:
        phase: Acceleration along phase.
        slice: Acceleration along slice.
        shift: CAIPIRINHA: partitions by which the slice pattern moves from one sampled phase line to the next
            (Breuer et al., MRM 55 (2006) 549).
        calibration: (slice, phase) lines of the fully sampled block around DC.
        integrated: Whether the calibration lines belong to the scan (and to the image), or come from a scan of their
            own and serve calibration alone.
    """

    phase: float = 2.0
    slice: float = 1.0
    shift: int = 0
    calibration: tuple[int, int] = (24, 24)
    integrated: bool = True

    def __post_init__(self) -> None:
        for name in ("phase", "slice"):
            _check_factor(name, getattr(self, name))
        _check_calibration(self.calibration)
        if self.shift < 0 or self.shift >= max(self.slice, 1) or self.shift != int(self.shift):
            raise ValueError(f"shift is {self.shift}; it must lie between 0 and slice - 1 = {self.slice - 1:g}")

    @property
    def factor(self) -> float:
        """Acceleration without the calibration lines."""
        return self.phase * self.slice

    @property
    def is_lattice(self) -> bool:
        """Whether both factors are whole numbers, so that every alias lies a whole share of the field of view away."""
        return self.phase == int(self.phase) and self.slice == int(self.slice)

    @property
    def period(self) -> tuple[int, int]:
        """(slice, phase) samples after which a pattern of whole factors repeats along each axis."""
        r_slice, r_phase = int(self.slice), int(self.phase)
        return r_slice, r_phase * (r_slice // gcd(self.shift, r_slice))

    def lattice(self, n_slice: int, n_phase: int) -> PlaneMask:
        """The pattern without calibration lines on a plane with DC at (n_slice // 2, n_phase // 2)."""
        line = torch.arange(n_phase) - n_phase // 2
        step = torch.round(line / self.phase).long()
        partition = torch.arange(n_slice)[:, None] - n_slice // 2 - self.shift * step
        return _is_multiple(line, self.phase) & _is_multiple(partition, self.slice)

    def pattern(self, inside: PlaneMask) -> PlaneMask:
        """The lines acquired of ``inside``."""
        lines = self.lattice(*inside.shape)
        return inside & (lines | calibration_block(inside.shape, self.calibration) if self.integrated else lines)


def _is_multiple(position: Int[Tensor, "..."], factor: float) -> Bool[Tensor, "..."]:
    """Whether a whole position is the one nearest to a multiple of ``factor``; halves round up."""
    return torch.floor(torch.round(position / factor) * factor + 0.5) == position


def elliptical_radius(n_slice: int, n_phase: int) -> Float[Tensor, "slice phase"]:
    """Distance from DC in a (slice, phase) plane: 1 on the ellipse that touches k_max of both directions."""
    along_slice, along_phase = ((torch.arange(n) - n // 2) / max(n // 2, 1) for n in (n_slice, n_phase))
    return torch.hypot(along_slice[:, None], along_phase)


def calibration_block(plane: tuple[int, ...], lines: tuple[int, int]) -> PlaneMask:
    """The block of calibration ``lines`` around DC of a (slice, phase) ``plane``."""
    block = torch.zeros(plane[0], plane[1], dtype=torch.bool)
    rows, columns = (slice(*central_band(n, wanted)) for n, wanted in zip(plane, lines, strict=True))
    block[rows, columns] = True
    return block


def _check_factor(name: str, value: float) -> None:
    if not (isfinite(value) and 1.0 <= value <= MOST_ACCELERATION):
        raise ValueError(f"{name} is {value:g}; it must lie between 1 and {MOST_ACCELERATION:g}")


def _check_calibration(lines: tuple[int, int]) -> None:
    if min(lines) < 1:
        raise ValueError(f"calibration is {lines[0]} x {lines[1]} lines; there must be at least 1 x 1")


@dataclass(frozen=True)
class RandomUndersampling:
    """Random lines for compressed sensing: a Poisson disc that is denser towards DC.

    Lines keep away from each other, the more so the farther out, and leave no large gaps either.

    Attributes:
        factor: Samples inside the support over samples acquired, calibration included.
        calibration: (slice, phase) lines of the fully sampled block around DC.
        decay: How fast the density falls from DC (radius 0) to the farthest sample (radius 1): as
            (1 - radius)^decay, 0 = uniform.
        seed: Of the pattern.
    """

    factor: float = 4.0
    calibration: tuple[int, int] = (24, 24)
    decay: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check_factor("factor", self.factor)
        _check_calibration(self.calibration)
        if not 0.0 <= self.decay <= MOST_DECAY:
            raise ValueError(f"decay is {self.decay:g}; it must lie between 0 and {MOST_DECAY:g}")

    def pattern(self, inside: PlaneMask) -> PlaneMask:
        """The lines acquired of ``inside``.

        Raises:
            ValueError: The calibration block alone has more lines than the factor leaves.
        """
        block = inside & calibration_block(inside.shape, self.calibration)
        samples, calibration = int(inside.sum()), int(block.sum())
        drawn = round(samples / self.factor) - calibration
        if drawn < 0:
            most = f"{samples} / {calibration} = {samples / calibration:.3g}"
            raise ValueError(f"factor is {self.factor:g}; with that calibration block it must not exceed {most}")
        generator = torch.Generator().manual_seed(self.seed)
        return block | poisson_disc(self._density(inside), inside & ~block, drawn, generator)

    def _density(self, inside: PlaneMask) -> Float[Tensor, "slice phase"]:
        radius = elliptical_radius(*inside.shape)
        radius = radius / radius[inside].amax().clamp_min(1.0)
        return ((1.0 - radius).clamp_min(0.0) ** self.decay).clamp_min(_LEAST_DENSITY)
