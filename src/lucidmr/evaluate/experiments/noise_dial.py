"""Is the noise reduced by the factor that was asked for, and does the signal stay (Jeong et al., 3.2, figure 4)?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

import torch
from jaxtyping import Bool
from torch import Tensor

from lucidmr.context import Enhancement
from lucidmr.dicom.series import ImageSeries
from lucidmr.drawing.charts import Point, intervals
from lucidmr.drawing.pictures import Picture, auto_window
from lucidmr.enhance.pipeline import middle_image
from lucidmr.errors import LucidError
from lucidmr.evaluate.bars import interval
from lucidmr.evaluate.bench import Bench, Circle, before_after
from lucidmr.evaluate.finding import Figure, Finding, Table, shown
from lucidmr.evaluate.noise import homogeneous_regions, noise_reduction, repeated_noise_reduction
from lucidmr.evaluate.plates import plate
from lucidmr.evaluate.repeats import Repeat, find_repeats
from lucidmr.physics.body import body_mask
from lucidmr.standardize import Standardization

REQUESTS: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
_QUICK_REQUESTS: Final = (1.0, 2.0, 4.0)
_REGIONS: Final = 5
_PICTURED: Final = (2.0, 4.0)
_TITLE: Final = "Noise dial (3.2)"


@dataclass(frozen=True)
class Setting:
    """One series at one request.

    Attributes:
        homogeneous: Noise reduction measured by the probe in homogeneous tissue.
        body: The same over the body.
        regions: Noise before / after in each region of interest.
        signal: Change of the mean signal in the body, %.
        signals: The same in each region.
    """

    homogeneous: float
    body: float
    regions: tuple[float, ...]
    signal: float
    signals: tuple[float, ...]


Dial = Mapping[float, Setting]
"""A series at every request."""


def noise_dial(bench: Bench) -> Finding:
    """Turn the noise dial on every series, measure by probe, region and repetition.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    requests = _QUICK_REQUESTS if bench.quick else REQUESTS
    dials, notes = bench.each(lambda _, one: {wanted: _setting(bench, one, wanted) for wanted in requests})
    repeats = find_repeats(bench.series.values())
    if not repeats:
        notes += ("no two images of one plane differ by their noise alone: no repeated acquisitions",)
    if without := [name for name, dial in dials.items() if not dial[requests[0]].regions]:
        notes += (f"no homogeneous region is large enough in {', '.join(without)}: there by probe alone",)
    if not dials:
        return Finding("noise", _TITLE, notes=notes)
    repeated = {wanted: [_repeated(bench, repeat, wanted) for repeat in repeats] for wanted in requests}
    factors = {wanted: _by_way(dials, repeated[wanted], wanted) for wanted in requests}
    return Finding(
        "noise",
        _TITLE,
        "Noise before over noise after, against what was asked for. The dial is defined in homogeneous tissue.",
        (_overall(factors, dials, bench.seed), _by_series(dials)),
        (_chart(factors, bench.seed), _picture(bench, next(iter(dials)))),
        {
            "series": {name: _plain(dial) for name, dial in dials.items()},
            "repeated": {f"{wanted:g}": values for wanted, values in repeated.items()},
        },
        notes,
        {
            "dial": {name: _deviation({w: one.homogeneous for w, one in dial.items()}) for name, dial in dials.items()},
            "dial body": {name: _deviation({w: one.body for w, one in dial.items()}) for name, dial in dials.items()},
            "signal": {name: max(map(_signal_change, dial.values())) for name, dial in dials.items()},
        },
    )


def _setting(bench: Bench, series: ImageSeries, wanted: float) -> Setting:
    enhanced = bench.enhance(series, _asking(wanted))
    measured = enhanced.measured
    if measured is None:
        raise LucidError("shows no noise: there is none to be reduced")
    images = before_after(enhanced, [middle_image(len(series))])
    before, after = images.before[0], images.after[0]
    regions = _regions(bench.region, series, before, enhanced.standardization)
    inside = [noise_reduction(before, after, region) for region in regions]
    body = body_mask(before)
    return Setting(
        measured.homogeneous,
        measured.body,
        tuple(one.factor for one in inside),
        100.0 * float(after[body].mean() / before[body].mean() - 1.0),
        tuple(100.0 * one.mean_change for one in inside),
    )


def _asking(wanted: float) -> Enhancement:
    return Enhancement(noise_reduction=wanted, restore_partial_fourier=False)


def _regions(
    given: Circle | None, series: ImageSeries, image: Picture, how: Standardization
) -> Bool[Tensor, "region freq phase"]:
    """Where to measure, on the output grid with rows along phase."""
    if given is None:
        return homogeneous_regions(image, _REGIONS)
    height, width = how.turned(image).shape
    return how.turned(circle_mask(given, (series.rows, series.columns), (height, width)))[None]


