"""Decides from the header whether an image is a magnitude MR image, and names the reason if it is not.

DICOM: SOP classes PS3.4 B.5; Image Type PS3.3 C.8.3.1.1.1; Enhanced MR frame types C.8.13.3.1.
"""

import re
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID

from lucidmr.dicom.mosaic import mosaic_of
from lucidmr.dicom.values import integer, items, number, private, text, tokens

CLASSIC: Final = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED: Final = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
OWN_SCHEME: Final = "99LUCIDMR"
"""Coding scheme of the derivation codes that Lucid MR writes."""

_COMPONENTS: Final = {
    "P": "phase image", "PHASE": "phase image", "PHASE MAP": "phase image", "R": "real image", "REAL": "real image",
    "I": "imaginary image", "IMAGINARY": "imaginary image", "PSIR": "phase-sensitive (signed) image",
    "VELOCITY": "velocity map", "VELOCITY MAP": "velocity map", "VELOCITY_MAP": "velocity map",
    "B0": "field map", "B0 MAP": "field map", "FIELD_MAP": "field map", "FIELD MAP": "field map", "B1": "field map",
    "B1 MAP": "field map", "MIXED": "mixed image kinds in one file",
}  # fmt: skip
_MAP_WORDS: Final = """
ADC,EADC,FA,COLFA,TRACEW,TRACE,TENSOR,CBF,CBV,RCBF,RCBV,RELCBF,RELCBV,MTT,TTP,TMAX,PBP,GBP,KTRANS,TTEST,T_TEST,ZSCORE,
GLM,BETA,STD,SD,SUB,SUBTRACT,SUBTRACTION,MIP,MNIP,MINIP,MIN_IP,MAX_IP,MAXIP,MPR,CPR,REFORMATTED,VRT,SWI,R2,R2STAR,
R2_STAR,FF,FAT_FRACTION,PDFF,PROCESSED,RECON_MAP,PERFUSION_FFE,PERFUSION_SE,STIFFNESS,ELASTOGRAM,T1 MAP,T2 MAP,
T2_STAR MAP,T2* MAP,R2 MAP,R2_STAR MAP,FAT FRACTION,PROJECTION IMAGE,CSA MPR,CSA MIP,CSA 3D EDITOR,SCREEN SAVE,
CSA RESAMPLED"""
_PLAIN_WORDS: Final = """
M,MAGNITUDE,ND,NORM,DIS2D,DIS3D,FIL,FM,OTHER,NONE,MEAN,RMS,SOS,MSUM,MOCO,MFSPLIT,GDC,UCA,IF,RETRO,UNSPECIFIED,SE,FFE,IR,
TSE,GR,EP,DIXON,WATER,FAT,W,F,IN_PHASE,OUT_PHASE,OPP_PHASE,IP,OP,T1,T2,PROTON_DENSITY,DRB,DRG,DRS,VOLUME,COMP,COMPOSED,
COMBINED,COMP_AD,COMP_SP,DIFFUSION,MULTIECHO,RESAMPLED,DIS,SH,SHRT,MOSAIC,VFRAME"""
_MAPS: Final = frozenset(word.strip() for word in _MAP_WORDS.split(","))
"""Words of ImageType that name an image computed from others."""
_PLAIN: Final = frozenset(word.strip() for word in _PLAIN_WORDS.split(","))
"""Words of ImageType that an image called DERIVED may have and still be a magnitude image."""
_MAP_NAMES: Final = re.compile(
    r"(^|[^a-z])(e?adc|fa|colfa|tracew|m(ax|in)?ip|mpr|cbf|cbv|mtt|ttp|pdff|maps?|sub(traction)?)($|[^a-z])", re.I
)
_ECHO: Final = re.compile(r"(TE|ECHO_?)\d+")
_NON_CARTESIAN: Final = re.compile(r"BLADE|PROPELLER|MULTIVANE", re.I)


def refusal(header: Dataset) -> str:
    """Why this file must not be processed, in one line; empty if it is a magnitude MR image."""
    for check in (_wrong_class, _wrong_pixels, _own_output, _grid, _wrong_component, _derived_map, _wrong_trajectory):
        if reason := check(header):
            return reason
    return ""


def is_enhanced(header: Dataset) -> bool:
    """Whether this is a multi-frame file: Enhanced MR or Legacy Converted Enhanced MR."""
    return text(header, "SOPClassUID") in ENHANCED


def remarks(header: Dataset) -> list[str]:
    """What a user should know about a processable image, one line each."""
    found = []
    if text(header, "LossyImageCompression") == "01":
        found.append("the source was compressed with loss")
    if text(header, "BurnedInAnnotation").upper() == "YES":
        found.append("text is burned into the image; it is processed like anatomy")
    if tokens(header, "ImageType")[:1] == ("DERIVED",):
        found.append("the header calls the images DERIVED: something already processed them")
    return found


