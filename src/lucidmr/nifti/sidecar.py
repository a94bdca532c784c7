"""Sidecars: JSON files in BIDS words beside NIfTI files, as dcm2niix writes them.

Most of the words are DICOM keywords, so a sidecar is read as the DICOM header that it was made from, with the traps of
its vendor; what DICOM has no attribute for, or BIDS defines better, goes before that. BIDS 1.10, "Magnetic Resonance
Imaging"; what dcm2niix writes: its BIDS/README.md.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header import Told, told_of
from lucidmr.dicom.header.fact import Fact, Facts, PhaseAxis, exact, flagged, merged
from lucidmr.dicom.kinds import frame_refusal, remarks
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.values import READ_ERRORS, quiet
from lucidmr.nifti.file import stem
from lucidmr.nifti.inheritance import applying

Sidecar = Mapping[str, Any]
SIDECAR: Final = ".json"
"""What the names of sidecars end with."""

_MOST_BYTES: Final = 1 << 24
_AXES: Final = {"i": 0, "j": 1, "k": 2}
_KEYWORDS: Final = {
    **{name: name for name in (
        "Manufacturer", "MagneticFieldStrength", "SequenceName", "PulseSequenceName", "SeriesDescription",
        "ProtocolName", "MRAcquisitionType", "ScanOptions", "ImageType", "SliceThickness", "SpacingBetweenSlices",
        "PercentSampling", "NumberOfAverages", "EchoTrainLength", "PixelBandwidth", "ParallelReductionFactorInPlane",
        "ParallelReductionFactorOutOfPlane", "ParallelAcquisitionTechnique", "PartialFourierDirection")},
    "ManufacturersModelName": "ManufacturerModelName",
    "PercentPhaseFOV": "PercentPhaseFieldOfView",
    "FrequencyEncodingSteps": "MRAcquisitionFrequencyEncodingSteps",
    "PhaseEncodingStepsOutOfPlane": "MRAcquisitionPhaseEncodingStepsOutOfPlane",
}  # fmt: skip
"""DICOM's names of the words that are taken over."""
_NUMBERS: Final = {
    "matrix_freq": ("BaseResolution", 1.0, 65536.0),
    "matrix_phase": ("AcquisitionMatrixPE", 1.0, 65536.0),
    "phase_resolution": ("PhaseResolution", 0.01, 4.0),
    "oversampling_phase": ("PhaseOversampling", 0.0, 4.0),
    "acceleration_random": ("CompressedSensingFactor", 1.0, 64.0),
    "acceleration_slice": ("MultibandAccelerationFactor", 1.0, 64.0),
}
"""Words of BIDS and dcm2niix that DICOM has no attribute for, with what they can be."""
_PARTIAL: Final = {"PHASE": "partial_fourier_phase", "FREQUENCY": "partial_fourier_freq",
                   "SLICE_SELECT": "partial_fourier_slice"}  # fmt: skip
_OF_THE_MATRIX: Final = ("ReconMatrixPE", "EffectiveEchoSpacing")
"""Words that hold for the source's matrix alone."""
_TAG: Final = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-fx]{4}\) ")


def read_sidecar(path: Path) -> tuple[Sidecar, tuple[str, ...]]:
    """Read what tells of a NIfTI file: what lies beside it under the same name, and what a BIDS data set adds to that.

    Args:
        path: The NIfTI file.

    Returns:
        The sidecar, empty where there is none or it cannot be read, and what the user should know of that.
    """
    files, found, problems = applying(path, SIDECAR), dict[str, Any](), []
    for file in files:
        try:
            found |= _read(file)
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"the sidecar {file.name} cannot be read ({_words(error)}); it is passed over")
    if not files:
        problems.append("no sidecar: what was acquired is not known but for what the image shows")
    return found, tuple(problems)


