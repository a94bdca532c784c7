"""Five enhancements of one series, each adding a dimension of improvement (Jeong et al., 3.1, figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lucidmr.context import Enhancement
from lucidmr.enhance.pipeline import EnhancedSeries, middle_image
from lucidmr.evaluate.bench import BeforeAfter, Bench, before_after
from lucidmr.evaluate.finding import Cell, Figure, Finding, Table, shown
from lucidmr.evaluate.plates import magnified_plate, plate
from lucidmr.evaluate.response import LocalResponse, series_response
from lucidmr.evaluate.sharpening import projected_along_freq, reformatted, scales_of, slab_of
from lucidmr.evaluate.sharpness import Interval, bootstrap_median, edge_sharpness

_TITLE: Final = "Dimensions (3.1)"
_NOISE_REDUCTION: Final = 3.0
_GAIN: Final = 2.0
_ALONG_SLICE: Final = "+ slice k_max"


def dimensions(bench: Bench) -> Finding:
    """Enhance one series in steps, each from the original: the series that most steps can be taken on.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = bench.each(lambda _, series: steps(bench.enhance(series, Enhancement())))
    if not found:
        return Finding("dimensions", _TITLE, notes=notes)
    name = max(found, key=lambda one: len(found[one]))
    enhanced = {step: bench.enhance(bench.series[name], asked) for step, asked in found[name].items()}
    index = middle_image(len(bench.series[name]))
    images = {step: before_after(series, [index]) for step, series in enhanced.items()}
    responses = {step: series_response(series, index) for step, series in enhanced.items()}
    widths = {step: _widths(bench, response) for step, response in responses.items()}
    slabs = _slabs(enhanced)
    before = next(iter(images.values())).before[0]
    original = _before(bench, next(iter(responses.values())))
    return Finding(
        "dimensions",
        _TITLE,
        f"{name}: five reconstructions of the same original, each asking for one more. The local response is what "
        "becomes of a faint point: narrower is sharper, a lower peak means that it was weakened.",
        (_table(enhanced, {"original": original, **widths}), *_slice_tables(bench, enhanced, slabs)),
        (
            magnified_plate(
                name,
                "The most detailed part of the original and of every step; freq runs downwards, phase to the right.",
                [("original", before), *((step, pair.after[0]) for step, pair in images.items())],
            ),
            *_slice_figures(name, enhanced, slabs),
        ),
        {"series": name, "steps": {step: _plain(found) for step, found in {"original": original, **widths}.items()}},
        notes + _missing(found[name]),
    )


def steps(series: EnhancedSeries) -> dict[str, Enhancement]:
    """What to ask for, one dimension more at every step, as far as header and network go."""
    told = series.acquisition
    asked = Enhancement(_NOISE_REDUCTION, restore_partial_fourier=False)
    found = {"noise": asked}
    found["+ freq k_max"] = asked = replace(asked, gain_freq=_GAIN)
    if (told.partial_fourier.phase or 1.0) < 1.0:
        found["+ partial Fourier"] = asked = replace(asked, restore_partial_fourier=True)
    found["+ phase k_max"] = asked = replace(asked, gain_phase=_GAIN)
    if series.sharpens_along_slice:
        found[_ALONG_SLICE] = replace(asked, gain_slice=_GAIN)
    return found


def _missing(found: Mapping[str, Enhancement]) -> tuple[str, ...]:
    lines = {
        "+ partial Fourier": "the header tells of no partial Fourier along phase: that step was left out",
        _ALONG_SLICE: "no volume of adjoining slices: the step along slice was left out",
    }
    return tuple(line for step, line in lines.items() if step not in found)


def _slabs(enhanced: Mapping[str, EnhancedSeries]) -> dict[str, BeforeAfter]:
    """Adjacent images of the last two steps, without and with a gain along slice, where it was asked for."""
    last = list(enhanced)[-2:] if _ALONG_SLICE in enhanced else []
    found = {step: slab_of(enhanced[step]) for step in last}
    return {step: slab for step, slab in found.items() if slab is not None}


def _slice_tables(
    bench: Bench, enhanced: Mapping[str, EnhancedSeries], slabs: Mapping[str, BeforeAfter]
) -> tuple[Table, ...]:
    rows = []
    for step, slab in slabs.items():
        scale = scales_of(enhanced[step]).slice or 1.0
        kinds = (reformatted(slab), projected_along_freq(slab))
        edges = [edge_sharpness(*images, "freq", bench.generator("edges"), scale) for images in kinds]
        rows.append((step, *(cell for one in edges for cell in (shown(one.sharpness), float(one.edges)))))
    heads = ("step", "planes of slice and phase", "edges", "projection along freq", "edges ")
    return (Table("Edge sharpness along slice [95 % interval over edges]", heads, tuple(rows)),) if rows else ()


def _slice_figures(
    name: str, enhanced: Mapping[str, EnhancedSeries], slabs: Mapping[str, BeforeAfter]
) -> tuple[Figure, ...]:
    if not slabs:
        return ()
    planes = {step: reformatted(slab) for step, slab in slabs.items()}
    before = next(iter(planes.values())).before
    middle, rows = len(before) // 2, _pixels_per_slice(enhanced[_ALONG_SLICE])
    images = [("original", before[middle])] + [(step, plane.after[middle]) for step, plane in planes.items()]
    shown_rows = [(step, image.repeat_interleave(rows, 0)) for step, image in images]
    return (plate(f"{name}, reformatted", "A plane of slice (downwards) and phase.", shown_rows),)


def _pixels_per_slice(series: EnhancedSeries) -> int:
    """How many pixels of the output grid high a slice is to be shown."""
    geometry, facts = series.source.geometry(0), series.facts
    step = facts.slice_spacing.value or facts.slice_thickness.value
    if geometry is None or not step:
        return 1
    height = geometry.spacing[0] * series.standardization.matrix[0] / series.standardization.grid[0]
    return max(1, round(step / height))


Widths = tuple[Interval, Interval, Interval]
"""Width along freq and phase, acquired pixels, and peak of the local response: medians over points."""


def _widths(bench: Bench, response: LocalResponse) -> Widths:
    columns = (*response.width_after.unbind(1), response.height)
    freq, phase, height = (bootstrap_median(values, bench.generator("response")) for values in columns)
    return freq, phase, height


def _before(bench: Bench, response: LocalResponse) -> Widths:
    freq, phase = (bootstrap_median(values, bench.generator("response")) for values in response.width_before.unbind(1))
    return freq, phase, Interval(1.0, 1.0, 1.0)


def _table(series: Mapping[str, EnhancedSeries], widths: Mapping[str, Widths]) -> Table:
    measured = {step: one.measured for step, one in series.items()}
    noise: dict[str, Cell] = {
        step: f"{found.homogeneous:.2f} ({found.body:.2f})" for step, found in measured.items() if found is not None
    }
    rows = tuple((step, noise.get(step), *map(shown, found)) for step, found in widths.items())
    heads = ("step", "noise reduction (body)", "width along freq", "width along phase", "peak")
    return Table("Local response: medians [95 % interval over points], widths in acquired pixels", heads, rows)


def _plain(found: Sequence[Interval]) -> dict[str, Any]:
    return dict(zip(("width_freq", "width_phase", "peak"), (one._asdict() for one in found), strict=True))
