"""Siemens before NUMARIS/X (VA to VE): CSA headers with the measurement protocol, and short texts in group 0051."""

from typing import Final

from pydicom.dataset import Dataset

from lucidmr.dicom.csa import CSA_CREATOR, read_csa
from lucidmr.dicom.header.fact import Facts, Told, exact
from lucidmr.dicom.header.siemens import counted_lines, image_facts, matrix_text_facts, pat_text_facts
from lucidmr.dicom.header.siemens_protocol import Protocol, protocol_facts, read_protocol
from lucidmr.dicom.header.standard import private_source, source, standard_facts
from lucidmr.dicom.values import private_bytes, private_numbers, private_text, text, tokens

_SHORT: Final = "SIEMENS MR HEADER"


def siemens_csa(header: Dataset) -> Told:
    """What a classic Siemens image says.

    Args:
        header: The file's attributes.
    """
    protocol, warnings = _protocol(header)
    words = image_facts(tokens(header, "ImageType"), "", source("ImageType"))
    measured = protocol_facts(protocol) if protocol else {}
    texts, standard = _texts(header), standard_facts(header)
    return Told((words, measured, counted_lines(header, {**standard, **texts}), texts, standard), warnings)


def _protocol(header: Dataset) -> tuple[Protocol, tuple[str, ...]]:
    block = private_bytes(header, 0x0029, CSA_CREATOR, 0x20)
    if not block:
        return {}, ()
    try:
        elements = read_csa(block)
    except ValueError as error:
        return {}, (f"damaged private data: {error}; read without it",)
    texts = [text for name in ("MrPhoenixProtocol", "MrProtocol") for text in elements.get(name, ())]
    return next((found for text in texts if (found := read_protocol(text))), {}), ()


def _texts(header: Dataset) -> Facts:
    found = {
        **matrix_text_facts(
            private_text(header, 0x0051, _SHORT, 0x0B), private_source(0x0051, 0x0B, "AcquisitionMatrixText")
        ),
        **pat_text_facts(private_text(header, 0x0051, _SHORT, 0x11), private_source(0x0051, 0x11, "PATModeText")),
    }
    resolution = private_numbers(header, 0x0019, _SHORT, 0x17)
    if resolution and 0 < resolution[0] <= 1 and text(header, "MRAcquisitionType") == "3D":
        found["slice_resolution"] = exact(resolution[0], private_source(0x0019, 0x17, "SliceResolution"))
    return found