def _read(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError("too large")
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a NIfTI file is written."""
    return path.with_name(stem(path) + SIDECAR)


def sidecar_refusal(sidecar: Sidecar) -> str:
    """Why these images must not be processed; empty if nothing speaks against it."""
    kind = Dataset()
    with quiet():
        kind.FrameType = _strings(sidecar.get("ImageType"))
    return frame_refusal(kind)


def sidecar_remarks(sidecar: Sidecar) -> list[str]:
    """What a user should know of the images, one line each."""
    found = remarks(_header(sidecar, dicom_planes=False))
    if sidecar.get("DeepLearning") is True and not any("deep learning" in line for line in found):
        found.append("already reconstructed with deep learning by the scanner")
    return found


def phase_axis(sidecar: Sidecar) -> int | None:
    """The axis of the array that phase encoding ran along; ``None`` where the sidecar does not say."""
    for name in ("PhaseEncodingDirection", "PhaseEncodingAxis"):
        value = sidecar.get(name)
        if isinstance(value, str) and value[:1] in _AXES:
            return _AXES[value[0]]
    return None


def told_by(sidecar: Sidecar, axes: tuple[int, int, int]) -> Told:
    """What a sidecar says of the acquisition.

    Args:
        sidecar: The sidecar.
        axes: The axes of the array along slices, rows (a row's index grows along it) and columns.

    Returns:
        Its facts, place by place.
    """
    # ROW and COL are about DICOM's planes: dcm2niix stacks them along the last axis.
    told = told_of(_header(sidecar, dicom_planes=axes == (2, 1, 0)))
    read = tuple({name: _renamed(fact) for name, fact in facts.items()} for facts in told.sources)
    return Told((_own_facts(sidecar, axes), *read), told.warnings)


def derived_sidecar(
    sidecar: Sidecar, source: str, provenance: Provenance, before: Sequence[int], after: Sequence[int]
) -> dict[str, Any]:
    """The sidecar of processed images: what still holds of the source's, and what was done.

    Args:
        sidecar: The source's.
        source: Its file name.
        provenance: What was done.
        before: Voxels along each axis of the array.
        after: The same of the processed images.
    """
    found = {name: value for name, value in sidecar.items() if name not in _OF_THE_MATRIX}
    along = phase_axis(sidecar)
    if along is not None:
        found["ReconMatrixPE"] = after[along]
        spacing = _number(sidecar, "EffectiveEchoSpacing")
        if spacing is not None and after[along] > 1:
            # TotalReadoutTime = EffectiveEchoSpacing x (ReconMatrixPE - 1) stays what it was (BIDS).
            found["EffectiveEchoSpacing"] = spacing * (before[along] - 1) / (after[along] - 1)
    found["ImageType"] = ["DERIVED", "SECONDARY", *_strings(sidecar.get("ImageType"))[2:]]
    done = {"Name": provenance.manufacturer, "Version": provenance.version, "Description": provenance.description,
            "Model": provenance.model, "WeightsSHA256": provenance.weights}  # fmt: skip
    earlier = sidecar.get("GeneratedBy")
    found["GeneratedBy"] = [*(earlier if isinstance(earlier, list) else []), done]
    found["Sources"] = [source]
    return found


def _own_facts(sidecar: Sidecar, axes: tuple[int, int, int]) -> Facts:
    found: dict[str, Fact[Any]] = {}
    for name, (word, low, high) in _NUMBERS.items():
        value = _number(sidecar, word)
        if value is not None and low <= value <= high:
            found[name] = exact(value, _source(word))
    along = phase_axis(sidecar)
    if along in axes[1:]:
        axis: PhaseAxis = "row" if along == axes[2] else "col"
        word = "PhaseEncodingDirection" if "PhaseEncodingDirection" in sidecar else "PhaseEncodingAxis"
        found["phase_axis"] = exact(axis, _source(word))
    if sidecar.get("DeepLearning") is True:
        found["dl_reconstructed"] = exact(True, _source("DeepLearning"))
    return merged([found, _partial_fourier(sidecar)])


def _partial_fourier(sidecar: Sidecar) -> Facts:
    """The fraction, along phase where no direction is named."""
    fraction, word = _number(sidecar, "PartialFourier"), sidecar.get("PartialFourierDirection")
    direction = word if isinstance(word, str) else "PHASE" if fraction is not None else ""
    name = _PARTIAL.get(direction)
    if name is None:
        return {}
    if fraction is None:
        return {name: flagged(_source("PartialFourierDirection"))}
    return {name: exact(fraction, _source("PartialFourier"))} if 0.5 <= fraction <= 1.0 else {}


def _header(sidecar: Sidecar, dicom_planes: bool) -> Dataset:
    """The DICOM attributes that a sidecar repeats; values of the wrong kind are left out."""
    header = Dataset()
    keywords = {**_KEYWORDS, **({"InPlanePhaseEncodingDirectionDICOM": "InPlanePhaseEncodingDirection"}
                                if dicom_planes else {})}  # fmt: skip
    for word, keyword in keywords.items():
        value = sidecar.get(word)
        if not isinstance(value, str | int | float | list) or isinstance(value, bool):
            continue
        try:
            with quiet():
                setattr(header, keyword, value.split("\\") if isinstance(value, str) else value)
        except READ_ERRORS:
            continue
    if "ParallelReductionFactorInPlane" in header:
        header.ParallelAcquisition = "YES"
    return header


def _renamed(fact: Fact[Any]) -> Fact[Any]:
    return replace(fact, source=_source(_TAG.sub("", fact.source)), others=tuple(map(_renamed, fact.others)))


def _source(word: str) -> str:
    return f"sidecar {word}"


def _number(sidecar: Sidecar, word: str) -> float | None:
    value = sidecar.get(word)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def _strings(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
