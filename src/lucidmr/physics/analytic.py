"""Analytic objects: shapes whose Fourier transform is known in closed form.

Sampling that transform gives k-space as a scanner would measure it, Gibbs ringing and partial volume included, with no
inverse crime: the truth is not a pixel grid (Guerquin-Kern et al., IEEE Trans. Med. Imaging 31:626, 2012;
Van de Walle et al., IEEE Trans. Med. Imaging 19:1160, 2000).

Coordinates are ``(freq, phase)``, of the solid :class:`Ellipsoid` ``(slice, freq, phase)``, in units of the nominal
field of view, the origin at its centre: pixel ``i`` of ``n`` has its centre at ``(i - n // 2) / n``. Shapes add up
where they overlap. The phantoms made of them are in :mod:`lucidmr.physics.phantoms`.
"""

import cmath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, cos, floor, hypot, pi, prod, sin, sqrt
from typing import Final

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from lucidmr.shapes import ComplexImage

_SMALL_ARGUMENT: Final = 1e-3
"""Below it J1(z) / z is 1/2 to within z**2 / 16, less than the resolution of single precision."""
_SMALL_RADIUS: Final = 0.5
"""Below it four terms of the series of the ball's transform are exact to single precision."""


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse.

    Attributes:
        centre: Position (freq, phase), fields of view.
        semi_axes: Half lengths of its first and second axis, fields of view.
        angle: Of the first axis, radians from +freq towards +phase.
        intensity: Added to the image inside the shape.
        phase: Of the signal at the shape's centre, radians.
        phase_slope: Linear phase (freq, phase) about the shape's centre, cycles per field of view; it moves the
            shape's k-space by as many samples.
    """

    centre: tuple[float, float]
    semi_axes: tuple[float, float]
    angle: float = 0.0
    intensity: float = 1.0
    phase: float = 0.0
    phase_slope: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        _check_size("semi_axes", self.semi_axes)

    @property
    def area(self) -> float:
        """Area in squared fields of view."""
        return pi * self.semi_axes[0] * self.semi_axes[1]

    @property
    def reach(self) -> tuple[float, float]:
        """Half the size of the bounding box along (freq, phase)."""
        (a, b), c, s = self.semi_axes, cos(self.angle), sin(self.angle)
        return hypot(a * c, b * s), hypot(a * s, b * c)

    def transform(self, u: Float[Tensor, "..."], v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The Fourier transform of the centred shape of unit intensity, pi a b 2 J1(z) / z with z = 2 pi |(a u, b v)|.

        Args:
            u: Spatial frequency along the first axis, cycles per field of view.
            v: The same along the second axis.
        """
        a, b = (2.0 * pi * half for half in self.semi_axes)
        z = torch.hypot(a * u, b * v).clamp_min_(_SMALL_ARGUMENT)
        bessel: Tensor = torch.special.bessel_j1(z)
        return bessel.div_(z).mul_(2.0 * self.area)

    def contains(self, x: Float[Tensor, "..."], y: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """Whether points (x, y) along the first and second axis from the shape's centre lie inside."""
        return (x / self.semi_axes[0]) ** 2 + (y / self.semi_axes[1]) ** 2 <= 1.0


@dataclass(frozen=True)
class Rectangle:
    """A filled rectangle; the attributes not named here are those of :class:`Ellipse`.

    Attributes:
        half_widths: Half its width along its first and second axis, fields of view.
    """

    centre: tuple[float, float]
    half_widths: tuple[float, float]
    angle: float = 0.0
    intensity: float = 1.0
    phase: float = 0.0
    phase_slope: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        _check_size("half_widths", self.half_widths)

    @property
    def area(self) -> float:
        """Area in squared fields of view."""
        return 4.0 * self.half_widths[0] * self.half_widths[1]

    @property
    def reach(self) -> tuple[float, float]:
        """Half the size of the bounding box along (freq, phase)."""
        (a, b), c, s = self.half_widths, abs(cos(self.angle)), abs(sin(self.angle))
        return a * c + b * s, a * s + b * c

    def transform(self, u: Float[Tensor, "..."], v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The Fourier transform of the centred shape of unit intensity, 4 a b sinc(2 a u) sinc(2 b v).

        Args:
            u: Spatial frequency along the first axis, cycles per field of view.
            v: The same along the second axis.
        """
        a, b = (2.0 * half for half in self.half_widths)
        return torch.sinc(a * u) * torch.sinc(b * v) * self.area

    def contains(self, x: Float[Tensor, "..."], y: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """Whether points (x, y) along the first and second axis from the shape's centre lie inside."""
        return (x.abs() <= self.half_widths[0]) & (y.abs() <= self.half_widths[1])


Shape = Ellipse | Rectangle


def kspace(
    shapes: Iterable[Shape],
    n_freq: int,
    n_phase: int,
    field_of_view: tuple[float, float] = (1.0, 1.0),
    device: torch.device | str = "cpu",
) -> ComplexImage:
    """Exact k-space of a phantom, DC at ``n // 2`` of each axis.

    The scale is that of the centred orthonormal FFT: its inverse is an image in which a shape has its intensity (plus
    Gibbs ringing). More samples over the same field of view reach a higher k_max.

    Args:
        shapes: The phantom; intensities add up.
        n_freq: Samples along freq.
        n_phase: Samples along phase.
        field_of_view: Encoded field of view (freq, phase) in nominal ones: 2 is readout oversampling by two, 0.75 folds
            what lies outside.
        device: Where to compute.

    Returns:
        Samples of shape (freq, phase).
    """
    u, v = (
        _centred(n, device) / extent for n, extent in zip((n_freq, n_phase), _checked_view(field_of_view), strict=True)
    )
    total = torch.zeros(n_freq, n_phase, dtype=torch.complex64, device=device)
    for shape in shapes:
        du, dv = u - shape.phase_slope[0], v - shape.phase_slope[1]
        along, across = _rotated(du[:, None], dv[None, :], shape.angle)
        shift_freq = _phasor(shape.phase - 2.0 * pi * shape.centre[0] * u) * shape.intensity
        shift_phase = _phasor(-2.0 * pi * shape.centre[1] * v)
        total += shift_freq[:, None] * shift_phase[None, :] * shape.transform(along.float(), across.float())
    return total * (sqrt(n_freq * n_phase) / (field_of_view[0] * field_of_view[1]))


def image(shapes: Iterable[Shape], n_freq: int, n_phase: int, oversample: int = 4) -> ComplexImage:
    """The ideal image of a phantom: the mean of each pixel over ``oversample`` squared points inside it.

    Args:
        shapes: The phantom; intensities add up.
        n_freq: Pixels along freq over the nominal field of view.
        n_phase: Pixels along phase.
        oversample: Points per pixel and axis.

    Returns:
        Image of shape (freq, phase); its imaginary part is 0 where no shape has a phase.
    """
    x, y = _points(n_freq, oversample), _points(n_phase, oversample)
    fine = torch.zeros(len(x), len(y), dtype=torch.complex64)
    for shape in shapes:
        rows, columns = (
            _inside(axis, middle, reach) for axis, middle, reach in zip((x, y), shape.centre, shape.reach, strict=True)
        )
        fine[rows, columns] += _painted(shape, x[rows] - shape.centre[0], y[columns] - shape.centre[1])
    return fine.reshape(n_freq, oversample, n_phase, oversample).mean(dim=(1, 3))


def _painted(shape: Shape, x: Float[Tensor, " freq"], y: Float[Tensor, " phase"]) -> Complex[Tensor, "freq phase"]:
    """The signal of one shape at points relative to its centre."""
    along, across = _rotated(x[:, None], y[None, :], shape.angle)
    signal = shape.intensity * shape.contains(along, across).to(torch.complex64)
    slope_freq, slope_phase = shape.phase_slope
    if shape.phase == slope_freq == slope_phase == 0.0:
        return signal
    return signal * _phasor(shape.phase + 2.0 * pi * (slope_freq * x[:, None] + slope_phase * y[None, :]))


@dataclass(frozen=True)
class Ellipsoid:
    """A solid ellipsoid; the attributes not named here are those of :class:`Ellipse`, with three components.

    Attributes:
        rotation: Its axes are turned from (slice, freq, phase) about this vector by its length in radians.
    """

    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    intensity: float = 1.0
    phase: float = 0.0
    phase_slope: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        _check_size("semi_axes", self.semi_axes)

    @property
    def volume(self) -> float:
        """Volume in cubed fields of view."""
        return 4.0 / 3.0 * pi * prod(self.semi_axes)

    @property
    def axes(self) -> Float[Tensor, "3 3"]:
        """Its rows are the unit vectors of the three axes, in double precision."""
        a, b, c = self.rotation
        turn = torch.tensor([[0, c, -b], [-c, 0, a], [b, -a, 0]], dtype=torch.float64)
        rotated: Tensor = torch.linalg.matrix_exp(turn)
        return rotated

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half the size of the bounding box along (slice, freq, phase)."""
        stretched = self.axes * self.axes.new_tensor(self.semi_axes)[:, None]
        reach_slice, reach_freq, reach_phase = stretched.norm(dim=0).tolist()
        return reach_slice, reach_freq, reach_phase

    def transform(
        self, x: Float[Tensor, " slice"], y: Float[Tensor, " freq"], z: Float[Tensor, " phase"]
    ) -> Float[Tensor, "slice freq phase"]:
        """The Fourier transform of the centred solid of unit intensity, V 3 (sin r - r cos r) / r^3.

        Here r = 2 pi |(a u, b v, c w)| with the components of the spatial frequency along the solid's axes.

        Args:
            x: Spatial frequencies along slice, cycles per field of view.
            y: The same along freq.
            z: The same along phase.
        """
        squared = self._squared_length([2.0 * pi * half for half in self.semi_axes], x, y, z)
        series = 1.0 - squared / 10.0 * (1.0 - squared / 28.0 * (1.0 - squared / 54.0))
        radius = squared.sqrt().clamp_min_(_SMALL_RADIUS)
        ball = torch.sin(radius).sub_(torch.cos(radius).mul_(radius)).mul_(3.0).div_(radius * radius * radius)
        return torch.where(squared < _SMALL_RADIUS**2, series, ball).mul_(self.volume)

    def contains(
        self, x: Float[Tensor, " slice"], y: Float[Tensor, " freq"], z: Float[Tensor, " phase"]
    ) -> Bool[Tensor, "slice freq phase"]:
        """Whether the points of a grid (x, y, z), relative to the solid's centre, lie inside."""
        return self._squared_length([1.0 / half for half in self.semi_axes], x, y, z) <= 1.0

    def _squared_length(
        self, scales: Sequence[float], x: Float[Tensor, " slice"], y: Float[Tensor, " freq"], z: Float[Tensor, " phase"]
    ) -> Float[Tensor, "slice freq phase"]:
        """Squared length of the vectors (x, y, z), their components along the solid's axes multiplied by ``scales``."""
        scaled = self.axes * self.axes.new_tensor(scales)[:, None]
        (xx, xy, xz), (_, yy, yz), (*_, zz) = (scaled.T @ scaled).tolist()
        s, f, p = x[:, None, None], y[:, None], z
        planes = ((xx * s + 2.0 * xy * f) * s, (yy * f + 2.0 * yz * p) * f, (zz * p + 2.0 * xz * s) * p)
        total: Tensor = planes[0].float() + planes[1].float() + planes[2].float()
        return total.clamp_min_(0.0)


def kspace_3d(
    shapes: Iterable[Ellipsoid],
    matrix: tuple[int, int, int],
    field_of_view: tuple[float, float, float] = (1.0, 1.0, 1.0),
    device: torch.device | str = "cpu",
) -> ComplexImage:
    """Exact k-space of a solid phantom, DC at ``n // 2`` of each axis; otherwise as :func:`kspace`.

    Args:
        shapes: The phantom; intensities add up.
        matrix: (slice, freq, phase) samples.
        field_of_view: Encoded field of view (slice, freq, phase) in nominal ones.
        device: Where to compute.

    Returns:
        Samples of shape (slice, freq, phase).
    """
    frequencies = [_centred(n, device) / extent for n, extent in zip(matrix, _checked_view(field_of_view), strict=True)]
    total = torch.zeros(matrix, dtype=torch.complex64, device=device)
    for shape in shapes:
        shifted = [k - slope for k, slope in zip(frequencies, shape.phase_slope, strict=True)]
        turns = [_phasor(-2.0 * pi * middle * k) for middle, k in zip(shape.centre, frequencies, strict=True)]
        plane = turns[0][:, None] * turns[1] * (shape.intensity * cmath.exp(1j * shape.phase))
        total += plane[..., None] * turns[2] * shape.transform(*shifted)
    return total * (sqrt(prod(matrix)) / prod(field_of_view))


def image_3d(shapes: Iterable[Ellipsoid], matrix: tuple[int, int, int], oversample: int = 3) -> ComplexImage:
    """The ideal image of a solid phantom: the mean of each voxel over ``oversample`` cubed points inside it.

    Args:
        shapes: The phantom; intensities add up.
        matrix: (slice, freq, phase) voxels over the nominal field of view.
        oversample: Points per voxel and axis.

    Returns:
        Image of shape (slice, freq, phase); its imaginary part is 0 where no shape has a phase.
    """
    total = torch.zeros(matrix, dtype=torch.complex64)
    for shape in shapes:
        boxes = [
            slice(max(0, floor((middle - reach) * n) + n // 2), ceil((middle + reach) * n) + n // 2 + 1)
            for middle, reach, n in zip(shape.centre, shape.reach, matrix, strict=True)
        ]
        points = [_points(n, oversample).reshape(n, oversample)[box] for n, box in zip(matrix, boxes, strict=True)]
        total[*boxes] += _painted_solid(shape, [p - middle for p, middle in zip(points, shape.centre, strict=True)])
    return total


def _painted_solid(shape: Ellipsoid, points: Sequence[Float[Tensor, "_ part"]]) -> Complex[Tensor, "slice freq phase"]:
    """The mean signal of a solid in voxels whose parts have these positions (slice, freq, phase) from its centre."""
    parts = list(product(*(axis.unbind(-1) for axis in points)))
    total = torch.zeros([len(axis) for axis in points], dtype=torch.complex64)
    for position in parts:
        turns = [_phasor(2.0 * pi * slope * x) for slope, x in zip(shape.phase_slope, position, strict=True)]
        phasor = (turns[0][:, None] * turns[1])[..., None] * turns[2]
        total += shape.contains(*position) * phasor
    return total * (shape.intensity * cmath.exp(1j * shape.phase) / len(parts))


def _phasor(angle: Float[Tensor, "..."]) -> Complex[Tensor, "..."]:
    """exp(i angle), the angle in double and the result in single precision."""
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def _rotated(
    x: Float[Tensor, "..."], y: Float[Tensor, "..."], angle: float
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Components of points or frequencies along the first and second axis of a shape turned by ``angle``."""
    return cos(angle) * x + sin(angle) * y, cos(angle) * y - sin(angle) * x


def _centred(n: int, device: torch.device | str) -> Float[Tensor, " n"]:
    return torch.arange(n, dtype=torch.float64, device=device) - n // 2


def _points(n: int, oversample: int) -> Float[Tensor, " m"]:
    """Centres of ``oversample`` equal parts of each of n pixels, fields of view."""
    part = torch.arange(n * oversample, dtype=torch.float64)
    return ((part + 0.5) / oversample - 0.5 - n // 2) / n


def _inside(points: Float[Tensor, " m"], middle: float, reach: float) -> slice:
    """The ascending points within ``reach`` of ``middle``."""
    low, high = torch.searchsorted(points, points.new_tensor([middle - reach, middle + reach])).tolist()
    return slice(low, min(high + 1, len(points)))


def _checked_view(field_of_view: tuple[float, ...]) -> tuple[float, ...]:
    if min(field_of_view) <= 0.0:
        raise ValueError(f"field_of_view is {field_of_view}; each must be above 0")
    return field_of_view


def _check_size(name: str, size: tuple[float, ...]) -> None:
    if min(size) <= 0.0:
        raise ValueError(f"{name} is {size}; each must be above 0")
