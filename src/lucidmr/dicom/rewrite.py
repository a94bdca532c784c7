"""Changes a source header into that of its derived image.

DICOM: what to set, keep and remove follows PS3.3 C.7.6.1 (General Image), C.8.3.1 (MR Image), C.8.13 (Enhanced MR).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.valuerep import DSfloat

from lucidmr.dicom.frames import Frame, functional_group
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.output import file_meta
from lucidmr.dicom.provenance import (
    Provenance,
    add_equipment,
    add_source_evidence,
    derivation_codes,
    derived_uid,
    plain,
    source_image,
)
from lucidmr.dicom.values import READ_ERRORS, integer, item, numbers, text, tokens, value

SUFFIX: Final = " Lucid MR"
SERIES_OFFSET: Final = 1000
_LOSSY_SYNTAXES: Final = (".4.50", ".4.51", ".4.81", ".4.91", ".4.203")
_STALE: Final = ("IconImageSequence", "VOILUTSequence", "DigitalSignaturesSequence", "MACParametersSequence",
                 "SmallestPixelValueInSeries", "LargestPixelValueInSeries", "DataSetTrailingPadding")  # fmt: skip
_STALE_PRIVATE: Final = (
    (0x0043, "GEMS_PARM_01", 0x29),  # histogram
    (0x2005, "Philips MR Imaging DD 001", 0x0B),  # largest value of the image
    (0x2005, "Philips MR Imaging DD 001", 0x0C),  # smallest
)


def rewrite(
    source: Dataset, frames: Sequence[Frame], matrix: tuple[int, int], provenance: Provenance, created: datetime
) -> Dataset:
    """Make the header of a derived file from a freshly read source header, in place.

    Args:
        source: The source's attributes without pixel data; used up.
        frames: Its images, in file order.
        matrix: Rows and columns of the derived images.
        provenance: What was done.
        created: When.

    Returns:
        The header, all but the pixel data.
    """
    header = source
    original = _references(source)
    _from_big_endian(header)
    _remove_stale(header, matrix)
    _identify(header, original, matrix, provenance, created)
    resampled = matrix != (integer(header, "Rows", 0), integer(header, "Columns", 0))
    if resampled:
        _resample(header, frames, matrix)
    # Multi-frame images know no SECONDARY (PS3.3 C.8.16.1.2).
    examination = "PRIMARY" if is_enhanced(header) else provenance.examination
    header.ImageType = _image_type(tokens(header, "ImageType"), examination)
    derive = _derive_frames if is_enhanced(header) else _derive_image
    derive(header, original, provenance, resampled)
    add_equipment(header, provenance, created)
    return header


def repair_windows(header: Dataset, values: NDArray[np.floating]) -> None:
    """Replace windows that no viewer can show (narrower than 1) by the range of the image, in place.

    Args:
        header: The derived file's attributes.
        values: Real-world values, frames x rows x columns.
    """
    for index, group in enumerate(value(header, "PerFrameFunctionalGroupsSequence") or []):
        macro = functional_group(header, group, "FrameVOILUTSequence")
        if macro is not None and "WindowWidth" in macro and index < len(values):
            _repair_window(macro, values[index])
    _repair_window(header, values)


def _repair_window(place: Dataset, values: NDArray[np.floating]) -> None:
    if "WindowWidth" not in place and "WindowCenter" not in place:
        return
    widths, centers = numbers(place, "WindowWidth"), numbers(place, "WindowCenter")
    if widths and len(widths) == len(centers) and min(widths) >= 1:
        return
    low, high = float(values.min()), float(values.max())
    place.WindowCenter = DSfloat((low + high) / 2, auto_format=True)
    place.WindowWidth = DSfloat(max(high - low, 1.0), auto_format=True)
    if "WindowCenterWidthExplanation" in place:
        del place.WindowCenterWidthExplanation


def _references(source: Dataset) -> Dataset:
    """What must be remembered of the source before its header changes."""
    kept = Dataset()
    for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(kept, name, text(source, name))
    return kept


def _identify(
    header: Dataset, source: Dataset, matrix: tuple[int, int], provenance: Provenance, created: datetime
) -> None:
    syntax = text(header.file_meta, "TransferSyntaxUID") if getattr(header, "file_meta", None) else ""
    if syntax.endswith(_LOSSY_SYNTAXES):
        header.LossyImageCompression = "01"
    kind = f"image {matrix[0]} x {matrix[1]}"
    header.SOPInstanceUID = derived_uid(source.SOPInstanceUID, provenance, kind)
    header.SeriesInstanceUID = derived_uid(source.SeriesInstanceUID, provenance, "series")
    header.SeriesNumber = min(integer(header, "SeriesNumber", 0) + SERIES_OFFSET, 2**31 - 1)
    description = text(header, "SeriesDescription") or text(header, "ProtocolName")
    header.SeriesDescription = (description[: 64 - len(SUFFIX)].strip() + SUFFIX).strip()
    for name in ("Series", "Content", "InstanceCreation"):
        setattr(header, f"{name}Date", created.strftime("%Y%m%d"))
        setattr(header, f"{name}Time", created.strftime("%H%M%S"))
    header.file_meta = file_meta(header.SOPClassUID, header.SOPInstanceUID)
    header.preamble = b"\0" * 128


def _image_type(values: Sequence[str], examination: str) -> list[str]:
    # The third value is mandatory for MR.
    return ["DERIVED", examination, *(list(values[2:]) or ["OTHER"])]


def _derive_image(header: Dataset, source: Dataset, provenance: Provenance, resampled: bool) -> None:
    before = text(header, "DerivationDescription")
    words = provenance.description + (f"; before: {before}" if before else "")
    header.DerivationDescription = plain(words, 1024)
    header.DerivationCodeSequence = derivation_codes(resampled)
    header.SourceImageSequence = Items([source_image(source)])


def _derive_frames(header: Dataset, source: Dataset, provenance: Provenance, resampled: bool) -> None:
    add_source_evidence(header, source)
    shared = item(header, "SharedFunctionalGroupsSequence")
    groups = list(value(header, "PerFrameFunctionalGroupsSequence") or [])
    for group in [*groups, *([shared] if shared is not None else [])]:
        kind = item(group, "MRImageFrameTypeSequence")
        if kind is not None:
            kind.FrameType = _image_type(tokens(kind, "FrameType"), "PRIMARY")
    for number, group in enumerate(groups, start=1):
        derivation = Dataset()
        derivation.DerivationDescription = plain(provenance.description, 1024)
        derivation.DerivationCodeSequence = derivation_codes(resampled)
        derivation.SourceImageSequence = Items([source_image(source, number)])
        group.DerivationImageSequence = Items([derivation])


def _resample(header: Dataset, frames: Sequence[Frame], matrix: tuple[int, int]) -> None:
    old = (integer(header, "Rows", 0), integer(header, "Columns", 0))
    scaled: set[int] = set()
    # Odd converters leave a functional groups sequence in single-frame files; nobody reads it.
    groups = list(header.PerFrameFunctionalGroupsSequence) if is_enhanced(header) else [None]
    for group, frame in zip(groups, frames, strict=True):
        measures = header if group is None else functional_group(header, group, "PixelMeasuresSequence")
        position = header if group is None else functional_group(header, group, "PlanePositionSequence")
        spacing = () if measures is None else numbers(measures, "PixelSpacing")
        if measures is not None and len(spacing) == 2 and id(measures) not in scaled:
            scaled.add(id(measures))
            measures.PixelSpacing = [
                DSfloat(step * before / after, auto_format=True)
                for step, before, after in zip(spacing, old, matrix, strict=True)
            ]
        if position is not None and frame.geometry is not None and "ImagePositionPatient" in position:
            moved = frame.geometry.resampled(old, matrix).position
            position.ImagePositionPatient = [DSfloat(entry, auto_format=True) for entry in moved]
    if "PixelAspectRatio" in header:
        del header.PixelAspectRatio


def _remove_stale(header: Dataset, matrix: tuple[int, int]) -> None:
    for place in _everything(header):
        for name in _STALE:
            if name in place:
                delattr(place, name)
        for group, creator, element in _STALE_PRIVATE:
            try:
                del place.private_block(group, creator)[element]
            except READ_ERRORS:
                continue
    same = matrix == (integer(header, "Rows", 0), integer(header, "Columns", 0))
    overlays = [tag for tag in header.keys() if 0x6000 <= tag.group <= 0x60FF]  # noqa: SIM118 (values are elements)
    drawn = {tag.group for tag in overlays if tag.element == 0x3000}
    for tag in overlays:
        # Overlay planes are drawn on the source's matrix; planes kept in spare bits of the pixels are gone.
        if not same or tag.group not in drawn:
            del header[tag]


def _everything(header: Dataset) -> Iterator[Dataset]:
    yield header
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        yield from value(header, name) or []


def _from_big_endian(header: Dataset) -> None:
    """Swap the bytes of words that pydicom leaves as they were read."""
    if header.original_encoding[1] is not False:
        return
    for element in header:
        if element.VR == "OW" and isinstance(element.value, bytes) and len(element.value) % 2 == 0:
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
