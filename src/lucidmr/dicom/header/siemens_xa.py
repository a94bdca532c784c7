"""Siemens NUMARIS/X (XA): multi-frame files, and their export as single frames.

The private attributes are the same: in functional groups of the one, at the top of the other.
"""

from typing import Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Facts, Told, exact
from lucidmr.dicom.header.siemens import DISTORTION, counted_lines, image_facts, matrix_text_facts, pat_text_facts
from lucidmr.dicom.header.siemens_protocol import protocol_facts, read_protocol
from lucidmr.dicom.header.standard import private_source, source, standard_facts
from lucidmr.dicom.header.vendor import has_creator
from lucidmr.dicom.kinds import is_enhanced
from lucidmr.dicom.values import item, private_bytes, private_item, private_text, tokens

_SERIES: Final = "SIEMENS MR SDS 01"
_IMAGE: Final = "SIEMENS MR SDI 02"


def is_siemens_xa(header: Dataset) -> bool:
    """Whether a Siemens image comes from NUMARIS/X."""
    return is_enhanced(header) or has_creator(header, 0x0021, _SERIES)


def siemens_xa(header: Dataset) -> Told:
    """What a NUMARIS/X image says.

    Args:
        header: The file's attributes; of a multi-frame file, the first frame counts.
    """
    shared, frame = item(header, "SharedFunctionalGroupsSequence"), item(header, "PerFrameFunctionalGroupsSequence")
    series = header if shared is None else private_item(shared, 0x0021, _SERIES, 0xFE)
    image = header if frame is None else private_item(frame, 0x0021, _IMAGE, 0xFE)
    standard = standard_facts(header)
    texts = {**_series_texts(series), **_image_texts(image)}
    protocol, warnings = _protocol(series)
    counted = counted_lines(header, {**standard, **texts})
    own = _image(header, image)
    # The standard words of a multi-frame file leave out what the own ones tell; they do not contradict them.
    standard = {name: fact for name, fact in standard.items() if name != "image_type" or name not in own}
    return Told((own, protocol, counted, texts, standard), warnings)


def _protocol(series: Dataset | None) -> tuple[Facts, tuple[str, ...]]:
    block = b"" if series is None else private_bytes(series, 0x0021, _SERIES, 0x19)
    if not block:
        return {}, ()
    protocol = read_protocol(block.decode("latin-1"))
    return (protocol_facts(protocol), ()) if protocol else ({}, ("damaged private data: no whole protocol in it",))


def _image(header: Dataset, image: Dataset | None) -> Facts:
    words, where = tokens(header, "ImageType"), source("ImageType")
    if image is None:
        return image_facts(words, "", where)
    own = tuple(private_text(image, 0x0021, _IMAGE, 0x75).upper().split("\\"))
    if image is not header and own != ("",):
        # The export's own words repeat the frame type, which tells nothing of the processing.
        words, where = own, private_source(0x0021, 0x75, "ImageTypeText")
    found = dict(image_facts(words, private_text(image, 0x0021, _IMAGE, 0x76), where))
    if step := DISTORTION.get(private_text(image, 0x0021, _IMAGE, 0x78).upper()):
        found.setdefault("distortion_correction", exact(step, private_source(0x0021, 0x78, "DistortionCorrection")))
    return found


def _series_texts(series: Dataset | None) -> Facts:
    if series is None:
        return {}
    return pat_text_facts(private_text(series, 0x0021, _SERIES, 0x09), private_source(0x0021, 0x09, "PATModeText"))


def _image_texts(image: Dataset | None) -> Facts:
    if image is None:
        return {}
    text, where = private_text(image, 0x0021, _IMAGE, 0x58), private_source(0x0021, 0x58, "AcquisitionMatrixText")
    pat = pat_text_facts(private_text(image, 0x0021, _IMAGE, 0x56), private_source(0x0021, 0x56, "PATModeText"))
    return {**matrix_text_facts(text, where), **pat}
