"""May the result be trusted: lesions kept, none made up, nothing but noise removed, true resolution, true detail."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.context import Enhancement
from lucidmr.drawing.pictures import Window, map_png, panels, uri
from lucidmr.enhance.pipeline import EnhancedSeries
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.detail import TrueDetail, regained, true_detail
from lucidmr.evaluate.fidelity import Whiteness, whiteness
from lucidmr.evaluate.finding import Figure, Finding, Table, shown
from lucidmr.evaluate.lesions import (
    Place,
    detectability,
    false_lesions,
    flat_places,
    patches,
    per_area,
    signal_and_area,
    with_lesions,
)
from lucidmr.evaluate.plates import plate
from lucidmr.evaluate.response import LocalResponse, series_response
from lucidmr.evaluate.sharpness import DIRECTIONS, Direction, bootstrap_median
from lucidmr.evaluate.specimens import Specimen, acquire, enhanced, specimens
from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import NoiseEstimate, band_noise
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.shapes import Image
from lucidmr.standardize import resample

TITLE: Final = "Trust"
_NOISE: Final = 0.05
_WANTED: Final = Enhancement(2.0, restore_partial_fourier=False)
_DIAMETERS: Final = (1.0, 2.0, 4.0, 8.0)
_CONTRASTS: Final = (0.1, 0.2, 0.4)
_SPECIMENS: Final = 6
"""Slices on which added detail is compared with the truth."""
_COUNTED: Final = 0.2
"""Contrast from which on something counts as a lesion, over tissue."""

Plane = Float[Tensor, "freq phase"]


class _BeforeAfter(NamedTuple):
    before: Float[Tensor, " place"]
    after: Float[Tensor, " place"]


@dataclass(frozen=True)
class LesionTest:
    """Lesions of one size and contrast, before and after.

    Attributes:
        diameter: mm.
        contrast: Over tissue.
        index: Detectability before and after, at each place.
        signal: Mean signal that the lesion adds within its outline, before and after.
        area: Pixels in which it adds half of its highest signal or more, before and after.
    """

    diameter: float
    contrast: float
    index: _BeforeAfter
    signal: _BeforeAfter
    area: _BeforeAfter


class _Scanner:
    """One specimen, scanned again and again, and enhanced with one setting of the dial."""

    def __init__(self, bench: Bench, specimen: Specimen) -> None:
        self.specimen, self._seed = specimen, bench.seed
        self.how = Reconstruction(specimen.scan.matrix, combination="sensitivity_weighted", levels=65535)
        simulation = acquire(specimen, specimen.full, self.how, _NOISE, bench.seed)
        self.series: EnhancedSeries = enhanced(bench, simulation, "trust", _WANTED)
        self._dial = self.series.dial(0)
        self.truth = self.series.interpolated(simulation.truth)[0]

    def scan(self, specimen: Specimen, turn: int) -> tuple[Plane, Plane]:
        """Before and after on the same grid; the same ``turn`` has the same noise."""
        stored = acquire(specimen, specimen.full, self.how, _NOISE, self._seed + 1 + turn).images
        return self.series.interpolated(stored)[0], self.series.process(stored, self._dial)[0]

    @property
    def pixel(self) -> tuple[float, float]:
        """Millimetres of a pixel of the grid along freq and phase."""
        given, grid = self.specimen.scan.matrix[1:], self.series.standardization.grid
        freq, phase = (step * old / new for step, old, new in zip(self.specimen.spacing[1:], given, grid, strict=True))
        return freq, phase


def trust(bench: Bench) -> Finding:
    """Insert lesions, look for ones that are not there, judge what was removed and added, measure the local response.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = specimens(bench, 1 if bench.quick else _SPECIMENS)
    scanner = _Scanner(bench, found[0])
    turns = 3 if bench.quick else 6
    diameters = _DIAMETERS[1:3] if bench.quick else _DIAMETERS
    contrasts = _CONTRASTS[1:2] if bench.quick else _CONTRASTS
    absent = [scanner.scan(scanner.specimen, turn) for turn in range(turns)]
    pixel = scanner.pixel[0]
    radius = round(0.5 * max(diameters) / pixel) + 2
    places = flat_places(scanner.truth, 12, radius)
    tests = []
    if places:
        tests = [
            _lesions(scanner, places, absent, diameter, contrast) for diameter in diameters for contrast in contrasts
        ]
    else:
        notes.append(f"{found[0].name}: no flat place for a lesion of {max(diameters):g} mm")
    white, response = _whiteness(bench, scanner), series_response(scanner.series, 0)
    false = _false_table(scanner, absent, diameters)
    details = _details(bench, found)
    worst = min((float((one.index.after / one.index.before).median()) for one in tests), default=float("nan"))
    return Finding(
        "trust",
        TITLE,
        f"Noise reduction 2 on {found[0].name}: detectability of lesions keeps {worst:.0%} in the worst case; "
        f"{white.share:.1%} of the body shows structure in what was removed (noise alone: 1 %).",
        (_lesion_table(bench, tests), false, _response_table(bench, response), _detail_table(details)),
        (_residual_figure(scanner, white), *_response_figure(scanner, response)),
        {
            "detectability": [
                {"diameter": one.diameter, "contrast": one.contrast}
                | {"before": one.index.before.tolist(), "after": one.index.after.tolist()}
                for one in tests
            ],
            "structured_share": white.share,
            "response_height": response.height.tolist(),
            "detail": [{"specimen": name, "along": along, **one._asdict()} for (name, along), one in details.items()],
        },
        tuple(notes),
    )


