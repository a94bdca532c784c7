import struct

import pytest

from lucidmr.dicom.csa import read_csa
from lucidmr.dicom.header import Confidence, header_facts
from lucidmr.dicom.header.siemens_protocol import protocol_facts, read_protocol

CSA = "SIEMENS CSA HEADER"
SHORT = "SIEMENS MR HEADER"
SDS = "SIEMENS MR SDS 01"
SDI = "SIEMENS MR SDI 02"


@pytest.fixture
def classic(header, add, csa, protocol):
    def _classic(second=True, name="MrPhoenixProtocol", attributes=None, **changes):
        block = csa({"UsedPatientWeight": ["70"], name: [protocol(**changes)]}, second)
        return add(header("SIEMENS", **(attributes or {})), 0x0029, CSA, 0x20, "OB", block)

    return _classic


@pytest.mark.parametrize("second", [True, False])
def test_csa_values(csa, second):
    elements = {"One": ["a", "bc"], "Empty": [], "Long": ["x" * 1001], "Last": ["7"]}
    expected = {name: tuple(values) for name, values in elements.items() if values}
    assert read_csa(csa(elements, second)) == expected


@pytest.mark.parametrize("second", [True, False])
def test_a_cut_off_csa_header_is_an_error_and_nothing_else(csa, second):
    whole = csa({"One": ["a", "bc"], "Two": ["defg"]}, second)
    for length in range(len(whole)):
        try:
            assert set(read_csa(whole[:length])) <= {"One", "Two"}
        except ValueError as error:
            assert "CSA header" in str(error)  # noqa: PT017


@pytest.mark.parametrize("count", [0, 5000, 2**32 - 1])
def test_absurd_counts_of_elements(count):
    with pytest.raises(ValueError, match="elements"):
        read_csa(b"SV10\x04\x03\x02\x01" + struct.pack("<II", count, 77) + b"\0" * 1000)


def test_absurd_counts_of_items(csa):
    block = bytearray(csa({"One": ["a"]}))
    struct.pack_into("<i", block, 16 + 64 + 4 + 4 + 4, 2**31 - 1)
    with pytest.raises(ValueError, match="cut off"):
        read_csa(bytes(block))


def test_the_last_whole_protocol_counts():
    text = ("### ASCCONV BEGIN ###\na = 1\n### ASCCONV END ###\n### ASCCONV BEGIN ###\na = 2 # comment\nb = \"\"x\"\"\n"
            "### ASCCONV END ###\n### ASCCONV BEGIN ###\na = 3\n")  # fmt: skip
    assert read_protocol(text) == {"a": "2", "b": "x"}
    assert read_protocol("### ASCCONV END ### ### ASCCONV BEGIN") == {}


@pytest.mark.parametrize(("second", "name"), [(True, "MrPhoenixProtocol"), (False, "MrProtocol")])
def test_classic_image(classic, second, name):
    told = header_facts(classic(second, name))
    expected = {
        "three_dimensional": False, "matrix_freq": 256, "matrix_phase": 144, "phase_fov": 75, "phase_resolution": 0.75,
        "oversampling_phase": 0.5, "partial_fourier_phase": 0.75, "partial_fourier_freq": 1.0,
        "acceleration_phase": 3, "acceleration_random": 1, "technique": "GRAPPA", "coil_combination": "adaptive",
        "normalized": True, "distortion_correction": "2D", "filters": "none",
    }  # fmt: skip
    found = {name: getattr(told, name) for name in expected}
    assert {name: fact.value for name, fact in found.items()} == expected
    assert {fact.confidence for fact in found.values()} == {Confidence.EXACT}
    assert told.warnings == ()


@pytest.mark.parametrize(
    ("code", "fraction"),
    [("1", 0.5), ("2", 0.625), ("4", 0.75), ("8", 0.875), ("16", 1.0), ("0x10", 1.0), ("0x2", 0.625), ("32", None)],
)
def test_codes_of_partial_fourier(protocol, code, fraction):
    found = protocol_facts(read_protocol(protocol(sKSpace__ucPhasePartialFourier=code)))
    assert (found["partial_fourier_phase"].value if fraction else found.get("partial_fourier_phase")) == fraction


