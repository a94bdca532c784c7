"""Turns header facts into the :class:`~lucidmr.context.Acquisition` that the network is told."""

from lucidmr.context import PARTIAL_FOURIER_RANGE, Acquisition, Directions
from lucidmr.dicom.header.fact import Fact, HeaderFacts


def acquisition(facts: HeaderFacts) -> Acquisition:
    """What was acquired, as the network is told; whatever makes no sense is unknown.

    ``matrix`` counts samples between -k_max and +k_max over the *displayed* field of view: along phase that is the
    filled part of the image (``facts.filled_phase``) where zeros make it square, so the grid to compare it with is
    that of the image after these zeros were cut off. Simultaneous slices of a 2D acquisition are no undersampling
    along slice and are left out.

    Args:
        facts: What the header says.
    """
    volume = facts.three_dimensional.value
    low, high = PARTIAL_FOURIER_RANGE
    return Acquisition(
        matrix=Directions(
            _within(facts.matrix_freq, 1.0, 65536.0),
            _within(facts.matrix_phase, 1.0, 65536.0),
            _within(facts.matrix_slice, 1.0, 65536.0) if volume else None,
        ),
        partial_fourier=Directions(
            _within(facts.partial_fourier_freq, low, high),
            _within(facts.partial_fourier_phase, low, high),
            _within(facts.partial_fourier_slice, low, high) if volume else 1.0,
        ),
        acceleration_phase=_within(facts.acceleration_phase, 1.0, 64.0),
        acceleration_slice=_within(facts.acceleration_slice, 1.0, 64.0) if volume else 1.0,
        acceleration_random=_within(facts.acceleration_random, 1.0, 64.0),
        elliptical=facts.elliptical.value,
        three_dimensional=volume,
    )


def _within(fact: Fact[float], low: float, high: float) -> float | None:
    return fact.value if fact.value is not None and low <= fact.value <= high else None