def _lesions(
    scanner: _Scanner, places: list[Place], absent: list[tuple[Plane, Plane]], diameter: float, contrast: float
) -> LesionTest:
    ill = with_lesions(scanner.specimen, places, diameter, contrast)
    present = [scanner.scan(ill, turn) for turn in range(len(absent))]
    radius = 0.5 * diameter / scanner.pixel[0]
    matrix = scanner.specimen.scan.matrix[1:]
    coarse = 2 * round(0.5 * diameter / scanner.specimen.spacing[1] + 3)
    # A lesion is as wide as the point spread function at least.
    fine = round(coarse * scanner.series.standardization.grid[0] / matrix[0])
    index, signal, area = [], [], []
    for which in (0, 1):
        images = [torch.stack([pair[which] for pair in pairs]) for pairs in (present, absent)]
        # Noise fills the acquired matrix, not the finer grid.
        index.append(detectability(*(_cut(resample(stack, matrix), places, coarse) for stack in images)))
        seen, without = (_cut(stack, places, fine) for stack in images)
        added, wide = signal_and_area(seen, without, radius)
        signal.append(added)
        area.append(wide)
    return LesionTest(diameter, contrast, _BeforeAfter(*index), _BeforeAfter(*signal), _BeforeAfter(*area))


def _cut(images: Tensor, places: list[Place], side: int) -> Float[Tensor, "realisation place side side"]:
    return torch.stack([patches(image, places, side) for image in images])


def _whiteness(bench: Bench, scanner: _Scanner) -> Whiteness:
    before, after = scanner.scan(scanner.specimen, 0)
    matrix = scanner.specimen.scan.matrix[1:]
    extra = band_noise(matrix, NoiseEstimate(1.0, 1.0, 1.0), bench.generator("whiteness"))
    grid = scanner.series.standardization.grid
    return whiteness(before, after, resample(extra, grid), grid[0] / matrix[0])


def _lesion_table(bench: Bench, tests: list[LesionTest]) -> Table:
    heads = ("diameter, mm", "contrast, %", "d' before", "d' after", "after / before", "signal kept", "area kept")
    rows = []
    for one in tests:
        medians = (round(float(values.median()), 2) for values in one.index)
        kept = (
            shown(bootstrap_median(pair.after / pair.before, bench.generator("kept")))
            for pair in (one.index, one.signal, one.area)
        )
        rows.append((one.diameter, 100 * one.contrast, *medians, *kept))
    return Table("Lesions in the raw signal, ideal observer [95 % over places]", heads, tuple(rows))


