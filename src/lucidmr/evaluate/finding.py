"""What an experiment found: numbers, tables, figures and what could not be measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lucidmr.evaluate.sharpness import Interval

Cell = str | float | None
"""Of a table; ``None`` where nothing was measured."""


@dataclass(frozen=True)
class Table:
    """Numbers side by side.

    Attributes:
        title: What it shows.
        columns: Their heads, with units.
        rows: Cells of each row, as many as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of table {self.title!r} does not have {len(self.columns)} cells")


@dataclass(frozen=True)
class Figure:
    """A picture or a chart.

    Attributes:
        title: What it shows.
        caption: How to read it.
        html: An ``<img>`` with a data URI, or an inline SVG, made by :mod:`lucidmr.drawing`: no text from outside that
            was not escaped.
    """

    title: str
    caption: str
    html: str


@dataclass(frozen=True)
class Finding:
    """The result of one experiment.

    Attributes:
        experiment: Its name on the command line.
        title: Its name for people, with the section of the paper.
        summary: What was found, in a sentence or two.
        tables: The numbers.
        figures: The pictures.
        values: The numbers once more, for programs: what JSON can hold.
        notes: What was skipped and why, one line each.
        measures: What there is a bar for (:mod:`lucidmr.evaluate.bars`): by its name, the value of every series.
        failed: Whether it broke down; the notes say how.
    """

    experiment: str
    title: str
    summary: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    failed: bool = False


def shown(interval: Interval, digits: int = 2) -> Cell:
    """A value with its interval, ready to be read; ``None`` where nothing was measured."""
    if interval.value != interval.value:
        return None
    # Adding 0 takes the sign off a rounded -0.
    value, low, high = (f"{round(entry, digits) + 0.0:.{digits}f}" for entry in interval)
    return f"{value} [{low}, {high}]"
