"""Changes a source header into that of its derived image.

DICOM: what to set, keep and remove follows PS3.3 C.7.6.1 (General Image), C.8.3.1 (MR Image), C.8.13 (Enhanced MR).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.valuerep import DSfloat

from lucidmr.dicom.classic import single_frame
from lucidmr.dicom.frames import Frame, functional_group
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.mosaic import mosaic_of, plane_of, resample_tiles
from lucidmr.dicom.output import file_meta
from lucidmr.dicom.provenance import (
    Provenance,
    add_equipment,
    add_source_evidence,
    derivation_codes,
    derived_uid,
    plain,
)
from lucidmr.dicom.values import READ_ERRORS, integer, item, items, numbers, private_item, text, tokens

SUFFIX: Final = " Lucid MR"
SERIES_OFFSET: Final = 1000
_LOSSY_METHODS: Final = {
    ".4.50": "ISO_10918_1", ".4.51": "ISO_10918_1", ".4.81": "ISO_14495_1", ".4.91": "ISO_15444_1",
    ".4.203": "ISO_15444_15",
}  # fmt: skip
"""What transfer syntaxes with loss are called, by the end of their UID."""
_STALE: Final = ("IconImageSequence", "VOILUTSequence", "DigitalSignaturesSequence", "MACParametersSequence",
                 "SmallestPixelValueInSeries", "LargestPixelValueInSeries", "DataSetTrailingPadding")  # fmt: skip
_KEPT_PRIVATE: Final = re.compile(
    r"SIEMENS (CSA|MR) |GEMS_|Philips (Imaging|MR)|(TOSHIBA|CANON)_MEC_MR|(Image|Common) Private Header|HITACHI|FUJI|"
    r"BRUKER",
    re.I,
)
"""Creators of private attributes that tell how the scanner acquired the image; others' may hold icons or anything."""
_SET: Final = ("ImageType", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "SeriesDate",
               "SeriesTime", "ContentDate", "ContentTime", "InstanceCreationDate", "InstanceCreationTime",
               "LossyImageCompression", "LossyImageCompressionMethod", "DerivationDescription",
               "DerivationCodeSequence", "SourceImageSequence", "ContributingEquipmentSequence",
               "CodingSchemeIdentificationSequence", "SourceImageEvidenceSequence", "PixelSpacing",
               "ImagePositionPatient", "WindowCenter", "WindowWidth", "Rows", "Columns")  # fmt: skip
"""What derived files say anew."""
_STALE_PRIVATE: Final = (
    (0x0043, "GEMS_PARM_01", 0x29),  # histogram
    (0x2005, "Philips MR Imaging DD 001", 0x0B),  # largest value of the image
    (0x2005, "Philips MR Imaging DD 001", 0x0C),  # smallest
)
_PHILIPS_COPY: Final = (0x2005, "Philips MR Imaging DD 005", 0x0F)
"""Philips' private copy of what the header says; readers take the pixel spacing from it."""
_STALE_IN_COPY: Final = ("SOPInstanceUID", "ImagePositionPatient", "PixelSpacing", "Rows", "Columns")


def rewrite(
    header: Dataset,
    frames: Sequence[Frame],
    sources: Sequence[Sequence[Dataset]],
    matrix: tuple[int, int],
    provenance: Provenance,
    created: datetime,
    single: bool = False,
) -> Dataset:
    """Make the header of a derived file from a freshly read source header.

    Args:
        header: The source's attributes without pixel data; used up.
        frames: The images that go into the derived file, in file order.
        sources: References to what each of them was made from, itself first.
        matrix: Rows and columns of the derived file.
        provenance: What was done.
        created: When.
        single: Whether one frame of a multi-frame source becomes a file of its own.

    Returns:
        The header, all but the pixel data.
    """
    original = _references(header)
    _drop_unreadable(header)
    _from_big_endian(header)
    _remove_stale(header, matrix)
    if single:
        original.ReferencedFrameNumber = frames[0].index + 1
        header = single_frame(header, frames[0].index)
    _drop_wrong_kinds(header)
    _identify(header, original, matrix, provenance, created)
    resampled = matrix != (integer(header, "Rows", 0), integer(header, "Columns", 0))
    if resampled:
        _resample(header, frames, matrix)
    # Multi-frame images know no SECONDARY (PS3.3 C.8.16.1.2).
    examination = "PRIMARY" if is_enhanced(header) else provenance.examination
    header.ImageType = _image_type(tokens(header, "ImageType"), examination)
    if is_enhanced(header):
        add_source_evidence(header, original)
        _derive_frames(header, sources, provenance, resampled)
    else:
        # The slices of a mosaic were all made from one image.
        _derive_image(header, sources[0], provenance, resampled)
    add_equipment(header, provenance, created)
    return header


def repair_windows(header: Dataset, values: NDArray[np.floating]) -> None:
    """Replace windows that no viewer can show (narrower than 1) by the range of the image, in place.

    Args:
        header: The derived file's attributes.
        values: Real-world values, frames x rows x columns.
    """
    for index, group in enumerate(items(header, "PerFrameFunctionalGroupsSequence")):
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


def _drop_unreadable(header: Dataset) -> None:
    """Remove elements whose bytes break their own VR: they cannot be written, and nobody could read them."""
    for place in _everything(header):
        for tag in list(place.keys()):
            try:
                place[tag]
            except READ_ERRORS:
                del place[tag]


