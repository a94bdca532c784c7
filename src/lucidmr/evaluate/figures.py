"""The figures of the report, as HTML: comparison of slices, line profile, map of noise reduction.

Images are in display orientation. Nothing here takes text from outside except labels, which are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.drawing import pictures
from lucidmr.drawing.charts import ticks
from lucidmr.drawing.pictures import Crop, Picture, Window, thinned, uri
from lucidmr.evaluate.profiles import find_edges
from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import local_structure

_PLOT: Final = (640, 300)  # width and height of the plot's view box
_MARGIN: Final = (64, 16, 16, 46)  # left, right, top, bottom


@dataclass(frozen=True)
class ReportSlice:
    """One image before and after, on the same grid, in display orientation and in the series' own units.

    Attributes:
        label: For example "slice 12 of 40".
        before: The untouched image, resampled to the output grid.
        after: The processed image.
        nrf_map: Measured noise reduction factor per pixel, if it was measured on this slice.
    """

    label: str
    before: Float[Tensor, "row column"]
    after: Float[Tensor, "row column"]
    nrf_map: Float[Tensor, "row column"] | None = None


def comparison(slices: Sequence[ReportSlice], pixel_spacing: tuple[float, float]) -> str:
    """Before, after and difference of each slice, with a crop of its most detailed part.

    Args:
        slices: At least one; the first is shown first.
        pixel_spacing: Distance of rows and of columns, mm.

    Returns:
        A card with a slice selector, a before / after slider, the difference with its scale and the crops.
    """
    views = "".join(_view(image, index, pixel_spacing) for index, image in enumerate(slices))
    options = "".join(f'<option value="{index}">{escape(image.label)}</option>' for index, image in enumerate(slices))
    hidden = " hidden" if len(slices) < 2 else ""
    return f"""<div class="card compare"><div class="bar"><h2>Before and after</h2>
<label class="pick"{hidden}>Slice <select class="slices">{options}</select></label>
<button type="button" class="blink">Blink</button></div>{views}</div>"""


def _view(image: ReportSlice, index: int, pixel_spacing: tuple[float, float]) -> str:
    window = pictures.auto_window(image.before)
    difference = image.after - image.before
    limit = pictures.auto_limit(difference)
    spot = detail_spot(image.before)
    before, after = (uri(pictures.grey_png(thinned(side), window)) for side in (image.before, image.after))
    shape = _aspect(image.before, pixel_spacing)
    zoomed = "".join(
        _zoom(name, png, _aspect(pictures.crop(image.before, spot), pixel_spacing))
        for name, png in _crops(image, window, limit, spot)
    )
    box = _frame(spot, image.before.shape[0], image.before.shape[1])
    return f"""<div class="view"{" hidden" if index else ""}>
<div class="pair">
<figure><div class="slider" style="--cut:50%"><img style="{shape}" src="{before}" alt="Before">
<img class="over" style="{shape}" src="{after}" alt="After"><i class="line"></i><i class="box" style="{box}"></i>
<span class="tag left">Before</span><span class="tag right">After</span>
<input type="range" min="0" max="100" value="50" aria-label="Before or after"></div>
<figcaption>Drag to compare. Window {window.low:.4g} to {window.high:.4g}.</figcaption></figure>
<figure><img style="{shape}" src="{uri(pictures.difference_png(thinned(difference), limit))}" alt="After minus before">
<figcaption>After &minus; before{_scale_bar(f"&minus;{limit:.3g}", "0", f"+{limit:.3g}")}</figcaption></figure>
</div><div class="zooms">{zoomed}</div></div>"""


def _crops(image: ReportSlice, window: Window, limit: float, spot: Crop) -> list[tuple[str, bytes]]:
    cut = pictures.crop(image.before, spot), pictures.crop(image.after, spot)
    return [
        ("Before", pictures.grey_png(cut[0], window)),
        ("After", pictures.grey_png(cut[1], window)),
        ("Difference", pictures.difference_png(cut[1] - cut[0], limit)),
    ]


def _zoom(name: str, png: bytes, shape: str) -> str:
    picture = f'<img class="pixels" style="{shape}" src="{uri(png)}" alt="{name}, magnified">'
    return f"<figure>{picture}<figcaption>{name}, magnified</figcaption></figure>"


def _frame(spot: Crop, rows: int, columns: int) -> str:
    parts = (spot.left / columns, spot.top / rows, spot.width / columns, spot.height / rows)
    return "left:{:.2%};top:{:.2%};width:{:.2%};height:{:.2%}".format(*parts)


def _scale_bar(low: str, middle: str, high: str, colours: Sequence[tuple[int, int, int]] = pictures.DIVERGING) -> str:
    return (
        f'<span class="scale"><img src="{uri(pictures.bar_png(colours))}" alt="">'
        f"<span><b>{low}</b><b>{middle}</b><b>{high}</b></span></span>"
    )


def detail_spot(image: Picture) -> Crop:
    """The quarter-wide rectangle with the most detail that lies within the body.

    Args:
        image: The image.

    Returns:
        The rectangle, inside the image.
    """
    height, width = (min(side, max(8, side // 4)) for side in image.shape)
    # The root favours many moderate edges, tissue, over a single bright one, the skin.
    detail = (local_structure(image).sqrt().sqrt() * body_mask(image))[None, None]
    rows = torch.nn.functional.avg_pool2d(detail, (height, 1), 1)
    score = torch.nn.functional.avg_pool2d(rows, (1, width), 1)[0, 0]
    top, left = divmod(int(score.argmax()), score.shape[1])
    return Crop(top, left, height, width)


def nrf_figure(maps: Sequence[Float[Tensor, "row column"] | None], pixel_spacing: tuple[float, float]) -> str:
    """The first measured map of noise reduction factors, with its scale.

    Args:
        maps: Factors per pixel, ``None`` where they were not measured.
        pixel_spacing: Distance of rows and of columns, mm.

    Returns:
        A card, or nothing where there is no map.
    """
    measured = [factors for factors in maps if factors is not None]
    if not measured:
        return ""
    factors = measured[0]
    values = factors[factors.isfinite() & (factors != 0)].flatten()
    values = values[:: max(1, len(values) // 10**6)].float()
    high = max(2.0, ceil(2.0 * float(values.quantile(0.98))) / 2.0) if len(values) else 2.0
    window = Window(1.0, high)
    bar = _scale_bar("1", f"{(1 + high) / 2:g}", f"{high:g}&times;", pictures.SEQUENTIAL)
    picture = f'style="{_aspect(factors, pixel_spacing)}" src="{uri(pictures.map_png(thinned(factors), window))}"'
    return f"""<div class="card"><h2>Where noise was reduced</h2><figure>
