"""What `lucidmr inspect` shows: per series, the header's facts and the context they become."""

from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lucidmr.context import CONTEXT_FIELDS, Context, Enhancement
from lucidmr.dicom.inspect import collection_dict, facts_dict, rows
from lucidmr.dicom.series import SeriesCollection
from lucidmr.enhance.pipeline import context_of, facts_of

_STYLES: Final = {"exact": "green", "inferred": "yellow", "default": "blue", "unknown": "dim"}


def as_dict(found: SeriesCollection) -> dict[str, Any]:
    """Everything that was found, ready for JSON. The context is that of an enhancement with default settings."""
    result = collection_dict(found)
    for entry, series in zip(result["series"], found.series, strict=True):
        told = facts_of(series)
        entry["facts"] = facts_dict(told)
        entry["context"] = dict(zip(CONTEXT_FIELDS, context_of(series, told, Enhancement()).vector, strict=True))
    return result


def show(found: SeriesCollection) -> None:
    """Print a table per series, then what was passed over and why."""
    console = Console(highlight=False)
    for series in found.series:
        told = facts_of(series)
        console.print(f"\n[bold]{escape(series.label)}[/]  {len(series)} images {series.rows} x {series.columns}")
        table = Table("fact", "value", "confidence", "source")
        for row in rows(told):
            style = _STYLES[row.confidence]
            value = f"{row.value} {row.unit}" if row.confidence != "unknown" else row.value
            table.add_row(row.name, escape(value), f"[{style}]{row.confidence}[/]", escape(row.source))
        console.print(table)
        console.print(f"context (noise reduction 2, gains 1): {_told(context_of(series, told, Enhancement()))}")
    for refusal in found.refused:
        console.print(f"passed over: {escape(refusal.label)}: {escape(refusal.reason)}")
    for line in found.warnings:
        console.print(f"warning: {escape(line)}")


def _told(context: Context) -> str:
    """The fields that are not nothing."""
    pairs = zip(CONTEXT_FIELDS, context.vector, strict=True)
    return ", ".join(name if name.endswith("unknown") else f"{name} {value:.3f}" for name, value in pairs if value)
