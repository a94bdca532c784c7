"""Lucid MR: one model that makes any MR series quieter and sharper, DICOM in, DICOM out."""

from typing import TYPE_CHECKING, Any

from lucidmr.context import Acquisition, Enhancement
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.dicom.series import ImageSeries, read_series
    from lucidmr.enhance.pipeline import enhance

__version__ = "0.1.0"
__all__ = ["Acquisition", "Enhancement", "ImageSeries", "LucidError", "__version__", "enhance", "read_series"]

# Names that need torch or pydicom are imported on first use: `lucidmr --help` answers without either.
_LAZY = {
    "ImageSeries": "lucidmr.dicom.series",
    "read_series": "lucidmr.dicom.series",
    "enhance": "lucidmr.enhance",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module 'lucidmr' has no attribute {name!r}")
    found = import_module(_LAZY[name])
    return found if name == "enhance" else getattr(found, name)
