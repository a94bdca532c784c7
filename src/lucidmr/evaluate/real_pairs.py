"""Standard and fast scans of the same anatomy, as really acquired: is the enhanced fast one as good (3.7)?

Nobody knows the truth here. Noise is measured in homogeneous regions, edges are compared with those of the standard
scan, and what differs from it includes its own noise.
"""

from collections.abc import Mapping
from itertools import combinations
from math import pi
from statistics import fmean
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from lucidmr.context import GAIN_RANGE, NOISE_REDUCTION_RANGE, Enhancement, clamped
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.header import HeaderFacts, facts
from lucidmr.dicom.series import ImageSeries
from lucidmr.dicom.values import number, text, tokens
from lucidmr.enhance.pipeline import EnhancedSeries, middle_image
from lucidmr.errors import LucidError
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.fidelity import nrmse
from lucidmr.evaluate.noise import detrended_sd, homogeneous_regions
from lucidmr.evaluate.sharpening import scales_of
from lucidmr.evaluate.sharpness import DIRECTIONS, edge_sharpness
from lucidmr.physics.body import body_mask

_FASTER: Final = 0.9
"""Share of the standard's scan time that a fast scan takes at most."""
_ALIKE: Final = {"RepetitionTime": 0.3, "EchoTime": 0.2, "InversionTime": 0.05, "FlipAngle": 0.2}
"""Relative differences that change the contrast little."""
_SAME: Final = ("StudyInstanceUID", "FrameOfReferenceUID", "ScanningSequence")
_PARTIAL_FOURIER: Final = {"PFP", "PFF"}
"""ScanOptions that save time and leave the contrast."""
_PARALLEL: Final = 0.999
"""Cosine of the angle between planes that count as one."""
_FIELD: Final = 0.1
"""Relative difference of fields of view that count as one."""

Plane = Float[Tensor, "row column"]


class RealPair(NamedTuple):
    """Two images of one plane, acquired with more and with less scan time.

    Attributes:
        name: Of both series.
        standard: The series that took longer.
        fast: The other one.
        numbers: The images of standard and fast.
        planes: Where they lie.
        time: Scan time of fast over standard, by the steps that their headers tell.
    """

    name: str
    standard: ImageSeries
    fast: ImageSeries
    numbers: tuple[int, int]
    planes: tuple[Geometry, Geometry]
    time: float


class RealComparison(NamedTuple):
    """Standard, fast, and fast enhanced.

    Attributes:
        pair: What was compared.
        asked: Of the fast scan: what brings its noise and its k_max to those of the standard scan.
        noise: Standard deviation in homogeneous regions over their mean, of the three.
        sharpness: Edge sharpness over the standard scan, mean of both directions, of fast and enhanced fast.
        difference: Root mean square difference from the standard scan over its root mean square, of fast and enhanced.
        images: The three, on the grid of the standard one.
    """

    pair: RealPair
    asked: Enhancement
    noise: tuple[float, float, float]
    sharpness: tuple[float, float]
    difference: tuple[float, float]
    images: tuple[Plane, Plane, Plane]


def find_real_pairs(series: Mapping[str, ImageSeries]) -> list[RealPair]:
    """Pairs of series of one study that show one plane in one contrast, and took different times.

    Args:
        series: By name.

    Returns:
        The pairs; those whose headers do not tell how many steps they took are none.
    """
    steps = {name: took for name, one in series.items() if (took := _steps(one, facts(one)))}
    found = []
    for slow, quick in combinations(sorted(steps, key=steps.__getitem__, reverse=True), 2):
        time = steps[quick] / steps[slow]
        shown = _one_plane(series[slow], series[quick]) if time <= _FASTER else None
        if shown is not None:
            found.append(RealPair(f"{slow}, {quick}", series[slow], series[quick], *shown, time))
    return found


def _steps(series: ImageSeries, told: HeaderFacts) -> float | None:
    """Scan time in arbitrary units: phase-encoding steps, averages and TR; ``None`` where the header is silent."""
    header = series.header(middle_image(len(series)))
    lines, repetition = told.matrix_phase.value, number(header, "RepetitionTime")
    if not lines or not repetition:
        return None
    lines *= (1.0 + (told.oversampling_phase.value or 0.0)) * (told.partial_fourier_phase.value or 1.0)
    if told.three_dimensional.value:
        lines *= (told.matrix_slice.value or series.depth) * (told.partial_fourier_slice.value or 1.0)
        lines *= (1.0 + (told.oversampling_slice.value or 0.0)) * (pi / 4.0 if told.elliptical.value else 1.0)
    for factor in (told.acceleration_phase, told.acceleration_slice, told.acceleration_random, told.echo_train_length):
        lines /= factor.value or 1.0
    return lines * (told.averages.value or 1.0) * repetition


def _one_plane(standard: ImageSeries, fast: ImageSeries) -> tuple[tuple[int, int], tuple[Geometry, Geometry]] | None:
    """The middle image of a series and the one of the other that shows its plane in its contrast; where they lie."""
    first = middle_image(len(standard))
    here = standard.geometry(first)
    if here is None:
        return None
    for index in range(len(fast)):
        there = fast.geometry(index)
        if there is not None and _covers(standard, here, fast, there) and _contrast(standard, first, fast, index):
            return (first, index), (here, there)
    return None


