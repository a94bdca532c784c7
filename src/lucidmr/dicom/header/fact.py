"""A fact from a header, with where it came from, how far to trust it and what other places say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

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
        tolerance: A number that differs by less than this share of the value does not contradict it.
        others: What the places of lower rank say, best first.
    """

    value: T | None
    source: str
    confidence: Confidence
    tolerance: float = 0.02
    others: tuple["Fact[T]", ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) != (self.confidence is Confidence.UNKNOWN):
            raise ValueError(f"a fact is unknown exactly if it has no value: {self}")

    @property
    def disputed(self) -> tuple["Fact[T]", ...]:
        """Those of the others that say something else."""
        return tuple(other for other in self.others if _differ(self, other))


def _differ(one: Fact[Any], other: Fact[Any]) -> bool:
    a, b = one.value, other.value
    if a is None or b is None:
        return False
    if isinstance(a, str | bool) or isinstance(b, str | bool):
        return str(a).casefold() != str(b).casefold()
    return bool(abs(a - b) > max(one.tolerance * abs(a), other.tolerance * abs(b)))


UNKNOWN: Fact[Any] = Fact(None, "not in the header", Confidence.UNKNOWN)

Facts = Mapping[str, Fact[Any]]
"""Some of the fields of :class:`HeaderFacts`, by name."""


class Told(NamedTuple):
    """What the header of one file says.

    Attributes:
        sources: Facts place by place, best first.
        warnings: What could not be read, one line each.
    """

    sources: tuple[Facts, ...]
    warnings: tuple[str, ...] = ()


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
        phase_resolution: Pixel size along freq over that along phase, as acquired.
        slice_resolution: Partitions acquired per slice of the slab (3D only), oversampling left out.
        oversampling_phase: Share of the phase field of view that was encoded beyond it and cut off; 0 = none.
        oversampling_slice: The same along slice.
        phase_fov: Phase field of view in percent of that along freq.
        filled_phase: Fraction of the image along phase that the phase field of view fills, the rest being zeros that
            make the image square; 1 = no such zeros.
        partial_fourier_freq: Sampled fraction of the full k-space width, 0.5 to 1.
        partial_fourier_phase: The same along phase.
        partial_fourier_slice: The same along slice.
        acceleration_phase: Uniform undersampling factor along phase.
        acceleration_slice: Uniform undersampling factor along slice; for a 2D acquisition, simultaneous slices.
        acceleration_random: Net factor of random undersampling (compressed sensing).
        caipi_shift: Shift of the sampling pattern along slice from one phase line to the next (3D only); 0 = none.
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
        component: ``magnitude``, ``phase``, ``real`` or ``imaginary``.
        image_type: What the vendor says the image went through.
        filters: Names of the filters that were applied, ``none`` if there were none.
        normalized: Whether the intensity was corrected for the sensitivity of surface coils.
        distortion_correction: ``none``, ``2D`` or ``3D``: correction of gradient non-linearity.
        coil_combination: ``sum of squares`` or ``adaptive``.
        dl_reconstructed: Whether the scanner reconstructed with deep learning already.
        warnings: What could not be read, one line each.
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
    phase_resolution: Fact[float] = UNKNOWN
    slice_resolution: Fact[float] = UNKNOWN
    oversampling_phase: Fact[float] = UNKNOWN
    oversampling_slice: Fact[float] = UNKNOWN
    phase_fov: Fact[float] = UNKNOWN
    filled_phase: Fact[float] = UNKNOWN
    partial_fourier_freq: Fact[float] = UNKNOWN
    partial_fourier_phase: Fact[float] = UNKNOWN
    partial_fourier_slice: Fact[float] = UNKNOWN
    acceleration_phase: Fact[float] = UNKNOWN
    acceleration_slice: Fact[float] = UNKNOWN
    acceleration_random: Fact[float] = UNKNOWN
    caipi_shift: Fact[float] = UNKNOWN
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
    component: Fact[str] = UNKNOWN
    image_type: Fact[str] = UNKNOWN
    filters: Fact[str] = UNKNOWN
    normalized: Fact[bool] = UNKNOWN
    distortion_correction: Fact[str] = UNKNOWN
    coil_combination: Fact[str] = UNKNOWN
    dl_reconstructed: Fact[bool] = UNKNOWN
    warnings: tuple[str, ...] = ()


FACT_NAMES = tuple(field.name for field in fields(HeaderFacts) if field.name != "warnings")

_USUAL_FRACTION: Final = 0.75
"""The most frequent partial Fourier fraction, where a header says "partial Fourier" without saying how much."""


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


def flagged(source: str) -> Fact[float]:
    """A partial Fourier fraction where the header says that there was one, but not which."""
    why = f"{source}; the fraction is not stored, {_USUAL_FRACTION} is usual"
    return Fact(_USUAL_FRACTION, why, Confidence.INFERRED, tolerance=0.3)


def merged(sources: Sequence[Facts]) -> dict[str, Fact[Any]]:
    """The first source that mentions a fact wins, also if it says "unknown"; the others are kept with it."""
    found: dict[str, Fact[Any]] = {}
    for source in sources:
        for name, fact in source.items():
            found[name] = _kept(found[name], fact) if name in found else fact
    return found


def _kept(winner: Fact[Any], other: Fact[Any]) -> Fact[Any]:
    # What silence usually means says nothing against what another place does say.
    told = [fact for fact in (replace(other, others=()), *other.others) if fact.confidence in _SAID]
    return replace(winner, others=(*winner.others, *told))


_SAID: Final = (Confidence.EXACT, Confidence.INFERRED)
