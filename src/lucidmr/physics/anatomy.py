"""Random anatomy for training: bodies of nested layers with organs, walls, textures, vessels and points.

Nothing in it is a real organ: a network that learns from it learns what sampling does to edges, lines and textures, not
where a brain has which. Everything is drawn on a raster several times finer than the matrix, with coverage at the
edges instead of steps, and its Fourier transform is taken at the matrix's own frequencies. So k-space ends where
sampling ends, not where the raster does.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, cos, exp, log, pi, sin, sqrt
from typing import Final, Literal

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from lucidmr.shapes import Image

_FINER: Final = {2: 4, 3: 2}
"""Raster points per pixel by the number of encoded directions."""
_WAVES: Final = 24
"""Plane waves that make a random field."""
_Texture = Literal["flat", "soft", "net", "grating"]
_TEXTURES: Final[tuple[_Texture, ...]] = ("flat", "flat", "soft", "soft", "net", "grating")


@dataclass
class _Draw:
    """Random numbers of all kinds from one generator."""

    generator: Generator

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def log_uniform(self, low: float, high: float) -> float:
        return exp(self.uniform(log(low), log(high)))

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(torch.randint(low, high + 1, (1,), generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)


@dataclass(frozen=True)
class _Solid:
    """An ellipsoid or a box, turned within the freq-phase plane.

    Attributes:
        centre: Position, in the longest field of view.
        half: Half its size along its own axes.
        angle: Of its freq axis towards phase, radians.
        is_box: Whether it has corners.
        softness: Width of its edge.
    """

    centre: tuple[float, ...]
    half: tuple[float, ...]
    angle: float
    is_box: bool
    softness: float

    def shrunk(self, wall: float) -> "_Solid":
        """The same without an outer layer."""
        return _Solid(self.centre, tuple(size - wall for size in self.half), self.angle, self.is_box, self.softness)

    @property
    def reach(self) -> tuple[float, ...]:
        """Half the size of its bounding box."""
        *slices, freq, phase = self.half
        c, s = abs(cos(self.angle)), abs(sin(self.angle))
        return (*slices, freq * c + phase * s, freq * s + phase * c)

    def coverage(self, points: Sequence[Tensor]) -> Tensor:
        """How much of each raster point it fills, 0 to 1."""
        *slices, freq, phase = (axis - middle for axis, middle in zip(points, self.centre, strict=True))
        c, s = cos(self.angle), sin(self.angle)
        own = (*slices, c * freq + s * phase, c * phase - s * freq)
        if self.is_box:
            outside = torch.stack([axis.abs() - size for axis, size in zip(own, self.half, strict=True)]).amax(0)
        else:
            radius = sum(((axis / size).square() for axis, size in zip(own, self.half, strict=True)), torch.zeros(()))
            outside = radius.sqrt_().sub_(1.0).mul_(min(self.half))
        return outside.div_(-self.softness).add_(0.5).clamp_(0.0, 1.0)


@dataclass
class _Canvas:
    """The raster that is drawn on.

    Attributes:
        sizes: Pixels of the encoded directions.
        draw: Source of all randomness.
        axes: Raster positions of each, in units of the longest field of view.
        points: Where each raster point lies after a smooth random deformation, which makes organs of ellipsoids.
        values: The signal.
    """

    sizes: tuple[int, ...]
    draw: _Draw
    axes: list[Tensor] = dataclasses.field(init=False)
    points: list[Tensor] = dataclasses.field(init=False)
    values: Tensor = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.axes = [_positions(n, self.finer) / self.longest for n in self.sizes]
        bend = self.draw.uniform(0.0, 0.02)
        cycles = self.draw.uniform(1.0, 4.0)
        broadcast = torch.meshgrid(*self.axes, indexing="ij")
        self.points = [axis + bend * _random_field(self.axes, cycles, 8, self.draw) for axis in broadcast]
        self.margin = 3.0 * bend
        self.values = torch.zeros_like(self.points[0])

    @property
    def finer(self) -> int:
        return _FINER[len(self.sizes)]

    @property
    def longest(self) -> int:
        return max(self.sizes)

    @property
    def raster(self) -> float:
        """Distance between raster points."""
        return 1.0 / (self.finer * self.longest)

    @property
    def extents(self) -> tuple[float, ...]:
        """Fields of view in units of the longest."""
        return tuple(n / self.longest for n in self.sizes)

    def paint(self, solid: _Solid, signal: float, texture: _Texture = "flat") -> None:
        """Replace what a solid covers."""
        box = tuple(
            _inside(axis, middle, reach + self.margin + solid.softness)
            for axis, middle, reach in zip(self.axes, solid.centre, solid.reach, strict=True)
        )
        target = self.values[box]
        if target.numel() == 0:
            return
        filled = solid.coverage([points[box] for points in self.points])
        axes = [axis[part] for axis, part in zip(self.axes, box, strict=True)]
        target += filled * (_textured(axes, signal, texture, self.draw, self.longest) - target)

    def stamp(self, centres: Float[Tensor, "point axis"], radius: float) -> Tensor:
        """Coverage of balls around points."""
        reach = ceil(radius / self.raster) + 1
        steps = [torch.arange(-reach, reach + 1)] * len(self.sizes)
        offsets = torch.cartesian_prod(*steps)
        start = torch.tensor([float(axis[0]) for axis in self.axes])
        at = (centres - start) / self.raster
        near = at.round().long()[:, None] + offsets
        distance = (near - at[:, None]).square().sum(-1).sqrt()
        filled = (radius / self.raster + 0.5 - distance).clamp(0.0, 1.0)
        shape = torch.tensor(self.values.shape)
        filled = filled * ((near >= 0) & (near < shape)).all(-1)
        strides = torch.tensor(self.values.stride())
        flat = (near.clamp_min(0).minimum(shape - 1) * strides).sum(-1).flatten()
        return torch.zeros(self.values.numel()).scatter_reduce_(0, flat, filled.flatten(), "amax")

    def stamp_all(self, balls: Sequence[tuple[Tensor, float]], signal: float) -> None:
        """Replace what the balls around sets of points cover, each set with its radius."""
        filled = torch.stack([self.stamp(centres, radius) for centres, radius in balls]).amax(0)
        self.values.lerp_(torch.tensor(signal), filled.view_as(self.values))


def random_anatomy(matrix: tuple[int, int, int], generator: Generator) -> Image:
    """A random body as a noise-free acquisition of the matrix shows it, Gibbs ringing and partial volume included.

    Args:
        matrix: (slice, freq, phase) samples; a single slice is a plane, more are a slab of a body, as thick
            partitions as pixels are wide.
        generator: Source of all randomness, on the CPU.

    Returns:
        (slice, freq, phase) image; its Fourier transform is its k-space. Air is 0, signals lie between 0 and 1.5.
    """
    draw = _Draw(generator)
    canvas = _Canvas(matrix if matrix[0] > 1 else matrix[1:], draw)
    _paint_body(canvas)
    for _ in range(draw.integer(12, 60)):
        _paint_organ(canvas)
    for _ in range(draw.integer(0, 3)):
        curves = [_curve(canvas) for _ in range(draw.integer(1, 5))]
        canvas.stamp_all([(curve, _thin(canvas)) for curve in curves], _signal(draw))
    for _ in range(draw.integer(0, 2)):
        canvas.stamp_all([(_scattered(canvas, draw.integer(1, 12)), _thin(canvas))], _signal(draw))
    return _sampled(canvas).reshape(matrix)


def _paint_body(canvas: _Canvas) -> None:
    """Nested layers, some of them as thin as skin, around a core."""
    draw = canvas.draw
    *slices, freq, phase = canvas.extents
    half = (*(0.6 for _ in slices), freq * draw.uniform(0.3, 0.45), phase * draw.uniform(0.3, 0.45))
    centre = (*(draw.uniform(-0.3, 0.3) for _ in slices), draw.uniform(-0.03, 0.03), draw.uniform(-0.03, 0.03))
    solid = _Solid(centre, half, draw.uniform(-0.2, 0.2), draw.uniform(0.0, 1.0) < 0.15, _softness(canvas))
    canvas.paint(solid, _signal(draw), _texture(draw))
    for _ in range(draw.integer(1, 4)):
        solid = solid.shrunk(draw.log_uniform(0.003, 0.03))
        canvas.paint(solid, _signal(draw), "flat")
    canvas.paint(solid, draw.uniform(0.4, 1.2), _texture(draw))


def _paint_organ(canvas: _Canvas) -> None:
    """A solid of any size anywhere; one in three is hollow, with a thin wall."""
    draw = canvas.draw
    size = draw.log_uniform(0.008, 0.2)
    half = tuple(size * draw.log_uniform(0.25, 1.0) for _ in canvas.sizes)
    centre = tuple(_scattered(canvas, 1)[0].tolist())
    solid = _Solid(centre, half, draw.uniform(0.0, pi), draw.uniform(0.0, 1.0) < 0.3, _softness(canvas))
    canvas.paint(solid, _signal(draw), _texture(draw))
    wall = draw.log_uniform(0.5, 3.0) / canvas.longest
    if draw.uniform(0.0, 1.0) < 0.35 and wall < 0.6 * min(half):
        canvas.paint(solid.shrunk(wall), _signal(draw), _texture(draw))


def _curve(canvas: _Canvas) -> Float[Tensor, "point axis"]:
    """Points along a winding line, half a pixel apart or less."""
    draw = canvas.draw
    length = draw.uniform(0.1, 0.9)
    along = torch.linspace(-0.5, 0.5, ceil(3 * length * canvas.longest))[:, None]
    direction = torch.nn.functional.normalize(draw.normal(len(canvas.sizes)), dim=0)
    turns = sum(
        0.1 / k**1.5 * draw.normal(len(canvas.sizes)) * torch.sin(pi * k * (along + draw.uniform(0.0, 2.0)))
        for k in range(1, 5)
    )
    points: Tensor = _scattered(canvas, 1) + length * (along * direction + turns)
    return points


def _scattered(canvas: _Canvas, count: int) -> Float[Tensor, "point axis"]:
    """Points anywhere in the body."""
    reach = 0.36 * torch.tensor(canvas.extents)
    return reach * (2.0 * torch.rand(count, len(canvas.sizes), generator=canvas.draw.generator) - 1.0)


def _thin(canvas: _Canvas) -> float:
    """Radius of a vessel: a fraction of a pixel to a few."""
    return canvas.draw.log_uniform(0.3, 2.5) / canvas.longest


def _signal(draw: _Draw) -> float:
    return draw.uniform(0.02, 1.5)


def _softness(canvas: _Canvas) -> float:
    """Half of the edges are as sharp as the raster is fine; the others fade over up to four pixels."""
    draw = canvas.draw
    sharp = draw.uniform(0.0, 1.0) < 0.5
    return canvas.raster if sharp else max(canvas.raster, draw.uniform(0.0, 4.0) / canvas.longest)


def _texture(draw: _Draw) -> _Texture:
    return _TEXTURES[draw.integer(0, len(_TEXTURES) - 1)]


def _textured(axes: Sequence[Tensor], signal: float, texture: _Texture, draw: _Draw, longest: int) -> Tensor:
    """Signal of a region: flat, mottled, a net of bright ridges as in spongy bone, or a grating."""
    if texture == "flat":
        return torch.tensor(signal)
    cycles = draw.log_uniform(4.0, 0.4 * longest)
    depth = draw.uniform(0.1, 0.9)
    waves = _random_field(axes, cycles, 1 if texture == "grating" else _WAVES, draw)
    shapes: dict[_Texture, Callable[[Tensor], Tensor]] = {
        "soft": lambda found: 1.0 + 0.25 * depth * found,
        "net": lambda found: 1.0 - depth + depth * torch.exp(-(2.5 * found).square()),
        "grating": lambda found: 1.0 - depth * (0.5 + found).clamp(0.0, 1.0),
    }
    return signal * shapes[texture](waves)


def _random_field(axes: Sequence[Tensor], cycles: float, waves: int, draw: _Draw) -> Tensor:
    """A sum of plane waves of random direction and phase with a standard deviation of 1.

    A wave is a product of one factor per axis, so that the sum is a product of matrices.

    Args:
        axes: Positions along each axis.
        cycles: Spatial frequency of the waves, give or take a third, cycles per unit of the axes.
        waves: How many.
        draw: Source of all randomness.
    """
    directions = torch.nn.functional.normalize(draw.normal(waves, len(axes)), dim=1)
    frequency = cycles * (1.0 + (2.0 * torch.rand(waves, 1, generator=draw.generator) - 1.0) / 3.0)
    turns = [axis[:, None] * (frequency * directions)[:, index] for index, axis in enumerate(axes)]
    *first, last = (torch.polar(torch.ones_like(turn), 2.0 * pi * turn) for turn in turns)
    phase = 2.0 * pi * torch.rand(waves, generator=draw.generator)
    product = torch.polar(torch.full_like(phase, sqrt(2.0 / waves)), phase)
    for factors in first:
        product = product[..., None, :] * factors
    return product.real @ last.real.T - product.imag @ last.imag.T


def _positions(n: int, finer: int) -> Float[Tensor, " raster"]:
    """Raster points in pixels; those of pixel i lie around i - n // 2."""
    return (torch.arange(n * finer) + 0.5) / finer - 0.5 - n // 2


def _inside(axis: Tensor, middle: float, reach: float) -> slice:
    """Raster points within reach of a position."""
    low, high = torch.searchsorted(axis, torch.tensor([middle - reach, middle + reach])).tolist()
    return slice(low, high)


def _sampled(canvas: _Canvas) -> Tensor:
    """What the matrix's own frequencies hold of the raster."""
    values = canvas.values
    for n in canvas.sizes:  # the first axis becomes the last: after all of them the order is the old one
        values = torch.tensordot(values, _band_limit(n, canvas.finer), dims=([0], [1]))
    return values


def _band_limit(n: int, finer: int) -> Float[Tensor, "n raster"]:
    """From the raster to pixels along one axis: Fourier transform at the axis's n frequencies and back."""
    frequency = (torch.arange(n, dtype=torch.float64) - n // 2) / n

    def waves(positions: Tensor) -> Complex[Tensor, "position n"]:
        turns = positions.double()[:, None] * frequency
        return torch.polar(torch.ones_like(turns), 2.0 * pi * turns)

    raster, pixels = _positions(n, finer), torch.arange(n) - n // 2
    return ((waves(pixels) @ waves(raster).mH).real / (n * finer)).float()
