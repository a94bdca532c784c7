"""Turn an enhanced series into what the report shows of it."""

from datetime import datetime

import torch

from lucidmr import __version__
from lucidmr.dicom.inspect import rows
from lucidmr.enhance.pipeline import EnhancedSeries, middle_image
from lucidmr.evaluate.report import Fact, ReportData, ReportSlice, SeriesReport

_SLICES = 3
_MANY_SERIES = 4
"""Reports on more series than this show one image of each: every image adds about 4 MB."""


def report_data(done: list[EnhancedSeries]) -> ReportData:
    """A report over the series of one run.

    Args:
        done: Enhanced series, at least one.

    Returns:
        What :func:`lucidmr.evaluate.report.write_report` takes.
    """
    model = done[0].model
    created = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    most = _SLICES if len(done) <= _MANY_SERIES else 1
    sections = tuple(series_report(series, most) for series in done)
    return ReportData(sections, f"lucidmr {__version__}", model.name, model.sha256, created)


def series_report(series: EnhancedSeries, most: int = _SLICES) -> SeriesReport:
    """The section of one series: up to ``most`` slices before and after, measured noise reduction, settings, facts."""
    measured = series.measured
    middle = middle_image(len(series))
    others = sorted({len(series) // 5, (4 * len(series)) // 5} - {middle})[: most - 1]
    slices = [_slice(series, index, measured_map=index == middle) for index in (middle, *others)]
    facts = tuple(
        Fact(row.name, f"{row.value} {row.unit}".strip(), row.source, row.confidence)  # type: ignore[arg-type]
        for row in rows(series.facts)
    )
    geometry = series.source.geometry(middle)
    spacing = geometry.spacing if geometry else (1.0, 1.0)
    after = slices[0].after.shape
    return SeriesReport(
        title=series.source.description or series.source.label,
        subtitle=f"{len(series)} images, {series.source.rows} x {series.source.columns} to {after[0]} x {after[1]}",
        slices=tuple(slices),
        pixel_spacing=(spacing[0] * series.source.rows / after[0], spacing[1] * series.source.columns / after[1]),
        noise_requested=series.enhancement.noise_reduction,
        noise_homogeneous=measured.homogeneous if measured else None,
        noise_body=measured.body if measured else None,
        settings=series.settings,
        facts=facts,
        warnings=series.warnings,
    )


def _slice(series: EnhancedSeries, index: int, measured_map: bool) -> ReportSlice:
    measured = series.measured if measured_map else None
    nrf = None if measured is None else series.standardization.turned(measured.nrf_map[0])
    return ReportSlice(
        label=f"image {index + 1} of {len(series)}",
        before=torch.from_numpy(series.original(index)),
        after=torch.from_numpy(series.image(index)),
        nrf_map=nrf,
    )
