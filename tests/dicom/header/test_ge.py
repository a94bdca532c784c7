import zlib

import pytest

from lucidmr.dicom.header import Confidence, header_facts
from lucidmr.dicom.header.ge_protocol import read_ge_protocol

PARAMETERS = "GEMS_PARM_01"
TEXT = """set IMODE "3D"
IOPT "EDR, Fast, ARC, ZIP2"
MATRIXX "256"
MATRIXY "224"
PHASEFOV "0.90"
PHASEACCEL "2.00"
SLICEACCEL "1.50"
NPW_FACTOR "1.25"
NSW_FACTOR "1.03"
MATRIXZ "80.00"
DLRECONCHOICES "Off"
FILTCHOICE "G"
"""


@pytest.fixture
def image(header, add):
    def _image(elements=(), group=0x0043, creator=PARAMETERS, **attributes):
        found = header("GE MEDICAL SYSTEMS", **attributes)
        for element, vr, value in elements:
            add(found, group, creator, element, vr, value)
        return found

    return _image


def test_the_prescription_is_asked_last(image, add, ge_block, values):
    scan = image([(0x83, "DS", ["0.333333", "1"])])
    add(scan, 0x0025, "GEMS_SERS_01", 0x1B, "OB", ge_block(TEXT))
    names = ("acceleration_phase", "matrix_freq", "matrix_phase", "phase_fov", "oversampling_phase",
             "oversampling_slice", "slice_resolution", "dl_reconstructed", "filters")  # fmt: skip
    assert values(scan, *names) == (3.0, 256, 224, 90, 0.25, 0.03, 0.4, False, "mode G")
    told = header_facts(scan)
    assert [other.value for other in told.acceleration_phase.disputed] == [2.0]
    assert told.matrix_freq.confidence is Confidence.INFERRED


@pytest.mark.parametrize(
    ("kind", "phase", "technique"),
    [
        (["10000", "11", "-1", "0", "", "YES", "ARC"], 2.0, "ARC"),
        (["10000", "2", "0", "0", "", "YES", "ASSET"], 2.0, "ASSET"),
        (["10000", "0", "2", "1", "asset", "NO", ""], 1.0, None),
        (None, 2.0, None),
    ],
)
def test_acceleration_counts_where_it_was_used(image, values, kind, phase, technique):
    scan = image([(0x83, "DS", ["0.5", "1"]), *([(0x84, "LO", kind)] if kind else [])])
    assert values(scan, "acceleration_phase", "acceleration_slice", "technique") == (phase, 1.0, technique)


def test_simultaneous_slices_and_compressed_sensing(image, values):
    scan = image([(0xB6, "LO", ["4", "3", "19", "", ""]), (0xB7, "LO", ["1.24", "1", "10", "0"])])
    assert values(scan, "acceleration_slice", "acceleration_random", "elliptical") == (4, 1.24, True)
    off = image([(0xB6, "LO", ["0", "0", "0", ""]), (0xB7, "LO", ["1", "0", "3", "0"])])
    assert values(off, "acceleration_slice", "acceleration_random", "elliptical") == (None, 1, None)


def test_reconstruction(image, values):
    scan = image([(0xCA, "LO", ["0.75", "High"]), (0xB5, "LO", ["g:N2.0S0:3D", ""]), (0x2D, "SH", "sg"),
                  (0x2F, "SS", 0)])  # fmt: skip
    names = ("dl_reconstructed", "distortion_correction", "normalized", "filters", "component")
    assert values(scan, *names) == (True, "3D", True, "mode G", "magnitude")


def test_partial_fourier_of_echo_planar_scans(image):
    told = header_facts(image(ScanOptions=["EPI_GEMS", "PFF"], ScanningSequence="EP"))
    assert (told.partial_fourier_phase.value, told.partial_fourier_freq.value) == (0.75, 1.0)
    assert not told.partial_fourier_freq.others


def test_lost_value_representations(image, values):
    scan = image([(0x83, "UN", b"0.5\\1 "), (0x84, "UN", b"10000\\11\\-1\\0\\\\YES\\ARC ")])
    assert values(scan, "acceleration_phase", "technique") == (2.0, "ARC")


def test_protocol_block(ge_block):
    found = read_ge_protocol(ge_block(TEXT))
    assert (found["IMODE"], found["MATRIXY"]) == ("3D", "224")
    assert read_ge_protocol(ge_block("no lines of the kind")) == {}


@pytest.mark.parametrize("spoil", [lambda block: block[:-20], lambda block: b"\0" * 40, lambda block: block[:4]])
def test_a_damaged_protocol_block_is_passed_over(image, add, ge_block, spoil):
    scan = add(image(AcquisitionMatrix=[0, 256, 192, 0]), 0x0025, "GEMS_SERS_01", 0x1B, "OB", spoil(ge_block(TEXT)))
    told = header_facts(scan)
    assert told.matrix_phase.value == 192
    assert len(told.warnings) == 1
    assert told.warnings[0].startswith("damaged private data: GE protocol block")


def test_a_bomb_is_not_unfolded(ge_block):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([squeeze.compress(b"\0" * 2**20) for _ in range(200)] + [squeeze.flush()])
    with pytest.raises(ValueError, match="too large"):
        read_ge_protocol(b"\0\0\0\0" + bomb)
