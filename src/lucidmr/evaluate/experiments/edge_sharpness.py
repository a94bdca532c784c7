"""How much sharper edges get along the direction asked, and along the others (Jeong et al., 3.3, figure 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from lucidmr.dicom.series import ImageSeries
from lucidmr.drawing.charts import Point, intervals
from lucidmr.enhance.pipeline import middle_image
from lucidmr.evaluate.bars import interval
from lucidmr.evaluate.bench import Bench, before_after
from lucidmr.evaluate.finding import Cell, Figure, Finding, Table, shown
from lucidmr.evaluate.plates import magnified_plate
from lucidmr.evaluate.sharpening import Along, Outcome, Trial, asked_directions, outcomes
from lucidmr.evaluate.sharpness import ENOUGH

_REQUESTS: Final = (1.0, 2.0, 4.0)
_USUAL: Final = 2.0
"""Both the gain and the noise reduction at which sharpness is reported."""
_QUICK_REQUESTS: Final = (1.0, 2.0)
_MILD_GAIN: Final = 1.5
SLICES: Final = 2
"""Source images per series."""
_TITLE: Final = "Edge sharpness (3.3)"
_ALONG: Final[tuple[Along, ...]] = ("freq", "phase", "slice")

Edges = Sequence[Outcome]
"""All outcomes of a series."""


def sharpness(bench: Bench) -> Finding:
    """Ask every series for a gain along one direction at a time, at several settings of the noise dial.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = bench.each(lambda _, series: _measure(bench, series))
    for along in _ALONG:
        asked = {name: _asked(_usual(edges, along)) for name, edges in found.items()}
        if few := [name for name, edges in asked.items() if edges and not _reliable(edges)]:
            notes += (f"along {along} there are fewer than {ENOUGH} edges in {', '.join(few)}",)
    if not any(_usual(edges, "slice") for edges in found.values()):
        notes += ("no volume of adjoining slices with edges along slice: no gain along slice",)
    if not found:
        return Finding("sharpness", _TITLE, notes=notes)
    return Finding(
        "sharpness",
        _TITLE,
        "Maximum gradient of edges after over before, where a gain was asked for along one direction. Noise inflates a "
        "maximum gradient: rise distance, line width and overshoot stand beside it.",
        (_by_direction(found, bench.seed), _by_series(found)),
        (_chart(found, bench.seed), _picture(bench, next(iter(found)))),
        {"series": {name: [_plain(one) for one in edges] for name, edges in found.items()}},
        notes,
        _measures(found),
    )


def _measure(bench: Bench, series: ImageSeries) -> list[Outcome]:
    slices = 1 if bench.quick else SLICES
    found: list[Outcome] = []
    for along in asked_directions(bench.enhance(series, Trial("freq").enhancement)):
        for trial in _trials(along, bench.quick):
            found += outcomes(bench, series, trial, slices, slab=trial == Trial(along))
    return found


def _trials(along: Along, quick: bool) -> list[Trial]:
    """What is asked along a direction: the usual gain at several noise reductions, and a milder one."""
    if quick:
        return [Trial(along, noise_reduction=request) for request in _QUICK_REQUESTS]
    return sorted({Trial(along, noise_reduction=request) for request in _REQUESTS} | {Trial(along, _MILD_GAIN)})


def _usual(edges: Edges, asked: Along) -> list[Outcome]:
    """Source images at the usual gain along a direction and the usual noise reduction."""
    return [one for one in edges if one.trial == Trial(asked) and one.kind == "source"]


def _reliable(edges: Edges) -> list[Outcome]:
    return [one for one in edges if one.is_reliable]


def _asked(edges: Edges) -> list[Outcome]:
    return [one for one in edges if one.is_asked]


def _measures(found: Mapping[str, Edges]) -> dict[str, dict[str, float]]:
    measures: dict[str, dict[str, float]] = {}
    for name, edges in found.items():
        usual = [one for along in _ALONG for one in _reliable(_usual(edges, along))]
        for one in _asked(usual):
            measures.setdefault(f"sharpness {one.along}", {})[name] = one.edges.sharpness.value
        if asked := _asked(usual):
            measures.setdefault("overshoot", {})[name] = max(one.edges.overshoot_after.value for one in asked)
            measures.setdefault("independence", {})[name] = max(_dependence(edges, one) for one in asked)
        if beside := [one for one in usual if not one.is_asked]:
            largest = max(100.0 * abs(one.edges.sharpness.value - 1.0) for one in beside)
            measures.setdefault("not asked", {})[name] = largest
    return measures


