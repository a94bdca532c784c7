"""A fact from a header, with where it came from and how far to trust it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
PhaseAxis = Literal["row", "col"]


class Confidence(StrEnum):
    """How far to trust a fact."""

    EXACT = "exact"
    """The header says so."""
    INFERRED = "inferred"
    """Follows from other facts, or is the usual value where the header only says that there is one."""
    DEFAULT = "default"
    """The header is silent; this is what silence usually means."""
    UNKNOWN = "unknown"
    """The value is ``None``."""


@dataclass(frozen=True)
class Fact(Generic[T]):
    """One value.

    Attributes:
        value: ``None`` exactly if the confidence is unknown.
        source: Where it came from, for people to read, such as ``(0018,1310) AcquisitionMatrix``.
        confidence: How far to trust it.
    """

    value: T | None
    source: str
    confidence: Confidence

    def __post_init__(self) -> None:
        if (self.value is None) != (self.confidence is Confidence.UNKNOWN):
            raise ValueError(f"a fact is unknown exactly if it has no value: {self}")


UNKNOWN: Fact[Any] = Fact(None, "not in the header", Confidence.UNKNOWN)

Facts = Mapping[str, Fact[Any]]
"""Some of the fields of :class:`HeaderFacts`, by name."""


@dataclass(frozen=True)
class HeaderFacts:
    """What the header says about how one series was acquired.

    Directions are encoding directions: ``freq``, ``phase`` (in-plane), ``slice``.

    Attributes:
        manufacturer: As in the header.
        model: The scanner's model name.
        field_strength: Magnetic field in T.
        sequence_name: The vendor's name of the pulse sequence.
        description: SeriesDescription.
        three_dimensional: Whether slice was Fourier encoded.
        phase_axis: ``row``: phase runs along a row (over the column index); ``col``: along a column.
        matrix_freq: Acquired samples between -k_max and +k_max over the image's field of view, along freq.
        matrix_phase: The same along phase, over the *filled* part of the image (see ``filled_phase``).
        matrix_slice: The same along slice, over the slices of one stack (3D only).
        phase_fov: Phase field of view in percent of that along freq.
        filled_phase: Fraction of the image along phase that the phase field of view fills, the rest being zeros that
            make the image square; 1 = no such zeros.
        partial_fourier_freq: Sampled fraction of the full k-space width, 0.5 to 1.
        partial_fourier_phase: The same along phase.
        partial_fourier_slice: The same along slice.
        acceleration_phase: Uniform undersampling factor along phase.
        acceleration_slice: Uniform undersampling factor along slice; for a 2D acquisition, simultaneous slices.
        acceleration_random: Net factor of random undersampling (compressed sensing).
        technique: The vendor's name of the parallel imaging method.
        elliptical: Whether the corners of the phase-slice plane were left out.
        averages: Number of averages.
        echo_train_length: Echoes per excitation.
        bandwidth: Hz per acquired pixel.
        interpolation_freq: Image pixels per acquired sample along freq; 2 = zero-filled twofold.
        interpolation_phase: The same along phase.
        interpolation_slice: The same along slice (3D only).
        spacing_row: Distance between rows in mm.
        spacing_column: Distance between columns in mm.
        slice_thickness: In mm.
        slice_spacing: Distance between the centres of adjacent slices in mm.
    """

    manufacturer: Fact[str] = UNKNOWN
    model: Fact[str] = UNKNOWN
    field_strength: Fact[float] = UNKNOWN
    sequence_name: Fact[str] = UNKNOWN
    description: Fact[str] = UNKNOWN
    three_dimensional: Fact[bool] = UNKNOWN
    phase_axis: Fact[PhaseAxis] = UNKNOWN
    matrix_freq: Fact[float] = UNKNOWN
    matrix_phase: Fact[float] = UNKNOWN
    matrix_slice: Fact[float] = UNKNOWN
    phase_fov: Fact[float] = UNKNOWN
    filled_phase: Fact[float] = UNKNOWN
    partial_fourier_freq: Fact[float] = UNKNOWN
    partial_fourier_phase: Fact[float] = UNKNOWN
    partial_fourier_slice: Fact[float] = UNKNOWN
    acceleration_phase: Fact[float] = UNKNOWN
    acceleration_slice: Fact[float] = UNKNOWN
    acceleration_random: Fact[float] = UNKNOWN
    technique: Fact[str] = UNKNOWN
    elliptical: Fact[bool] = UNKNOWN
    averages: Fact[float] = UNKNOWN
    echo_train_length: Fact[float] = UNKNOWN
    bandwidth: Fact[float] = UNKNOWN
    interpolation_freq: Fact[float] = UNKNOWN
    interpolation_phase: Fact[float] = UNKNOWN
    interpolation_slice: Fact[float] = UNKNOWN
    spacing_row: Fact[float] = UNKNOWN
    spacing_column: Fact[float] = UNKNOWN
    slice_thickness: Fact[float] = UNKNOWN
    slice_spacing: Fact[float] = UNKNOWN


FACT_NAMES = tuple(field.name for field in fields(HeaderFacts))


def exact(value: T, source: str) -> Fact[T]:
    """A fact that the header states."""
    return Fact(value, source, Confidence.EXACT)


def inferred(value: T, source: str) -> Fact[T]:
    """A fact that follows from others."""
    return Fact(value, source, Confidence.INFERRED)


def default(value: T, why: str) -> Fact[T]:
    """What the header's silence usually means."""
    return Fact(value, why, Confidence.DEFAULT)


def unknown(why: str) -> Fact[Any]:
    """A fact that the header leaves open although it could be guessed wrongly."""
    return Fact(None, why, Confidence.UNKNOWN)


def merged(sources: Sequence[Facts]) -> dict[str, Fact[Any]]:
    """The first source that mentions a fact wins, also if it says "unknown"."""
    found: dict[str, Fact[Any]] = {}
    for source in sources:
        for name, fact in source.items():
            found.setdefault(name, fact)
    return found
