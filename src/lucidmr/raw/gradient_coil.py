"""Read the coefficients of gradient coils from a file in the form that Siemens scanners keep them in (``coeff.grad``).

The header gives the reference radius in metres, then one line per coefficient: a number, cosine (A) or sine (B) with
order and degree, the value relative to the nominal field at that radius, and the coil:

    0.250 m = R0, lnorm = 4? A(1,0) = B(1,1) = A(1,1) = 0;
      1 A( 3, 0)      -0.08000000  z
    101 A( 3, 1)      -0.07500000  x
    201 B( 3, 1)      -0.07000000  y

Lines that start with # are comments. The files are the vendor's property and none comes with this package; the values
above are made up. The linear term is the gradient itself and not listed.
"""

import re
from math import isfinite
from pathlib import Path
from typing import Final

from lucidmr.errors import LucidError
from lucidmr.physics.gradients import MOST_ORDER, GradientCoil, Harmonic, least_jacobian

_NUMBER: Final = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_RADIUS: Final = re.compile(rf"^[ \t]*{_NUMBER}[ \t]*m[ \t]*=[ \t]*R0\b", re.MULTILINE)
_MAYBE_TERM: Final = re.compile(r"^\s*\d+\s+[AB]\s*\(")
_TERM: Final = re.compile(rf"\s*\d+\s+([AB])\s*\(\s*(\d\d?)\s*,\s*(\d\d?)\s*\)\s+{_NUMBER}\s+([xyz])\s*")
_MOST_BYTES: Final = 1 << 20

_Terms = dict[tuple[int, int], dict[str, float]]
"""Values by (order, degree) and A or B."""


def read_gradient_coil(path: Path) -> GradientCoil:
    """Read a coefficient file.

    Args:
        path: The file.

    Returns:
        The coils. They are valid up to the file's reference radius, or to the most tenths of it within which the field
        does not fold the image.

    Raises:
        LucidError: The file is missing, of another kind, damaged or incomplete, or its field folds the image.
    """
    text = _read_text(path)
    radius_mm = _reference_radius_mm(text, path)
    x, y, z = (_harmonics(terms) for terms in _coefficients(text, path))
    for tenths in range(10, 2, -1):
        coil = GradientCoil(x, y, z, radius_mm, radius_mm * tenths / 10)
        if least_jacobian(coil) > 0.0:
            return coil
    raise LucidError(
        f"{path}: its field folds the image near the isocentre; the coefficients are wrong: replace the file"
    )


def _harmonics(terms: _Terms) -> tuple[Harmonic, ...]:
    return tuple(Harmonic(n, m, term.get("A", 0.0), term.get("B", 0.0)) for (n, m), term in terms.items() if n >= 2)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror}); name a gradient coefficient file") from error
    if len(content) > _MOST_BYTES or b"\0" in content:
        raise LucidError(f"{path}: is not a text file of coefficients; name a file such as coeff.grad")
    lines = content.decode("latin-1").splitlines()
    return "\n".join("" if line.lstrip().startswith("#") else line for line in lines)


def _reference_radius_mm(text: str, path: Path) -> float:
    found = _RADIUS.search(text)
    if found is None:
        raise LucidError(f"{path}: has no line such as '0.250 m = R0'; it is no Siemens coefficient file or cut off")
    radius_mm = 1000.0 * float(found[1])
    if not 50.0 <= radius_mm <= 1000.0:
        raise LucidError(f"{path}: gives R0 = {found[1]} m; it must lie between 0.05 and 1: replace the file")
    return radius_mm


def _coefficients(text: str, path: Path) -> list[_Terms]:
    """The terms of the x, y and z coil."""
    found: dict[str, _Terms] = {"x": {}, "y": {}, "z": {}}
    for number, line in enumerate(text.splitlines(), 1):
        if not _MAYBE_TERM.match(line):
            continue
        where = f"{path}, line {number} ({line.strip()[:60]})"
        match = _TERM.fullmatch(line)
        if match is None or not isfinite(float(match[4])):
            raise LucidError(f"{where}: is damaged; it must read like '1 A( 3, 0) -0.08 z'")
        kind, order, degree, value, axis = match.groups()
        term = found[axis].setdefault((int(order), int(degree)), {})
        if kind in term:
            raise LucidError(f"{where}: gives this coefficient a second time; remove one of them")
        if not int(degree) <= int(order) <= MOST_ORDER:
            raise LucidError(f"{where}: the order must be at most {MOST_ORDER} and the degree at most the order")
        if int(order) < 2 and float(value) != 0.0:
            raise LucidError(f"{where}: is not a deviation from linearity; orders below 2 must be 0")
        term[kind] = float(value)
    for axis, terms in found.items():
        if not terms:
            raise LucidError(f"{path}: has no coefficients of the {axis} coil; the file seems to be cut off")
    return list(found.values())
