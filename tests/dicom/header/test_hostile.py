"""Headers that somebody or something damaged: always facts, never an exception."""

import random

import pytest

from lucidmr.dicom.header import HeaderFacts, acquisition, facts, header_facts
from lucidmr.dicom.series import read_series

ODD_BYTES = [b"", b"\0" * 7, b"\xff" * 64, b"***", b"1e999", b"nan\\inf", b"-1\\-1\\-1", b"9" * 500]
ODD_TEXTS = ["***", "9" * 500, ["", "", ""], [], None]
PLACES = [
    ("SIEMENS", 0x0029, "SIEMENS CSA HEADER", (0x10, 0x20)),
    ("SIEMENS", 0x0051, "SIEMENS MR HEADER", (0x0B, 0x11)),
    ("SIEMENS", 0x0019, "SIEMENS MR HEADER", (0x17,)),
    ("Siemens Healthineers", 0x0021, "SIEMENS MR SDS 01", (0x01, 0x09, 0x19)),
    ("Siemens Healthineers", 0x0021, "SIEMENS MR SDI 02", (0x56, 0x58, 0x75, 0x76, 0x78)),
    ("GE MEDICAL SYSTEMS", 0x0043, "GEMS_PARM_01", (0x2D, 0x2F, 0x83, 0x84, 0x88, 0x9B, 0xB5, 0xB6, 0xB7, 0xCA)),
    ("GE MEDICAL SYSTEMS", 0x0027, "GEMS_IMAG_01", (0x60, 0x61)),
    ("GE MEDICAL SYSTEMS", 0x0025, "GEMS_SERS_01", (0x1B,)),
    ("Philips", 0x2005, "Philips MR Imaging DD 001", (0x11, 0xA1)),
    ("Philips", 0x2005, "Philips MR Imaging DD 005", (0x0E, 0x0F)),
    ("Philips", 0x2001, "Philips Imaging DD 001", (0x19,)),
    ("CANON_MEC", 0x700D, "TOSHIBA_MEC_MR3^10", (0x19,)),
    ("UIH", 0x0065, "Image Private Header", (0x0D, 0x32)),
    ("UIH", 0x0061, "Common Private Header", (0x01, 0x02)),
]
STANDARD = {
    "AcquisitionMatrix": [0, 65535, 0, 0], "MRAcquisitionType": "???", "ImageType": ["***"], "ScanOptions": ["***"],
    "InPlanePhaseEncodingDirection": "OTHER", "ParallelAcquisition": "MAYBE", "PartialFourier": "YES",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, on writing odd values
@pytest.mark.parametrize(("vendor", "group", "creator", "elements"), PLACES)
def test_odd_private_values(header, add, vendor, group, creator, elements):
    odd = [("UN", value) for value in ODD_BYTES] + [("LO", value) for value in ODD_TEXTS]
    for element in elements:
        for kind, value in odd:
            told = header_facts(add(header(vendor, **STANDARD), group, creator, element, kind, value))
            assert isinstance(told, HeaderFacts)
            acquisition(told)


@pytest.mark.parametrize("number", ["1e308", "-1e308", "1e-300", "0", "-1"])
@pytest.mark.parametrize("vendor", ["SIEMENS", "GE", "Philips", "CANON_MEC", "UIH", "Hitachi", "Bruker", "Anybody"])
def test_standard_numbers_beyond_reason(make, edit, tmp_path, vendor, number):
    names = ("PercentSampling", "PercentPhaseFieldOfView", "NumberOfAverages", "PixelBandwidth", "SliceThickness",
             "SpacingBetweenSlices", "MagneticFieldStrength")  # fmt: skip

    def change(dataset):
        dataset.Manufacturer, dataset.AcquisitionMatrix = vendor, [0, 65535, 0, 0]
        for name in names:
            setattr(dataset, name, number)

    for file in make():
        edit(file, change)
    acquisition(facts(read_series(tmp_path).series[0]))


def test_private_sequences_where_text_is_expected_and_the_reverse(header, add, item):
    for vendor, group, creator, elements in PLACES:
        image = header(vendor)
        for element in elements:
            add(image, group, creator, element, "SQ", item(Manufacturer="nested"))
        acquisition(header_facts(image))
    philips = add(header("Philips"), 0x2005, "Philips MR Imaging DD 005", 0x0F, "LO", "no item")
    assert header_facts(philips).technique.value is None


@pytest.mark.parametrize("second", [True, False])
def test_flipped_bytes_in_a_csa_header(header, add, csa, protocol, second):
    whole = csa({"One": ["1"], "MrPhoenixProtocol": [protocol()]}, second)
    chance = random.Random(5)
    for _ in range(200):
        block = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 30)):
            if block:
                block[chance.randrange(len(block))] = chance.randrange(256)
        image = add(header("SIEMENS"), 0x0029, "SIEMENS CSA HEADER", 0x20, "OB", bytes(block))
        acquisition(header_facts(image))


def test_flipped_bytes_in_a_ge_block(header, add, ge_block):
    whole = ge_block('MATRIXX "256"\nPHASEFOV "0.90"\n' * 50)
    chance = random.Random(6)
    for _ in range(200):
        block = bytearray(whole)
        block[chance.randrange(len(block))] ^= 1 << chance.randrange(8)
        header_facts(add(header("GE"), 0x0025, "GEMS_SERS_01", 0x1B, "OB", bytes(block)))


def test_numbers_beyond_reason_in_a_protocol(header, add, csa, protocol):
    for number in ("1e308", "-1e308", "0x" + "f" * 400, "nan", "inf", "-0", "1e-320", "###", '""'):
        keys = ("sKSpace__lBaseResolution", "sKSpace__dPhaseResolution", "sKSpace__lPhaseEncodingLines",
                "sPat__ucPATMode", "sKSpace__ucDimension", "sPat__lAccelFactPE",
                "sKSpace__ucPhasePartialFourier")  # fmt: skip
        for key in keys:
            block = csa({"MrPhoenixProtocol": [protocol(**{key: number})]})
            acquisition(header_facts(add(header("SIEMENS"), 0x0029, "SIEMENS CSA HEADER", 0x20, "OB", block)))


def test_starred_dates_of_an_anonymised_series(make, edit, tmp_path):
    def star(dataset):
        for name in ("StudyDate", "AcquisitionDateTime", "PatientBirthDate", "ContentTime"):
            dataset.add_new(name, "LO", "***")
        dataset.Manufacturer = "UIH"

    for file in make():
        edit(file, star)
    series = read_series(tmp_path).series[0]
    assert facts(series).matrix_freq.value == 24