def test_an_asymmetric_echo_is_of_unknown_fraction(protocol):
    found = protocol_facts(read_protocol(protocol(sKSpace__ucAsymmetricEchoMode="0x2")))
    assert found["partial_fourier_freq"].value is None


@pytest.mark.parametrize(
    ("changes", "factors"),
    [
        ({"sPat__ucPATMode": "1"}, (1, None, 1)),
        ({"sPat__ucPATMode": "2"}, (3, None, 1)),
        ({"sPat__ucPATMode": "32", "sSliceAcceleration__lMultiBandFactor": "5"}, (3, 5, 1)),
        ({"sPat__ucPATMode": "256", "sPat__lAccelFactPE": "1", "sPat__dTotalAccelFact": "4.0"}, (1, 1, 4)),
        ({"sPat__ucPATMode": "2", "sPat__dTotalAccelFact": "2.0"}, (3, None, 1)),
        ({"sPat__ucPATMode": "8", "sPat__lAccelFact3D": "2", "sKSpace__ucDimension": "4"}, (3, 2, 1)),
        ({"sPat__ucPATMode": None}, (None, None, None)),
    ],
)
def test_acceleration(protocol, changes, factors):
    found = protocol_facts(read_protocol(protocol(**changes)))
    names = ("acceleration_phase", "acceleration_slice", "acceleration_random")
    assert tuple(found[name].value if name in found else None for name in names) == factors


def test_slices_of_a_slab(protocol):
    slab = {"sKSpace__ucDimension": "0x4", "sKSpace__dSliceResolution": "0.6875", "sKSpace__lImagesPerSlab": "128",
            "sKSpace__lPartitions": "110", "sKSpace__ucSlicePartialFourier": "0x8"}  # fmt: skip
    found = protocol_facts(read_protocol(protocol(**slab)))
    assert found["three_dimensional"].value
    assert found["slice_resolution"].value == 0.6875
    assert found["oversampling_slice"].value == 0.25
    assert found["partial_fourier_slice"].value == 0.875
    # A 2D protocol keeps those of the last slab.
    flat = protocol_facts(read_protocol(protocol(**{**slab, "sKSpace__ucDimension": "2"})))
    assert not {"slice_resolution", "oversampling_slice", "partial_fourier_slice"} & flat.keys()


@pytest.mark.parametrize(
    ("words", "normalized", "distortion", "learned"),
    [
        (["ORIGINAL", "PRIMARY", "M", "ND"], False, "none", None),
        (["ORIGINAL", "PRIMARY", "M", "NORM", "DIS3D"], True, "3D", None),
        (["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D", "DRB"], True, "2D", True),
    ],
)
def test_the_image_itself_goes_before_the_protocol(classic, values, words, normalized, distortion, learned):
    image = classic(attributes={"ImageType": words})
    expected = (normalized, distortion, learned)
    assert values(image, "normalized", "distortion_correction", "dl_reconstructed") == expected


def test_short_texts_where_the_protocol_is_gone(header, add, values):
    image = header("SIEMENS", NumberOfPhaseEncodingSteps="56")
    add(image, 0x0051, SHORT, 0x0B, "LO", "90p*128s")
    add(image, 0x0051, SHORT, 0x11, "LO", "p2s3")
    names = ("matrix_phase", "matrix_freq", "acceleration_phase", "acceleration_slice", "partial_fourier_phase")
    assert values(image, *names) == (90, 128, 2, 3, 0.625)


