"""Ready-made phantoms: resolution targets, an anatomy-like head, and random objects for training.

Each is a tuple of shapes; :func:`kspace` and :func:`image` turn those of a plane into data, :func:`kspace_3d` and
:func:`image_3d` those of a volume.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import acos, asin, cos, exp, hypot, log, pi, sin, sqrt
from typing import Final

import torch

from lucidmr.physics.analytic import Ellipse, Ellipsoid, Rectangle, Shape, image, image_3d, kspace, kspace_3d

__all__ = [
    "Ellipse",
    "Ellipsoid",
    "Rectangle",
    "Shape",
    "anatomy_phantom",
    "anatomy_phantom_3d",
    "image",
    "image_3d",
    "kspace",
    "kspace_3d",
    "random_phantom",
    "resolution_phantom",
    "sphere_phantom",
]

BAR_WIDTHS: Final = (1 / 64, 1 / 96, 1 / 128, 1 / 160, 1 / 192, 1 / 224, 1 / 256, 1 / 320, 1 / 384, 1 / 512)
"""Bar widths of the resolution phantom, fields of view: one pixel of a matrix of 64 to one of 512."""
BARS_PER_GROUP: Final = 4
SPHERE_DIAMETERS: Final = (1 / 16, 1 / 24, 1 / 32, 1 / 48, 1 / 64, 1 / 96, 1 / 128)
"""Diameters of the holes of the sphere phantom, fields of view."""

# T1-weighted signal of the anatomy-like phantom, arbitrary units.
_FAT, _MUSCLE, _BONE, _MARROW, _FLUID, _GREY, _WHITE = 1.0, 0.4, 0.06, 0.35, 0.15, 0.5, 0.75
_GOLDEN_ANGLE: Final = 2.399963


def resolution_phantom(widths: Sequence[float] = BAR_WIDTHS) -> tuple[Shape, ...]:
    """A disc of signal with printed inserts, as a 3D-printed resolution phantom shows them.

    From the top (freq grows downwards): bars that resolve along phase, bars that resolve along freq, rows of pins of
    falling diameter, discs of falling contrast, and a slanted square for edge profiles in both directions.

    Args:
        widths: Width of a bar, and of the gap beside it, of each group, fields of view.

    Returns:
        The shapes; signal 1 in the body, 0 in the inserts.
    """
    body = Ellipse((0.0, 0.0), (0.45, 0.45))
    rim = (Ellipse((0.0, 0.0), (0.425, 0.425), intensity=-1.0), Ellipse((0.0, 0.0), (0.415, 0.415)))
    return (body, *rim, *_bar_rows(widths), *_pins(widths), *_contrast_discs(), *_slanted_square())


def _bar_rows(widths: Sequence[float]) -> Iterator[Shape]:
    """Both bar orientations of each group, side by side along phase, one row below the other."""
    gap = 0.018
    span = sum((2 * BARS_PER_GROUP - 1) * width + gap for width in widths) - gap
    start = -span / 2
    for width in widths:
        size = (2 * BARS_PER_GROUP - 1) * width
        middle = start + size / 2
        for index in range(BARS_PER_GROUP):
            offset = (2 * index + 1 - BARS_PER_GROUP) * width
            yield Rectangle((-0.25, middle + offset), (0.04, width / 2), intensity=-1.0)
            yield Rectangle((-0.12 + offset, middle), (width / 2, max(size / 2, 0.012)), intensity=-1.0)
        start += size + gap


def _pins(widths: Sequence[float]) -> Iterator[Shape]:
    """A row of squares of three by three holes; diameter and the gap beside it fall with the bar widths."""
    gap = 0.02
    start = -(sum(5 * width + gap for width in widths) - gap) / 2
    for width in widths:
        for index in range(9):
            row, column = divmod(index, 3)
            centre = (0.02 + (row - 1) * 2 * width, start + width / 2 + column * 2 * width)
            yield Ellipse(centre, (width / 2, width / 2), intensity=-1.0)
        start += 5 * width + gap


def _contrast_discs() -> Iterator[Shape]:
    """Two rows of discs of falling contrast, large ones above small ones."""
    for index, contrast in enumerate((0.4, 0.2, 0.1, 0.05, 0.025)):
        column = (index - 2) * 0.11
        yield Ellipse((0.14, column), (0.035, 0.035), intensity=-contrast)
        yield Ellipse((0.205, column), (0.015, 0.015), intensity=-contrast)


def _slanted_square() -> Iterator[Shape]:
    """A square turned by 5 degrees, so that every edge is sampled at all sub-pixel positions, with a step inside."""
    angle = 5.0 * pi / 180.0
    yield Rectangle((0.305, -0.05), (0.06, 0.06), angle, intensity=-1.0)
    yield Rectangle((0.305, 0.1), (0.06, 0.06), angle, intensity=-0.5)


def anatomy_phantom(slice_position: float = 0.0) -> tuple[Shape, ...]:
    """An anatomy-like axial head: scalp, skull, folded cortex, deep nuclei, ventricles, vessels and fine texture.

    Signals are T1-weighted in arbitrary units (fat 1). Every shape moves and scales smoothly with the slice position,
    so that neighbouring positions make a volume. Anterior is at the low end of freq.

    Args:
        slice_position: From -1 (base) to 1 (vertex).

    Returns:
        The shapes, about 400.

    Raises:
        ValueError: The slice position lies outside -1 to 1.
    """
    if not -1.0 <= slice_position <= 1.0:
        raise ValueError(f"slice_position is {slice_position:g}; it must lie between -1 and 1")
    scale = sqrt(1.0 - (0.7 * (slice_position + 0.1) / 1.1) ** 2)
    parts = (_layers, _cortex, _depths, _vessels, _texture)
    return tuple(_scaled(shape, scale) for part in parts for shape in part(slice_position))


def _scaled(shape: Shape, scale: float) -> Shape:
    """The shape grown about the centre of the field of view."""
    centre = (scale * shape.centre[0], scale * shape.centre[1])
    if isinstance(shape, Rectangle):
        size = (scale * shape.half_widths[0], scale * shape.half_widths[1])
        return Rectangle(centre, size, shape.angle, shape.intensity)
    size = (scale * shape.semi_axes[0], scale * shape.semi_axes[1])
    return Ellipse(centre, size, shape.angle, shape.intensity)


def _layers(position: float) -> Iterator[Shape]:
    """Nested ellipses, each replacing what it covers: fat, muscle, skull with marrow, fluid, grey and white matter."""
    signals = (_FAT, _MUSCLE, _BONE, _MARROW, _BONE, _FLUID, _GREY, _WHITE)
    insets = (0.0, 0.024, 0.03, 0.036, 0.044, 0.052, 0.061, 0.077)
    for signal, outer, inset in zip(signals, (0.0, *signals), insets, strict=False):
        yield Ellipse(
            (_shift(position) if inset else 0.0, 0.0), (0.455 - inset, 0.385 - 1.1 * inset), intensity=signal - outer
        )


def _shift(position: float) -> float:
    """Centre of skull and brain along freq: the scalp is thicker behind, the more so towards the vertex."""
    return -0.005 * (1.0 + position)


def _cortex(position: float, count: int = 36) -> Iterator[Shape]:
    """Sulci all around, deep ones and shallow ones in turn, none where the fissure runs."""
    for index in range(count):
        if index % (count // 2) in (0, count // 2 - 1):
            continue
        around = 2 * pi * (index + 0.5 + 0.15 * sin(2.4 * index + 2.0 * position)) / count
        depth = (0.05 if index % 2 else 0.1) * (1.0 + 0.2 * sin(5.1 * index + 2.5 * position))
        bend = 0.75 * sin(3.7 * index + 1.5 * position)
        yield from _sulcus((_shift(position), 0.0), around, depth, bend)


def _sulcus(middle: tuple[float, float], around: float, depth: float, bend: float, steps: int = 5) -> Iterator[Shape]:
    """A furrow from the surface inwards that turns by ``bend``: abutting pieces of grey matter with fluid inside."""
    x, y = middle[0] + 0.386 * cos(around), middle[1] + 0.309 * sin(around)
    inwards = pi + around
    yield Rectangle((x, y), (0.008, 0.0022), inwards, _FLUID - _GREY)
    x, y = x + 0.008 * cos(inwards), y + 0.008 * sin(inwards)
    half = depth / steps / 2
    for step in range(steps):
        direction = inwards + bend * step / (steps - 1)
        x, y = x + half * cos(direction), y + half * sin(direction)
        width = 0.0105 - 0.0015 * step / steps
        yield Rectangle((x, y), (half, width), direction, _GREY - _WHITE)
        if step < steps - 1:
            yield Rectangle((x, y), (half, 0.0022 - 0.0003 * step), direction, _FLUID - _GREY)
        x, y = x + half * cos(direction), y + half * sin(direction)


def _depths(position: float) -> Iterator[Shape]:
    """Fissure, ventricles and deep nuclei, largest near position 0."""
    size = exp(-((position / 0.6) ** 2))
    for end in (-1.0, 1.0):
        yield Rectangle((end * 0.275, 0.0), (0.088, 0.003), 0.0, _FLUID - _WHITE)
        for side in (-1.0, 1.0):
            yield Rectangle((end * 0.275, side * 0.0095), (0.088, 0.0065), 0.0, _GREY - _WHITE)
    yield Ellipse((0.02, 0.0), (0.035 * size + 0.003, 0.004), 0.0, _FLUID - _WHITE)
    organs = (
        (-0.085, 0.035, 0.058, 0.015, -0.35, _FLUID - _WHITE),  # frontal horns
        (0.135, 0.072, 0.06, 0.015, 0.4, _FLUID - _WHITE),  # occipital horns
        (-0.07, 0.07, 0.038, 0.012, -0.4, _GREY - _WHITE),  # caudate nuclei
        (-0.0, 0.118, 0.062, 0.019, 0.12, 0.8 * (_GREY - _WHITE)),  # putamina
        (0.03, 0.04, 0.04, 0.023, 0.35, 0.9 * (_GREY - _WHITE)),  # thalami
    )
    for freq, phase, long, short, angle, signal in organs:
        for side in (-1.0, 1.0):
            axes = (long * size + 0.004, short * size + 0.002)
            yield Ellipse((freq, side * phase), axes, side * angle, signal)


def _vessels(position: float) -> Iterator[Shape]:
    """Bright vessels: cross-sections of 1 to 4 thousandths of the field of view, and thin oblique runs."""
    for index in range(14):
        around = _GOLDEN_ANGLE * index + 0.4 * position * sin(index)
        radius = 0.09 + 0.15 * ((0.618034 * index) % 1.0)
        size = 0.0012 + 0.003 * ((0.37 * index) % 1.0)
        yield Ellipse((1.2 * radius * cos(around), radius * sin(around)), (size, size), 0.0, 0.4)
    for index in range(6):
        around = 2 * pi * (index + 0.5) / 6 + 0.2 * position
        turn = around + 1.2 + 0.3 * sin(index + position)
        for piece in (-1, 0, 1):
            along = 0.024 * piece
            centre = (0.2 * cos(around) + along * cos(turn), 0.17 * sin(around) + along * sin(turn))
            yield Ellipse(centre, (0.013, 0.0013), turn + 0.4 * piece, 0.3)


def _texture(position: float) -> Iterator[Shape]:
    """Weak blobs over the white matter, so that no region is perfectly flat."""
    for index in range(60):
        radius = 0.27 * sqrt((index + 0.5) / 60)
        around = _GOLDEN_ANGLE * index + 0.5 * position
        semi_axes = (0.008 + 0.02 * ((0.618034 * index) % 1.0), 0.005 + 0.012 * ((0.414214 * index) % 1.0))
        signal = 0.025 if index % 2 else -0.025
        yield Ellipse((1.2 * radius * cos(around), radius * sin(around)), semi_axes, 1.3 * index, signal)


def random_phantom(generator: torch.Generator, n_shapes: int = 60) -> tuple[Shape, ...]:
    """A random body filled with random ellipses, rectangles and thin lines; their sizes are log-uniform.

    Args:
        generator: The only source of randomness.
        n_shapes: Shapes inside the body.

    Returns:
        The body and its shapes. Signals are about 1 in the body; inside it they vary in both directions.
    """
    draws = torch.rand(n_shapes + 1, 7, generator=generator, dtype=torch.float64).tolist()
    height, width = 0.3 + 0.15 * draws[0][0], 0.3 + 0.15 * draws[0][1]
    body = Ellipse((0.05 * draws[0][2] - 0.025, 0.05 * draws[0][3] - 0.025), (height, width), pi * draws[0][4])
    return (body, *(_random_shape(row, body) for row in draws[1:]))


def _random_shape(draw: Sequence[float], body: Ellipse) -> Shape:
    """One shape from seven uniform numbers: a thin line or a rectangle (a quarter each) or else an ellipse."""
    kind, radius, around, size, aspect, orientation, signal = draw
    long = _log_between(size, 0.02, 0.15) if kind < 0.25 else _log_between(size, 0.004, 0.1)
    short = _log_between(aspect, 0.0008, 0.004) if kind < 0.25 else long * _log_between(aspect, 0.2, 1.0)
    reach = sqrt(radius) * (0.95 * min(body.semi_axes) - long)
    centre = (body.centre[0] + reach * cos(2 * pi * around), body.centre[1] + reach * sin(2 * pi * around))
    make = Rectangle if kind < 0.5 else Ellipse
    return make(centre, (long, short), pi * orientation, 1.2 * signal - 0.6)


def _log_between(uniform: float, low: float, high: float) -> float:
    """A log-uniform number from a uniform one in 0 to 1."""
    return exp(log(low) + uniform * (log(high) - log(low)))


def sphere_phantom(diameters: Sequence[float] = SPHERE_DIAMETERS) -> tuple[Ellipsoid, ...]:
    """A ball with clusters of eight spherical holes, two along each axis, and spheres of falling contrast.

    The clusters lie on a ring with four holes each in the plane slice = 0, the others on rings 0.2 fields of view above
    and below it.

    Args:
        diameters: Diameter of the holes, and of the gap between them, of each cluster, fields of view.

    Returns:
        The solids; signal 1 in the body, 0 in the holes.
    """
    body = Ellipsoid((0.0, 0.0, 0.0), (0.45, 0.45, 0.45))
    return (body, *_hole_clusters(diameters), *_contrast_spheres())


def _hole_clusters(diameters: Sequence[float]) -> Iterator[Ellipsoid]:
    for index, diameter in enumerate(diameters):
        around = 2 * pi * index / len(diameters)
        middle = (diameter, -0.27 * cos(around), 0.27 * sin(around))
        for corner in product((-1, 1), repeat=3):
            slices, freq, phase = (at + side * diameter for at, side in zip(middle, corner, strict=True))
            yield Ellipsoid((slices, freq, phase), (diameter / 2,) * 3, intensity=-1.0)


def _contrast_spheres() -> Iterator[Ellipsoid]:
    for index, contrast in enumerate((0.8, 0.4, 0.2, 0.1, 0.05, 0.025)):
        around = 2 * pi * index / 6
        for height, radius in ((-0.2, 0.045), (0.2, 0.02)):
            yield Ellipsoid((height, -0.2 * cos(around), 0.2 * sin(around)), (radius,) * 3, intensity=-contrast)


def anatomy_phantom_3d() -> tuple[Ellipsoid, ...]:
    """An anatomy-like head: the parts of :func:`anatomy_phantom` as solids, with cerebellum, brain stem and eyes.

    Slice runs from the base to the vertex; anterior is at the low end of freq.

    Returns:
        The solids, about 150.
    """
    return (*_shells(), *_sulci(), *_organs(), *_vessel_runs(), *_blobs())


def _shells() -> Iterator[Ellipsoid]:
    """Nested solids, each replacing what it covers, as in :func:`_layers`."""
    signals = (_FAT, _MUSCLE, _BONE, _MARROW, _BONE, _FLUID, _GREY, _WHITE)
    insets = (0.0, 0.024, 0.03, 0.036, 0.044, 0.052, 0.061, 0.077)
    for signal, outer, inset in zip(signals, (0.0, *signals), insets, strict=False):
        semi_axes = (0.44 - inset, 0.455 - inset, 0.385 - 1.1 * inset)
        yield Ellipsoid((0.0, 0.0, 0.0), semi_axes, intensity=signal - outer)


def _sulci(count: int = 80) -> Iterator[Ellipsoid]:
    """Blades of fluid in a sheath of grey matter all around the upper brain, pointing inwards, none at the fissure."""
    for index in range(count):
        height = 0.97 - 1.3 * (index + 0.5) / count
        ring, around = sqrt(1.0 - height * height), _GOLDEN_ANGLE * index
        direction = (height, ring * cos(around), ring * sin(around))
        if abs(direction[2]) < 0.18:
            continue
        depth = 0.035 + 0.02 * ((0.618034 * index) % 1.0)
        centre = (
            (0.365 - depth) * direction[0],
            (0.38 - depth) * direction[1],
            (0.302 - depth) * direction[2],
        )
        turn = _turned_to(direction)
        yield Ellipsoid(centre, (depth, 0.045, 0.013), turn, _GREY - _WHITE)
        yield Ellipsoid(centre, (0.9 * depth, 0.04, 0.005), turn, _FLUID - _GREY)


def _turned_to(direction: tuple[float, float, float]) -> tuple[float, float, float]:
    """The rotation that turns the slice axis to a unit vector the shortest way."""
    slices, freq, phase = direction
    length = hypot(freq, phase)
    angle = acos(slices) / length if length > 0.0 else 0.0
    return 0.0, -angle * phase, angle * freq


def _organs() -> Iterator[Ellipsoid]:
    """Fissure, ventricles, deep nuclei, cerebellum, brain stem and eyes."""
    yield Ellipsoid((0.2, 0.0, 0.0), (0.15, 0.3, 0.004), intensity=_FLUID - _WHITE)
    yield Ellipsoid((-0.02, 0.02, 0.0), (0.03, 0.035, 0.005), intensity=_FLUID - _WHITE)
    yield Ellipsoid((-0.3, 0.03, 0.0), (0.09, 0.035, 0.035), (0.0, 0.0, 0.3), 0.1)
    pairs = (
        ((0.05, -0.085, 0.035), (0.02, 0.058, 0.013), -0.35, _FLUID - _WHITE),  # frontal horns
        ((0.04, 0.135, 0.072), (0.02, 0.06, 0.015), 0.4, _FLUID - _WHITE),  # occipital horns
        ((0.045, -0.07, 0.07), (0.035, 0.038, 0.012), -0.4, _GREY - _WHITE),  # caudate nuclei
        ((0.0, 0.0, 0.118), (0.035, 0.062, 0.019), 0.12, 0.8 * (_GREY - _WHITE)),  # putamina
        ((0.0, 0.03, 0.04), (0.03, 0.04, 0.023), 0.35, 0.9 * (_GREY - _WHITE)),  # thalami
        ((-0.2, 0.14, 0.1), (0.055, 0.08, 0.085), 0.2, _GREY - _WHITE),  # cerebellar hemispheres
        ((-0.17, -0.33, 0.13), (0.045, 0.045, 0.045), 0.0, 0.4),  # eyes
    )
    for (slices, freq, phase), semi_axes, angle, signal in pairs:
        for side in (-1.0, 1.0):
            yield Ellipsoid((slices, freq, side * phase), semi_axes, (side * angle, 0.0, 0.0), signal)


def _vessel_runs(count: int = 16) -> Iterator[Ellipsoid]:
    """Bright vessels of 2 to 5 thousandths of the field of view in all directions."""
    for index in range(count):
        height = 1.0 - 2.0 * (index + 0.5) / count
        around = _GOLDEN_ANGLE * index
        ring = sqrt(1.0 - height * height)
        thick = 0.001 + 0.0015 * ((0.37 * index) % 1.0)
        centre = (0.2 * sin(5.0 * index), 0.2 * cos(around), 0.15 * sin(around))
        turn = _turned_to((height, ring * sin(around), ring * cos(around)))
        yield Ellipsoid(centre, (0.06, thick, thick), turn, 0.4)


def _blobs(count: int = 40) -> Iterator[Ellipsoid]:
    """Weak blobs over the white matter, so that no region is perfectly flat."""
    for index in range(count):
        radius = 0.25 * ((index + 0.5) / count) ** (1 / 3)
        around, tilt = _GOLDEN_ANGLE * index, asin(2.0 * ((0.618034 * index) % 1.0) - 1.0)
        centre = (radius * sin(tilt), 1.2 * radius * cos(tilt) * cos(around), radius * cos(tilt) * sin(around))
        size = 0.008 + 0.02 * ((0.414214 * index) % 1.0)
        yield Ellipsoid(centre, (size, 0.7 * size, 0.5 * size), (around, tilt, 0.0), 0.03 if index % 2 else -0.03)
