"""Who made the scanner."""

import re
from typing import Final, Literal

from pydicom.dataset import Dataset

from lucidmr.dicom.values import READ_ERRORS, text

Vendor = Literal["siemens", "ge", "philips", "canon", "uih", "hitachi", "bruker", ""]

_NAMES: Final[tuple[tuple[Vendor, str], ...]] = (
    ("siemens", r"siemens"),
    ("ge", r"\bge\b|genesis"),
    ("philips", r"philips"),
    ("canon", r"canon|toshiba"),
    ("uih", r"\buih\b|united imaging"),
    ("hitachi", r"hitachi|fuji"),
    ("bruker", r"bruker"),
)
_CREATORS: Final[tuple[tuple[Vendor, int, str], ...]] = (
    ("siemens", 0x0029, "SIEMENS CSA HEADER"),
    ("siemens", 0x0021, "SIEMENS MR SDS 01"),
    ("ge", 0x0043, "GEMS_PARM_01"),
    ("philips", 0x2005, "Philips MR Imaging DD 001"),
    ("canon", 0x700D, "TOSHIBA_MEC_MR3^10"),
    ("canon", 0x700D, "CANON_MEC_MR3"),
    ("uih", 0x0065, "Image Private Header"),
)


def vendor_of(header: Dataset) -> Vendor:
    """Tell the vendor from Manufacturer or, where that was taken out, from the private attributes that were left.

    Args:
        header: The attributes of one file.

    Returns:
        Empty if nothing tells.
    """
    name = text(header, "Manufacturer").lower()
    for vendor, pattern in _NAMES:
        if re.search(pattern, name):
            return vendor
    return next((vendor for vendor, group, creator in _CREATORS if has_creator(header, group, creator)), "")


def has_creator(header: Dataset, group: int, creator: str) -> bool:
    """Whether there is a private block of this creator."""
    try:
        header.private_block(group, creator)
    except READ_ERRORS:
        return False
    return True
