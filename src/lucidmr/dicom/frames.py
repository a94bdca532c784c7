"""What one image is, whether it came as a file of its own or as a frame of an enhanced multi-frame file.

DICOM: functional groups PS3.3 C.7.6.16; a macro may sit in the shared or in the per-frame sequence.
"""

from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from lucidmr.dicom.diffusion import diffusion, direction
from lucidmr.dicom.geometry import Geometry, geometry
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.mosaic import mosaic_of, plane_of, planes_of
from lucidmr.dicom.values import integer, item, items, number, numbers, text


@dataclass(frozen=True)
class Frame:
    """One image.

    Attributes:
        file: Index of its file in the series.
        index: Index of the frame, or of the slice of a mosaic, in its file, from 0.
        geometry: Its plane in the patient; ``None`` if the header does not say.
        slope: Real-world value per stored value.
        intercept: Real-world value of stored value 0.
        kind: What tells it from other images of the same slice: echo, b-value, direction of diffusion, image type.
        time: Temporal position, 0 if the header does not say.
        acquisition: Acquisition number, 0 if the header does not say.
        trigger: Trigger time in ms, 0 if the header does not say.
        order: Sorts images of the same slice and kind.
    """

    file: int
    index: int
    geometry: Geometry | None
    slope: float
    intercept: float
    kind: tuple[float | str, ...]
    time: int
    acquisition: int
    trigger: float
    order: tuple[float, ...]


def frames_of(header: Dataset, file: int) -> list[Frame]:
    """The images of one file.

    Args:
        header: Its attributes.
        file: Its index in the series.
    """
    if not is_enhanced(header):
        whole, mosaic = _classic(header, file), mosaic_of(header)
        if mosaic is None:
            return [whole]
        planes = planes_of(header, mosaic)
        return [replace(whole, index=index, geometry=plane) for index, plane in enumerate(planes)]
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    return [_enhanced(header, group, file, index) for index, group in enumerate(groups)]


def functional_group(header: Dataset, frame: Dataset | None, name: str) -> Dataset | None:
    """A functional group macro's item, from the frame if it is there, else from the shared sequence.

    Args:
        header: The file's attributes.
        frame: The frame's item of PerFrameFunctionalGroupsSequence, if any.
        name: Keyword of the macro's sequence.
    """
    shared = item(header, "SharedFunctionalGroupsSequence")
    found = None if frame is None else item(frame, name)
    return found if found is not None or shared is None else item(shared, name)


def _classic(header: Dataset, file: int) -> Frame:
    slope, intercept = _rescale(header)
    kind: tuple[float | str, ...] = (
        round(number(header, "EchoTime") or 0.0, 3),
        number(header, "EchoNumbers") or 0.0,
        *diffusion(header),
        round(number(header, "InversionTime") or 0.0, 2),
        text(header, "ImageType"),
    )
    time, acquisition = integer(header, "TemporalPositionIdentifier", 0), integer(header, "AcquisitionNumber", 0)
    trigger = number(header, "TriggerTime") or 0.0
    order = (float(time), float(acquisition), trigger, number(header, "InstanceNumber") or 0.0)
    return Frame(file, 0, plane_of(header), slope, intercept, kind, time, acquisition, trigger, order)


def _enhanced(header: Dataset, group: Dataset, file: int, index: int) -> Frame:
    empty = Dataset()
    macros = {
        name: found if (found := functional_group(header, group, name)) is not None else empty
        for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "MREchoSequence",
                     "PixelValueTransformationSequence", "FrameContentSequence", "MRDiffusionSequence",
                     "MRImageFrameTypeSequence", "CardiacSynchronizationSequence")
    }  # fmt: skip
    plane = geometry(
        numbers(macros["PlanePositionSequence"], "ImagePositionPatient"),
        numbers(macros["PlaneOrientationSequence"], "ImageOrientationPatient"),
        numbers(macros["PixelMeasuresSequence"], "PixelSpacing"),
    )
    slope, intercept = _rescale(macros["PixelValueTransformationSequence"])
    weighting, content = macros["MRDiffusionSequence"], macros["FrameContentSequence"]
    gradient = item(weighting, "DiffusionGradientDirectionSequence") or empty
    kind: tuple[float | str, ...] = (
        float(file),  # a volume does not spread over several multi-frame files
        round(number(macros["MREchoSequence"], "EffectiveEchoTime") or 0.0, 3),
        round(number(weighting, "DiffusionBValue") or 0.0, 1),
        *direction(numbers(gradient, "DiffusionGradientOrientation")),
        text(macros["MRImageFrameTypeSequence"], "FrameType"),
    )
    time = integer(content, "TemporalPositionIndex", 0)
    order = (float(time), *numbers(content, "DimensionIndexValues"), float(index))
    acquisition = integer(content, "FrameAcquisitionNumber", 0)
    trigger = number(macros["CardiacSynchronizationSequence"], "NominalCardiacTriggerDelayTime") or 0.0
    return Frame(file, index, plane, slope, intercept, kind, time, acquisition, trigger, order)


def _rescale(source: Dataset) -> tuple[float, float]:
    # A slope of 0 would erase the image: some anonymisers write it for "none".
    return number(source, "RescaleSlope") or 1.0, number(source, "RescaleIntercept") or 0.0