<img {picture} alt="Map of measured noise reduction">
<figcaption>Measured noise reduction factor{bar}</figcaption></figure></div>"""


def line_profile(before: Picture, after: Picture, pixel_spacing: tuple[float, float]) -> str:
    """Both images along a line through the strongest straight edge, as an SVG.

    Args:
        before: The untouched image.
        after: The processed image.
        pixel_spacing: Distance of rows and of columns, mm.

    Returns:
        A card with the plot, axes in mm and in the image's units.
    """
    row, start, stop = _profile_span(0.5 * (before + after))
    position = torch.arange(stop - start) * pixel_spacing[1]
    curves = [image[row, start:stop].float().cpu() for image in (before, after)]
    plot = _plot(position, curves, "position along the row, mm", "signal")
    key = '<span class="key before">before</span><span class="key after">after</span>'
    where = f"Row {row + 1}, columns {start + 1} to {stop}, through the strongest edge."
    return f"""<div class="card"><h2>Line profile</h2><figure>{plot}
<figcaption>{key} {where}</figcaption></figure></div>"""


def _profile_span(image: Picture) -> tuple[int, int, int]:
    """Row and columns of a line through the strongest edge; a sixth of the width."""
    rows, columns = image.shape
    scale = max(1.0, columns / 256)
    edges = find_edges(image[None].float(), scale, 1)
    if len(edges):
        row, column = int(edges[0, 1]), int(edges[0, 2])
    else:
        row, column = rows // 2, columns // 2
    half = max(8, columns // 12)
    start = min(max(0, column - half), max(0, columns - 2 * half))
    return row, start, min(columns, start + 2 * half)


def _plot(position: Tensor, curves: Sequence[Tensor], across: str, up: str) -> str:
    """Two curves, before and after, over a position that starts at 0."""
    width, height = _PLOT
    left, right, top, bottom = _MARGIN
    span = float(position[-1]) or 1.0
    low, high = float(torch.stack(list(curves)).min()), float(torch.stack(list(curves)).max())
    high = high if high > low else low + 1.0
    per_x, per_y = (width - left - right) / span, (height - top - bottom) / (high - low)
    lines = ""
    for name, curve in zip(("before", "after"), curves, strict=True):
        pairs = zip((left + position * per_x).tolist(), (top + (high - curve) * per_y).tolist(), strict=True)
        lines += f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)}"/>'
    grid = "".join(_tick_x(left + tick * per_x, tick) for tick in ticks(0.0, span))
    grid += "".join(_tick_y(top + (high - tick) * per_y, tick) for tick in ticks(low, high))
    labels = f'<text x="{(left + width - right) / 2}" y="{height - 6}">{across}</text>'
    labels += f'<text transform="translate(14 {(top + height - bottom) / 2}) rotate(-90)">{up}</text>'
    box = f'viewBox="0 0 {width} {height}" role="img" aria-label="{up} over {across}"'
    return f'<svg class="plot" {box}>{grid}{lines}{labels}</svg>'


def _tick_x(x: float, value: float) -> str:
    foot = _PLOT[1] - _MARGIN[3]
    return f'<path d="M{x:.1f} {_MARGIN[2]}V{foot}"/><text x="{x:.1f}" y="{foot + 17}">{value:g}</text>'


def _tick_y(y: float, value: float) -> str:
    end = _PLOT[0] - _MARGIN[1]
    text = f'<text class="end" x="{_MARGIN[0] - 8}" y="{y + 4:.1f}">{value:.6g}</text>'
    return f'<path d="M{_MARGIN[0]} {y:.1f}H{end}"/>{text}'


def _aspect(image: Picture, pixel_spacing: tuple[float, float]) -> str:
    """Style that gives an image its true proportions, whatever the shape of its pixels."""
    return f"aspect-ratio:{image.shape[1] * pixel_spacing[1]:.6g}/{image.shape[0] * pixel_spacing[0]:.6g}"
