"""Header facts for people and programs to read."""

from dataclasses import dataclass
from typing import Any, Final

from lucidmr.dicom.header.fact import FACT_NAMES, Fact, HeaderFacts
from lucidmr.dicom.series import SeriesCollection
from lucidmr.dicom.source import Source

_UNITS: Final = {
    "field_strength": "T", "phase_fov": "%", "bandwidth": "Hz/pixel", "spacing_row": "mm", "spacing_column": "mm",
    "slice_thickness": "mm", "slice_spacing": "mm", "matrix_freq": "samples", "matrix_phase": "samples",
    "matrix_slice": "samples", "interpolation_freq": "pixels/sample", "interpolation_phase": "pixels/sample",
    "interpolation_slice": "slices/sample", "slice_resolution": "samples/slice",
}  # fmt: skip
_SPELLED: Final = {"fourier": "Fourier", "fov": "FOV", "caipi": "CAIPI", "dl": "deep learning"}


@dataclass(frozen=True)
class Row:
    """One fact, ready to print.

    Attributes:
        name: What it is, such as ``partial Fourier phase``.
        value: As text; ``unknown`` where it is.
        unit: Empty if it has none.
        source: Where it came from.
        confidence: ``exact``, ``inferred``, ``default`` or ``unknown``.
        others: What other places say otherwise.
    """

    name: str
    value: str
    unit: str
    source: str
    confidence: str
    others: tuple["Row", ...] = ()


def rows(facts: HeaderFacts) -> list[Row]:
    """All facts in a fixed order, one row each."""
    return [_row(name, getattr(facts, name)) for name in FACT_NAMES]


def facts_dict(facts: HeaderFacts) -> dict[str, dict[str, Any]]:
    """All facts by name, ready for JSON: value, unit, source, confidence, and the same of every other place."""
    found = {}
    for name in FACT_NAMES:
        fact: Fact[Any] = getattr(facts, name)
        others = [_fact_dict(other) for other in fact.others]
        found[name] = {
            **_fact_dict(fact),
            "unit": _UNITS.get(name, ""),
            "disputed": bool(fact.disputed),
            "others": others,
        }
    return found


def _fact_dict(fact: Fact[Any]) -> dict[str, Any]:
    return {"value": fact.value, "source": fact.source, "confidence": str(fact.confidence)}


def series_dict(series: Source) -> dict[str, Any]:
    """What a series is, ready for JSON."""
    return {
        **series.identity,
        "images": len(series),
        "stacks": [len(stack) for stack in series.stacks],
        "rows": series.rows,
        "columns": series.columns,
        "warnings": list(series.warnings),
    }


def collection_dict(collection: SeriesCollection[Source]) -> dict[str, Any]:
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
    words = " ".join(_SPELLED.get(word, word) for word in name.split("_"))
    unit = _UNITS.get(name, "") if fact.value is not None else ""
    others = tuple(_row(name, other) for other in fact.disputed)
    return Row(words, _text(fact.value), unit, fact.source, str(fact.confidence), others)


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
