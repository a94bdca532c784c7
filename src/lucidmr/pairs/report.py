"""One self-contained HTML page on stored pairs: what was drawn, and examples. All text is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from lucidmr.drawing.page import page
from lucidmr.drawing.pictures import auto_limit, auto_window, difference_png, grey_png, thinned, uri
from lucidmr.errors import LucidError
from lucidmr.files import whole_file
from lucidmr.pairs.distributions import DEGRADATIONS, RECONSTRUCTIONS, Choices, Values
from lucidmr.pairs.drawn import Drawn, caption
from lucidmr.pairs.simulate import TrainingPair
from lucidmr.pairs.write import damaged, read_pair, read_record

_EXAMPLES: Final = 32
_SIDE: Final = 192
"""Pixels of an example's longer side, at most."""
_STYLE: Final = """
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(20em,1fr));gap:1em}
.charts figure,.pair{margin:0;border:1px solid #d8dce2;border-radius:6px;padding:.6em}
.charts svg{display:block;width:100%}figcaption,.pair p{margin:0 0 .4em;font-weight:600}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(30em,1fr));gap:1em}
.pair p+p{font-weight:400;color:#5a6270;min-height:4.2em;overflow-wrap:anywhere}
.pair div{display:grid;grid-template-columns:repeat(3,1fr);gap:4px;align-items:start}
.pair img{width:100%;background:#0e1014}@media print{.pair,figure{break-inside:avoid}}
"""


class _Found(NamedTuple):
    """A pair whose record can be read."""

    path: Path
    drawn: Drawn


def write_report(paths: Iterable[Path], report: Path) -> list[str]:
    """Write the page; it appears complete or not at all.

    Args:
        paths: The pairs, in order.
        report: The HTML file to write.

    Returns:
        Why pairs were passed over, one line each.

    Raises:
        LucidError: There is no pair that can be read, or the page cannot be written.
    """
    found: list[_Found] = []
    refused: list[str] = []
    for path in paths:
        try:
            found.append(_Found(path, _drawn(path)))
        except LucidError as error:
            refused.append(str(error))
    examples, unseen = _examples(found)
    refused += unseen
    if not found:
        raise LucidError(f"{report}: not written, as no pair can be read; simulate some first")
    document = _render([each.drawn for each in found], examples, len(refused))
    with whole_file(report) as part:
        part.write_text(document, encoding="utf-8")
    return refused


def _drawn(path: Path) -> Drawn:
    record = read_record(path)
    try:
        return Drawn.from_record(record)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, error) from error


def _examples(found: Sequence[_Found]) -> tuple[str, list[str]]:
    """The contact sheet, of evenly spaced pairs, and what of them is damaged."""
    count = min(_EXAMPLES, len(found))
    shown, refused = "", []
    for each in (found[index * len(found) // count] for index in range(count)):
        try:
            shown += _example(read_pair(each.path), each.drawn)
        except LucidError as error:
            refused.append(str(error))
    return shown, refused


def _example(pair: TrainingPair, drawn: Drawn) -> str:
    """Input, target and their difference, all on the input's scale."""
    given, wanted = (thinned(image, _SIDE) for image in (pair.input[len(pair.input) // 2], pair.target[0]))
    window, limit = auto_window(given), auto_limit(wanted - given)
    pictures = (grey_png(given, window), grey_png(wanted, window), difference_png(wanted - given, limit))
    images = "".join(
        f'<img alt="{name}" src="{uri(picture)}">'
        for name, picture in zip(("input", "target", "difference"), pictures, strict=True)
    )
    title = f"{drawn.index}: {drawn.source}"
    return (
        f'<div class="pair"><p>{escape(title)}</p><p>{escape(caption(drawn))}; '
        f"difference &plusmn;{limit / (window.high - window.low):.0%} of the window</p><div>{images}</div></div>"
    )


def _render(pairs: Sequence[Drawn], examples: str, refused: int) -> str:
    volumes = sum("slice" in pair.directions for pair in pairs)
    passed_over = f" {refused} files are damaged." if refused else ""
    sources = len({pair.source for pair in pairs})
    body = f"""<p>{len(pairs)} pairs, {volumes} of them 3D, of {sources} sources.{passed_over}</p>
<h2>Degradations</h2><div class="charts">{_charts(DEGRADATIONS, pairs)}</div>
<h2>Reconstruction</h2><div class="charts">{_charts(RECONSTRUCTIONS, pairs)}</div>
<h2>Examples</h2><p class="notice">Input, target, target minus input (blue below 0, red above); freq runs down, phase
across. The percentages of noise are of the tissue signal.</p><div class="pairs">{examples}</div>"""
    return page("Lucid MR pairs", body, _STYLE)


def _charts(kinds: Sequence[Values | Choices], pairs: Sequence[Drawn]) -> str:
    drawn = ((kind.title, kind.chart(pairs)) for kind in kinds)
    return "".join(f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" for title, svg in drawn if svg)
