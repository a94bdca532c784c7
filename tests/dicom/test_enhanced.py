import numpy as np
import pydicom
import pytest

from lucidmr.dicom.derived import write_derived
from lucidmr.dicom.header import Confidence, acquisition, facts
from lucidmr.dicom.series import read_series


def source_of(path):
    found = read_series(path)
    assert len(found.series) == 1, found
    return found.series[0]


def test_frames_are_sorted_into_stacks(enhanced, phantom):
    series = source_of(enhanced(phantom, echoes=(10.0, 20.0)))
    assert series.enhanced
    assert series.stacks == ((0, 1, 2, 3), (4, 5, 6, 7))
    for index in range(8):
        np.testing.assert_array_equal(series.image(index), phantom[index % 4])


def test_each_frame_has_its_own_rescale(enhanced, phantom):
    series = source_of(enhanced(phantom, slopes=[1, 2, 3, 0.5]))
    for index, slope in enumerate((1, 2, 3, 0.5)):
        np.testing.assert_array_equal(series.image(index), phantom[index] * slope)


def test_facts_come_from_the_macros(enhanced, phantom):
    found = facts(source_of(enhanced(phantom)))
    assert (found.phase_axis.value, found.phase_axis.confidence) == ("col", Confidence.EXACT)
    assert (found.matrix_freq.value, found.matrix_phase.value) == (16, 12)
    assert (found.partial_fourier_phase.value, found.partial_fourier_phase.confidence) == (0.75, Confidence.INFERRED)
    assert (found.partial_fourier_freq.value, found.partial_fourier_freq.confidence) == (1.0, Confidence.EXACT)
    assert found.technique.value == "GRAPPA"
    told = acquisition(found)
    assert (told.acceleration_phase, told.matrix.phase, told.matrix.slice) == (2.0, 12, None)
    assert found.interpolation_phase.value == 2.0


def test_mixed_frames_are_refused_with_their_number(enhanced, phantom):
    kinds = [["ORIGINAL", "PRIMARY", "M", "NONE"]] * 3 + [["ORIGINAL", "PRIMARY", "FIELD_MAP", "NONE"]]
    found = read_series(enhanced(phantom, kinds=kinds))
    assert not found.series
    assert [refusal.reason for refusal in found.refused] == ["1 of 4 frames: field map"]


def test_a_file_with_too_few_descriptions_is_refused(enhanced, phantom, edit):
    path = enhanced(phantom)
    edit(path, lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop())
    assert [refusal.reason for refusal in read_series(path).refused] == ["3 descriptions for 4 frames"]


def test_truncated_frames_are_refused(enhanced, phantom):
    path = enhanced(phantom)
    path.write_bytes(path.read_bytes()[:-1])
    reason = f"truncated pixel data in multi.dcm: expected {4 * 24 * 16 * 2} bytes, got {4 * 24 * 16 * 2 - 1}"
    assert [refusal.reason for refusal in read_series(path).refused] == [reason]


@pytest.mark.parametrize("shared_spacing", [True, False])
def test_multi_frame_in_multi_frame_out(enhanced, phantom, tmp_path, provenance, shared_spacing):
    path = enhanced(phantom, echoes=(10.0, 20.0), slopes=[1, 2] * 4, shared_spacing=shared_spacing)
    series = source_of(path)
    wide = (np.repeat(image, 4, axis=1) for image in series.images())
    (written,) = write_derived(series, wide, tmp_path / "out", provenance)
    source, derived = pydicom.dcmread(path), pydicom.dcmread(written)
    np.testing.assert_array_equal(derived.pixel_array, np.repeat(source.pixel_array, 4, axis=2))
    assert derived.SOPClassUID == source.SOPClassUID
    assert derived.NumberOfFrames == 8
    assert list(derived.ImageType) == ["DERIVED", "PRIMARY", "M", "NONE"]
    evidence = derived.SourceImageEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    for number, group in enumerate(derived.PerFrameFunctionalGroupsSequence, start=1):
        assert list(group.MRImageFrameTypeSequence[0].FrameType) == ["DERIVED", "PRIMARY", "M", "NONE"]
        reference = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedFrameNumber == number
        place = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(place, [-0.375, 0, 5.5 * ((number - 1) % 4)], atol=1e-9)
        measures = derived.SharedFunctionalGroupsSequence[0] if shared_spacing else group
        assert list(measures.PixelMeasuresSequence[0].PixelSpacing) == [1, 0.25]


def test_own_multi_frame_output_is_recognised(enhanced, phantom, tmp_path, provenance):
    series = source_of(enhanced(phantom))
    write_derived(series, series.images(), tmp_path / "out", provenance)
    assert [refusal.reason for refusal in read_series(tmp_path / "out").refused] == ["already processed by Lucid MR"]


def test_several_files_are_written_when_complete(enhanced, phantom, tmp_path, provenance, edit):
    enhanced(phantom, name="one")
    second = enhanced(phantom[::-1], name="two")

    def rename(dataset):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"

    edit(second, rename)
    series = source_of(tmp_path / "in")
    assert list(map(len, series.stacks)) == [4, 4]
    files = write_derived(series, series.images(), tmp_path / "out", provenance)
    volumes = [pydicom.dcmread(path).pixel_array for path in files]
    np.testing.assert_array_equal(volumes[0], volumes[1][::-1])


def test_a_window_too_narrow_to_show_is_replaced_in_its_frame(enhanced, phantom, tmp_path, provenance, edit):
    path = enhanced(phantom)

    def narrow(dataset):
        dataset.PerFrameFunctionalGroupsSequence[2].FrameVOILUTSequence[0].WindowWidth = "0"

    edit(path, narrow)
    series = source_of(path)
    (written,) = write_derived(series, series.images(), tmp_path / "out", provenance)
    groups = pydicom.dcmread(written).PerFrameFunctionalGroupsSequence
    widths = [float(group.FrameVOILUTSequence[0].WindowWidth) for group in groups]
    assert widths == [1000, 1000, float(phantom[2].max() - phantom[2].min()), 1000]
