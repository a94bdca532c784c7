"""Which k-space samples were acquired: k_max, partial Fourier, corner cut and undersampling.

The masks are on the acquired matrix, (slice, freq, phase) samples between -k_max and +k_max of each direction. The
readout samples freq without gaps, so every mask is a band along freq times a pattern in the slice-phase plane.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import hypot, sqrt
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from lucidmr.physics.fourier import central_band
from lucidmr.physics.undersampling import (
    PlaneMask,
    RandomUndersampling,
    UniformUndersampling,
    elliptical_radius,
)
from lucidmr.shapes import Mask


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

    def narrowed(self, width: int) -> "AxisSampling":
        """What is left of it on the central ``width`` samples: a smaller k_max has less to miss."""
        first, last = central_band(self.width, width)
        start, stop = self.band
        missing = max(0, start - first, last - stop)
        return AxisSampling(last - first, max(0.5, 1.0 - missing / (last - first)), self.early)

    @property
    def band(self) -> tuple[int, int]:
        """First and one-past-last acquired sample of the ``width``."""
        missing = self.width - self.samples
        return (missing, self.width) if self.early else (0, self.samples)


@dataclass(frozen=True)
class Sampling:
    """What was acquired.

    Attributes:
        freq: Readout.
        phase: In-plane phase encoding.
        slice: Partition encoding; one sample for a 2D acquisition.
        corner_cut: 0 = the whole slice-phase rectangle, 1 = the ellipse inscribed in it (elliptical shutter), between
            = a partial cut.
        undersampling: What of it was left out for speed; ``None`` = nothing.
    """

    freq: AxisSampling
    phase: AxisSampling
    slice: AxisSampling = AxisSampling(1)
    corner_cut: float = 0.0
    undersampling: UniformUndersampling | RandomUndersampling | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.corner_cut <= 1.0:
            raise ValueError(f"corner_cut is {self.corner_cut:g}; it must lie between 0 and 1")

    @property
    def matrix(self) -> tuple[int, int, int]:
        """(slice, freq, phase) samples between -k_max and +k_max."""
        return self.slice.width, self.freq.width, self.phase.width

    @property
    def largest_radius(self) -> float:
        """Of samples that the corner cut leaves; 1 is the ellipse that touches k_max of slice and phase."""
        return sqrt(2.0 - self.corner_cut)

    @property
    def is_partial(self) -> bool:
        """Whether any direction is partial Fourier."""
        return any(axis.samples < axis.width for axis in (self.freq, self.phase, self.slice))

    @property
    def unaccelerated(self) -> "Sampling":
        """The same without undersampling."""
        return replace(self, undersampling=None)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Sampling":
        """From the plain values that :func:`dataclasses.asdict` gives; random patterns alone have a seed."""
        axes = {name: AxisSampling(**values[name]) for name in ("freq", "phase", "slice")}
        pattern = values["undersampling"]
        if pattern is not None:
            kind = RandomUndersampling if "seed" in pattern else UniformUndersampling
            pattern = kind(**{**pattern, "calibration": tuple(pattern["calibration"])})
        return cls(**{**values, **axes, "undersampling": pattern})


def axis_mask(sampling: AxisSampling) -> Bool[Tensor, " n"]:
    """Mask of the samples acquired, on the axis's own width."""
    mask = torch.zeros(sampling.width, dtype=torch.bool)
    mask[slice(*sampling.band)] = True
    return mask


def support(sampling: Sampling) -> PlaneMask:
    """The slice-phase plane inside k_max, partial Fourier and corner cut: what is acquired when nothing is skipped."""
    radius = elliptical_radius(sampling.slice.width, sampling.phase.width)
    inside = radius <= sampling.largest_radius + 1e-6
    return inside & axis_mask(sampling.slice)[:, None] & axis_mask(sampling.phase)


def plane_mask(sampling: Sampling) -> PlaneMask:
    """The (slice, phase) lines acquired, calibration lines that belong to the scan included."""
    return _plane_mask(sampling).clone()


@lru_cache(maxsize=64)
def _plane_mask(sampling: Sampling) -> PlaneMask:
    """As :func:`plane_mask`, made once: a random pattern takes its time."""
    inside = support(sampling)
    return inside if sampling.undersampling is None else sampling.undersampling.pattern(inside)


def sampling_mask(sampling: Sampling) -> Mask:
    """Every sample acquired, (slice, freq, phase) on ``sampling.matrix``."""
    return plane_mask(sampling)[:, None, :] & axis_mask(sampling.freq)[None, :, None]


def support_mask(sampling: Sampling) -> Mask:
    """Every sample inside the support, (slice, freq, phase): what parallel imaging is to fill."""
    return support(sampling)[:, None, :] & axis_mask(sampling.freq)[None, :, None]


def calibration_region(sampling: Sampling) -> tuple[slice, slice, slice]:
    """Where the fully sampled calibration block lies on the acquired matrix, (slice, freq, phase).

    It is symmetric about DC as far as partial Fourier goes, and its corners lie inside a corner cut. Without
    undersampling it is the largest such block of the shape of the support.
    """
    axes = (sampling.slice, sampling.freq, sampling.phase)
    n_slice, n_freq, n_phase = (_symmetric(axis) for axis in axes)
    if sampling.undersampling:
        wanted = sampling.undersampling.calibration
        n_slice, n_phase = min(n_slice, wanted[0]), min(n_phase, wanted[1])
    n_slice, n_phase = _clear_of_corners(sampling, n_slice, n_phase)
    bands = [slice(*central_band(axis.width, n)) for axis, n in zip(axes, (n_slice, n_freq, n_phase), strict=True)]
    return bands[0], bands[1], bands[2]


def _symmetric(axis: AxisSampling) -> int:
    """Samples of the widest band around DC that partial Fourier leaves."""
    if axis.samples == axis.width:
        return axis.width
    centre, (start, stop) = axis.width // 2, axis.band
    return max(1, 2 * min(centre - start, stop - centre))


def _clear_of_corners(sampling: Sampling, n_slice: int, n_phase: int) -> tuple[int, int]:
    """The block of (slice, phase) lines, shrunk in its shape until a corner cut leaves it whole."""
    half_slice, half_phase = n_slice // 2, n_phase // 2
    radius = hypot(half_slice / max(sampling.slice.width // 2, 1), half_phase / max(sampling.phase.width // 2, 1))
    if radius <= sampling.largest_radius:
        return n_slice, n_phase
    shrink = sampling.largest_radius / radius
    return 2 * int(shrink * half_slice) + 1, 2 * int(shrink * half_phase) + 1
