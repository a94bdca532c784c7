"""Real headers against what their series are called, or what their makers documented."""

import re

import pytest

from lucidmr.dicom.files import read_header
from lucidmr.dicom.header import Confidence, facts, header_facts
from lucidmr.dicom.series import read_series

pytestmark = pytest.mark.data

CODES = {"58PF": 0.625, "68PF": 0.75, "78PF": 0.875, "noPF": 1.0}


def first_header(folder):
    return read_header(sorted(path for path in folder.rglob("*") if path.is_file())[0]).header


def test_every_variant_is_what_its_description_says(data):
    folders = sorted((data / "headers/dcm_qa/In/TotalReadoutTime").glob("*/*"))
    assert len(folders) == 13
    for folder in folders:
        header = first_header(folder)
        name = header.SeriesDescription
        partial, parallel, over, resolution = re.match(r"(\w+PF)_(noPAT|p\d)_(noPOS|\d+POS)_PEres(\d+)", name).groups()
        told = header_facts(header)
        assert told.partial_fourier_phase.value == CODES[partial], name
        assert told.acceleration_phase.value == (1.0 if parallel == "noPAT" else float(parallel[1:])), name
        assert told.oversampling_phase.value == (0.0 if over == "noPOS" else float(over[:-3]) / 100), name
        assert told.phase_resolution.value == float(resolution) / 100, name
        assert told.phase_fov.value == (200 if "200PFOV" in name else 100), name
        assert told.phase_axis.value == ("row" if name.endswith("LR") else "col"), name
        assert not any(getattr(told, fact).disputed for fact in ("matrix_freq", "matrix_phase", "acceleration_phase"))
        assert told.partial_fourier_phase.confidence is told.matrix_phase.confidence is Confidence.EXACT
        assert told.warnings == ()


def test_ge_bands_and_factors_are_what_the_description_says(data):
    for folder in sorted((data / "headers/dcm_qa_trt/In").iterdir()):
        told = header_facts(first_header(folder))
        bands, factor = re.search(r"hb(\d)", folder.name), re.search(r"acc(\d)", folder.name)
        assert told.acceleration_phase.value == float(factor[1]), folder.name
        assert (told.acceleration_slice.value or 1.0) == (float(bands[1]) if bands else 1.0), folder.name
        assert told.matrix_freq.value == 80


def test_numaris_x_names_its_factors(data):
    for path in sorted((data / "headers/dcm_qa_xa60").rglob("*")):
        header = read_header(path).header if path.is_file() else None
        found = re.search(r"__p(\d)_sms(\d)", str(header.SeriesDescription)) if header is not None else None
        if found:
            told = header_facts(header)
            factors = (told.acceleration_phase.value, told.acceleration_slice.value)
            assert factors == (float(found[1]), float(found[2]))
            assert [other.value for other in told.acceleration_slice.disputed] == [1.0]


def test_one_protocol_two_images(data):
    plain, normalized = (
        facts(read_series(folder).series[0]) for folder in sorted((data / "evaluate/dicom/siemens_xa30_enh").iterdir())
    )
    assert (plain.normalized.value, normalized.normalized.value) == (False, True)
    assert (plain.matrix_slice.value, plain.acceleration_phase.value) == (96, 2)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("evaluate/dicom/siemens_trio_axT2", {"matrix_phase": 269, "phase_resolution": 0.7, "phase_fov": 75}),
        ("evaluate/dicom/toshiba_galan_dti", {"acceleration_phase": 2, "distortion_correction": "2D"}),
        ("evaluate/dicom/uih_t1", {"matrix_phase": 230, "acceleration_phase": 2.5, "partial_fourier_phase": None}),
        ("evaluate/dicom/philips_enh", {"matrix_phase": 70, "acceleration_phase": 2, "elliptical": False}),
        ("train/dicom/philips_mprage_1301", {"acceleration_phase": 1, "acceleration_slice": 2, "matrix_slice": 170}),
        ("headers/dcm_qa_canon/In/9000_DTI_PA-ortho", {"acceleration_phase": 2, "partial_fourier_phase": 0.75}),
        ("headers/dcm_qa_deident", {"acceleration_phase": 1.73, "three_dimensional": True}),
        ("evaluate/dicom/ge_fieldmap", {"acceleration_phase": 1.0}),
        ("train/dicom/ge_knee_mese", {"acceleration_phase": 1.0, "normalized": True, "technique": "ASSET"}),
        ("headers/dcm_qa_ge/In/05_3D_Ax_T1_MP_RAGE_R22", {"acceleration_slice": 2, "oversampling_slice": 0.03}),
    ],
)
def test_known_values(data, place, expected):
    told = facts(read_series(data / place).series[0])
    assert {name: getattr(told, name).value for name in expected} == expected


def test_no_private_data_of_a_scanner_counts_as_damaged(data):
    for folder in (data / "headers").iterdir():
        for series in read_series(folder).series:
            assert facts(series).warnings == (), series.label
