"""What `lucidmr inspect` shows: per series, the header's facts and the context they become."""

from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lucidmr.context import CONTEXT_FIELDS, Context, Enhancement
from lucidmr.dicom.header import HeaderFacts, facts
from lucidmr.dicom.inspect import Row, collection_dict, facts_dict, rows
from lucidmr.dicom.series import SeriesCollection
from lucidmr.dicom.source import Source
from lucidmr.enhance.prepare import context_of, facts_of
from lucidmr.errors import LucidError

_STYLES: Final = {"exact": "green", "inferred": "yellow", "default": "blue", "unknown": "dim"}


def as_dict(found: SeriesCollection[Source]) -> dict[str, Any]:
    """Everything that was found, ready for JSON. The context is that of an enhancement with default settings."""
    result = collection_dict(found)
    for entry, series in zip(result["series"], found.series, strict=True):
        told, problems = _facts(series)
        entry["warnings"] += problems
        entry["facts"] = facts_dict(told)
        entry["context"] = dict(zip(CONTEXT_FIELDS, context_of(series, told, Enhancement()).vector, strict=True))
    return result


def show(found: SeriesCollection[Source]) -> None:
    """Print a table per series, then what was passed over and why."""
    console = Console(highlight=False)
    warnings = list(found.warnings)
    for series in found.series:
        told, problems = _facts(series)
        warnings += [f"{series.label}: {line}" for line in problems]
        console.print(f"\n[bold]{escape(series.label)}[/]  {len(series)} images {series.rows} x {series.columns}")
        console.print(_table(told))
        console.print(f"context (noise reduction 2, gains 1): {_told(context_of(series, told, Enhancement()))}")
    for refusal in found.refused:
        console.print(f"passed over: {escape(refusal.label)}: {escape(refusal.reason)}")
    for line in warnings:
        console.print(f"warning: {escape(line)}")


def _facts(series: Source) -> tuple[HeaderFacts, list[str]]:
    """The facts of a series, and what went wrong on the way."""
    try:
        told = facts_of(series)
    except LucidError as error:
        told = facts(series)
        return told, [*told.warnings, str(error)]
    return told, list(told.warnings)


def _table(told: HeaderFacts) -> Table:
    table = Table("fact", "value", "confidence", "source")
    for row in rows(told):
        style = _STYLES[row.confidence]
        mark = " [red]![/]" if row.others else ""
        table.add_row(row.name, escape(_value(row)) + mark, f"[{style}]{row.confidence}[/]", escape(row.source))
        for other in row.others:
            table.add_row("", f"[red]but[/] {escape(_value(other))}", other.confidence, escape(other.source))
    return table


def _value(row: Row) -> str:
    return f"{row.value} {row.unit}" if row.confidence != "unknown" else row.value


def _told(context: Context) -> str:
    """The fields that are not nothing."""
    pairs = zip(CONTEXT_FIELDS, context.vector, strict=True)
    return ", ".join(name if name.endswith("unknown") else f"{name} {value:.3f}" for name, value in pairs if value)