@pytest.mark.parametrize(
    ("steps", "text", "fraction", "confidence"),
    [
        ("180", "90p*90", 0.75, Confidence.INFERRED),  # oversampled: the count says nothing
        ("79", "90p*90", 0.875, Confidence.INFERRED),
        ("68", "90*90", 1.0, Confidence.EXACT),  # the echo train took more than was asked for
    ],
)
def test_counted_lines(header, add, steps, text, fraction, confidence):
    image = add(header("Siemens", NumberOfPhaseEncodingSteps=steps), 0x0051, SHORT, 0x0B, "SH", text)
    found = header_facts(image).partial_fourier_phase
    assert (found.value, found.confidence) == (fraction, confidence)


def test_an_exact_fraction_is_not_contradicted_by_a_mere_flag(classic):
    image = classic(attributes={"ScanOptions": "PFP"})
    assert header_facts(image).partial_fourier_phase.others
    assert not header_facts(image).partial_fourier_phase.disputed
    full = classic(attributes={"ScanOptions": "PFP"}, sKSpace__ucPhasePartialFourier="16")
    assert header_facts(full).partial_fourier_phase.disputed


def test_damaged_csa_header_is_said_and_passed_over(header, add, csa, protocol):
    image = header("SIEMENS", AcquisitionMatrix=[0, 128, 96, 0])
    add(image, 0x0029, CSA, 0x20, "OB", csa({"MrPhoenixProtocol": [protocol()]})[:-300])
    told = header_facts(image)
    assert (told.matrix_freq.value, told.matrix_phase.value) == (128, 96)
    assert told.warnings == ("damaged private data: CSA header cut off in an item; read without it",)


@pytest.fixture
def exported(header, add, protocol):
    """A single frame exported from NUMARIS/X."""

    def _exported(block=None, **attributes):
        image = header("Siemens Healthineers", **attributes)
        add(image, 0x0021, SDS, 0x19, "OB", protocol().encode() if block is None else block)
        add(image, 0x0021, SDI, 0x58, "SH", "144p*256")
        return image

    return _exported


def test_exported_frame(exported, values):
    image = exported(ImageType=["ORIGINAL", "PRIMARY", "M", "NORM", "DIS3D", "MFSPLIT"])
    names = ("matrix_phase", "partial_fourier_phase", "acceleration_phase", "normalized", "distortion_correction")
    assert values(image, *names) == (144, 0.75, 3, True, "3D")


def test_exported_frame_with_a_damaged_protocol(exported, values):
    image = exported(b"### ASCCONV BEGIN ###\nsPat.ucPATMode = 2\n", NumberOfPhaseEncodingSteps="108")
    assert values(image, "matrix_freq", "partial_fourier_phase") == (256, 0.75)
    assert header_facts(image).warnings == ("damaged private data: no whole protocol in it",)


def test_multi_frame_file(header, add, item, protocol, values):
    image = header("Siemens", SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1", ImageType=["ORIGINAL", "PRIMARY", "M", "NONE"])
    series, frame = item()[0], item()[0]
    add(series, 0x0021, SDS, 0x19, "OB", protocol(sSliceAcceleration__lMultiBandFactor="2").encode())
    add(frame, 0x0021, SDI, 0x75, "CS", ["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D", "DRG"])
    add(frame, 0x0021, SDI, 0x76, "LO", ["ChannelMixing", "CC:SoS"])
    image.SharedFunctionalGroupsSequence = item(
        MRModifierSequence=item(ParallelAcquisition="YES", ParallelReductionFactorOutOfPlane=1.0)
    )
    image.PerFrameFunctionalGroupsSequence = item()
    add(image.SharedFunctionalGroupsSequence[0], 0x0021, SDS, 0xFE, "SQ", [series])
    add(image.PerFrameFunctionalGroupsSequence[0], 0x0021, SDI, 0xFE, "SQ", [frame])
    names = ("matrix_phase", "normalized", "distortion_correction", "dl_reconstructed", "coil_combination")
    assert values(image, *names) == (144, True, "2D", True, "sum of squares")
    bands = header_facts(image).acceleration_slice
    assert (bands.value, [other.value for other in bands.disputed]) == (2, [1.0])
