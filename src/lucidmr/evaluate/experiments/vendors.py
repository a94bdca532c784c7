"""Any series of any vendor, without a truth: what the network does to it (Jeong et al., 3.6, figure 8)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from lucidmr.context import Enhancement
from lucidmr.dicom.series import ImageSeries
from lucidmr.evaluate.bench import BeforeAfter, Bench, before_after
from lucidmr.evaluate.fidelity import Harm, harm
from lucidmr.evaluate.finding import Cell, Figure, Finding, Table
from lucidmr.evaluate.plates import magnified_plate
from lucidmr.evaluate.sharpening import adjacent, scales_of
from lucidmr.evaluate.sharpness import DIRECTIONS, ENOUGH, Direction, edge_sharpness

_NOTHING: Final = Enhancement(1.0, restore_partial_fourier=False)
_USUAL: Final = Enhancement(2.0, restore_partial_fourier=False)
_SHOWN: Final = Enhancement(2.0, 2.0, 2.0, restore_partial_fourier=False)
_TITLE: Final = "Any vendor (3.6)"
_SLICES: Final = 2
_MOST_SHOWN: Final = 12


@dataclass(frozen=True)
class Row:
    """What one series went through.

    Attributes:
        vendor: Manufacturer and model.
        kind: 2D or 3D, and field strength.
        matrix: Acquired, and stored.
        homogeneous: Noise reduction measured at a request of 2; ``None`` where the image shows no noise.
        body: The same over the body.
        sharpness_freq: Relative edge sharpness along freq at gain 2 in plane; ``None`` where there are too few edges.
        sharpness_phase: The same along phase.
        residual: Of what a noise reduction of 2 took away.
        harm: Of what changed where nothing was asked.
    """

    vendor: str
    kind: str
    matrix: str
    homogeneous: float | None
    body: float | None
    sharpness_freq: float | None
    sharpness_phase: float | None
    residual: Harm
    harm: Harm


def vendors(bench: Bench) -> Finding:
    """One row per series, whatever it is.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = bench.each(lambda name, series: _look(bench, name, series))
    rows = {name: row for name, (row, _) in found.items()}
    pictures = [figure for _, figure in found.values()][:_MOST_SHOWN]
    if len(rows) > len(pictures):
        notes += (f"pictures of the first {len(pictures)} of {len(rows)} series",)
    return Finding(
        "vendors",
        _TITLE,
        "Residual: what a noise reduction of 2 took away. Its autocorrelation is near 0 for noise and towards 1 for "
        "structure, its correlation with edges near 0 where it left them alone.",
        (_table(rows),) if rows else (),
        tuple(pictures),
        {"series": {name: asdict(row) for name, row in rows.items()}},
        notes,
        {"harm": {name: 100.0 * row.harm.largest_change for name, row in rows.items()}},
    )


def _look(bench: Bench, name: str, series: ImageSeries) -> tuple[Row, Figure]:
    quiet, sharp = bench.enhance(series, _USUAL), bench.enhance(series, _SHOWN)
    facts, images = quiet.facts, adjacent(series, _SLICES)
    before, after = (side[0] for side in before_after(quiet, images[-1:]))
    untouched = before_after(bench.enhance(series, _NOTHING), images[-1:])
    scales = scales_of(quiet)
    scale = max(scales.freq or 1.0, scales.phase or 1.0)
    measured = quiet.measured
    sharper = before_after(sharp, images)
    freq, phase = (_sharpness(bench, sharper, along, getattr(scales, along) or 1.0) for along in DIRECTIONS)
    field = f", {facts.field_strength.value:.2g} T" if facts.field_strength.value else ""
    samples = f"{facts.matrix_freq.value or '?'} x {facts.matrix_phase.value or '?'}".replace(".0", "")
    row = Row(
        " ".join(filter(None, (facts.manufacturer.value, facts.model.value))) or "unknown",
        f"{'3D' if facts.three_dimensional.value else '2D'}{field}",
        f"{samples}, stored {series.rows} x {series.columns}",
        None if measured is None else measured.homogeneous,
        None if measured is None else measured.body,
        freq,
        phase,
        harm(before, after, scale),
        harm(untouched.before[0], untouched.after[0], scale),
    )
    shown = [("original", before), ("noise reduction 2", after), ("gain 2 too", sharper.after[-1])]
    return row, magnified_plate(name, "The most detailed part.", shown)


def _sharpness(bench: Bench, images: BeforeAfter, along: Direction, scale: float) -> float | None:
    found = edge_sharpness(*images, along, bench.generator("edges"), scale)
    return found.sharpness.value if found.edges >= ENOUGH else None


def _table(rows: Mapping[str, Row]) -> Table:
    heads = ("series", "vendor", "kind", "acquired", "noise reduction (body)", "sharpness freq / phase",
             "residual: autocorrelation", "residual: edges", "largest change where nothing asked, %")  # fmt: skip
    return Table("Noise reduction 2 asked; sharpness at gain 2", heads, tuple(_cells(*item) for item in rows.items()))


def _cells(name: str, row: Row) -> tuple[Cell, ...]:
    noise = None if row.homogeneous is None else f"{row.homogeneous:.2f} ({row.body:.2f})"
    gains = (row.sharpness_freq, row.sharpness_phase)
    sharp = " / ".join("too few edges" if value is None else f"{value:.2f}" for value in gains)
    residual = (f"{row.residual.autocorrelation:.3f}", f"{row.residual.edge_correlation:.2f}")
    return name, row.vendor, row.kind, row.matrix, noise, sharp, *residual, f"{100.0 * row.harm.largest_change:.3f}"
