import pytest

from lucidmr.dicom.frames import Frame
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.stacks import distinct_orientations, evenly_spaced, stack_warnings, stacks_of

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def frame(place, file=0, plane=AXIAL, kind="M", time=0, acquisition=0, trigger=0.0):
    where = (0.0, 0.0, place) if plane is AXIAL else (0.0, place, 0.0)
    order = (float(time), float(acquisition), trigger, float(file))
    return Frame(file, 0, Geometry(where, *plane, (1.0, 1.0)), 1.0, 0.0, (kind,), time, acquisition, trigger, order)


def places(frames):
    return [[member.geometry.distance for member in stack] for stack in stacks_of(frames)]


def test_sorted_by_position():
    assert places([frame(place) for place in (3.0, 1.0, 2.0)]) == [[1, 2, 3]]


def test_kinds_and_orientations_are_kept_apart():
    frames = [frame(0.0), frame(1.0), frame(0.0, kind="N"), frame(0.0, plane=CORONAL)]
    stacks = stacks_of(frames)
    assert sorted(map(len, stacks)) == [1, 1, 2]
    assert distinct_orientations(stacks) == 2


@pytest.mark.parametrize("key", ["time", "acquisition", "trigger"])
def test_an_incomplete_last_time_point_stays_together(key):
    step = {"time": int, "acquisition": int, "trigger": float}[key]
    frames = [frame(float(place), **{key: step(point)}) for point in (1, 2) for place in range(4)]
    # The first slice of the second time point is missing: without the tag it would be mixed with the first's.
    del frames[4]
    assert sorted(places(frames)) == [[0, 1, 2, 3], [1, 2, 3]]


def test_an_acquisition_number_per_slice_splits_nothing():
    assert places([frame(float(place), acquisition=place) for place in range(5)]) == [[0, 1, 2, 3, 4]]


def test_slightly_different_cosines_are_one_orientation():
    tilted = ((1.0, 0.004, 0.0), (-0.004, 1.0, 0.0))
    frames = [
        frame(0.0),
        Frame(1, 0, Geometry((0.0, 0.0, 1.0), *tilted, (1.0, 1.0)), 1.0, 0.0, ("M",), 0, 0, 0.0, (1.0,)),
    ]
    assert len(stacks_of(frames)) == 1


@pytest.mark.parametrize(
    ("along", "expected"),
    [
        ([0, 1, 2, 3, 4], []),
        ([0, 1, 2, 4, 5], ["1 missing slice: a gap between slices 1.00 mm apart"]),
        ([0, 1, 2, 5, 6, 8], ["3 missing slices: a gap between slices 1.00 mm apart"]),
        ([0, 2], []),
        ([0, 10, 13.4, 20], []),  # slices placed one by one
    ],
)
def test_missing_slices(along, expected):
    assert stack_warnings(stacks_of([frame(float(place)) for place in along])) == expected


def test_duplicate_slices():
    stacks = stacks_of([frame(float(place), file=place) for place in range(5)] + [frame(2.0, file=9)])
    assert stack_warnings(stacks) == ["1 duplicate slice: two images at the same position"]


@pytest.mark.parametrize(
    ("along", "even"),
    [([0.0, 1.0, 2.05, 3.0], True), ([0.0, 1.0, 3.0, 4.0], False), ([0.0, 1.0, 1.5], False), ([4.0], True), ([], True)],
)
def test_even_steps(along, even):
    assert evenly_spaced([frame(place).geometry for place in along]) is even
    assert evenly_spaced([None, *(frame(place).geometry for place in along)]) is even