def _dependence(edges: Edges, usual: Outcome) -> float:
    """Largest change of sharpness with the noise reduction, % of that at the usual one."""
    same = [
        one.edges.sharpness.value
        for one in edges
        if one.kind == "source" and one.along == one.trial.asked == usual.along and one.trial.gain == usual.trial.gain
    ]
    return max(100.0 * abs(value / usual.edges.sharpness.value - 1.0) for value in same)


def _by_direction(found: Mapping[str, Edges], seed: int) -> Table:
    """Medians over series of every combination of gain, direction and kind of image, at the usual noise reduction."""
    every = [one for edges in found.values() for one in _reliable(edges) if one.trial.noise_reduction == _USUAL]
    keys = sorted({(one.kind, one.trial.asked, one.along, one.trial.gain) for one in every}, reverse=True)
    rows = []
    for key in keys:
        group = [one for one in every if (one.kind, one.trial.asked, one.along, one.trial.gain) == key]
        kind, asked, along, gain = key
        rows.append((kind, f"{gain:g} along {asked}", along, f"{len(group)}", *_cells(group, seed)))
    heads = ("images", "gain asked", "measured along", "series", "sharpness", "rise distance", "line width",
             "overshoot before, %", "overshoot after, %")  # fmt: skip
    return Table("Medians [95 % interval over series], after / before, noise reduction 2", heads, tuple(rows))


def _cells(group: Edges, seed: int) -> list[Cell]:
    columns = (
        [one.edges.sharpness.value for one in group],
        [one.edges.rise.value for one in group],
        [one.lines.width.value for one in group],
        [one.edges.overshoot_before.value for one in group],
        [one.edges.overshoot_after.value for one in group],
    )
    return [shown(interval(values, seed)) for values in columns]


def _by_series(found: Mapping[str, Edges]) -> Table:
    """Source images at gain 2, one column for every direction asked and measured."""
    usual = {name: [one for asked in _ALONG for one in _usual(edges, asked)] for name, edges in found.items()}
    keys = sorted({(one.trial.asked, one.along) for edges in usual.values() for one in edges})
    rows = []
    for name, edges in usual.items():
        cells = {(one.trial.asked, one.along): _cell(one) for one in edges}
        rows.append((name, *(cells.get(key) for key in keys)))
    heads = ("series", *(f"{along}, gain along {asked}" for asked, along in keys))
    return Table("Sharpness at gain 2 [95 % interval over edges]", heads, tuple(rows))


def _cell(one: Outcome) -> Cell:
    return shown(one.edges.sharpness) if one.is_reliable else f"{one.edges.edges} edges"


def _chart(found: Mapping[str, Edges], seed: int) -> Figure:
    every = [one for edges in found.values() for one in _reliable(edges) if one.kind == "source"]
    every = [one for one in every if one.trial.gain == _USUAL]
    curves = {"not asked": _curve([one for one in every if not one.is_asked], seed)}
    for along in _ALONG:
        curves[along] = _curve([one for one in _asked(every) if one.along == along], seed)
    drawn = intervals(curves, "noise reduction", "sharpness", [(1.0, 1.0), (4.0, 1.0)])
    caption = "Gain 2 along one direction; medians over series with 95 % intervals; dashed: unchanged."
    return Figure("Relative edge sharpness against noise reduction", caption, drawn)


def _curve(edges: Edges, seed: int) -> list[Point]:
    requests = sorted({one.trial.noise_reduction for one in edges})
    values = {
        request: [one.edges.sharpness.value for one in edges if one.trial.noise_reduction == request]
        for request in requests
    }
    return [Point(request, *interval(found, seed)) for request, found in values.items()]


def _picture(bench: Bench, name: str) -> Figure:
    series = bench.series[name]
    index = [middle_image(len(series))]
    directions = asked_directions(bench.enhance(series, Trial("freq").enhancement))
    pairs = {along: before_after(bench.enhance(series, Trial(along).enhancement), index) for along in directions}
    labelled = [(f"gain 2 along {along}", pair.after[0]) for along, pair in pairs.items()]
    caption = "The most detailed part; freq runs downwards, phase to the right. Noise reduction 2."
    return magnified_plate(name, caption, [("original", pairs["freq"].before[0]), *labelled])


def _plain(one: Outcome) -> dict[str, Any]:
    """For programs; intervals by name."""
    trial = {"asked": one.trial.asked, "gain": one.trial.gain, "noise_reduction": one.trial.noise_reduction}
    return {**trial, "along": one.along, "images": one.kind, "edges": asdict(one.edges), "lines": asdict(one.lines)}
