"""Facts from the standard attributes that every vendor may write, for single-frame and multi-frame files alike.

DICOM: MR Image module (PS3.3 C.8.3.1), MR Modifier, MR FOV/Geometry, MR Averages and other Enhanced MR macros
(C.8.13.5). Vendors fill them in their own ways; the traps are named where they are met.
"""

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from lucidmr.dicom.frames import functional_group
from lucidmr.dicom.header.fact import Fact, Facts, PhaseAxis, exact, inferred, unknown
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.values import item, number, numbers, text, tokens

_USUAL_FRACTION = 0.75
"""The most frequent partial Fourier fraction, where a header says "partial Fourier" without saying how much."""


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
    }


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
    found: dict[str, Fact[float]] = {}
    four = numbers(header, "AcquisitionMatrix")
    if len(four) == 4:
        # Which of each pair is zero is not trusted: UIH writes [0, freq, 0, phase].
        for name, entry in (("matrix_freq", max(four[:2])), ("matrix_phase", max(four[2:]))):
            if entry > 0:
                found[name] = exact(entry, source("AcquisitionMatrix"))
    steps = {
        "matrix_freq": "MRAcquisitionFrequencyEncodingSteps",
        "matrix_phase": "MRAcquisitionPhaseEncodingStepsInPlane",
        "matrix_slice": "MRAcquisitionPhaseEncodingStepsOutOfPlane",
    }
    for name, keyword in steps.items():
        value = number(_find(header, keyword, "MRFOVGeometrySequence"), keyword)
        if value is not None and value > 1:
            found[name] = exact(value, source(keyword))
    return {**_phase_from_percent(header, found), **found}


def _phase_from_percent(header: Dataset, found: Facts) -> Facts:
    """Phase samples = freq samples x phase resolution x phase field of view."""
    percent = number(_find(header, "PercentSampling", "MRFOVGeometrySequence"), "PercentSampling")
    # Philips multiplies its percentage by pi / 4 for an elliptical 3D scan.
    freq = found["matrix_freq"].value if "matrix_freq" in found else None
    if not freq or not percent or "philips" in text(header, "Manufacturer").lower():
        return {}
    phase_fov = number(_find(header, "PercentPhaseFieldOfView", "MRFOVGeometrySequence"), "PercentPhaseFieldOfView")
    samples = float(round(freq * percent / 100 * (phase_fov or 100) / 100))
    return {"matrix_phase": inferred(samples, f"{source('PercentSampling')} of the freq matrix")}


def _partial_fourier(header: Dataset) -> Facts:
    names = {"PHASE": "partial_fourier_phase", "FREQUENCY": "partial_fourier_freq",
             "SLICE_SELECT": "partial_fourier_slice"}  # fmt: skip
    where = _find(header, "PartialFourier", "MRModifierSequence")
    flag = text(where, "PartialFourier").upper()
    if flag == "NO":
        return {name: exact(1.0, source("PartialFourier") + " NO") for name in names.values()}
    if flag == "YES":
        direction = text(where, "PartialFourierDirection").upper()
        if direction in names:
            rest = {name: exact(1.0, source("PartialFourierDirection")) for name in names.values()}
            return {**rest, names[direction]: _flagged(source("PartialFourierDirection"))}
        why = f"{source('PartialFourier')} YES, direction {direction or 'not given'}"
        return {name: unknown(why) for name in names.values()}
    return _scan_options(header)


def _scan_options(header: Dataset) -> Facts:
    options = tokens(header, "ScanOptions")
    general_electric = text(header, "Manufacturer").upper().startswith("GE")
    if "PFP" in options:
        return {"partial_fourier_phase": _flagged(f"{source('ScanOptions')} PFP")}
    if "PFF" in options:
        # By the standard PFF is freq; GE writes it for the phase direction of its echo planar scans.
        planar = "EP" in tokens(header, "ScanningSequence")
        name = "partial_fourier_phase" if general_electric and planar else "partial_fourier_freq"
        return {name: _flagged(f"{source('ScanOptions')} PFF")}
    averages = number(header, "NumberOfAverages")
    if general_electric and averages is not None and averages in (0.5, 0.75):
        # GE calls half Fourier "0.5 averages"; a few lines beyond the centre are always there.
        fraction = 0.57 if averages == 0.5 else 0.75
        return {"partial_fourier_phase": inferred(fraction, f"{source('NumberOfAverages')} {averages:g}")}
    return {}


def _flagged(where: str) -> Fact[float]:
    return inferred(_USUAL_FRACTION, f"{where}; the fraction is not stored, {_USUAL_FRACTION} is usual")


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
        return {"acceleration_phase": exact(factor, where)}
    why = f"{where}: {technique} stores its total factor there"
    return {"acceleration_random": inferred(factor, why), "acceleration_phase": inferred(1.0, why)}


def _coverage(header: Dataset) -> Facts:
    coverage = text(header, "CoverageOfKSpace").upper()
    if coverage in ("FULL", "ELLIPTICAL", "CYLINDRICAL"):
        return {"elliptical": exact(coverage != "FULL", source("CoverageOfKSpace"))}
    return {}
