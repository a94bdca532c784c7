"""One self-contained HTML page that shows a corpus. All text is escaped: headers and names are hostile input."""

from html import escape
from pathlib import Path
from typing import Any, Final

from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import Entry, read_thumbnail
from lucidmr.corpus.summary import matrix, sampled, summary
from lucidmr.drawing.page import page
from lucidmr.drawing.pictures import Window, grey_png, uri
from lucidmr.files import whole_file

_MOST_ROWS: Final = 500
"""Measurements with a picture; a page of more is slow to open."""

_STYLE: Final = """
td{vertical-align:top}img{width:72px;background:#000}.refused td{background:#fbeaea}.counts{columns:3 16em}
.counts table{break-inside:avoid;margin-bottom:1em}ul{margin:0;padding-left:1em}
"""


def write_report(corpus: Corpus, path: Path) -> None:
    """Write the page; it appears complete or not at all.

    Raises:
        LucidError: It cannot be written, or an entry is damaged.
    """
    document = render(corpus)
    with whole_file(path) as part:
        part.write_text(document, encoding="utf-8")


def render(corpus: Corpus) -> str:
    """Lay the page out: counts, then one row per measurement, those with findings first."""
    entries = sorted(corpus.entries.values(), key=lambda entry: (bool(entry.card.scans), not entry.verdicts))
    rows = "".join(_row(corpus, entry) for entry in entries[:_MOST_ROWS])
    left = f"<p>{len(entries) - _MOST_ROWS} more are not shown.</p>" if len(entries) > _MOST_ROWS else ""
    heads = ("", "Source", "Scanner", "Samples", "Signal to noise", "Split", "Findings")
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = f"""<div class="counts">{_counts(summary(corpus))}</div>
<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{left}"""
    return page("Lucid MR corpus", body, _STYLE)


def _counts(found: dict[str, Any]) -> str:
    sizes = {name: value for name, value in found.items() if isinstance(value, int)}
    splits = {name: f"{size['scans']} scans, {size['subjects']} subjects" for name, size in found["splits"].items()}
    tables = {"in all": sizes, **found, "splits": splits}
    return "".join(_table(name, values) for name, values in tables.items() if isinstance(values, dict) and values)


def _table(name: str, values: dict[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>" for key, value in values.items())
    return f"<table><thead><tr><th colspan=2>{escape(name)}</th></tr></thead><tbody>{rows}</tbody></table>"


def _row(corpus: Corpus, entry: Entry) -> str:
    card = entry.card
    picture = uri(grey_png(read_thumbnail(entry).float(), Window(0.0, 255.0)))
    strength = f"{card.facts.field_strength:g} T" if card.facts.field_strength else None
    scanner = ", ".join(filter(None, (card.facts.vendor, card.facts.model, strength, card.facts.anatomy)))
    coils = f", {card.coils} coils ({card.virtual_coils} kept)" if card.coils else ""
    samples = f"{card.scans} of {matrix(card)}{coils}, {sampled(card)} sampled" if card.scans else "refused"
    ratio = "" if card.snr is None else f"{card.snr:.0f}"
    cells = (card.source, scanner, samples, ratio, corpus.split.of(card.subject) if card.scans else "")
    findings = "".join(f"<li>{escape(str(verdict))}</li>" for verdict in entry.verdicts)
    return (
        f'<tr class="{"used" if card.scans else "refused"}"><td><img alt="" src="{picture}"></td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + f"<td><ul>{findings}</ul></td></tr>"
    )
