"""The results of an evaluation: one self-contained HTML page, and the same numbers as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any, Final

from lucidmr.drawing.page import page
from lucidmr.evaluate.bars import bars_table, interval, reached
from lucidmr.evaluate.finding import Cell, Figure, Finding, Table

PAGE: Final = "report.html"
NUMBERS: Final = "results.json"
_STYLE: Final = """
body{max-width:90em}
h2{margin-top:2.2em}figure{margin:1.2em 0}figure img{max-width:100%}figure svg{max-width:46em;width:100%}
td,th{vertical-align:top}td{white-space:nowrap}td:first-child{white-space:normal;min-width:9em}
figcaption{color:#5a6270}.scroll{overflow-x:auto}td{font-variant-numeric:tabular-nums}caption{text-align:left;
font-weight:600;padding:.4em 0}.notes{background:#fff6e0;border-left:4px solid #e3b23c;padding:.5em 1em .5em 2em}
.none{color:#8a93a1}nav ul{columns:2}
"""


@dataclass(frozen=True)
class Evaluation:
    """What was found, and how.

    Attributes:
        findings: Of the experiments, in the order in which they were made.
        settings: Name and value of all that the findings depend on: versions, weights, options.
        data: Names of what was evaluated on.
        seed: Of the bootstrap.
        notes: What of the data could not be used.
    """

    findings: Sequence[Finding]
    settings: Mapping[str, str]
    data: Sequence[str]
    seed: int
    notes: Sequence[str] = ()


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write page and numbers into a folder that exists.

    Args:
        evaluation: What to write.
        folder: Where to.
    """
    (folder / PAGE).write_text(render(evaluation), encoding="utf-8")
    (folder / NUMBERS).write_text(json.dumps(as_json(evaluation), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The numbers as plain values; what was not measured is ``None``."""
    bars = {
        name: {"median": interval(list(values.values()), evaluation.seed)._asdict(), "series": values}
        for name, values in reached(evaluation.findings).items()
    }
    found: dict[str, Any] = _plain({
        "settings": dict(evaluation.settings),
        "data": list(evaluation.data),
        "bars": bars,
        "experiments": {
            finding.experiment: {"title": finding.title, "values": finding.values, "notes": list(finding.notes)}
            for finding in evaluation.findings
        },
    })  # fmt: skip
    return found


def _plain(value: Any) -> Any:
    """JSON knows no NaN, no infinity and no named tuples."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def render(evaluation: Evaluation) -> str:
    """The page.

    Args:
        evaluation: What to show.

    Returns:
        A complete HTML document.
    """
    bars = _table(bars_table(evaluation.findings, evaluation.seed)) if reached(evaluation.findings) else ""
    links = "".join(f'<li><a href="#{one.experiment}">{escape(one.title)}</a></li>' for one in evaluation.findings)
    sections = "".join(map(_section, evaluation.findings))
    return page(
        "Evaluation",
        f"<nav><ul>{links}</ul></nav>{bars}{_notes(evaluation.notes)}{sections}{_provenance(evaluation)}",
        _STYLE,
    )


def _section(finding: Finding) -> str:
    tables, figures = "".join(map(_table, finding.tables)), "".join(map(_figure, finding.figures))
    head = f'<h2 id="{escape(finding.experiment)}">{escape(finding.title)}</h2><p>{escape(finding.summary)}</p>'
    return f"<section>{head}{_notes(finding.notes)}{tables}{figures}</section>"


def _notes(notes: Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{lines}</ul>' if lines else ""


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    caption = f"<caption>{escape(table.title)}</caption>"
    return f'<div class="scroll"><table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    if cell is None or cell != cell:
        return '<td class="none">&ndash;</td>'
    return f"<td>{escape(cell if isinstance(cell, str) else f'{cell:.4g}')}</td>"


def _figure(figure: Figure) -> str:
    caption = f"<figcaption><b>{escape(figure.title)}</b> {escape(figure.caption)}</figcaption>"
    return f"<figure>{figure.html}{caption}</figure>" if figure.html else ""


def _provenance(evaluation: Evaluation) -> str:
    rows = tuple((name, value) for name, value in evaluation.settings.items())
    data = Table("Data", ("name",), tuple((name,) for name in evaluation.data))
    return f"<h2>Settings and data</h2>{_table(Table('Settings', ('setting', 'value'), rows))}{_table(data)}"