def _covers(standard: ImageSeries, here: Geometry, fast: ImageSeries, there: Geometry) -> bool:
    thickness = number(standard.headers[0], "SliceThickness") or 1.0
    one, other = (_field(series, plane) for series, plane in ((standard, here), (fast, there)))
    return (
        float(np.dot(here.normal, there.normal)) > _PARALLEL
        and abs(here.distance - there.distance) <= 0.5 * thickness
        and all(abs(a / b - 1.0) <= _FIELD for a, b in zip(sorted(one), sorted(other), strict=True))
    )


def _field(series: ImageSeries, plane: Geometry) -> tuple[float, float]:
    """Extent along a column and along a row, mm."""
    return series.rows * plane.spacing[0], series.columns * plane.spacing[1]


def _contrast(standard: ImageSeries, first: int, fast: ImageSeries, index: int) -> bool:
    one, other = standard.header(first), fast.header(index)
    values = {name: (number(one, name) or 0.0, number(other, name) or 0.0) for name in _ALIKE}
    options = [set(tokens(header, "ScanOptions")) - _PARTIAL_FOURIER for header in (one, other)]
    return (
        options[0] == options[1]
        and all(text(one, name) == text(other, name) for name in _SAME)
        and all(abs(a - b) <= _ALIKE[name] * max(a, b) for name, (a, b) in values.items())
    )


def compare_real(bench: Bench, pair: RealPair) -> RealComparison:
    """Enhance the fast scan so that it should equal the standard one, and compare.

    Args:
        bench: The network.
        pair: The pair.

    Returns:
        The comparison.

    Raises:
        LucidError: The standard scan shows no noise or has no homogeneous region.
    """
    plain = bench.enhance(pair.standard, Enhancement(1.0, restore_partial_fourier=False))
    standard = torch.from_numpy(plain.original(pair.numbers[0]))
    regions = homogeneous_regions(standard)
    if not len(regions):
        raise LucidError(f"{pair.name}: no homogeneous region to measure noise in")
    asked = _asked(bench, pair, plain)
    series = bench.enhance(pair.fast, asked)
    others = (
        _placed(pair, image, standard) for image in (series.original(pair.numbers[1]), series.image(pair.numbers[1]))
    )
    images = (standard, *others)
    noise = [fmean(detrended_sd(image, region) / float(image[region].mean()) for region in regions) for image in images]
    scales, oriented = scales_of(plain), list(map(plain.standardization.turned, images))
    sharp = [
        fmean(
            edge_sharpness(oriented[0], image, along, bench.generator("edges"), getattr(scales, along)).sharpness.value
            for along in DIRECTIONS
        )
        for image in oriented[1:]
    ]
    apart = [nrmse(image, standard) for image in images[1:]]
    return RealComparison(
        pair,
        asked,
        (noise[0], noise[1], noise[2]),
        (sharp[0], sharp[1]),
        (apart[0], apart[1]),
        (images[0], images[1], images[2]),
    )


def _asked(bench: Bench, pair: RealPair, standard: EnhancedSeries) -> Enhancement:
    """What brings noise and k_max of the fast scan to those of the standard one."""
    fast = bench.enhance(pair.fast, Enhancement(1.0, restore_partial_fourier=False))
    levels = []
    for series, index in ((standard, pair.numbers[0]), (fast, pair.numbers[1])):
        image = torch.from_numpy(series.source.image(index))
        levels.append(series.noise(index).sd / float(image[body_mask(image)].median()))
    if levels[0] <= 0.0:
        raise LucidError(f"{pair.name}: the standard scan shows no noise to compare with")
    freq, phase = (
        _gain(getattr(standard.acquisition.matrix, along), getattr(fast.acquisition.matrix, along))
        for along in DIRECTIONS
    )
    return Enhancement(clamped(levels[1] / levels[0], NOISE_REDUCTION_RANGE), freq, phase)


def _gain(wanted: float | None, given: float | None) -> float:
    return clamped(wanted / given, GAIN_RANGE) if wanted and given else 1.0


def _placed(pair: RealPair, image: NDArray[np.float32], standard: Plane) -> Plane:
    """An image of the fast series where the standard one shows the same place, at its scale of intensity."""
    rows, columns = ((torch.arange(n) + 0.5) / n for n in standard.shape)
    corners = [_corner(plane) for plane in pair.planes]
    sides = [_sides(series, plane) for series, plane in zip((pair.standard, pair.fast), pair.planes, strict=True)]
    place = corners[0] + rows[:, None, None] * sides[0][0] + columns[None, :, None] * sides[0][1] - corners[1]
    share = [(place * side).sum(-1) / side.square().sum() for side in sides[1]]
    where = 2.0 * torch.stack([share[1], share[0]], -1) - 1.0
    found = grid_sample(
        torch.from_numpy(image)[None, None].double(),
        where[None],
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )[0, 0].float()
    body = body_mask(standard)
    scale = float((found * standard)[body].sum() / found[body].square().sum().clamp_min(1e-20))
    return found * scale


def _corner(plane: Geometry) -> Float[Tensor, "3"]:
    """Outer corner of the first pixel, mm."""
    column, row = (torch.tensor(axis, dtype=torch.float64) for axis in (plane.column, plane.row))
    return torch.tensor(plane.position, dtype=torch.float64) - 0.5 * (
        column * plane.spacing[0] + row * plane.spacing[1]
    )


def _sides(series: ImageSeries, plane: Geometry) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The field of view's sides down a column and along a row, mm."""
    down, along = _field(series, plane)
    return torch.tensor(plane.column, dtype=torch.float64) * down, torch.tensor(plane.row, dtype=torch.float64) * along
