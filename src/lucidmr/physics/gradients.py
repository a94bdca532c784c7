"""Gradient coils whose field is not linear, as spherical harmonics, and where they put a signal.

A coil for axis a makes the field G (r_a + d_a(r)) instead of G r_a. The scanner, which knows the linear part only,
shows the signal from r at r + d(r). The displacement d is a sum of solid harmonics (Janke et al., Magn. Reson. Med.
52 (2004) 115; Jovicich et al., NeuroImage 30 (2006) 436):

    d_a(r) = r0 sum_nm (|r| / r0)^n N_nm P_nm(cos theta) (A_nm cos(m phi) + B_nm sin(m phi)),   n >= 2

with N_n0 = 1, N_nm = sqrt((2n + 1) (n - m)! / (2 (n + m)!)) and P_nm without the sign (-1)^m, which is the convention
of Siemens' coefficient files. The coordinates are the coils' own: origin at the isocentre, z along the bore.

A solid harmonic is a polynomial, and its derivatives are solid harmonics of one order less. So nothing is singular at
the isocentre or on the z axis, and the Jacobian matrix is analytic.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import factorial, isfinite, prod, sqrt
from typing import Any, Final, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

Points = Float[Tensor, "... 3"]
"""Positions or vectors (x, y, z) in the gradient coils' coordinates, millimetres."""
_Expansion = Mapping[tuple[int, int], complex]
"""Coefficients A + iB by (order, degree) of functions r^n P_nm exp(i m phi) without N_nm, lengths in units of r0."""

MOST_ORDER: Final = 20
_TRANSITION: Final = 0.2
"""Share of the valid radius by which points beyond it are evaluated further out, at most."""

Kind = Literal["whole_body", "head"]


class Harmonic(NamedTuple):
    """One order and degree of a coil's field, relative to the nominal field at the reference radius.

    Attributes:
        order: n, 2 or more: the linear field is the gradient itself.
        degree: m, 0 to n.
        cosine: A_nm.
        sine: B_nm.
    """

    order: int
    degree: int
    cosine: float
    sine: float = 0.0


