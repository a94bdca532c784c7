import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidmr.dicom.geometry import Geometry, geometry

OBLIQUE = geometry((10.0, -20.0, 30.0), (0.8, 0.6, 0.0, -0.36, 0.48, -0.8), (0.5, 0.75))


@given(st.tuples(st.integers(1, 600), st.integers(1, 600)), st.tuples(st.integers(1, 2400), st.integers(1, 2400)))
def test_resampling_keeps_the_corners(old, new):
    np.testing.assert_allclose(OBLIQUE.resampled(old, new).corners(new), OBLIQUE.corners(old), atol=1e-9)


def test_corners_lie_half_a_pixel_outside():
    plane = Geometry((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (2.0, 1.0))
    assert plane.corners((3, 4)).tolist() == [[-0.5, -1, 0], [3.5, -1, 0], [-0.5, 5, 0], [3.5, 5, 0]]


def test_doubling_moves_the_position_by_a_quarter_of_the_old_spacing():
    plane = Geometry((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0)).resampled((8, 8), (16, 16))
    assert plane.position == (-0.25, -0.25, 0.0)
    assert plane.spacing == (0.5, 0.5)


@pytest.mark.parametrize(
    ("position", "orientation", "spacing"),
    [
        ((), (1.0, 0, 0, 0, 1, 0), (1.0, 1.0)),
        ((0.0, 0, 0), (1.0, 0, 0, 1, 0, 0), (1.0, 1.0)),
        ((0.0, 0, 0), (0.0, 0, 0, 0, 0, 0), (1.0, 1.0)),
        ((0.0, 0, 0), (1.0, 0, 0, 0, 1, 0), (0.0, 1.0)),
    ],
)
def test_nonsense_is_none(position, orientation, spacing):
    assert geometry(tuple(map(float, position)), tuple(map(float, orientation)), spacing) is None