def circle_mask(circle: Circle, stored: tuple[int, int], grid: tuple[int, int]) -> Bool[Tensor, "row column"]:
    """A circle of the stored matrix (rows, columns) on another grid of the same field of view."""
    row, column = ((torch.arange(fine) + 0.5) * (n / fine) - 0.5 for n, fine in zip(stored, grid, strict=True))
    return torch.hypot(row[:, None] - circle.row, column - circle.column) <= circle.radius


def _repeated(bench: Bench, repeat: Repeat, wanted: float) -> float:
    one, other = (before_after(bench.enhance(place.series, _asking(wanted)), [place.number]) for place in repeat)
    return repeated_noise_reduction(one.before, other.before, one.after, other.after)


def _by_way(dials: Mapping[str, Dial], repeated: Sequence[float], wanted: float) -> dict[str, list[float]]:
    """Measured factors at one request, by the way they were measured."""
    settings = [dial[wanted] for dial in dials.values()]
    return {
        "homogeneous": [setting.homogeneous for setting in settings],
        "whole body": [setting.body for setting in settings],
        "regions": [factor for setting in settings for factor in setting.regions],
        "repeated": list(repeated),
    }


def _plain(dial: Dial) -> dict[str, Any]:
    return {f"{wanted:g}": asdict(one) for wanted, one in dial.items()}


def _signal_change(setting: Setting) -> float:
    """Mean over regions, %: the mean over the body stays by construction and proves little."""
    return abs(fmean(setting.signals or (setting.signal,)))


def _deviation(measured: Mapping[float, float]) -> float:
    """Largest distance of measured from requested, %."""
    return max(100.0 * abs(factor / wanted - 1.0) for wanted, factor in measured.items())


def _overall(factors: Mapping[float, Mapping[str, list[float]]], dials: Mapping[str, Dial], seed: int) -> Table:
    heads = ("requested", *next(iter(factors.values())), "mean signal change, %", "in regions, %")
    rows = []
    for wanted, ways in factors.items():
        settings = [dial[wanted] for dial in dials.values()]
        signals = [setting.signal for setting in settings]
        inside = [change for setting in settings for change in setting.signals]
        cells = [shown(interval(values, seed)) for values in (*ways.values(), signals, inside)]
        rows.append((f"{wanted:g}", *cells))
    return Table("All series: median [95 % interval over series, or regions]", heads, tuple(rows))


def _by_series(dials: Mapping[str, Dial]) -> Table:
    requests = list(next(iter(dials.values())))
    rows = tuple(
        (name, *(f"{one.homogeneous:.2f} ({one.body:.2f})" for one in dial.values())) for name, dial in dials.items()
    )
    heads = ("series", *(f"asked {wanted:g}" for wanted in requests))
    return Table("Homogeneous tissue, in parentheses the whole body", heads, rows)


def _chart(factors: Mapping[float, Mapping[str, list[float]]], seed: int) -> Figure:
    ways = list(next(iter(factors.values())))
    points = {
        way: [Point(wanted, *interval(found[way], seed)) for wanted, found in factors.items() if found[way]]
        for way in ways
    }
    ends = (min(factors), max(factors))
    drawn = intervals(points, "requested", "noise before / after", [(end, end) for end in ends])
    return Figure("Measured against requested", "Medians with 95 % intervals; dashed: measured = requested.", drawn)


def _picture(bench: Bench, name: str) -> Figure:
    """One series at every request, with the regions of interest."""
    series = bench.series[name]
    index = middle_image(len(series))
    enhanced = {wanted: bench.enhance(series, _asking(wanted)) for wanted in _PICTURED}
    images = {wanted: before_after(one, [index]) for wanted, one in enhanced.items()}
    before = images[_PICTURED[0]].before[0]
    how = enhanced[_PICTURED[0]].standardization
    regions = _regions(bench.region, series, before, how).any(0)
    marked = torch.where(_rim(regions), auto_window(before).high, before)
    labelled = [(f"noise reduction {wanted:g}", pair.after[0]) for wanted, pair in images.items()]
    return plate(name, "Circles: the regions of interest.", [("original", marked), *labelled])


def _rim(mask: Bool[Tensor, "freq phase"]) -> Bool[Tensor, "freq phase"]:
    """The outer border of a mask, wide enough to be seen in a small picture."""
    width = max(1, round(max(mask.shape) / 320))
    grown = torch.nn.functional.max_pool2d(mask[None].float(), 2 * width + 1, 1, width)[0] > 0.5
    return grown & ~mask
