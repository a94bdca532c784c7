"""Distances between pixels and slices, from the planes of a stack of images."""

from collections.abc import Sequence
from itertools import pairwise

from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.header.fact import Facts, exact
from lucidmr.dicom.header.standard import source


def plane_facts(stack: Sequence[Geometry | None]) -> Facts:
    """What the planes of parallel images tell, sorted by position; nothing where the first one is unknown."""
    plane = stack[0]
    if plane is None:
        return {}
    found = {
        "spacing_row": exact(plane.spacing[0], source("PixelSpacing")),
        "spacing_column": exact(plane.spacing[1], source("PixelSpacing")),
    }
    along = [where.distance for where in stack if where is not None]
    steps = sorted(b - a for a, b in pairwise(along))
    if steps and steps[len(steps) // 2] > 0:
        # The header's SpacingBetweenSlices is not always the distance between slices.
        found["slice_spacing"] = exact(round(steps[len(steps) // 2], 4), source("ImagePositionPatient"))
    return found
