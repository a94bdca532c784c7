"""Philips, Canon and Toshiba, United Imaging, Hitachi and Fujifilm, Bruker; and who is who."""

import pytest

from lucidmr.dicom.header import Confidence, facts, header_facts
from lucidmr.dicom.header.vendor import vendor_of
from lucidmr.dicom.series import read_series

FIRST = "Philips MR Imaging DD 001"
TOSHIBA = "TOSHIBA_MEC_MR3^10"
XML = (b'<?xml version="1.0"?>\n<PAS>\n <SPDRR>2,1,1</SPDRR><WRAPR>1.5,1,1</WRAPR><GDC>1</GDC><GDCDIMR>3</GDCDIMR>'
       b"<INTCORF>1</INTCORF><MLTBF>2</MLTBF></PAS>")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("SIEMENS", "siemens"), ("Siemens HealthCare GmbH", "siemens"), ("GE MEDICAL SYSTEMS", "ge"), ("GE", "ge"),
        ("GENESIS_SIGNA", "ge"), ("Philips Medical Systems", "philips"), ("TOSHIBA", "canon"), ("CANON_MEC", "canon"),
        ("UIH", "uih"), ("FUJIFILM Corporation", "hitachi"), ("Hitachi, Ltd.", "hitachi"),
        ("Bruker BioSpin MRI GmbH", "bruker"), ("Lucid MR", ""), ("", ""),
    ],
)  # fmt: skip
def test_vendors_by_name(header, name, vendor):
    assert vendor_of(header(name)) == vendor


def test_a_vendor_without_a_name_is_told_by_private_attributes(header, add):
    assert vendor_of(add(header(""), 0x2005, FIRST, 0x11, "CS", "M")) == "philips"
    assert vendor_of(add(header(""), 0x0043, "GEMS_PARM_01", 0x2F, "SS", 0)) == "ge"


@pytest.fixture
def philips(header, add, item):
    """A single frame with the item that holds the multi-frame attributes; other creators come first."""

    def _philips(nested=None, **attributes):
        found = header("Philips", **attributes)
        add(found, 0x2005, "Somebody else", 0x0F, "LO", "x")
        add(found, 0x2005, "Philips MR Imaging DD 005", 0x0F, "SQ", item(**(nested or {})))
        return found

    return _philips


def test_philips_item(philips, values):
    nested = {"ParallelAcquisition": "YES", "ParallelAcquisitionTechnique": "SENSE",
              "ParallelReductionFactorInPlane": 1.5, "ParallelReductionFactorOutOfPlane": 2.0,
              "MRAcquisitionFrequencyEncodingSteps": 88, "MRAcquisitionPhaseEncodingStepsInPlane": 85,
              "MRAcquisitionPhaseEncodingStepsOutOfPlane": 53, "PartialFourier": "NO", "KSpaceFiltering": "RIESZ",
              "CoverageOfKSpace": "ELLIPTICAL", "OversamplingPhase": "NONE"}  # fmt: skip
    image = philips(nested, MRAcquisitionType="3D", PercentSampling="78.5398", AcquisitionMatrix=[88, 0, 0, 85])
    names = ("matrix_freq", "matrix_phase", "matrix_slice", "acceleration_phase", "acceleration_slice", "technique",
             "partial_fourier_phase", "elliptical", "filters", "phase_resolution", "oversampling_phase")  # fmt: skip
    assert values(image, *names) == (88, 85, 53, 1.5, 2.0, "SENSE", 1.0, True, "riesz", None, 0.0)
    assert header_facts(image).technique.source == "(2005,xx0F) > (0018,9078) ParallelAcquisitionTechnique"


def test_philips_scalars(philips, add, values):
    image = philips()
    add(image, 0x2001, "Philips Imaging DD 001", 0x19, "CS", "Y")
    add(image, 0x2005, FIRST, 0x11, "CS", "M")
    add(image, 0x2005, FIRST, 0xA1, "CS", "SYN_COCA")
    add(image, 0x2005, "Philips MR Imaging DD 008", 0x10, "CS", "CS_SENSE_AI")
    names = ("partial_fourier_phase", "component", "normalized", "dl_reconstructed")
    assert values(image, *names) == (0.75, "magnitude", True, True)


