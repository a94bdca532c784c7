"""What was acquired, what is wanted, and the array that tells the network both.

Training and enhancing share these definitions, so that the network is told the same thing the same way in both
(Jeong et al., arXiv 2405.03684, section 2.2: contextual data concatenated into a one-dimensional array).

Directions are encoding directions: ``freq`` (readout), ``phase`` (in-plane phase encoding), ``slice`` (the partition
direction of a 3D acquisition; never Fourier encoded in a 2D one).

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass, fields, replace
from math import isfinite, log2
from typing import Final, NamedTuple

SCHEMA_VERSION: Final = 2
"""Version of the field order of :attr:`Context.vector`; travels with the weights."""

NOISE_REDUCTION_RANGE: Final = (1.0, 8.0)
GAIN_RANGE: Final = (1.0, 3.0)
PARTIAL_FOURIER_RANGE: Final = (0.5, 1.0)

SIDE_2D: Final = 1024
"""Pixels along freq of a standardized image of a 2D acquisition (the paper, section 2.3)."""
SIDE_3D: Final = 768
"""The same for a 3D acquisition."""
MOST_INTERPOLATION: Final = 4.0
"""Ours: the grid is at most four times as fine as what was acquired, and no finer than that unless the scanner has
interpolated further. A finer grid would hold nothing more (the largest gain is 3), a 64 x 64 functional series would
grow 256-fold, and no network has seen noise as coarse as that."""

FILLED: Final = 0.5
"""Ours: how far the wanted k-space reaches to the Nyquist frequency of the grid that the network works on. On a finer
grid it would see less of the anatomy around a pixel, at more cost, and do worse (docs/results); what it finds is
interpolated to the standardized grid."""


class Directions(NamedTuple):
    """One value per encoding direction; ``None`` where it is unknown."""

    freq: float | None = None
    phase: float | None = None
    slice: float | None = None


_ALL_UNKNOWN: Final = Directions()


@dataclass(frozen=True)
class Acquisition:
    """How k-space was sampled. ``None`` always means unknown: headers often are silent.

    Attributes:
        matrix: Fourier samples between -k_max and +k_max over the displayed field of view, per direction. Partial
            Fourier does not change it (k_max is reached on one side). ``slice`` is ``None`` for a 2D acquisition.
        partial_fourier: Sampled fraction of the full k-space width, 0.5 to 1.
        acceleration_phase: Uniform undersampling factor along phase, 1 or more.
        acceleration_slice: Uniform undersampling factor along slice, 1 or more.
        acceleration_random: Net factor of random undersampling (compressed sensing), 1 = none.
        elliptical: Whether the corners of the phase-slice plane were left out.
        three_dimensional: Whether slice was Fourier encoded.
    """

    matrix: Directions = _ALL_UNKNOWN
    partial_fourier: Directions = _ALL_UNKNOWN
    acceleration_phase: float | None = None
    acceleration_slice: float | None = None
    acceleration_random: float | None = None
    elliptical: bool | None = None
    three_dimensional: bool | None = None

    def __post_init__(self) -> None:
        for direction in Directions._fields:
            _check_optional(f"matrix.{direction}", getattr(self.matrix, direction), 1.0, 65536.0)
            _check_optional(
                f"partial_fourier.{direction}", getattr(self.partial_fourier, direction), *PARTIAL_FOURIER_RANGE
            )
        for name in ("acceleration_phase", "acceleration_slice", "acceleration_random"):
            _check_optional(name, getattr(self, name), 1.0, 64.0)


@dataclass(frozen=True)
class Enhancement:
    """What the user asks for.

    Attributes:
        noise_reduction: Wanted ratio of the noise before to the noise after, in homogeneous tissue: 2 halves it,
            1 leaves it. 1 to 8.
        gain_freq: Wanted ratio of k_max after to k_max before along freq: 1 leaves it. 1 to 3.
        gain_phase: The same along phase.
        gain_slice: The same along slice (3D acquisitions only).
        restore_partial_fourier: Fill in what partial Fourier left out, where the header says that it was used.

    Raises:
        ValueError: A value is not finite or out of its range; the message names both.
    """

    noise_reduction: float = 2.0
    gain_freq: float = 1.0
    gain_phase: float = 1.0
    gain_slice: float = 1.0
    restore_partial_fourier: bool = True

    def __post_init__(self) -> None:
        _check("noise_reduction", self.noise_reduction, *NOISE_REDUCTION_RANGE)
        for name in ("gain_freq", "gain_phase", "gain_slice"):
            _check(name, getattr(self, name), *GAIN_RANGE)

    @property
    def gains(self) -> Directions:
        """The three gains by direction."""
        return Directions(self.gain_freq, self.gain_phase, self.gain_slice)


@dataclass(frozen=True)
class Context:
    """The contextual data of one image, encoded so that "nothing" is 0; the field order is :data:`SCHEMA_VERSION`.

    ``extent_*`` is log2 of the input's k-space extent on the standardized grid (0 = every Fourier sample of the grid
    was acquired, -1 = zero-filled by two). ``gain_*`` is log2 of the wanted gain. ``missing_*`` is 1 - the partial
    Fourier fraction of the input, ``restore_*`` how much of it is to be filled in (target fraction - input
    fraction). Accelerations and the noise reduction are log2 of their factors. ``noise`` is log2 of 1 + the noise in
    the image in hundredths of the standardized range; it is measured on the pixels, and unknown until then. Each fact
    of the acquisition has a flag ``*_unknown``, 1 where the header is silent; its value is then 0.
    """

    extent_freq: float = 0.0
    extent_freq_unknown: float = 0.0
    extent_phase: float = 0.0
    extent_phase_unknown: float = 0.0
    extent_slice: float = 0.0
    extent_slice_unknown: float = 0.0
    gain_freq: float = 0.0
    gain_phase: float = 0.0
    gain_slice: float = 0.0
    missing_freq: float = 0.0
    missing_freq_unknown: float = 0.0
    missing_phase: float = 0.0
    missing_phase_unknown: float = 0.0
    missing_slice: float = 0.0
    missing_slice_unknown: float = 0.0
    restore_freq: float = 0.0
    restore_phase: float = 0.0
    restore_slice: float = 0.0
    acceleration_phase: float = 0.0
    acceleration_phase_unknown: float = 0.0
    acceleration_slice: float = 0.0
    acceleration_slice_unknown: float = 0.0
    acceleration_random: float = 0.0
    acceleration_random_unknown: float = 0.0
    elliptical: float = 0.0
    elliptical_unknown: float = 0.0
    restore_elliptical: float = 0.0
    noise_reduction: float = 0.0
    noise: float = 0.0
    noise_unknown: float = 1.0

    @property
    def vector(self) -> tuple[float, ...]:
        """The fields in schema order."""
        return tuple(getattr(self, name) for name in CONTEXT_FIELDS)

    def with_noise(self, level: float) -> "Context":
        """The context of an image with known noise.

        What is faint texture and what is noise, a network can tell far better when it knows how much noise there is.

        Args:
            level: Standard deviation of the noise on the standardized scale; 0 or less is unknown.
        """
        known = {"noise": log2(1.0 + 100.0 * level), "noise_unknown": 0.0} if level > 0 else {}
        return replace(self, **known)

    def on_grid(self, zoom: float) -> "Context":
        """The context of the same image on a grid of so many times the pixels along freq and phase; positive."""
        known = (name for name in ("extent_freq", "extent_phase") if not getattr(self, f"{name}_unknown"))
        return replace(self, **{name: min(0.0, getattr(self, name) - log2(zoom)) for name in known})

    @classmethod
    def from_vector(cls, vector: tuple[float, ...]) -> "Context":
        """The inverse of :attr:`vector`.

        Raises:
            ValueError: The length is not that of the schema.
        """
        if len(vector) != len(CONTEXT_FIELDS):
            raise ValueError(f"vector has {len(vector)} values, schema {SCHEMA_VERSION} has {len(CONTEXT_FIELDS)}")
        return cls(*vector)


CONTEXT_FIELDS: Final = tuple(field.name for field in fields(Context))
VOLUME_FIELDS: Final = (
    "extent_slice",
    "extent_slice_unknown",
    "gain_slice",
    "missing_slice",
    "missing_slice_unknown",
    "restore_slice",
    "acceleration_slice",
    "elliptical",
    "restore_elliptical",
)
"""Fields that are 0 for every 2D acquisition."""


def standard_grid(matrix: tuple[int, int], side: int, extents: tuple[float, float] = (1.0, 1.0)) -> tuple[int, int]:
    """(freq, phase) pixels of the standardized grid of a stored (freq, phase) matrix; never coarser than it.

    Args:
        matrix: Pixels as stored.
        side: Wanted pixels along freq.
        extents: Acquired k-space over the Nyquist frequency of the stored matrix, along freq and phase.
    """
    factor = max(min(side / matrix[0], MOST_INTERPOLATION * max(extents)), 1.0)
    return round(matrix[0] * factor), round(matrix[1] * factor)


def encode(acquisition: Acquisition, enhancement: Enhancement, grid: tuple[int, int, int]) -> Context:
    """Encode what was acquired and what is wanted.

    Args:
        acquisition: How the input was sampled.
        enhancement: What is asked for. A gain along slice and what it says of partial Fourier along slice are
            ignored for a 2D acquisition.
        grid: Pixels of the standardized grid along (freq, phase, slice) over the same field of view as
            ``acquisition.matrix``.

    Returns:
        The context of the pair (input, wanted output).
    """
    values: dict[str, float] = {"noise_reduction": log2(enhancement.noise_reduction)}
    for direction, pixels in zip(Directions._fields, grid, strict=True):
        if direction == "slice" and not acquisition.three_dimensional:
            continue
        matrix = getattr(acquisition.matrix, direction)
        extent = None if matrix is None else min(matrix / pixels, 1.0)
        _put(values, f"extent_{direction}", None if extent is None else log2(extent))
        values[f"gain_{direction}"] = log2(getattr(enhancement.gains, direction))
        fraction = getattr(acquisition.partial_fourier, direction)
        _put(values, f"missing_{direction}", None if fraction is None else 1.0 - fraction)
        if enhancement.restore_partial_fourier and fraction is not None:
            values[f"restore_{direction}"] = 1.0 - fraction
    for name in ("acceleration_phase", "acceleration_slice", "acceleration_random"):
        factor = getattr(acquisition, name)
        _put(values, name, None if factor is None else log2(factor))
    _put(values, "elliptical", None if acquisition.elliptical is None else float(acquisition.elliptical))
    return Context(**values)


def clamped(value: float, bounds: tuple[float, float]) -> float:
    """The nearest value that can be asked for: within :data:`NOISE_REDUCTION_RANGE` or :data:`GAIN_RANGE`."""
    return min(max(value, bounds[0]), bounds[1])


def _put(values: dict[str, float], name: str, value: float | None) -> None:
    values[name] = 0.0 if value is None else value
    values[f"{name}_unknown"] = float(value is None)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} is {value:g}; it must lie between {low:g} and {high:g}")


def _check_optional(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None:
        _check(name, value, low, high)
