"""Sorts the images of one series into stacks of parallel slices.

A stack holds one image per slice position: one echo, one b-value, one time point. A series may hold many.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import median, median_low

import numpy as np

from lucidmr.dicom.frames import Frame
from lucidmr.dicom.geometry import Geometry

_SAME_ORIENTATION = 0.01
"""Largest difference of a direction cosine between parallel slices."""
_SAME_PLACE = 0.01
"""Largest distance between two images of the same slice, in mm."""

_UNEVEN = 0.1
"""Largest difference between the steps of one volume, over the step."""


def stacks_of(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Split into stacks, each sorted by position along its normal.

    Images that only an acquisition order tells apart (vendors seldom write temporal positions) are dealt out in that
    order: the k-th image at each position goes to the k-th stack.
    """
    groups: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    orientations: list[tuple[float, ...]] = []
    for frame in frames:
        groups[(_orientation(frame, orientations), *map(str, frame.kind))].append(frame)
    found: list[list[Frame]] = []
    for group in groups.values():
        parts = [group]
        for name in ("time", "acquisition", "trigger"):
            parts = _split(parts, attrgetter(name))
        for part in parts:
            found += _deal(part)
    return found


def distinct_orientations(stacks: Sequence[Sequence[Frame]]) -> int:
    """How many clearly different (by 20 degrees or more) planes there are."""
    normals: list[tuple[float, ...]] = []
    for stack in stacks:
        plane = stack[0].geometry
        if plane is not None and all(abs(np.dot(plane.normal, other)) < 0.94 for other in normals):
            normals.append(plane.normal)
    return len(normals)


def stack_warnings(stacks: Sequence[Sequence[Frame]]) -> list[str]:
    """Missing slices, duplicate slices and unknown positions, one line each."""
    found = [line for stack in stacks if (line := _gap(stack))]
    unplaced = sum(frame.geometry is None for stack in stacks for frame in stack)
    if unplaced:
        found.append(f"{unplaced} images have no position in the header; they keep the order of their numbers")
    return list(dict.fromkeys(found)) + _duplicates(stacks)


def evenly_spaced(planes: Sequence[Geometry | None]) -> bool:
    """Whether slices, in order, lie at even steps, as those of one volume do; unknown places count as even."""
    along = [plane.distance for plane in planes if plane is not None]
    steps = [b - a for a, b in pairwise(along)]
    return not steps or max(steps) - min(steps) <= _UNEVEN * abs(median(steps))


def _orientation(frame: Frame, known: list[tuple[float, ...]]) -> int:
    if frame.geometry is None:
        return -1
    values = frame.geometry.orientation
    for number, other in enumerate(known):
        if max(abs(a - b) for a, b in zip(values, other, strict=True)) < _SAME_ORIENTATION:
            return number
    known.append(values)
    return len(known) - 1


def _split(groups: list[list[Frame]], key: Callable[[Frame], float]) -> list[list[Frame]]:
    """Split by a number that vendors use freely: only where it explains the repeated positions exactly."""
    found: list[list[Frame]] = []
    for group in groups:
        parts: dict[float, list[Frame]] = defaultdict(list)
        for frame in group:
            parts[key(frame)].append(frame)
        repeats = max(Counter(map(_place, group)).values())
        trusted = len(parts) == repeats and all(len({*map(_place, part)}) == len(part) for part in parts.values())
        found += [parts[name] for name in sorted(parts)] if trusted else [group]
    return found


def _deal(group: list[Frame]) -> list[list[Frame]]:
    places: dict[object, list[Frame]] = defaultdict(list)
    for frame in sorted(group, key=lambda frame: (_along(frame), frame.order, frame.file)):
        places[_place(frame)].append(frame)
    depth = max(len(place) for place in places.values())
    dealt = [[place[level] for place in places.values() if len(place) > level] for level in range(depth)]
    return [sorted(stack, key=lambda frame: (_along(frame), frame.order)) for stack in dealt]


def _along(frame: Frame) -> float:
    return 0.0 if frame.geometry is None else round(frame.geometry.distance, 3)


def _place(frame: Frame) -> tuple[int, ...]:
    if frame.geometry is None:
        return frame.file, frame.index
    return tuple(round(value / _SAME_PLACE) for value in frame.geometry.position)


def _gap(stack: Sequence[Frame]) -> str:
    along = [frame.geometry.distance for frame in stack if frame.geometry is not None]
    steps = [b - a for a, b in pairwise(along)]
    usual = median_low(steps) if len(steps) >= 2 else 0.0
    if usual <= _SAME_PLACE:
        return ""
    # A slice that is missing leaves a multiple of the usual step; slices placed one by one leave any.
    jumps = [round(step / usual) for step in steps if abs(step / usual - round(step / usual)) < 0.1]
    missing = sum(jump - 1 for jump in jumps if jump > 1)
    return f"{missing} missing slice{'s' * (missing > 1)}: a gap between slices {usual:.2f} mm apart" if missing else ""


def _duplicates(stacks: Sequence[Sequence[Frame]]) -> list[str]:
    """Find slices there more often than the others of the same kind."""
    kinds: dict[tuple[object, ...], list[Sequence[Frame]]] = defaultdict(list)
    for stack in stacks:
        if stack[0].geometry is not None:
            kinds[(*stack[0].kind, *(round(value, 1) for value in stack[0].geometry.orientation))].append(stack)
    extra = 0
    for group in kinds.values():
        counts = Counter(_place(frame) for stack in group for frame in stack)
        usual = median(counts.values())
        extra += sum(int(count - usual) for count in counts.values() if count > usual)
    return [f"{extra} duplicate slice{'s' * (extra > 1)}: two images at the same position"] if extra else []
