"""Synthetic series, the source of most of these tests, and a validator that knows what the source got wrong."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
import validity
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lucidmr.dicom.create import Protocol, create_series, image_header
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.storage import put_pixels

MATRIX = (24, 16)


@pytest.fixture
def provenance():
    return Provenance(model="base", version="0.1.0", weights="0123abcd", settings="noise reduction 2, gains 1 1 1")


@pytest.fixture
def phantom():
    """Four slices, rows x columns = 24 x 16, whole numbers up to 4000, all different, none symmetric."""
    rng = np.random.default_rng(3)
    return [np.rint(rng.uniform(0, 4000, MATRIX)).astype(np.float32) for _ in range(4)]


@pytest.fixture
def make(tmp_path, phantom):
    """Write a series into its own folder of ``tmp_path/in`` and return its files; fields of Protocol by name."""

    def _make(name="a", images=None, **fields):
        chosen = phantom if images is None else images
        return create_series(chosen, tmp_path / "in" / name, Protocol(**fields))

    return _make


@pytest.fixture
def edit():
    """Change a file in place with a function of its dataset."""

    def _edit(path, change):
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)

    return _edit


@pytest.fixture
def csa():
    """A CSA header of named values, in either of the two layouts."""

    def _csa(elements, second=True):
        parts = [b"SV10\x04\x03\x02\x01" if second else b"", struct.pack("<II", len(elements), 77)]
        for name, values in elements.items():
            parts.append(struct.pack("<64si4siii", name.encode(), len(values), b"UN\0\0", 0, len(values), 77))
            for value in values:
                raw = value.encode() + b"\0"
                # The first layout adds the number of items of the first element to every length.
                length = len(raw) if second else len(raw) + len(next(iter(elements.values())))
                parts.append(struct.pack("<4i", length, len(raw) if second else 0, 77, 0))
                parts.append(raw + b"\0" * (-len(raw) % 4))
        return b"".join(parts)

    return _csa


@pytest.fixture
def enhanced(tmp_path):
    """Write one enhanced multi-frame file: ``images`` per echo time, positions 5.5 mm apart; returns its path."""

    def _enhanced(images, echoes=(10.0,), name="e", slopes=None, kinds=None, shared_spacing=True):
        frames = [(echo, place, image) for echo in echoes for place, image in enumerate(images)]
        header = _enhanced_header(frames, slopes, kinds, shared_spacing)
        put_pixels(header, np.stack([image for _, _, image in frames]).astype("<u2"))
        path = tmp_path / "in" / name / "multi.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        pydicom.dcmwrite(path, header, enforce_file_format=True)
        return path

    return _enhanced


def _enhanced_header(frames, slopes, kinds, shared_spacing):
    header = image_header(Protocol(number=7, description="multi"), 0, MATRIX)
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    header.NumberOfFrames = len(frames)
    header.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    orientation = list(header.ImageOrientationPatient)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "EchoTime", "AcquisitionMatrix",
                 "InPlanePhaseEncodingDirection", "ScanOptions", "PercentPhaseFieldOfView"):  # fmt: skip
        delattr(header, name)
    shared = Dataset()
    measures = _item(SliceThickness="5", SpacingBetweenSlices="5.5", PixelSpacing=["1", "1"])
    if shared_spacing:
        shared.PixelMeasuresSequence = measures
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=orientation)
    shared.MRModifierSequence = _item(
        PartialFourier="YES", PartialFourierDirection="PHASE", ParallelAcquisition="YES",
        ParallelAcquisitionTechnique="GRAPPA", ParallelReductionFactorInPlane=2.0,
        ParallelReductionFactorOutOfPlane=1.0)  # fmt: skip
    shared.MRFOVGeometrySequence = _item(
        InPlanePhaseEncodingDirection="COLUMN", MRAcquisitionFrequencyEncodingSteps=16,
        MRAcquisitionPhaseEncodingStepsInPlane=12, PercentPhaseFieldOfView="150", PercentSampling="75")  # fmt: skip
    header.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for index, (echo, place, _) in enumerate(frames):
        group = Dataset()
        group.MREchoSequence = _item(EffectiveEchoTime=echo)
        group.PlanePositionSequence = _item(ImagePositionPatient=["0", "0", str(5.5 * place)])
        group.FrameContentSequence = _item(StackID="1", InStackPositionNumber=place + 1, DimensionIndexValues=[1, 1])
        kind = kinds[index] if kinds else ["ORIGINAL", "PRIMARY", "M", "NONE"]
        group.MRImageFrameTypeSequence = _item(FrameType=kind, ComplexImageComponent="MAGNITUDE")
        slope = slopes[index] if slopes else 1.0
        group.PixelValueTransformationSequence = _item(RescaleIntercept="0", RescaleSlope=str(slope), RescaleType="US")
        group.FrameVOILUTSequence = _item(WindowCenter="500", WindowWidth="1000")
        if not shared_spacing:
            group.PixelMeasuresSequence = _item(SliceThickness="5", PixelSpacing=["1", "1"])
        groups.append(group)
    header.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return header


def _item(**values):
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return Sequence([found])


@pytest.fixture(scope="session")
def new_errors():
    """A function (source, derived) -> validator errors that the source did not have."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    return validity.new_errors


@pytest.fixture(scope="session")
def data():
    """The folder of real data."""
    if not (place := os.environ.get("LUCIDMR_DATA")):
        pytest.skip("LUCIDMR_DATA does not name the development data folder")
    return Path(place)