@dataclass(frozen=True)
class GradientCoil:
    """The deviation of three gradient coils from linearity; without terms they are linear.

    Attributes:
        x: Harmonics of the x coil, each order and degree at most once.
        y: The same of the y coil.
        z: The same of the z coil.
        reference_radius_mm: r0.
        valid_radius_mm: Where the expansion ends to hold. Beyond it polynomials run away: the displacement is continued
            smoothly to that at 1.2 times this radius in the same direction.
    """

    x: tuple[Harmonic, ...] = ()
    y: tuple[Harmonic, ...] = ()
    z: tuple[Harmonic, ...] = ()
    reference_radius_mm: float = 250.0
    valid_radius_mm: float = 250.0

    def __post_init__(self) -> None:
        for name in ("reference_radius_mm", "valid_radius_mm"):
            if not 10.0 <= getattr(self, name) <= 2000.0:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must lie between 10 and 2000")
        for name in ("x", "y", "z"):
            _check_terms(name, getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """Plain values; :meth:`from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GradientCoil":
        """The inverse of :meth:`to_json`."""
        terms = {axis: tuple(Harmonic(*term) for term in values[axis]) for axis in ("x", "y", "z")}
        return cls(**values | terms)


def _check_terms(name: str, terms: Sequence[Harmonic]) -> None:
    if len({term[:2] for term in terms}) < len(terms):
        raise ValueError(f"{name} gives an order and degree twice; each may occur once")
    for order, degree, *coefficients in terms:
        if not 2 <= order <= MOST_ORDER or not 0 <= degree <= order:
            raise ValueError(
                f"{name} has a term ({order}, {degree}); the order must lie between 2 and {MOST_ORDER}, "
                "the degree between 0 and the order"
            )
        if not all(isfinite(value) for value in coefficients):
            raise ValueError(f"{name} has a term ({order}, {degree}) that is not finite")


WHOLE_BODY: Final = GradientCoil(
    x=(Harmonic(3, 1, -0.075), Harmonic(3, 3, -0.004), Harmonic(5, 1, 0.012)),
    y=(Harmonic(3, 1, 0.0, -0.07), Harmonic(3, 3, 0.0, 0.004), Harmonic(5, 1, 0.0, 0.011)),
    z=(Harmonic(3, 0, -0.08), Harmonic(5, 0, 0.015)),
)
"""A set of our own, typical of a whole-body system: up to 1.4 mm at 100 mm from the isocentre, 20 mm at 250 mm."""
HEAD: Final = GradientCoil(
    x=(Harmonic(2, 1, 0.02), Harmonic(3, 1, -0.2), Harmonic(5, 1, 0.05)),
    y=(Harmonic(2, 1, 0.0, 0.02), Harmonic(3, 1, 0.0, -0.19), Harmonic(5, 1, 0.0, 0.05)),
    z=(Harmonic(2, 0, -0.025), Harmonic(3, 0, -0.22), Harmonic(5, 0, 0.06)),
    valid_radius_mm=160.0,
)
"""A set of our own, typical of a short, asymmetric head coil: even orders too, and up to 4.4 mm at 100 mm."""


def draw_gradient_coil(generator: Generator, kind: Kind = "whole_body") -> GradientCoil:
    """Plausible gradient coils: nobody's, but with the symmetry of real ones and deviations of their size.

    A symmetric coil has odd orders alone; x has the cosines and y the sines of odd degrees, z the degree 0. The third
    order dominates and is negative: along the bore the field falls short, towards the windings it exceeds. Head coils
    deviate more, and asymmetric ones have even orders (Tao et al., Phys. Med. Biol. 62 (2017) N18). Measured before
    correction: up to 6 mm within the head (Karger et al., Phys. Med. Biol. 51 (2006) N253), above 25 mm within
    320 x 200 x 340 mm (Doran et al., Phys. Med. Biol. 50 (2005) 1343).

    Args:
        generator: Source of all randomness.
        kind: Whole-body or head coils.

    Returns:
        The coils; their Jacobian determinant is positive everywhere.
    """
    asymmetry, third, valid = (0.03, (0.1, 0.22), 160.0) if kind == "head" else (0.002, (0.03, 0.08), 250.0)
    strength = _uniform(generator, [third])[0]
    relative = [(-asymmetry / strength, asymmetry / strength), (-1.15, -0.85), (-0.05, 0.25), (-0.06, 0.06)]
    x, y, z = ([strength * value for value in _uniform(generator, relative)] for _ in range(3))
    transverse, longitudinal = ((2, 1), (3, 1), (5, 1), (3, 3)), ((2, 0), (3, 0), (5, 0))
    return GradientCoil(
        tuple(Harmonic(n, m, value) for (n, m), value in zip(transverse, x, strict=True)),
        tuple(Harmonic(n, m, 0.0, value) for (n, m), value in zip(transverse, y, strict=True)),
        tuple(Harmonic(n, m, value) for (n, m), value in zip(longitudinal, z[:3], strict=True)),
        valid_radius_mm=valid,
    )


def _uniform(generator: Generator, bounds: Sequence[tuple[float, float]]) -> list[float]:
    draws = torch.rand(len(bounds), generator=generator, device=generator.device, dtype=torch.float64).tolist()
    return [low + (high - low) * draw for (low, high), draw in zip(bounds, draws, strict=True)]


def displacement(coil: GradientCoil, positions_mm: Points) -> Points:
    """How far from its true place the scanner shows a signal.

    Args:
        coil: The gradient coils.
        positions_mm: True positions r.

    Returns:
        d(r) in mm: the uncorrected image has the signal of r at r + d(r).
    """
    points = _bounded(coil, positions_mm)[0] / coil.reference_radius_mm
    return coil.reference_radius_mm * _fields(_expansions(coil), points)


def displacement_gradient(coil: GradientCoil, positions_mm: Points) -> Float[Tensor, "... 3 3"]:
    """The matrix of derivatives of :func:`displacement`, analytic.

    Args:
        coil: The gradient coils.
        positions_mm: True positions r.

    Returns:
        Element (a, b) is the derivative of d_a with respect to r_b, dimensionless.
    """
    points, along, across = _bounded(coil, positions_mm)
    derivatives = [_derivative(expansion, axis) for expansion in _expansions(coil) for axis in range(3)]
    matrix = _fields(derivatives, points / coil.reference_radius_mm).reshape(*points.shape, 3)
    radial = torch.nn.functional.normalize(positions_mm, dim=-1)[..., None, :]
    projected = (matrix * radial).sum(-1, keepdim=True) * radial
    gradient: Tensor = across[..., None] * matrix + (along - across)[..., None] * projected
    return gradient


def jacobian_determinant(coil: GradientCoil, positions_mm: Points) -> Float[Tensor, "..."]:
    """Volume that the scanner shows per true volume, det(1 + grad d); above 0 where the image can be corrected."""
    identity = torch.eye(3, dtype=positions_mm.dtype, device=positions_mm.device)
    return determinant(identity + displacement_gradient(coil, positions_mm))


def determinant(matrix: Float[Tensor, "... 3 3"]) -> Float[Tensor, "..."]:
    """The triple product of the rows: without a factorization per pixel."""
    rows = matrix.unbind(-2)
    product: Tensor = (torch.linalg.cross(rows[0], rows[1]) * rows[2]).sum(-1)
    return product


def least_jacobian(coil: GradientCoil, n: int = 25) -> float:
    """The smallest Jacobian determinant on a lattice of n^3 points over the cube around the valid sphere."""
    axis = coil.valid_radius_mm * torch.linspace(-1.0, 1.0, n)
    return float(jacobian_determinant(coil, torch.cartesian_prod(axis, axis, axis)).min())


def _bounded(coil: GradientCoil, positions_mm: Points) -> tuple[Points, Float[Tensor, "... 1"], Float[Tensor, "... 1"]]:
    """The positions, those beyond the valid radius drawn in, and by how much that shrinks steps along r and across."""
    limit, width = coil.valid_radius_mm, _TRANSITION * coil.valid_radius_mm
    radius: Tensor = positions_mm.norm(dim=-1, keepdim=True).clamp_min(1.0)  # any value below the limit serves for 0
    excess = ((radius - limit) / width).clamp_min(0.0).tanh()
    across = (radius.clamp_max(limit) + width * excess) / radius
    return positions_mm * across, 1.0 - excess.square(), across


def _expansions(coil: GradientCoil) -> list[_Expansion]:
    """The three coils' fields without normalization."""
    return [
        {(n, m): _normalization(n, m) * complex(cosine, sine) for n, m, cosine, sine in terms}
        for terms in (coil.x, coil.y, coil.z)
    ]


def _normalization(order: int, degree: int) -> float:
    if degree == 0:
        return 1.0
    return sqrt((2 * order + 1) * factorial(order - degree) / (2 * factorial(order + degree)))


def _derivative(expansion: _Expansion, axis: int) -> _Expansion:
    """The derivative along x, y or z (0, 1, 2): every term gives one or two terms of the order below.

    With H_nm = r^n P_nm exp(i m phi): dH_nm/dz = (n + m) H_(n-1)m, (d/dx - i d/dy) H_nm = (n + m)(n + m - 1)
    H_(n-1)(m-1) and (d/dx + i d/dy) H_nm = -H_(n-1)(m+1). For m = 0 the two are each other's conjugate.
    """
    result: dict[tuple[int, int], complex] = defaultdict(complex)
    below, above = ((1.0, -1.0), (-1j, -1j), (0.0, 0.0))[axis]
    for (n, m), value in expansion.items():
        if axis == 2:
            result[n - 1, m] += (n + m) * value
        elif m == 0:
            result[n - 1, 1] += above * value.real
        else:
            result[n - 1, m - 1] += 0.5 * below * (n + m) * (n + m - 1) * value
            result[n - 1, m + 1] += 0.5 * above * value
    return {(n, m): value for (n, m), value in result.items() if m <= n}


def _fields(expansions: Sequence[_Expansion], points: Points) -> Float[Tensor, "... field"]:
    """Values of several expansions, by the recurrence of the Legendre functions in the order."""
    x, y, z = points.movedim(-1, 0).contiguous()
    squared = x * x + y * y + z * z
    fields = [torch.zeros_like(x) for _ in expansions]
    top = max((order for expansion in expansions for order, _ in expansion), default=0)
    cosine, sine = torch.ones_like(x), torch.zeros_like(x)  # rho^m cos(m phi) and rho^m sin(m phi)
    for m in range(top + 1):
        before, legendre = torch.zeros_like(x), torch.full_like(x, prod(range(1, 2 * m, 2)))
        for n in range(m, top + 1):
            wanted = [(f, e[n, m]) for f, e in zip(fields, expansions, strict=True) if (n, m) in e]
            if wanted:
                even, odd = legendre * cosine, legendre * sine
                for field, value in wanted:
                    field.add_(even, alpha=value.real).add_(odd, alpha=value.imag)
            before, legendre = legendre, ((2 * n + 1) * z * legendre - (n + m) * squared * before) / (n + 1 - m)
        cosine, sine = x * cosine - y * sine, x * sine + y * cosine
    return torch.stack(fields, -1)
