import numpy as np
import pytest

from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.header import Confidence, Fact, acquisition, facts
from lucidmr.dicom.header.fact import HeaderFacts, default, exact, flagged, inferred, merged, unknown
from lucidmr.dicom.series import read_series


@pytest.fixture
def read(tmp_path, edit):
    """Facts of a synthetic series; ``change`` edits every file before it is read."""

    def _read(change=None, shape=(24, 16), slices=3, measured=None, **fields):
        images = [np.full(shape, 7.0)] * slices
        for file in create_series(images, tmp_path / "s", Protocol(**fields)):
            edit(file, change or clear())
        return facts(read_series(tmp_path / "s").series[0], measured)

    return _read


def clear(*names, **values):
    def change(dataset):
        for name in names:
            delattr(dataset, name)
        for name, value in values.items():
            setattr(dataset, name, value)

    return change


def test_a_complete_header_is_exact(read):
    found = read(matrix=(24, 12), phase_axis="row", acceleration=2.0)
    expected = {"manufacturer": "Lucid MR", "model": "Phantom", "field_strength": 1.5, "phase_axis": "row",
                "matrix_freq": 24, "matrix_phase": 12, "averages": 1, "echo_train_length": 16, "bandwidth": 200,
                "acceleration_phase": 2.0, "three_dimensional": False, "slice_spacing": 5.5}  # fmt: skip
    values = {name: getattr(found, name) for name in expected}
    assert {name: fact.value for name, fact in values.items()} == expected
    assert {fact.confidence for fact in values.values()} == {Confidence.EXACT}
    assert found.matrix_phase.source == "(0018,1310) AcquisitionMatrix"
    assert found.interpolation_phase.value == pytest.approx(16 / 12)


def test_silence_is_default_or_unknown(read):
    found = read(clear("AcquisitionMatrix", "InPlanePhaseEncodingDirection", "MRAcquisitionType", "PercentSampling",
                       "PercentPhaseFieldOfView"), shape=(16, 16))  # fmt: skip
    assert (found.phase_axis.value, found.phase_axis.confidence) == ("col", Confidence.DEFAULT)
    assert (found.three_dimensional.value, found.three_dimensional.confidence) == (False, Confidence.DEFAULT)
    assert (found.partial_fourier_phase.value, found.partial_fourier_phase.confidence) == (1.0, Confidence.DEFAULT)
    assert (found.acceleration_phase.value, found.acceleration_phase.confidence) == (1.0, Confidence.DEFAULT)
    assert found.matrix_freq.value is None
    assert found.matrix_freq.confidence is Confidence.UNKNOWN
    told = acquisition(found)
    assert told.matrix == (None, None, None)
    assert told.acceleration_phase == 1.0


@pytest.mark.parametrize(("written", "axis"), [("ROW", "row"), ("COL", "col"), ("COLUMN", "col")])
def test_phase_axis(read, written, axis):
    assert read(clear(InPlanePhaseEncodingDirection=written)).phase_axis.value == axis


@pytest.mark.parametrize(("matrix", "axis"), [([0, 24, 16, 0], "row"), ([24, 0, 0, 16], "col")])
def test_phase_axis_from_the_zeros_of_the_matrix(read, matrix, axis):
    found = read(clear("InPlanePhaseEncodingDirection", AcquisitionMatrix=matrix))
    assert (found.phase_axis.value, found.phase_axis.confidence) == (axis, Confidence.INFERRED)


def test_phase_axis_from_the_shorter_side(read):
    found = read(clear("InPlanePhaseEncodingDirection", "AcquisitionMatrix"), shape=(16, 24))
    assert (found.phase_axis.value, found.phase_axis.confidence) == ("col", Confidence.INFERRED)


def test_malformed_matrix_of_uih(read):
    found = read(clear(AcquisitionMatrix=[0, 12, 0, 8], InPlanePhaseEncodingDirection="ROW"))
    assert (found.matrix_freq.value, found.matrix_phase.value) == (12, 8)
    assert (found.interpolation_freq.value, found.interpolation_phase.value) == (2.0, 2.0)


