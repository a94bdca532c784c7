"""United Imaging: short texts in private attributes; the protocol itself is encrypted."""

import re
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Fact, Facts, Told, exact, inferred, unknown
from lucidmr.dicom.header.standard import private_source, source, standard_facts
from lucidmr.dicom.values import private_text, tokens

_IMAGE: Final = "Image Private Header"
_COMMON: Final = "Common Private Header"
_PAIR: Final = re.compile(r"(\d{1,5}(?:\.\d+)?)\s*\*\s*(\d{1,5}(?:\.\d+)?)")
_FACTOR: Final = re.compile(r"F:(\d{1,2}(?:\.\d{1,4})?)")
_CONVENTIONAL: Final = re.compile(r"KF:\s*(\w+)|IF:\s*(\w+)", re.I)


def uih(header: Dataset) -> Told:
    """What a United Imaging image says.

    Args:
        header: The file's attributes.
    """
    return Told((_private(header), standard_facts(header), _encrypted()))


def _private(header: Dataset) -> Facts:
    found: dict[str, Fact[Any]] = {}
    sides, where = _PAIR.match(private_text(header, 0x0061, _COMMON, 0x02)), private_source(0x0061, 0x02, "FieldOfView")
    if sides and float(sides[2]) > 0:
        found["phase_fov"] = inferred(100 * float(sides[1]) / float(sides[2]), f"{where}, phase * freq")
    factor, where = private_text(header, 0x0065, _IMAGE, 0x0D), private_source(0x0065, 0x0D, "ParallelInformation")
    if (number := _FACTOR.match(factor)) and float(number[1]) >= 1:
        # One factor for the two directions of a 3D scan: which share is whose is not told.
        found["acceleration_phase"] = inferred(float(number[1]), f"{where} {factor}")
    filters = [
        f"{text.split(':')[0]} {text.split(':', 1)[1]}"
        for text in (private_text(header, 0x0065, _IMAGE, 0x32), private_text(header, 0x0061, _COMMON, 0x01))
        if _CONVENTIONAL.match(text)
    ]
    if filters:
        found["filters"] = exact(", ".join(filters), private_source(0x0065, 0x32, "KSpaceFilter, ImageFilter"))
    words = tokens(header, "ImageType")
    if words:
        found["normalized"] = exact(
            "UCA" in words, f"{source('ImageType')} {'with' if 'UCA' in words else 'without'} UCA"
        )
    return found


def _encrypted() -> Facts:
    why = "United Imaging keeps it in an encrypted protocol"
    return {f"partial_fourier_{direction}": unknown(why) for direction in ("phase", "slice")}