def frame_refusal(frame_type: Dataset) -> str:
    """The same as :func:`refusal` for one frame's MRImageFrameTypeSequence item."""
    values = tokens(frame_type, "FrameType")
    component = _COMPONENTS.get(text(frame_type, "ComplexImageComponent").upper(), "")
    return _component_of(values) or component or _map_of(values)


def _wrong_class(header: Dataset) -> str:
    uid = text(header, "SOPClassUID")
    if uid == CLASSIC:
        several = integer(header, "NumberOfFrames", 1) > 1
        return "several frames in a single-frame MR image" if several else ""
    if uid in ENHANCED:
        return ""
    if not uid:
        return "no SOP class: the file does not say what it is"
    name = UID(uid).name
    if "Secondary Capture" in name:
        colour = integer(header, "SamplesPerPixel", 1) != 1
        return "colour secondary capture" if colour else "secondary capture, not an MR image"
    return f"{name}, not MR" if name != uid else f"unknown SOP class {uid}, not MR"


def _wrong_pixels(header: Dataset) -> str:
    if integer(header, "SamplesPerPixel", 1) != 1:
        return "colour image"
    if (photometric := text(header, "PhotometricInterpretation")) not in ("MONOCHROME2", ""):
        return f"photometric interpretation {photometric} is not supported"
    if (bits := integer(header, "BitsAllocated", 0)) not in (8, 16):
        return f"{bits} bits per pixel are not supported"
    if min(integer(header, "Rows", 0), integer(header, "Columns", 0)) < 2:
        return "fewer than 2 rows or columns"
    uids = [text(header, name) for name in ("SOPInstanceUID", "SeriesInstanceUID")]
    if not all(uids) or "\\" in "".join(uids):
        return "no series or instance UID: the file belongs to nothing"
    return ""


def _own_output(header: Dataset) -> str:
    schemes = items(header, "CodingSchemeIdentificationSequence")
    own = any(text(scheme, "CodingSchemeDesignator") == OWN_SCHEME for scheme in schemes)
    return "already processed by Lucid MR" if own else ""


def _grid(header: Dataset) -> str:
    try:
        mosaic_of(header)
    except ValueError as error:
        return str(error)
    return ""


def _wrong_component(header: Dataset) -> str:
    values = tokens(header, "ImageType")
    # A mixed enhanced file is judged frame by frame, to say how many frames are what.
    if is_enhanced(header) and "MIXED" in values:
        return ""
    if reason := _component_of(values):
        return reason
    if reason := _philips_component(header):
        return "" if reason == "M" else reason
    if component := _COMPONENTS.get(text(header, "ComplexImageComponent").upper()):
        return component
    ge = private(header, 0x0043, "GEMS_PARM_01", 0x2F)
    if ge in (1, 2, 3):
        return {1: "phase image", 2: "real image", 3: "imaginary image"}[ge]
    smallest, largest = number(header, "SmallestImagePixelValue"), number(header, "LargestImagePixelValue")
    if smallest is not None and largest is not None and not is_enhanced(header) and -smallest > 0.2 * abs(largest):
        return "signed values: a field map or phase image"
    return ""


def _philips_component(header: Dataset) -> str:
    # Old Philips releases call magnitude REAL in the standard attribute; their own is right.
    kind = str(private(header, 0x2005, "Philips MR Imaging DD 001", 0x11) or "").strip().upper()
    if kind in ("", "M"):
        return kind
    return _COMPONENTS.get(kind) or f"derived map ({kind.lower()})"


def _component_of(image_type: tuple[str, ...]) -> str:
    return next((_COMPONENTS[token] for token in image_type[2:] if token in _COMPONENTS), "")


def _map_of(image_type: tuple[str, ...]) -> str:
    return next((f"derived map ({token})" for token in image_type[2:] if token in _MAPS), "")


def _derived_map(header: Dataset) -> str:
    values = tokens(header, "ImageType")
    if reason := _map_of(values):
        return reason
    if values[:1] != ("DERIVED",):
        return ""
    unknown = [token for token in values[2:] if token and token not in _PLAIN and not _ECHO.match(token)]
    if unknown:
        return f"derived map ({unknown[0]})"
    named = _MAP_NAMES.search(text(header, "SeriesDescription"))
    return f"derived map ({named.group(2)}, by its series description)" if named else ""


def _wrong_trajectory(header: Dataset) -> str:
    traversal = text(header, "GeometryOfKSpaceTraversal").upper()
    if traversal in ("RADIAL", "SPIRAL"):
        return f"{traversal.lower()} k-space is not supported"
    names = [text(header, name) for name in ("SeriesDescription", "ProtocolName", "SequenceName", "ScanOptions")]
    if found := _NON_CARTESIAN.search(" ".join(names)):
        return f"radial k-space ({found.group(0)}) is not supported"
    return ""
