"""Writes a complete MR series from arrays: for demonstrations and tests.

DICOM: MR Image Storage, one file per image, Explicit VR little endian.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DSfloat

from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.header.fact import PhaseAxis
from lucidmr.dicom.kinds import CLASSIC
from lucidmr.dicom.output import FILE_NAME, file_meta, new_folder
from lucidmr.dicom.storage import PixelFormat, put_pixels

_NAMESPACE: Final = uuid.UUID("3b0f4d0c-8f0a-5c53-a7a5-0d9c8a0f5e11")
_TWELVE_BITS: Final = PixelFormat(16, 12, False)
_NOON: Final = datetime(2026, 1, 1, 12)
_AXIAL: Final = Geometry((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True)
class Protocol:
    """What the header of a created series says.

    Attributes:
        identity: All UIDs follow from this and the series number: the same identity makes the same study.
        description: SeriesDescription.
        number: SeriesNumber.
        plane: Plane of the first image; the others follow along its normal.
        slice_thickness: In mm.
        slice_spacing: Distance between the centres of adjacent slices in mm.
        three_dimensional: Whether slice was Fourier encoded.
        phase_axis: ``row``: phase runs along a row; ``col``: along a column.
        matrix: Acquired samples along (freq, phase); ``None`` for as many as pixels.
        phase_fov: Phase field of view in percent of that along freq.
        partial_fourier: Whether the header flags partial Fourier along phase.
        acceleration: Parallel imaging factor along phase.
        acceleration_slice: The same along slice.
        random: Net factor of random undersampling.
        elliptical: Whether the corners of the phase-slice plane were left out; ``None`` says nothing of it.
        slices_encoded: Samples along slice of a 3D acquisition; ``None`` for as many as slices.
        format: How pixels are stored.
        slope: Real-world value per stored value.
        intercept: Real-world value of stored value 0.
        image_type: ImageType.
        echo_time: In ms.
        created: All dates and times.
    """

    identity: str = "lucidmr demo"
    description: str = "T2 TSE tra"
    number: int = 1
    plane: Geometry = _AXIAL
    slice_thickness: float = 5.0
    slice_spacing: float = 5.5
    three_dimensional: bool = False
    phase_axis: PhaseAxis = "row"
    matrix: tuple[int, int] | None = None
    phase_fov: float = 100.0
    partial_fourier: bool = False
    acceleration: float = 1.0
    acceleration_slice: float = 1.0
    random: float = 1.0
    elliptical: bool | None = None
    slices_encoded: int | None = None
    format: PixelFormat = _TWELVE_BITS
    slope: float = 1.0
    intercept: float = 0.0
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "OTHER")
    echo_time: float = 80.0
    created: datetime = _NOON


def create_series(
    images: Iterable[NDArray[np.floating]], folder: Path, protocol: Protocol | None = None, overwrite: bool = False
) -> list[Path]:
    """Write images as one MR series. The folder appears whole or not at all.

    Args:
        images: Real-world values, rows x columns, one per slice, along the normal of the plane; clipped to what the
            pixel format holds.
        folder: Where to write; must not exist, or be empty.
        protocol: What the header says; ``None`` for the defaults.
        overwrite: Replace an earlier output of Lucid MR.

    Returns:
        The files, in order.

    Raises:
        LucidError: The folder cannot be used.
    """
    wanted = protocol or Protocol()
    with new_folder(folder, overwrite) as part:
        names = []
        for index, image in enumerate(images):
            names.append(FILE_NAME.format(index + 1))
            header = image_header(wanted, index, (image.shape[0], image.shape[1]))
            put_pixels(header, wanted.format.encode(image[None], wanted.slope, wanted.intercept))
            low, high = float(image.min()), float(image.max())
            header.WindowCenter, header.WindowWidth = _decimal((low + high) / 2), _decimal(max(high - low, 1.0))
            pydicom.dcmwrite(part / names[-1], header, enforce_file_format=True)
    return [folder / name for name in names]


def image_header(protocol: Protocol, index: int, matrix: tuple[int, int]) -> Dataset:
    """The attributes of one image, all but the pixel data.

    Args:
        protocol: What the header says.
        index: Number of the slice, from 0.
        matrix: Rows and columns.
    """
    header = Dataset()
    _patient_and_study(header, protocol)
    _series(header, protocol)
    _image(header, protocol, index, matrix)
    _acquisition(header, protocol, matrix)
    header.file_meta = file_meta(header.SOPClassUID, header.SOPInstanceUID)
    header.preamble = b"\0" * 128
    return header


def _uid(protocol: Protocol, *parts: object) -> UID:
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, (protocol.identity, *parts)))).int}")


def _patient_and_study(header: Dataset, protocol: Protocol) -> None:
    date, time = protocol.created.strftime("%Y%m%d"), protocol.created.strftime("%H%M%S")
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName, header.PatientID = "Phantom^Lucid", "LUCID"
    header.PatientBirthDate, header.PatientSex = "", "O"
    header.StudyInstanceUID, header.StudyID, header.AccessionNumber = _uid(protocol, "study"), "1", ""
    header.StudyDescription, header.ReferringPhysicianName = "Lucid MR phantom", ""
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(header, f"{name}Date", date)
        setattr(header, f"{name}Time", time)


def _series(header: Dataset, protocol: Protocol) -> None:
    header.SeriesInstanceUID = _uid(protocol, "series", protocol.number)
    header.FrameOfReferenceUID, header.PositionReferenceIndicator = _uid(protocol, "frame"), ""
    header.Modality, header.SeriesNumber, header.SeriesDescription = "MR", protocol.number, protocol.description
    header.ProtocolName, header.PatientPosition, header.BodyPartExamined = protocol.description, "HFS", "BRAIN"
    header.Manufacturer, header.ManufacturerModelName, header.SoftwareVersions = "Lucid MR", "Phantom", "1"
    header.InstitutionName, header.DeviceSerialNumber = "", "0"


def _image(header: Dataset, protocol: Protocol, index: int, matrix: tuple[int, int]) -> None:
    plane = protocol.plane
    shift = [index * protocol.slice_spacing * entry for entry in plane.normal]
    x, y, z = (start + step for start, step in zip(plane.position, shift, strict=True))
    here = replace(plane, position=(x, y, z))
    header.SOPClassUID = CLASSIC
    header.SOPInstanceUID = _uid(protocol, "image", protocol.number, protocol.echo_time, index)
    header.ImageType, header.InstanceNumber, header.AcquisitionNumber = list(protocol.image_type), index + 1, 1
    header.ImagePositionPatient = [_decimal(entry) for entry in here.position]
    header.ImageOrientationPatient = [_decimal(entry) for entry in plane.orientation]
    header.PixelSpacing = [_decimal(step) for step in plane.spacing]
    header.SliceLocation = _decimal(here.distance)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = matrix
    header.BitsAllocated, header.BitsStored = protocol.format.allocated, protocol.format.stored
    header.HighBit, header.PixelRepresentation = protocol.format.stored - 1, int(protocol.format.signed)
    if (protocol.slope, protocol.intercept) != (1.0, 0.0):
        header.RescaleSlope, header.RescaleIntercept = _decimal(protocol.slope), _decimal(protocol.intercept)
        header.RescaleType = "US"


def _acquisition(header: Dataset, protocol: Protocol, matrix: tuple[int, int]) -> None:
    rows, columns = matrix
    freq, phase = protocol.matrix or ((rows, columns) if protocol.phase_axis == "row" else (columns, rows))
    header.ScanningSequence, header.SequenceVariant = "SE", "SK"
    header.ScanOptions = "PFP" if protocol.partial_fourier else ""
    header.MRAcquisitionType = "3D" if protocol.three_dimensional else "2D"
    header.RepetitionTime, header.EchoTime = "4000", _decimal(protocol.echo_time)
    header.EchoTrainLength, header.EchoNumbers, header.NumberOfAverages = 16, 1, "1"
    header.MagneticFieldStrength, header.ImagedNucleus, header.ImagingFrequency = "1.5", "1H", "63.87"
    header.PixelBandwidth, header.FlipAngle = "200", "150"
    header.SliceThickness = _decimal(protocol.slice_thickness)
    header.SpacingBetweenSlices = _decimal(protocol.slice_spacing)
    column = protocol.phase_axis == "col"
    header.InPlanePhaseEncodingDirection = "COL" if column else "ROW"
    header.AcquisitionMatrix = [freq, 0, 0, phase] if column else [0, freq, phase, 0]
    header.PercentPhaseFieldOfView = _decimal(protocol.phase_fov)
    header.PercentSampling = _decimal(100 * phase / max(1, ceil(freq * protocol.phase_fov / 100)))
    if protocol.elliptical is not None:
        header.CoverageOfKSpace = "ELLIPTICAL" if protocol.elliptical else "FULL"
    if protocol.slices_encoded is not None:
        header.MRAcquisitionPhaseEncodingStepsOutOfPlane = protocol.slices_encoded
    _put_acceleration(header, protocol)


def _put_acceleration(header: Dataset, protocol: Protocol) -> None:
    if max(protocol.acceleration, protocol.acceleration_slice, protocol.random) == 1:
        return
    header.ParallelAcquisition = "YES"
    header.ParallelAcquisitionTechnique = "CSENSE" if protocol.random > 1 else "SENSE"
    header.ParallelReductionFactorInPlane = protocol.random if protocol.random > 1 else protocol.acceleration
    if protocol.acceleration_slice > 1:
        header.ParallelReductionFactorOutOfPlane = protocol.acceleration_slice


def _decimal(number: float) -> DSfloat:
    return DSfloat(number, auto_format=True)
