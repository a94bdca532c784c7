"""Makes the header of a single-frame MR image from one frame of a multi-frame file.

DICOM: what the functional group macros hold (PS3.3 C.7.6.16, C.8.13.5) goes to the top of the header, under the names
and terms of the MR Image module (C.8.3.1).
"""

from collections.abc import Iterator
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from lucidmr.dicom.kinds import CLASSIC
from lucidmr.dicom.values import READ_ERRORS, item, number, numbers, text, value

_RENAMED: Final = {
    "FrameType": "ImageType", "EffectiveEchoTime": "EchoTime", "InversionTimes": "InversionTime",
    "TransmitterFrequency": "ImagingFrequency", "ResonantNucleus": "ImagedNucleus",
    "PulseSequenceName": "SequenceName", "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier", "NominalCardiacTriggerDelayTime": "TriggerTime",
    "FrameComments": "ImageComments",
}  # fmt: skip
_NUMBERS: Final = ("EffectiveEchoTime", "InversionTimes", "TransmitterFrequency", "NominalCardiacTriggerDelayTime")
_MULTI_FRAME: Final = (
    "NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationSequence", "DimensionIndexSequence", "DimensionOrganizationType", "PixelPresentation",
    "VolumetricProperties", "VolumeBasedCalculationTechnique", "ReferencedImageEvidenceSequence",
    "SourceImageEvidenceSequence", "ConcatenationUID", "ConcatenationFrameOffsetNumber", "InConcatenationNumber",
    "InConcatenationTotalNumber", "SOPInstanceUIDOfConcatenationSource", "DimensionIndexValues", "StackID",
    "InStackPositionNumber", "FrameReferenceDateTime", "FrameAcquisitionDateTime", "RepresentativeFrameNumber",
)  # fmt: skip
_KEPT_SEQUENCES: Final = ("ReferencedImageSequence", "RealWorldValueMappingSequence")
"""Macros that the header of a single frame holds as they are."""
_ALWAYS_THERE: Final = ("SliceThickness", "EchoTime", "EchoTrainLength", "ScanOptions", "PositionReferenceIndicator")
"""May be empty, must not be absent."""
_ECHOES: Final = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}


def single_frame(header: Dataset, index: int) -> Dataset:
    """The header of one frame as a file of its own; identifiers stay those of the source.

    Args:
        header: The attributes of a multi-frame file; used up.
        index: The frame, from 0.
    """
    groups = [item(header, "SharedFunctionalGroupsSequence"), header.PerFrameFunctionalGroupsSequence[index]]
    macros = list(_macros([group for group in groups if group is not None]))
    for keyword, macro in macros:
        if keyword in _KEPT_SEQUENCES:
            setattr(header, keyword, macro)
        else:
            _flatten(header, macro[0])
    for group in groups:
        if group is not None:
            _keep_private(header, group)
    _date(header)
    for keyword in _MULTI_FRAME:
        if keyword in header:
            delattr(header, keyword)
    _rename(header)
    _translate(header)
    header.SOPClassUID = CLASSIC
    for keyword in _ALWAYS_THERE:
        if keyword not in header:
            setattr(header, keyword, None)
    return header


def _macros(groups: list[Dataset]) -> Iterator[tuple[str, Any]]:
    for group in groups:
        for element in group:
            if element.VR == "SQ" and not element.tag.is_private and element.value:
                yield element.keyword, element.value


def _flatten(header: Dataset, macro: Dataset) -> None:
    for element in macro:
        if element.VR != "SQ" and element.keyword:
            header[element.tag] = element
        elif element.keyword == "DiffusionGradientDirectionSequence" and element.value:
            _flatten(header, element.value[0])


def _keep_private(header: Dataset, group: Dataset) -> None:
    """Copy private attributes; their blocks may lie elsewhere in the other header."""
    for odd in {element.tag.group for element in group if element.tag.is_private}:
        for creator in group.private_creators(odd):
            source, block = group.private_block(odd, creator), header.private_block(odd, creator, create=True)
            first = source.block_start
            for element in group.group_dataset(odd):
                if first <= element.tag.element < first + 0x100:
                    number = element.tag.element - first
                    if number in block:
                        del block[number]
                    block.add_new(number, element.VR, element.value)


def _rename(header: Dataset) -> None:
    for old, new in _RENAMED.items():
        found = value(header, old)
        if found is None:
            continue
        try:
            setattr(header, new, _decimal(header, old) if old in _NUMBERS else found)
        except READ_ERRORS:
            continue
        delattr(header, old)


def _decimal(header: Dataset, keyword: str) -> DSfloat | None:
    found = number(header, keyword)
    return None if found is None else DSfloat(found, auto_format=True)


def _date(header: Dataset) -> None:
    when = text(header, "FrameAcquisitionDateTime")
    if len(when) >= 14:
        header.AcquisitionDate, header.AcquisitionTime = when[:8], when[8:].partition("+")[0].partition("-")[0]


def _translate(header: Dataset) -> None:
    """Say in the terms of a single-frame image what multi-frame images say in others."""

    def yes(keyword: str) -> bool:
        return text(header, keyword).upper() not in ("", "NO", "NONE", "SINGLE")

    inverted, echoes = yes("InversionRecovery"), _ECHOES.get(text(header, "EchoPulseSequence").upper(), ["RM"])
    planar = ["EP"] if yes("EchoPlanarPulseSequence") else []
    header.ScanningSequence = [*echoes, *(["IR"] if inverted else []), *planar]
    terms = {"SegmentedKSpaceTraversal": "SK", "MagnetizationTransfer": "MTC", "SteadyStatePulseSequence": "SS",
             "Spoiling": "SP", "OversamplingPhase": "OSP"}  # fmt: skip
    header.SequenceVariant = [term for keyword, term in terms.items() if yes(keyword)] or ["NONE"]
    header.ScanOptions = [*_partial_fourier(header), *(["FC"] if yes("FlowCompensation") else [])] or None
    axis = text(header, "InPlanePhaseEncodingDirection").upper()
    if axis:
        header.InPlanePhaseEncodingDirection = axis[:3]
    freq, phase = (number(header, f"MRAcquisition{name}") for name in
                   ("FrequencyEncodingSteps", "PhaseEncodingStepsInPlane"))  # fmt: skip
    if freq and phase and axis:
        lines = [int(freq), int(phase)]
        header.AcquisitionMatrix = [0, *lines, 0] if axis == "ROW" else [lines[0], 0, 0, lines[1]]
    if numbers(header, "RescaleSlope") == (1.0,) and not number(header, "RescaleIntercept"):
        # Viewers expect no rescale in single-frame MR; without one the values are the stored ones.
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            if keyword in header:
                delattr(header, keyword)


def _partial_fourier(header: Dataset) -> list[str]:
    if text(header, "PartialFourier").upper() != "YES":
        return []
    terms = {"PHASE": ["PFP"], "FREQUENCY": ["PFF"], "COMBINATION": ["PFP", "PFF"]}
    return terms.get(text(header, "PartialFourierDirection").upper(), [])