def test_phase_matrix_from_percent_sampling_but_not_for_philips(read, tmp_path):
    partly = clear(AcquisitionMatrix=[0, 24, 0, 0], PercentSampling="75", PercentPhaseFieldOfView="66.6667")
    found = read(partly)
    assert (found.matrix_phase.value, found.matrix_phase.confidence) == (12, Confidence.INFERRED)


def test_philips_percent_sampling_is_not_believed(read):
    found = read(clear(AcquisitionMatrix=[0, 24, 0, 0], PercentSampling="78.5", Manufacturer="Philips"))
    assert found.matrix_phase.value is None


def test_square_padding(read):
    # 16 of the 24 columns hold the phase field of view; the rest are zeros.
    found = read(shape=(24, 24), phase_fov=200 / 3, matrix=(24, 8), phase_axis="row")
    assert found.filled_phase.value == pytest.approx(2 / 3, abs=1e-3)
    assert found.interpolation_phase.value == pytest.approx(2.0, abs=1e-2)


@pytest.mark.parametrize(("shape", "axis", "percent"), [((24, 16), "row", 200 / 3), ((24, 12), "col", 200.0)])
def test_a_rectangular_image_is_not_padded(read, shape, axis, percent):
    assert read(shape=shape, phase_axis=axis, phase_fov=percent).filled_phase.value == 1.0


@pytest.mark.parametrize(
    ("change", "phase", "freq"),
    [
        (clear(ScanOptions="PFP"), 0.75, 1.0),
        (clear(ScanOptions="PFF"), 1.0, 0.75),
        (clear(ScanOptions=["FAST_GEMS", "PFF"], Manufacturer="GE MEDICAL SYSTEMS", ScanningSequence="EP"), 0.75, 1.0),
        (clear(ScanOptions="PFF", Manufacturer="GE MEDICAL SYSTEMS", ScanningSequence="GR"), 1.0, 0.75),
        (clear(NumberOfAverages="0.5", Manufacturer="GE MEDICAL SYSTEMS"), 0.57, 1.0),
        (clear(NumberOfAverages="0.5", Manufacturer="Philips"), 1.0, 1.0),
        (clear(PartialFourier="NO", ScanOptions="PFP"), 1.0, 1.0),
        (clear(PartialFourier="YES", PartialFourierDirection="FREQUENCY"), 1.0, 0.75),
        (clear(PartialFourier="YES", PartialFourierDirection="COMBINATION"), None, None),
    ],
)
def test_partial_fourier(read, change, phase, freq):
    found = read(change)
    assert (found.partial_fourier_phase.value, found.partial_fourier_freq.value) == (phase, freq)
    assert acquisition(found).partial_fourier.phase == phase


@pytest.mark.parametrize(
    ("change", "phase", "random"),
    [
        (clear(ParallelAcquisition="YES", ParallelReductionFactorInPlane=3.0), 3.0, 1.0),
        (clear(ParallelAcquisition="YES", ParallelAcquisitionTechnique="SPEEDER"), None, 1.0),
        (clear(ParallelAcquisition="NO", ParallelAcquisitionTechnique="SENSE"), 1.0, 1.0),
        (clear(ParallelAcquisition="YES", ParallelAcquisitionTechnique="CSENSE", ParallelReductionFactorInPlane=4.0),
         1.0, 4.0),
    ],
)  # fmt: skip
def test_acceleration(read, change, phase, random):
    found = read(change)
    told = acquisition(found)
    assert (told.acceleration_phase, told.acceleration_random) == (phase, random)


def test_simultaneous_slices_are_no_undersampling_along_slice(read):
    found = read(clear(ParallelAcquisition="YES", ParallelReductionFactorInPlane=2.0,
                       ParallelReductionFactorOutOfPlane=4.0))  # fmt: skip
    assert found.acceleration_slice.value == 4.0
    assert acquisition(found).acceleration_slice == 1.0


def test_three_dimensions(read):
    found = read(three_dimensional=True, slices=8, slice_thickness=2.0, slice_spacing=1.0)
    told = acquisition(found)
    assert (told.three_dimensional, told.matrix.slice) == (True, 4.0)
    assert found.interpolation_slice.value == 2.0
    assert told.elliptical is None