def test_philips_multi_frame(header, add, item, values):
    image = header("Philips", SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1")
    image.SharedFunctionalGroupsSequence = item(
        MRModifierSequence=item(
            ParallelAcquisition="YES", ParallelAcquisitionTechnique="CSENSE", ParallelReductionFactorInPlane=4.0
        )
    )
    image.PerFrameFunctionalGroupsSequence = item()
    creator = "Philips MR Imaging DD 005"
    add(image.SharedFunctionalGroupsSequence[0], 0x2005, creator, 0x0E, "SQ", item(CoverageOfKSpace="FULL"))
    add(image.PerFrameFunctionalGroupsSequence[0], 0x2005, creator, 0x0F, "SQ", item(AcquisitionMatrix=[80, 0, 0, 70]))
    names = ("acceleration_phase", "acceleration_random", "elliptical", "matrix_phase")
    assert values(image, *names) == (1.0, 4.0, False, 70)


def test_canon_words(header, values):
    image = header("CANON_MEC", ScanOptions=["PFP", "NONE", "S2_5"], ImageType=["ORIGINAL", "PRIMARY", "GDC"])
    names = ("partial_fourier_phase", "acceleration_phase", "technique", "distortion_correction")
    assert values(image, *names) == (0.75, 2.5, "SPEEDER", "2D")


def test_toshiba_protocol(header, add, values):
    image = add(header("TOSHIBA", ParallelAcquisition="YES"), 0x700D, TOSHIBA, 0x19, "OB", XML)
    names = ("acceleration_phase", "acceleration_slice", "oversampling_phase", "distortion_correction", "normalized")
    assert values(image, *names) == (2, 2, 0.5, "3D", True)
    damaged = add(header("TOSHIBA"), 0x700D, TOSHIBA, 0x19, "OB", b"\0" * 99)
    assert header_facts(damaged).warnings == ("damaged private data: no protocol in it; read without it",)


def test_united_imaging(header, add):
    image = header("UIH", ImageType=["ORIGINAL", "PRIMARY", "M", "UCA", "IF"], AcquisitionMatrix=[0, 256, 0, 230])
    for group, creator, element, value in (
        (0x0061, "Common Private Header", 0x01, "IF:s7e2d1"), (0x0061, "Common Private Header", 0x02, "230*256"),
        (0x0065, "Image Private Header", 0x0D, "F:2.50"), (0x0065, "Image Private Header", 0x32, "KF:D"),
    ):  # fmt: skip
        add(image, group, creator, element, "SH", value)
    told = header_facts(image)
    assert told.phase_fov.value == pytest.approx(100 * 230 / 256)
    assert (told.acceleration_phase.value, told.filters.value, told.normalized.value) == (2.5, "KF D, IF s7e2d1", True)
    # Silence is no "no" where the protocol is hidden.
    assert told.partial_fourier_phase.confidence is Confidence.UNKNOWN
    assert "encrypted" in told.partial_fourier_phase.source


def test_what_hitachi_keeps_to_itself_is_unknown(header, values):
    image = header("Hitachi", PercentSampling="80", AcquisitionMatrix=[0, 256, 0, 0])
    assert values(image, "acceleration_phase", "matrix_phase") == (None, 205)
    assert values(header("Hitachi", ParallelReductionFactorInPlane=2.0), "acceleration_phase") == (2.0,)


@pytest.fixture
def paravision(make, edit, tmp_path):
    """Facts of a ParaVision export with a ``method`` of given lines beside it."""

    def _paravision(method):
        for file in make("5/pdata/1/dicom"):
            edit(file, lambda dataset: setattr(dataset, "Manufacturer", "Bruker BioSpin MRI GmbH"))
        if method is not None:
            (tmp_path / "in" / "5" / "method").write_bytes(method)
        return facts(read_series(tmp_path / "in" / "5" / "pdata").series[0])

    return _paravision


def test_bruker_method_beside_the_images(paravision):
    lines = ["##TITLE=Parameter List", "##$PVM_Matrix=( 2 )", "24 16", "##$PVM_EncZf=( 2 )", "1 1.6",
             "##$PVM_EncPft=( 2 )", "1 1.25", "##$PVM_EncPpi=( 2 )", "1 2", "##$PVM_AntiAlias=( 2 )", "1 1.2",
             "$$ comment", "##END="]  # fmt: skip
    told = paravision("\n".join(lines).encode())
    assert (told.matrix_freq.value, told.matrix_phase.value, told.partial_fourier_phase.value) == (24, 10, 0.8)
    assert (told.acceleration_phase.value, told.oversampling_phase.value) == (2, pytest.approx(0.2))
    assert [other.value for other in told.matrix_phase.disputed] == [16]


@pytest.mark.parametrize(
    "method", [None, b"", bytes(range(256)) * 100, b"##TITLE=x\n##$PVM_Matrix=( 2 )\n" + b"9" * 999]
)
def test_bruker_without_a_sensible_method(paravision, method):
    assert paravision(method).matrix_phase.value == 16
