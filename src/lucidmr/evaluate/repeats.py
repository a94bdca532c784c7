"""Repeated acquisitions among the data: images of one plane that differ by their noise alone."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import torch

from lucidmr.dicom.series import ImageSeries
from lucidmr.enhance.pipeline import middle_image
from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import estimate_noise

_AGREEMENT: Final = (0.6, 1.6)
"""Noise of the difference over that of the images; outside, something else differs: motion or contrast."""
_MOST_SHIFT: Final = 0.5
"""Mean of the difference over the noise; above, the scaling differs."""
_MOST_TRIED: Final = 8
"""Pairs that are looked at per series."""


class Place(NamedTuple):
    """An image of a series."""

    series: ImageSeries
    number: int


Repeat = tuple[Place, Place]


def find_repeats(series: Iterable[ImageSeries]) -> list[Repeat]:
    """Pairs of images that show the same, at most one for every series.

    Args:
        series: Where to look, within series (time points) and between them.

    Returns:
        The pairs.
    """
    alike: dict[tuple[object, ...], list[Place]] = defaultdict(list)
    for one in series:
        for index in _same_plane(one):
            alike[_key(one, index)].append(Place(one, index))
    found = (_first_repeat(places) for places in alike.values())
    return [repeat for repeat in found if repeat is not None]


def _same_plane(series: ImageSeries) -> list[int]:
    """The images of a series that lie where its middle one lies."""
    where = series.geometry(middle_image(len(series)))
    return [] if where is None else [index for index in range(len(series)) if series.geometry(index) == where]


def _key(series: ImageSeries, index: int) -> tuple[object, ...]:
    """Equal for images that could be repetitions; of files with many frames the file does not matter."""
    frame, header = series.frames[index], series.header(index)
    timing = tuple(str(header.get(name)) for name in ("RepetitionTime", "FlipAngle", "ScanOptions"))
    kind = frame.kind[1:] if series.enhanced else frame.kind
    return series.rows, series.columns, frame.geometry, kind, frame.trigger, timing


def _first_repeat(places: list[Place]) -> Repeat | None:
    first, *others = places
    return next(((first, other) for other in others[:_MOST_TRIED] if _is_repeated(first, other)), None)


def _is_repeated(one: Place, other: Place) -> bool:
    images = torch.stack([torch.from_numpy(series.image(index)) for series, index in (one, other)])
    noise = estimate_noise(images).sd
    body = body_mask(images.mean(0))
    if noise <= 0.0 or not bool(body.any()):
        return False
    difference = (images[0] - images[1])[body]
    ratio, shift = float(difference.std()) / (2**0.5 * noise), float(difference.mean()) / noise
    return _AGREEMENT[0] <= ratio <= _AGREEMENT[1] and abs(shift) <= _MOST_SHIFT