def _drop_wrong_kinds(header: Dataset) -> None:
    """Remove what is to be set and has a VR that is not its own: it would keep it."""
    for name in _SET:
        tag = Tag(name)
        element = header.get_item(tag)
        if element is not None and element.VR not in (None, "UN", dictionary_VR(tag)):
            del header[tag]


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
    for ending, method in _LOSSY_METHODS.items():
        if syntax.endswith(ending):
            header.LossyImageCompression = "01"
            if "LossyImageCompressionMethod" not in header:
                header.LossyImageCompressionMethod = method
    frame = f"frame {source.ReferencedFrameNumber} " if "ReferencedFrameNumber" in source else ""
    kind = f"{frame}image {matrix[0]} x {matrix[1]}"
    header.SOPInstanceUID = derived_uid(source.SOPInstanceUID, provenance, kind)
    # Anonymisers give one UID to several series.
    series = f"series {text(header, 'SeriesNumber')}{' single frames' if frame else ''}"
    header.SeriesInstanceUID = derived_uid(source.SeriesInstanceUID, provenance, series)
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


def _derive_image(header: Dataset, sources: Sequence[Dataset], provenance: Provenance, resampled: bool) -> None:
    before = text(header, "DerivationDescription")
    words = provenance.description + (f"; before: {before}" if before else "")
    header.DerivationDescription = plain(words, 1024)
    header.DerivationCodeSequence = derivation_codes(resampled)
    header.SourceImageSequence = Items(sources)


def _derive_frames(
    header: Dataset, sources: Sequence[Sequence[Dataset]], provenance: Provenance, resampled: bool
) -> None:
    shared = item(header, "SharedFunctionalGroupsSequence")
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    for group in [*groups, *([shared] if shared is not None else [])]:
        kind = item(group, "MRImageFrameTypeSequence")
        if kind is not None:
            kind.FrameType = _image_type(tokens(kind, "FrameType"), "PRIMARY")
    for group, references in zip(groups, sources, strict=True):
        derivation = Dataset()
        derivation.DerivationDescription = plain(provenance.description, 1024)
        derivation.DerivationCodeSequence = derivation_codes(resampled)
        derivation.SourceImageSequence = Items(references)
        group.DerivationImageSequence = Items([derivation])


def _resample(header: Dataset, frames: Sequence[Frame], matrix: tuple[int, int]) -> None:
    old = (integer(header, "Rows", 0), integer(header, "Columns", 0))
    # Odd converters leave a functional groups sequence in single-frame files; nobody reads it.
    if is_enhanced(header):
        _resample_frames(header, frames, old, matrix)
    else:
        if mosaic := mosaic_of(header):
            resample_tiles(header, mosaic, matrix)
        _move(header, plane_of(header), old, matrix)
        _scale(header, old, matrix)
    if "PixelAspectRatio" in header:
        del header.PixelAspectRatio


def _resample_frames(header: Dataset, frames: Sequence[Frame], old: tuple[int, int], new: tuple[int, int]) -> None:
    scaled: set[int] = set()
    for group, frame in zip(header.PerFrameFunctionalGroupsSequence, frames, strict=True):
        measures = functional_group(header, group, "PixelMeasuresSequence")
        if measures is not None and id(measures) not in scaled:
            scaled.add(id(measures))
            _scale(measures, old, new)
        position = functional_group(header, group, "PlanePositionSequence")
        if position is not None:
            _move(position, frame.geometry, old, new)


def _scale(place: Dataset, old: tuple[int, int], new: tuple[int, int]) -> None:
    spacing = numbers(place, "PixelSpacing")
    if len(spacing) == 2:
        steps = (step * before / after for step, before, after in zip(spacing, old, new, strict=True))
        place.PixelSpacing = [DSfloat(step, auto_format=True) for step in steps]


def _move(place: Dataset, plane: Geometry | None, old: tuple[int, int], new: tuple[int, int]) -> None:
    if plane is not None and "ImagePositionPatient" in place:
        moved = plane.resampled(old, new).position
        place.ImagePositionPatient = [DSfloat(entry, auto_format=True) for entry in moved]


def _remove_stale(header: Dataset, matrix: tuple[int, int]) -> None:
    for place in _everything(header):
        for name in _STALE:
            if name in place:
                delattr(place, name)
        _remove_foreign(place)
        for group, creator, element in _STALE_PRIVATE:
            try:
                del place.private_block(group, creator)[element]
            except READ_ERRORS:
                continue
        nested = private_item(place, *_PHILIPS_COPY)
        for name in _STALE_IN_COPY:
            if nested is not None and name in nested:
                delattr(nested, name)
    same = matrix == (integer(header, "Rows", 0), integer(header, "Columns", 0))
    overlays = [tag for tag in header.keys() if 0x6000 <= tag.group <= 0x60FF]  # noqa: SIM118 (values are elements)
    drawn = {tag.group for tag in overlays if tag.element == 0x3000}
    for tag in overlays:
        # Overlay planes are drawn on the source's matrix; planes kept in spare bits of the pixels are gone.
        if not same or tag.group not in drawn:
            del header[tag]


def _remove_foreign(place: Dataset) -> None:
    """Remove private blocks whose creator is not on the list."""
    blocks = {
        (tag.group, tag.element)
        for tag in place.keys()  # noqa: SIM118 (values are elements)
        if tag.is_private_creator and _KEPT_PRIVATE.match(str(place[tag].value).strip())
    }
    for tag in [tag for tag in place.keys() if tag.is_private]:  # noqa: SIM118
        owner = tag.element if tag.element < 0x100 else tag.element >> 8
        if (tag.group, owner) not in blocks:
            del place[tag]


def _everything(header: Dataset) -> Iterator[Dataset]:
    yield header
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        yield from items(header, name)


def _from_big_endian(header: Dataset) -> None:
    """Swap the bytes of words that pydicom leaves as they were read."""
    if header.original_encoding[1] is not False:
        return
    words = [header[tag] for tag in list(header.keys()) if header.get_item(tag).VR == "OW"]
    for element in words:
        if isinstance(element.value, bytes) and len(element.value) % 2 == 0:
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
