"""What derived images say they were made from."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from lucidmr.dicom.derived import Form, write_derived
from lucidmr.dicom.series import read_series


@pytest.fixture
def stacks(make, tmp_path):
    """Two echoes of nine slices in one series."""
    images = [np.full((24, 16), 10.0 * number + 1) for number in range(9)]
    make("one", echo_time=10.0, images=images)
    make("two", echo_time=30.0, images=images)
    (series,) = read_series(tmp_path / "in").series
    assert [len(stack) for stack in series.stacks] == [9, 9]
    return series


def headers_of(series, folder, provenance, slices, form=None):
    files = write_derived(series, series.images(), folder, replace(provenance, slices=slices), form=form or Form())
    return [pydicom.dcmread(path) for path in files]


def named(sequence):
    """What each reference points at, and whether what is drawn there fits."""
    return [
        (reference.get("ReferencedFrameNumber", reference.ReferencedSOPInstanceUID),
         reference.SpatialLocationsPreserved) for reference in sequence
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("index", "others"),
    [(0, [1, 2, 3]), (1, [0, 2, 3, 4]), (4, [1, 2, 3, 5, 6, 7]), (8, [5, 6, 7]), (9, [10, 11, 12]), (17, [14, 15, 16])],
)
def test_an_image_names_every_slice_of_its_stack_that_it_was_made_from(stacks, tmp_path, provenance, index, others):
    header = headers_of(stacks, tmp_path / "out", provenance, 7)[index]
    uids = [stacks.header(number).SOPInstanceUID for number in (index, *others)]
    assert named(header.SourceImageSequence) == [(uid, "NO" if count else "YES") for count, uid in enumerate(uids)]
    assert {reference.ReferencedSOPClassUID for reference in header.SourceImageSequence} == {header.SOPClassUID}


def test_identifiers_do_not_depend_on_what_is_named(stacks, tmp_path, provenance):
    one, seven = (headers_of(stacks, tmp_path / str(count), provenance, count) for count in (1, 7))
    assert [header.SOPInstanceUID for header in one] == [header.SOPInstanceUID for header in seven]
    assert [len(header.SourceImageSequence) for header in one] == [1] * 18


def test_a_frame_names_frames(enhanced, phantom, tmp_path, provenance):
    (series,) = read_series(enhanced(phantom, echoes=(10.0, 20.0))).series
    expected = [(6, "YES"), (5, "NO"), (7, "NO")]
    (whole,) = headers_of(series, tmp_path / "whole", provenance, 3)
    group = whole.PerFrameFunctionalGroupsSequence[5]
    assert named(group.DerivationImageSequence[0].SourceImageSequence) == expected
    single = headers_of(series, tmp_path / "single", provenance, 3, Form(classic=True))[5]
    assert named(single.SourceImageSequence) == expected


def test_naming_several_is_valid(stacks, enhanced, phantom, tmp_path, provenance, new_errors):
    (frames,) = read_series(enhanced(phantom)).series
    for name, series in (("single", stacks), ("multi", frames)):
        files = write_derived(series, series.images(), tmp_path / name, replace(provenance, slices=3))
        assert new_errors(series.paths[0], files[0]) == []
