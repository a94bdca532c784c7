"""Header facts for people and programs to read."""

from dataclasses import dataclass
from typing import Any, Final

from lucidmr.dicom.header.fact import FACT_NAMES, Fact, HeaderFacts
from lucidmr.dicom.series import ImageSeries, SeriesCollection

_UNITS: Final = {
    "field_strength": "T", "phase_fov": "%", "bandwidth": "Hz/pixel", "spacing_row": "mm", "spacing_column": "mm",
    "slice_thickness": "mm", "slice_spacing": "mm", "matrix_freq": "samples", "matrix_phase": "samples",
    "matrix_slice": "samples", "interpolation_freq": "pixels/sample", "interpolation_phase": "pixels/sample",
    "interpolation_slice": "slices/sample",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One fact, ready to print.

    Attributes:
        name: What it is, such as ``partial Fourier phase``.
        value: As text; ``unknown`` where it is.
        unit: Empty if it has none.
        source: Where it came from.
        confidence: ``exact``, ``inferred``, ``default`` or ``unknown``.
    """

    name: str
    value: str
    unit: str
    source: str
    confidence: str


def rows(facts: HeaderFacts) -> list[Row]:
    """All facts in a fixed order, one row each."""
    return [_row(name, getattr(facts, name)) for name in FACT_NAMES]


def facts_dict(facts: HeaderFacts) -> dict[str, dict[str, Any]]:
    """All facts by name, ready for JSON: value, unit, source, confidence."""
    found = {}
    for name in FACT_NAMES:
        fact: Fact[Any] = getattr(facts, name)
        found[name] = {
            "value": fact.value,
            "unit": _UNITS.get(name, ""),
            "source": fact.source,
            "confidence": str(fact.confidence),
        }
    return found


def series_dict(series: ImageSeries) -> dict[str, Any]:
    """What a series is, ready for JSON."""
    return {
        "uid": series.uid,
        "number": series.number,
        "description": series.description,
        "images": len(series),
        "stacks": [len(stack) for stack in series.stacks],
        "rows": series.rows,
        "columns": series.columns,
        "multi_frame": series.enhanced,
        "warnings": list(series.warnings),
    }


def collection_dict(collection: SeriesCollection) -> dict[str, Any]:
    """What was found under a path, ready for JSON."""
    return {
        "series": [series_dict(series) for series in collection.series],
        "refused": [
            {"label": refusal.label, "reason": refusal.reason, "paths": [str(path) for path in refusal.paths]}
            for refusal in collection.refused
        ],
        "warnings": list(collection.warnings),
    }


def _row(name: str, fact: Fact[Any]) -> Row:
    words = name.replace("_", " ").replace("fourier", "Fourier").replace("fov", "FOV")
    unit = _UNITS.get(name, "") if fact.value is not None else ""
    return Row(words, _text(fact.value), unit, fact.source, str(fact.confidence))


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