def _false_table(scanner: _Scanner, absent: list[tuple[Plane, Plane]], diameters: tuple[float, ...]) -> Table:
    """Lesions where there are none, bright and dark ones, per area of body."""
    body = body_mask(scanner.truth)
    level = float(scanner.truth[body].median())
    rows = []
    for diameter in diameters:
        radii = (0.5 * diameter / scanner.pixel[0], 0.5 * diameter / scanner.pixel[1])
        rates = []
        for which in (0, 1):
            counts = [
                false_lesions(pair[which] - scanner.truth, body, radii, _COUNTED * level, sign)
                for pair in absent
                for sign in (1, -1)
            ]
            rates.append(per_area(sum(counts) / len(absent), body, scanner.pixel))
        rows.append((diameter, *(round(rate, 2) for rate in rates)))
    heads = ("diameter, mm", "before, per 100 cm²", "after, per 100 cm²")
    return Table(f"Lesions where there are none, contrast {_COUNTED:.0%} or more", heads, tuple(rows))


def _details(bench: Bench, found: list[Specimen]) -> dict[tuple[str, Direction], TrueDetail]:
    """By specimen and direction of the gain."""
    return {
        (one.name, along): true_detail(regained(bench, one, along, f"detail-{number}-{along}"))
        for number, one in enumerate(found)
        for along in DIRECTIONS
    }


def _detail_table(details: dict[tuple[str, Direction], TrueDetail]) -> Table:
    heads = ("specimen", "gain 2 along", "of what was added, true, %", "of what was missing, found, %", "PSNR gain, dB")
    rows = tuple(
        (*key, *(None if share is None else round(100.0 * share, 1) for share in one[:2]), round(one.psnr_gain, 2))
        for key, one in details.items()
    )
    return Table("Detail that a gain adds, half of k_max cut off before", heads, rows)


def _response_table(bench: Bench, response: LocalResponse) -> Table:
    def cell(values: Tensor) -> str | float | None:
        return shown(bootstrap_median(values, bench.generator("response")))

    widths = [(name, response.width_before[:, axis], response.width_after[:, axis]) for axis, name in enumerate(_AXES)]
    rows = tuple((name, cell(before), cell(after), cell(response.height)) for name, before, after in widths)
    heads = ("direction", "width before, acquired pixels", "width after", "height after / before")
    return Table(f"Local response at {len(response.height)} points", heads, rows)


_AXES: Final = ("freq", "phase")
_WIDTHS: Final = Window(0.5, 2.0)
"""Of the local response after over before: yellow is twice as wide."""
_HEIGHTS: Final = Window(0.0, 1.2)


def _response_figure(scanner: _Scanner, response: LocalResponse) -> tuple[Figure, ...]:
    """Maps of the local response: every place of the body shows what the nearest point became."""
    if not len(response.position):
        return ()
    step = max(1, max(scanner.truth.shape) // 256)
    body = body_mask(scanner.truth)[::step, ::step]
    places = torch.cartesian_prod(*(step * torch.arange(n) for n in body.shape)).float()
    nearest = torch.cdist(places, response.position.float()).argmin(1).reshape(body.shape)
    wider = response.width_after / response.width_before
    columns = [(f"width along {axis}", wider[:, number], _WIDTHS) for number, axis in enumerate(_AXES)]
    maps = [(label, map_png(values[nearest] * body, window)) for label, values, window in
            (*columns, ("height", response.height, _HEIGHTS))]  # fmt: skip
    caption = (
        "What became of a faint point, after over before, at the nearest of the points: widths from "
        f"{_WIDTHS.low:g} (dark) to {_WIDTHS.high:g} (yellow), heights from {_HEIGHTS.low:g} to {_HEIGHTS.high:g}."
    )
    return (Figure("Local response", caption, f'<img src="{uri(panels(maps))}" alt="Maps of the local response">'),)


def _residual_figure(scanner: _Scanner, white: Whiteness) -> Figure:
    before, after = scanner.scan(scanner.specimen, 0)
    removed: Image = before - after
    images = plate("", "", [("before", before), ("after", after), ("removed", 4.0 * (removed - removed.min()))])
    picture = map_png(white.structure * body_mask(before), Window(0.0, 2.0 * white.threshold))
    shown_map = f'<img src="{uri(picture)}" alt="Structure in what was removed" width="320">'
    return Figure(
        "What was removed",
        "Before, after, and their difference; below, the autocorrelation of the difference around each pixel: "
        f"yellow is twice what 1 % of pure noise exceeds ({white.threshold:.2f}).",
        images.html + shown_map,
    )
