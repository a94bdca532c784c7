"""Coefficient files: made up here, good and bad ones."""

import pytest

from lucidmr.errors import LucidError
from lucidmr.physics.gradients import Harmonic
from lucidmr.raw.gradient_coil import read_gradient_coil

HEADER = """#*[ Script ****\\
# Name: coeff.grad; R0 and 1 A( 3, 0) in a comment mean nothing
 flagship 001, Gradientsystem Imagined , Gx,y,z = 40 mT/m
 win_low = 0, win_high = 0, win_algo = 0, win_dummy = 2;
 0.250 m = R0, lnorm = 4? A(1,0) = B(1,1) = A(1,1) = 0;
 0 = CoSyMode
 Expansion in Spherical Harmonics
 ================================

 NO.   TYPE       SPECTRUM          AXIS

"""
TERMS = """  1 A( 3, 0)     -0.08000000   z
  2 A( 5, 0)\t 1.5e-2\tz

101 A( 3, 1)     -0.07500000   x
102 A( 3, 3)     -.004         x
103 B( 3, 3)     +0.001        x
201 B( 3, 1)     -0.07000000   y
"""


@pytest.fixture
def write(tmp_path):
    def written(content):
        path = tmp_path / "coeff.grad"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_reads_radius_and_terms(write, newline):
    coil = read_gradient_coil(write((HEADER + TERMS).replace("\n", newline)))
    assert coil.reference_radius_mm == coil.valid_radius_mm == 250.0
    assert coil.x == (Harmonic(3, 1, -0.075), Harmonic(3, 3, -0.004, 0.001))
    assert coil.y == (Harmonic(3, 1, 0.0, -0.07),)
    assert coil.z == (Harmonic(3, 0, -0.08), Harmonic(5, 0, 0.015))


def test_linear_terms_of_zero_are_left_out(write):
    coil = read_gradient_coil(write(HEADER + "1 A( 1, 0) 0.0 z\n" + TERMS))
    assert [term.order for term in coil.z] == [3, 5]


def test_a_strong_field_is_valid_where_it_does_not_fold(write):
    coil = read_gradient_coil(write(HEADER + TERMS.replace("-0.08000000", "-0.8")))
    assert 75.0 <= coil.valid_radius_mm < 250.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TERMS, "has no line such as '0.250 m = R0'"),
        ("", "has no line such as"),
        ("GRADWARPTYPE 1\nSCALEX1 0.0\n", "no Siemens coefficient file"),
        (HEADER, "has no coefficients of the x coil; the file seems to be cut off"),
        (HEADER + TERMS[: TERMS.index("201")], "has no coefficients of the y coil"),
        (HEADER + TERMS[:-10], r"line 18 \(201 B\( 3, 1\)     -0.070\): is damaged"),
        (HEADER + TERMS.replace("-0.0750", "-0,0750"), "line 15 .* is damaged"),
        (HEADER + TERMS.replace("-0.0750", "nan 0"), "is damaged"),
        (HEADER + TERMS.replace("1.5e-2", "1.5e999"), "is damaged"),
        (HEADER + TERMS.replace("( 5, 0)", "( 3, 0)"), "gives this coefficient a second time"),
        (HEADER + TERMS.replace("( 5, 0)", "( 5, 6)"), "the degree at most the order"),
        (HEADER + TERMS.replace("( 5, 0)", "(25, 0)"), "the order must be at most 20"),
        (HEADER + TERMS.replace("( 5, 0)", f"({'5' * 9000}, 0)"), "is damaged"),
        (HEADER + TERMS.replace("( 5, 0)", "( 1, 0)"), "orders below 2 must be 0"),
        (HEADER.replace("0.250", "250") + TERMS, "gives R0 = 250 m; it must lie between 0.05 and 1"),
        (HEADER + TERMS.replace("-0.08000000", "-80"), "folds the image near the isocentre"),
        (b"\x00\x01\x02" * 100, "is not a text file of coefficients"),
        (b"7" * 1_000_000, "has no line such as"),
        (b"\n" * 1_000_000, "has no line such as"),
        (b"7" * 1_100_000, "is not a text file of coefficients"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(write, content, message):
    path = write(content)
    with pytest.raises(LucidError, match=message) as caught:
        read_gradient_coil(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path):
    for path in (tmp_path / "none.grad", tmp_path):
        with pytest.raises(LucidError, match="cannot be read"):
            read_gradient_coil(path)
