"""Ranges that degradations are drawn from."""

from dataclasses import dataclass, fields
from typing import Final

from lucidmr.physics.undersampling import MOST_ACCELERATION, MOST_DECAY

_LIMITS: Final = {
    "base_fraction": (0.1, 1.0),
    "gain": (1.0, 10.0),
    "partial_fourier": (0.5, 1.0),
    "corner_cut": (0.0, 1.0),
    "uniform_phase": (1.0, MOST_ACCELERATION),
    "uniform_slice": (1.0, MOST_ACCELERATION),
    "random_factor": (1.0, MOST_ACCELERATION),
    "random_decay": (0.0, MOST_DECAY),
    "calibration": (1, 256),
    "noise": (1e-6, 100.0),
    "noise_reduction": (1.0, 100.0),
}
_CHOICES: Final = ("uniform_phase", "uniform_slice")


@dataclass(frozen=True)
class DegradationRanges:
    """Ranges of one pair's degradations; pairs are (low, high), probabilities lie in [0, 1].

    Slice k_max, slice partial Fourier, corner cut and slice acceleration are drawn in 3D alone.

    Attributes:
        base_fraction: k_max kept by the common degradation, per direction: the scanner's base resolution.
        gain: Target k_max over input k_max, log-uniform, where a direction is drawn to be improved.
        gain_probability: Share of pairs in which a given direction is to be improved.
        partial_fourier: Sampled fraction where partial Fourier is drawn.
        partial_fourier_probability: Share of pairs with partial Fourier along phase; along freq and slice it is half
            of that.
        corner_cut: Partial corner cuts (see :class:`lucidmr.physics.sampling.Sampling`).
        corner_cut_probability: Share of 3D pairs with a corner cut.
        full_ellipse_probability: Of those, the share in which it is the whole ellipse.
        acceleration_probability: Share of pairs that are undersampled, where coils and matrix allow it.
        random_probability: Of those, the share of random undersampling; the others are uniform.
        uniform_phase: Uniform factors along phase to choose from.
        uniform_slice: Uniform factors along slice to choose from.
        separate_calibration_probability: Share of uniform patterns whose calibration lines are a scan of their own.
        random_factor: Net factor of random undersampling, log-uniform.
        random_decay: Decay of its density.
        calibration: Calibration lines per direction.
        restore_probability: Share in which partial Fourier (of a direction), a corner cut or undersampling is
            input-only, i.e. to be filled in.
        noise: Noise in the input's image relative to the tissue signal for a geometry factor of 1, log-uniform.
        noise_reduction: Noise-reduction factor of the pair, log-uniform.
        leave_noise_probability: Share of pairs with a noise-reduction factor of exactly 1.
    """

    base_fraction: tuple[float, float] = (0.6, 1.0)
    gain: tuple[float, float] = (1.1, 3.0)
    gain_probability: float = 0.35
    partial_fourier: tuple[float, float] = (0.5, 0.95)
    partial_fourier_probability: float = 0.3
    corner_cut: tuple[float, float] = (0.2, 1.0)
    corner_cut_probability: float = 0.3
    full_ellipse_probability: float = 0.6
    acceleration_probability: float = 0.5
    random_probability: float = 0.3
    uniform_phase: tuple[float, ...] = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
    uniform_slice: tuple[float, ...] = (1.0, 2.0, 3.0)
    separate_calibration_probability: float = 0.3
    random_factor: tuple[float, float] = (2.0, 8.0)
    random_decay: tuple[float, float] = (0.5, 3.0)
    calibration: tuple[int, int] = (16, 32)
    restore_probability: float = 0.6
    noise: tuple[float, float] = (0.006, 0.15)
    noise_reduction: tuple[float, float] = (1.0, 8.0)
    leave_noise_probability: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_probability"):
                _check_probability(field.name, value)
            else:
                _check_range(field.name, value)


def _check_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value:g}; it must lie between 0 and 1")


def _check_range(name: str, values: tuple[float, ...] | tuple[int, ...]) -> None:
    """Raise ValueError where a value is out of its limits, or a range runs backwards."""
    low, high = _LIMITS[name]
    written = ", ".join(f"{value:g}" for value in values)
    if not values or not all(low <= value <= high for value in values):
        raise ValueError(f"{name} is ({written}); its values must lie between {low:g} and {high:g}")
    if name not in _CHOICES and not values[0] <= values[1]:
        raise ValueError(f"{name} is ({written}); the first must not exceed the second")
