"""Analytic objects: shapes whose Fourier transform is known in closed form.

Sampling that transform gives k-space as a scanner would measure it, Gibbs ringing and partial volume included, with no
inverse crime: the truth is not a pixel grid (Guerquin-Kern et al., IEEE Trans. Med. Imaging 31:626, 2012;
Van de Walle et al., IEEE Trans. Med. Imaging 19:1160, 2000).

Coordinates are ``(freq, phase)`` in units of the nominal field of view, the origin at its centre: pixel ``i`` of ``n``
has its centre at ``(i - n // 2) / n``. Shapes add up where they overlap. The phantoms made of them are in
:mod:`lucidmr.physics.phantoms`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, hypot, pi, sin, sqrt
from typing import Final

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from lucidmr.shapes import ComplexImage

_SMALL_ARGUMENT: Final = 1e-3
"""Below it J1(z) / z is 1/2 to within z**2 / 16, less than the resolution of single precision."""


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


def _checked_view(field_of_view: tuple[float, float]) -> tuple[float, float]:
    if min(field_of_view) <= 0.0:
        raise ValueError(f"field_of_view is {field_of_view}; both must be above 0")
    return field_of_view


def _check_size(name: str, size: tuple[float, float]) -> None:
    if min(size) <= 0.0:
        raise ValueError(f"{name} is {size}; both must be above 0")
