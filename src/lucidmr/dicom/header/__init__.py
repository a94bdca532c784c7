"""What was acquired, from the header: every fact with its source and confidence.

A vendor's module will hold one function ``header -> Facts``; :func:`facts` puts it before the standard attributes.
"""

from collections import Counter
from itertools import pairwise

from lucidmr.dicom.header.acquisition import acquisition
from lucidmr.dicom.header.consequences import consequences, fallbacks
from lucidmr.dicom.header.fact import Confidence, Fact, Facts, HeaderFacts, exact, merged
from lucidmr.dicom.header.standard import source, standard_facts
from lucidmr.dicom.series import ImageSeries
from lucidmr.dicom.values import quiet

__all__ = ["Confidence", "Fact", "Facts", "HeaderFacts", "acquisition", "facts"]


def facts(series: ImageSeries, measured: Facts | None = None) -> HeaderFacts:
    """Read how a series was acquired.

    Args:
        series: The series.
        measured: Facts measured from the images by the caller, by name. They fill in what the header leaves out, and
            give way to what it says. What only follows from the header (``filled_phase``: some scanners fill the
            square with signal after all; ``interpolation_*``) gives way to them.

    Returns:
        All facts; those that nothing tells are unknown.
    """
    with quiet():
        found = merged([standard_facts(series.headers[0]), measured or {}])
        found = merged([_geometry(series), found])
        slices = Counter(map(len, series.stacks)).most_common(1)[0][0]
        found = merged([found, fallbacks(found, (series.rows, series.columns), slices)])
        found = merged([found, consequences(found, (series.rows, series.columns), slices)])
    return HeaderFacts(**found)


def _geometry(series: ImageSeries) -> Facts:
    plane = series.geometry(0)
    if plane is None:
        return {}
    found = {
        "spacing_row": exact(plane.spacing[0], source("PixelSpacing")),
        "spacing_column": exact(plane.spacing[1], source("PixelSpacing")),
    }
    stack = max(series.stacks, key=len)
    along = [where.distance for index in stack if (where := series.geometry(index)) is not None]
    steps = sorted(b - a for a, b in pairwise(along))
    if steps and steps[len(steps) // 2] > 0:
        # The header's SpacingBetweenSlices is not always the distance between slices.
        found["slice_spacing"] = exact(round(steps[len(steps) // 2], 4), source("ImagePositionPatient"))
    return found
