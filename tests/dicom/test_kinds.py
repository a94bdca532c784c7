import pytest
from pydicom.dataset import Dataset

from lucidmr.dicom.create import Protocol, image_header
from lucidmr.dicom.kinds import refusal, remarks

NO_LAYOUT = "mosaic that does not say how many slices it holds; export it as single slices"


def header(**values):
    found = image_header(Protocol(), 0, (8, 8))
    found.SamplesPerPixel = 1
    for name, value in values.items():
        setattr(found, name, value)
    return found


def image_type(text):
    return text.split("\\")


@pytest.mark.parametrize(
    "kind",
    [
        "ORIGINAL\\PRIMARY\\M\\ND\\NORM", "ORIGINAL\\PRIMARY", "ORIGINAL\\PRIMARY\\OTHER", "DERIVED\\SECONDARY",
        "ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE", "ORIGINAL\\PRIMARY\\OTHER\\ND\\NORM\\MEAN", "ORIGINAL\\PRIMARY\\GDC",
        "DERIVED\\PRIMARY\\DIXON\\WATER", "ORIGINAL\\PRIMARY\\M\\TE1\\ND", "DERIVED\\PRIMARY\\M\\ECHO_00",
        "ORIGINAL\\PRIMARY\\EPI\\NONE", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND", "ORIGINAL\\PRIMARY\\M\\UCA\\IF",
    ],
)  # fmt: skip
def test_magnitude_images_are_processed(kind):
    assert refusal(header(ImageType=image_type(kind))) == ""


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("DERIVED\\PRIMARY\\DIFFUSION\\ADC\\NORM", "derived map (ADC)"),
        ("DERIVED\\PRIMARY\\DIFFUSION\\FA\\ND", "derived map (FA)"),
        ("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW\\ND", "derived map (TRACEW)"),
        ("DERIVED\\SECONDARY\\MPR", "derived map (MPR)"),
        ("DERIVED\\PRIMARY\\PROJECTION IMAGE\\MIP", "derived map (PROJECTION IMAGE)"),
        ("DERIVED\\SECONDARY\\REFORMATTED\\AVERAGE", "derived map (REFORMATTED)"),
        ("DERIVED\\SECONDARY\\SOMETHING NEW", "derived map (SOMETHING NEW)"),
        ("ORIGINAL\\PRIMARY\\T2 MAP\\M\\SE", "derived map (T2 MAP)"),
        ("ORIGINAL\\PRIMARY\\PERFUSION_FFE\\PERFUSION\\FFE", "derived map (PERFUSION_FFE)"),
        ("ORIGINAL\\PRIMARY\\P\\ND", "phase image"),
        ("ORIGINAL\\PRIMARY\\PHASE MAP\\P\\FFE", "phase image"),
        ("ORIGINAL\\PRIMARY\\R_IR\\R\\IR", "real image"),
        ("ORIGINAL\\PRIMARY\\I_SE\\I\\SE", "imaginary image"),
        ("ORIGINAL\\PRIMARY\\B0 MAP\\B0\\FFE", "field map"),
        ("ORIGINAL\\PRIMARY\\M\\PSIR", "phase-sensitive (signed) image"),
        ("ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC", NO_LAYOUT),
        ("ORIGINAL\\PRIMARY\\M\\VFRAME", NO_LAYOUT),
    ],
)
def test_other_images_are_refused_by_their_type(kind, reason):
    assert refusal(header(ImageType=image_type(kind))) == reason


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ComplexImageComponent": "PHASE"}, "phase image"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "photometric interpretation MONOCHROME1 is not supported"),
        ({"BitsAllocated": 32}, "32 bits per pixel are not supported"),
        ({"GeometryOfKSpaceTraversal": "SPIRAL"}, "spiral k-space is not supported"),
        ({"SeriesDescription": "t2_blade_tra"}, "radial k-space (blade) is not supported"),
        ({"NumberOfFrames": 3}, "several frames in a single-frame MR image"),
        ({"SOPInstanceUID": ""}, "no series or instance UID: the file belongs to nothing"),
        ({"SOPClassUID": ""}, "no SOP class: the file does not say what it is"),
        ({"SOPClassUID": "1.2.3.4"}, "unknown SOP class 1.2.3.4, not MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture, not an MR image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.3"}, "Enhanced MR Color Image Storage, not MR"),
        ({"SamplesPerPixel": 3}, "colour image"),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "DWI_ADC"},
         "derived map (ADC, by its series description)"),
    ],
)  # fmt: skip
def test_other_reasons(values, reason):
    assert refusal(header(**values)) == reason


def test_signed_field_maps_of_ge_are_told_by_their_smallest_value():
    assert refusal(header(PixelRepresentation=1, SmallestImagePixelValue=-216, LargestImagePixelValue=216))
    # A little undershoot of an interpolated magnitude image is no field map.
    assert not refusal(header(PixelRepresentation=1, SmallestImagePixelValue=-40, LargestImagePixelValue=900))


def test_philips_private_component_overrules_the_standard_one():
    old = header(ComplexImageComponent="REAL")
    block = old.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x11, "CS", "M")
    assert refusal(old) == ""
    block[0x11].value = "P"
    old.ComplexImageComponent = "MAGNITUDE"
    assert refusal(old) == "phase image"


def test_ge_private_component():
    phase = header()
    phase.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    assert refusal(phase) == "phase image"


def test_an_empty_dataset_is_refused_not_a_crash():
    assert refusal(Dataset())
    assert remarks(Dataset()) == []
