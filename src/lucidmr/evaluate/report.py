"""One self-contained HTML file that shows what was done to each series.

No external resource, no framework, no identifying data: the report takes what :class:`ReportData` holds and nothing
else, and it has no field for a patient's name or ID. All text is escaped: header facts are hostile input.
"""

from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Literal

from lucidmr.evaluate.figures import ReportSlice, comparison, line_profile, nrf_figure
from lucidmr.files import whole_file

__all__ = ["Confidence", "Fact", "ReportData", "ReportSlice", "SeriesReport", "render", "write_report"]

Confidence = Literal["exact", "inferred", "default", "unknown"]


@dataclass(frozen=True)
class Fact:
    """One fact of the header as it was understood.

    Attributes:
        name: What it is, for example "partial Fourier phase".
        value: Its value with unit, ready to be shown.
        source: Where it was read, for example a DICOM tag.
        confidence: How sure it is.
    """

    name: str
    value: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class SeriesReport:
    """Everything the report says of one series; plain values, nothing is computed twice.

    Attributes:
        title: Series description.
        subtitle: What else tells it apart, for example vendor, matrix and number of slices.
        slices: A few images, the one to show first in front.
        pixel_spacing: Distance of rows and of columns on the output grid, mm.
        noise_requested: Wanted noise reduction factor.
        noise_homogeneous: Measured factor in homogeneous tissue, if measured.
        noise_body: Measured factor over the body, if measured.
        settings: Name and value of every setting that was used.
        facts: What was understood of the header.
        warnings: One line each, most important first.
    """

    title: str
    subtitle: str
    slices: tuple[ReportSlice, ...]
    pixel_spacing: tuple[float, float]
    noise_requested: float
    noise_homogeneous: float | None = None
    noise_body: float | None = None
    settings: tuple[tuple[str, str], ...] = ()
    facts: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportData:
    """A report.

    Attributes:
        series: One section each.
        software: Name and version of the program.
        model: Name and version of the weights.
        weights_hash: Their hash, so that a result can be traced.
        created: When, as it is to be shown.
    """

    series: tuple[SeriesReport, ...]
    software: str
    model: str
    weights_hash: str
    created: str


def write_report(data: ReportData, path: Path) -> None:
    """Write the report; the file appears complete or not at all.

    Args:
        data: What to show.
        path: The HTML file to write; an existing one is replaced.

    Raises:
        LucidError: The file cannot be written.
    """
    with whole_file(path) as part:
        part.write_text(render(data), encoding="utf-8")


def render(data: ReportData) -> str:
    """Lay the report out.

    Args:
        data: What to show.

    Returns:
        The whole HTML document.
    """
    sections = "".join(_section(series, index) for index, series in enumerate(data.series))
    title = data.series[0].title if len(data.series) == 1 else f"{len(data.series)} series"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Lucid MR report: {escape(title)}</title>
<style>{_asset("report.css")}</style></head>
<body><header class="top"><div class="brand">Lucid MR</div>
<div class="notice">Research use only. Not a medical device.</div></header>
<main>{_contents(data)}{sections}</main>
<footer>{_provenance(data)}</footer>
<script>{_asset("report.js")}</script></body></html>
"""


def _asset(name: str) -> str:
    return (files("lucidmr.evaluate") / name).read_text(encoding="utf-8")


def _contents(data: ReportData) -> str:
    if len(data.series) < 2:
        return ""
    items = "".join(
        f'<li><a href="#series-{index}">{escape(series.title)}</a> <span>{escape(series.subtitle)}</span></li>'
        for index, series in enumerate(data.series)
    )
    return f'<nav class="card"><h2>Series in this report</h2><ol>{items}</ol></nav>'


def _provenance(data: ReportData) -> str:
    rows = (
        ("Software", data.software),
        ("Model", data.model),
        ("Weights", data.weights_hash),
        ("Created", data.created),
    )
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    note = (
        "Made for research. Not a medical device; not for diagnosis. "
        "The original series is kept unchanged beside the processed one."
    )
    return f"<dl>{items}</dl><p>{note}</p>"


def _section(series: SeriesReport, index: int) -> str:
    shown = series.slices[0] if series.slices else None
    profile = line_profile(shown.before, shown.after, series.pixel_spacing) if shown else ""
    nrf = nrf_figure([image.nrf_map for image in series.slices], series.pixel_spacing)
    return f"""<section id="series-{index}">
<h1>{escape(series.title)}</h1><p class="subtitle">{escape(series.subtitle)}</p>
{_warnings(series.warnings)}{_figures(series)}
{comparison(series.slices, series.pixel_spacing) if shown else ""}
<div class="columns"><div>{profile}{_settings(series.settings)}</div><div>{nrf}</div></div>
{_facts(series.facts)}
</section>"""


def _warnings(warnings: tuple[str, ...]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="warnings" role="note"><strong>Please note</strong><ul>{items}</ul></div>'


def _figures(series: SeriesReport) -> str:
    """The headline numbers."""
    tiles = [
        ("Noise reduction requested", series.noise_requested, "what the dial was set to"),
        ("Measured, homogeneous tissue", series.noise_homogeneous, "what the dial is defined on"),
        ("Measured, whole body", series.noise_body, "less is removed next to edges"),
    ]
    cells = "".join(
        f'<div class="tile"><div class="label">{name}</div>'
        f'<div class="number">{_factor(value)}</div><div class="hint">{hint}</div></div>'
        for name, value, hint in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _factor(value: float | None) -> str:
    return '<span class="absent">not measured</span>' if value is None or value != value else f"{value:.2f}&times;"


def _settings(settings: tuple[tuple[str, str], ...]) -> str:
    if not settings:
        return ""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in settings)
    return f'<div class="card"><h2>Settings</h2><table class="pairs"><tbody>{rows}</tbody></table></div>'


def _facts(facts: tuple[Fact, ...]) -> str:
    if not facts:
        return ""
    rows = "".join(
        f"<tr><th>{escape(fact.name)}</th><td>{escape(fact.value)}</td><td class='source'>{escape(fact.source)}</td>"
        f"<td><span class='mark {escape(fact.confidence)}'>{escape(fact.confidence)}</span></td></tr>"
        for fact in facts
    )
    head = "<tr><th>Fact</th><th>Value</th><th>Source</th><th>Confidence</th></tr>"
    return (
        '<div class="card wide"><h2>What the header says</h2><div class="scroll">'
        f'<table class="facts"><thead>{head}</thead><tbody>{rows}</tbody></table></div></div>'
    )
