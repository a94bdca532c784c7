"""Facts from the standard attributes that every vendor may write, for single-frame and multi-frame files alike.

DICOM: MR Image module (PS3.3 C.8.3.1), MR Modifier, MR FOV/Geometry, MR Averages and other Enhanced MR macros
(C.8.13.5). Vendors fill them in their own ways; the traps are named where they are met.
"""

import re
from collections.abc import Mapping
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from lucidmr.dicom.frames import functional_group
from lucidmr.dicom.header.fact import Fact, Facts, PhaseAxis, exact, flagged, inferred, merged, unknown
from lucidmr.dicom.header.vendor import vendor_of
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.values import item, number, numbers, text, tokens

_COMPONENTS: Final = {
    **dict.fromkeys(("M", "MAGNITUDE", "M_FFE", "M_SE", "M_IR"), "magnitude"),
    **dict.fromkeys(("P", "PHASE", "PHASE MAP"), "phase"),
    **dict.fromkeys(("R", "REAL"), "real"),
    **dict.fromkeys(("I", "IMAGINARY"), "imaginary"),
}
_LEARNED: Final = re.compile(
    r"air[ _-]?recon[ _-]?dl|deep[ _-]?resolve|smart ?speed[ _-]?(ai|precise)|"
    r"(?<![a-z])(aice|piqe|air[ _-]dl|dr[bg]|dlr|dl[ _-]?recon|uaifi|swift ?mr|subtle ?mr)(?![a-z])",
    re.I,
)
_SIZED_BY_RESOLUTION: Final = ("siemens", "hitachi", "")
"""Vendors whose PercentSampling is the phase resolution. GE's holds the field of view too; Philips multiplies its own
by pi / 4 for an elliptical 3D scan."""


def private_source(group: int, element: int, name: str) -> str:
    """Place and name of a private attribute, for people to read; its block is found by its creator."""
    return f"({group:04X},xx{element:02X}) {name}"


def source(keyword: str) -> str:
    """Tag and name of a standard attribute, for people to read."""
    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}"


def standard_facts(header: Dataset) -> Facts:
    """What the standard attributes of one file say.

    Args:
        header: The file's attributes; of a multi-frame file, the first frame counts.
    """
    return {
        **_strings(header),
        **_numbers(header),
        **_dimension(header),
        **_phase_axis(header),
        **_matrix(header),
        **_partial_fourier(header),
        **_parallel(header),
        **_coverage(header),
        **_image(header),
        **_learned(header),
    }


def _learned(header: Dataset) -> Facts:
    """Names that vendors give to deep-learning reconstruction, as operators keep them in the series' name."""
    for keyword in ("SeriesDescription", "ProtocolName"):
        if found := _LEARNED.search(text(header, keyword)):
            return {"dl_reconstructed": inferred(True, f"{source(keyword)} names {found[0].strip(' _-')}")}
    return {}


def _find(header: Dataset, keyword: str, macro: str) -> Dataset:
    """The dataset that holds an attribute: an enhanced file's macro, or the file itself."""
    if is_enhanced(header):
        found = functional_group(header, item(header, "PerFrameFunctionalGroupsSequence"), macro)
        if found is not None and keyword in found:
            return found
    return header


def _strings(header: Dataset) -> Facts:
    names = {
        "manufacturer": ("Manufacturer",),
        "model": ("ManufacturerModelName",),
        "sequence_name": ("SequenceName", "PulseSequenceName"),
        "description": ("SeriesDescription",),
    }
    return {
        name: exact(found, source(keyword))
        for name, keywords in names.items()
        for keyword in reversed(keywords)
        if (found := text(header, keyword))
    }