def test_thick_slices_of_a_2d_scan_are_not_interpolation(read):
    found = read(slices=8, slice_thickness=2.0, slice_spacing=1.0)
    assert acquisition(found).matrix.slice is None
    assert found.interpolation_slice.value is None


def test_many_thin_slices_are_taken_for_3d(read):
    found = read(clear("MRAcquisitionType"), slices=50, slice_spacing=1.0, shape=(4, 4))
    assert (found.three_dimensional.value, found.three_dimensional.confidence) == (True, Confidence.INFERRED)


@pytest.mark.parametrize(("name", "expected"), [("*tfl3d1_16ns", True), ("*tse2d1_19", False)])
def test_dimension_from_the_sequence_name(read, name, expected):
    found = read(clear("MRAcquisitionType", SequenceName=name))
    assert (found.three_dimensional.value, found.three_dimensional.confidence) == (expected, Confidence.INFERRED)


@pytest.mark.parametrize(("coverage", "expected"), [("FULL", False), ("ELLIPTICAL", True)])
def test_elliptical(read, coverage, expected):
    assert read(clear(CoverageOfKSpace=coverage), three_dimensional=True).elliptical.value is expected


def test_gauss_becomes_tesla(read):
    assert read(clear(MagneticFieldStrength="15000")).field_strength.value == 1.5


def test_odd_values_are_no_crash(read):
    found = read(clear(AcquisitionMatrix=[0, 0, 0, 0], PixelBandwidth="0", NumberOfAverages=None, EchoTrainLength=None,
                       PercentPhaseFieldOfView="0"))  # fmt: skip
    for name in ("matrix_freq", "bandwidth", "averages", "echo_train_length", "phase_fov"):
        assert getattr(found, name).value is None


def test_measured_facts_fill_in_and_give_way(read):
    measured = {"matrix_freq": exact(20.0, "measured"), "technique": exact("GRAPPA", "measured")}
    found = read(measured=measured)
    assert found.matrix_freq.value == 24
    assert found.technique == exact("GRAPPA", "measured")


def test_a_measured_filled_part_overrules_what_follows_from_the_header(read):
    square = {"shape": (24, 24), "phase_fov": 50.0, "matrix": (24, 12), "phase_axis": "row"}
    found = read(measured={"filled_phase": exact(1.0, "measured")}, **square)
    assert found.filled_phase.value == 1.0
    assert found.interpolation_phase.value == 2.0


def test_values_out_of_range_are_told_as_unknown():
    odd = HeaderFacts(acceleration_phase=exact(0.5, "x"), partial_fourier_phase=exact(0.3, "x"))
    told = acquisition(odd)
    assert told.acceleration_phase is None
    assert told.partial_fourier.phase is None


def test_the_first_source_that_speaks_wins_and_the_others_are_kept():
    first, second = {"a": unknown("says so")}, {"a": exact(1, "x"), "b": exact(2, "y")}
    third = {"a": default(3, "silent"), "b": inferred(2.01, "z")}
    found = merged([first, second, third])
    assert (found["a"].value, found["a"].source, found["a"].others) == (None, "says so", (exact(1, "x"),))
    assert (found["b"].value, found["b"].others) == (2, (inferred(2.01, "z"),))


@pytest.mark.parametrize(
    ("one", "other", "disputed"),
    [
        (exact(100.0, "a"), exact(101.0, "b"), False),
        (exact(100.0, "a"), exact(103.0, "b"), True),
        (exact(0.625, "a"), flagged("b"), False),
        (exact(1.0, "a"), flagged("b"), True),
        (exact("GRAPPA", "a"), exact("grappa", "b"), False),
        (exact(True, "a"), exact(False, "b"), True),
        (unknown("a"), exact(1.0, "b"), False),
        (exact(0.0, "a"), inferred(0.0, "b"), False),
    ],
)
def test_what_counts_as_disagreement(one, other, disputed):
    assert bool(merged([{"a": one}, {"a": other}])["a"].disputed) == disputed


@pytest.mark.parametrize(("value", "confidence"), [(None, Confidence.EXACT), (1, Confidence.UNKNOWN)])
def test_a_fact_is_unknown_exactly_without_a_value(value, confidence):
    with pytest.raises(ValueError, match="unknown exactly"):
        Fact(value, "x", confidence)