def _numbers(header: Dataset) -> Facts:
    places = {
        "averages": ("NumberOfAverages", "MRAveragesSequence"),
        "echo_train_length": ("EchoTrainLength", "MRTimingAndRelatedParametersSequence"),
        "bandwidth": ("PixelBandwidth", "MRImagingModifierSequence"),
        "slice_thickness": ("SliceThickness", "PixelMeasuresSequence"),
        "slice_spacing": ("SpacingBetweenSlices", "PixelMeasuresSequence"),
        "phase_fov": ("PercentPhaseFieldOfView", "MRFOVGeometrySequence"),
    }
    found: dict[str, Fact[float]] = {}
    for name, (keyword, macro) in places.items():
        value = number(_find(header, keyword, macro), keyword)
        if value is not None and value > 0:
            found[name] = exact(value, source(keyword))
    tesla = number(header, "MagneticFieldStrength")
    if tesla is not None and tesla > 0:
        # Old GE files write gauss.
        found["field_strength"] = exact(tesla / 1e4 if tesla > 100 else tesla, source("MagneticFieldStrength"))
    return found


def _dimension(header: Dataset) -> Facts:
    kind = text(header, "MRAcquisitionType").upper()
    if kind in ("2D", "3D"):
        return {"three_dimensional": exact(kind == "3D", source("MRAcquisitionType"))}
    for keyword in ("SequenceName", "PulseSequenceName"):
        name = text(header, keyword).upper()
        if ("2D" in name) != ("3D" in name):
            return {"three_dimensional": inferred("3D" in name, f"{source(keyword)} {name}")}
    return {}


def _phase_axis(header: Dataset) -> Facts:
    keyword = "InPlanePhaseEncodingDirection"
    direction = text(_find(header, keyword, "MRFOVGeometrySequence"), keyword).upper()
    # Siemens' enhanced files say COLUMN.
    if direction.startswith(("ROW", "COL")):
        axis: PhaseAxis = "row" if direction.startswith("ROW") else "col"
        return {"phase_axis": exact(axis, source(keyword))}
    pattern = tuple(entry > 0 for entry in numbers(header, "AcquisitionMatrix"))
    axes: dict[tuple[bool, ...], PhaseAxis] = {(True, False, False, True): "col", (False, True, True, False): "row"}
    if pattern in axes:
        return {"phase_axis": inferred(axes[pattern], f"zeros of {source('AcquisitionMatrix')}")}
    return {}


def _matrix(header: Dataset) -> Facts:
    four = numbers(header, "AcquisitionMatrix")
    # Which of each pair is zero is not trusted: UIH writes [0, freq, 0, phase].
    pairs = {"matrix_freq": max(four[:2]), "matrix_phase": max(four[2:])} if len(four) == 4 else {}
    names = {
        "matrix_freq": "MRAcquisitionFrequencyEncodingSteps",
        "matrix_phase": "MRAcquisitionPhaseEncodingStepsInPlane",
        "matrix_slice": "MRAcquisitionPhaseEncodingStepsOutOfPlane",
    }
    steps = {name: (number(_find(header, key, "MRFOVGeometrySequence"), key), key) for name, key in names.items()}
    found = merged([
        {name: exact(value, source(key)) for name, (value, key) in steps.items() if value is not None and value > 1},
        {name: exact(entry, source("AcquisitionMatrix")) for name, entry in pairs.items() if entry > 0},
    ])  # fmt: skip
    return merged([found, _phase_from_percent(header, found)])


def _phase_from_percent(header: Dataset, found: Facts) -> Facts:
    """Phase samples = freq samples x phase resolution x phase field of view."""
    percent = number(_find(header, "PercentSampling", "MRFOVGeometrySequence"), "PercentSampling")
    if not percent or not 0 < percent <= 400 or vendor_of(header) not in _SIZED_BY_RESOLUTION:
        return {}
    resolution = {"phase_resolution": exact(percent / 100, source("PercentSampling"))}
    freq = found["matrix_freq"].value if "matrix_freq" in found else None
    if not freq:
        return resolution
    phase_fov = number(_find(header, "PercentPhaseFieldOfView", "MRFOVGeometrySequence"), "PercentPhaseFieldOfView")
    samples = float(round(freq * percent / 100 * min(phase_fov or 100, 400) / 100))
    return {**resolution, "matrix_phase": inferred(samples, f"{source('PercentSampling')} of the freq matrix")}


def _partial_fourier(header: Dataset) -> Facts:
    names = {"PHASE": "partial_fourier_phase", "FREQUENCY": "partial_fourier_freq",
             "SLICE_SELECT": "partial_fourier_slice"}  # fmt: skip
    return merged([_modifier(header, names), _scan_options(header)])


def _modifier(header: Dataset, names: Mapping[str, str]) -> Facts:
    where = _find(header, "PartialFourier", "MRModifierSequence")
    flag = text(where, "PartialFourier").upper()
    if flag == "NO":
        return {name: exact(1.0, source("PartialFourier") + " NO") for name in names.values()}
    if flag == "YES":
        direction = text(where, "PartialFourierDirection").upper()
        if direction in names:
            rest = {name: exact(1.0, source("PartialFourierDirection")) for name in names.values()}
            return {**rest, names[direction]: flagged(source("PartialFourierDirection"))}
        why = f"{source('PartialFourier')} YES, direction {direction or 'not given'}"
        return {name: unknown(why) for name in names.values()}
    return {}


def _scan_options(header: Dataset) -> Facts:
    options = tokens(header, "ScanOptions")
    names = {"PFP": "partial_fourier_phase", "PFF": "partial_fourier_freq"}
    return {name: flagged(f"{source('ScanOptions')} {word}") for word, name in names.items() if word in options}


def _parallel(header: Dataset) -> Facts:
    where = _find(header, "ParallelAcquisition", "MRModifierSequence")
    flag = text(where, "ParallelAcquisition").upper()
    technique = text(where, "ParallelAcquisitionTechnique").upper()
    phase = number(where, "ParallelReductionFactorInPlane")
    across = number(where, "ParallelReductionFactorOutOfPlane")
    if flag == "NO":
        # Philips names a technique even then.
        one = exact(1.0, source("ParallelAcquisition") + " NO")
        return {"acceleration_phase": one, "acceleration_slice": one, "acceleration_random": one}
    found: dict[str, Fact[float] | Fact[str]] = {}
    if technique:
        found["technique"] = exact(technique, source("ParallelAcquisitionTechnique"))
    if flag == "YES" and phase is None:
        found["acceleration_phase"] = unknown(f"{source('ParallelAcquisition')} YES, but no factor")
    if phase is not None and phase >= 1:
        found.update(_factor(technique, phase))
    if across is not None and across >= 1:
        found["acceleration_slice"] = exact(across, source("ParallelReductionFactorOutOfPlane"))
    return found


def _factor(technique: str, factor: float) -> dict[str, Fact[float]]:
    where = source("ParallelReductionFactorInPlane")
    if technique not in ("CSENSE", "CS", "COMPRESSED_SENSING"):
        return {
            "acceleration_phase": exact(factor, where),
            **({"acceleration_random": inferred(1.0, f"{where}: {technique}")} if technique else {}),
        }
    why = f"{where}: {technique} stores its total factor there"
    return {"acceleration_random": inferred(factor, why), "acceleration_phase": inferred(1.0, why)}


def _coverage(header: Dataset) -> Facts:
    coverage = text(header, "CoverageOfKSpace").upper()
    if coverage in ("FULL", "ELLIPTICAL", "CYLINDRICAL"):
        return {"elliptical": exact(coverage != "FULL", source("CoverageOfKSpace"))}
    return {}


def _image(header: Dataset) -> Facts:
    found: dict[str, Fact[str]] = {}
    words = tokens(_find(header, "FrameType", "MRImageFrameTypeSequence"), "FrameType") or tokens(header, "ImageType")
    if words:
        found["image_type"] = exact("\\".join(words), source("ImageType"))
    named = next((_COMPONENTS[word] for word in words[2:] if word in _COMPONENTS), "")
    kind = text(_find(header, "ComplexImageComponent", "MRImageFrameTypeSequence"), "ComplexImageComponent").upper()
    if component := _COMPONENTS.get(kind):
        found["component"] = exact(component, source("ComplexImageComponent"))
    elif named:
        found["component"] = exact(named, source("ImageType"))
    filtering = text(header, "KSpaceFiltering")
    if filtering and filtering.upper() != "NONE":
        found["filters"] = exact(filtering.lower(), source("KSpaceFiltering"))
    return found
