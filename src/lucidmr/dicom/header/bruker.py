"""Bruker ParaVision: the truth is in the text file ``method`` beside the exported images, where that was kept.

JCAMP-DX: ``##$NAME=( size )`` and the values on the following lines.
"""

import re
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Fact, Facts, Told, inferred
from lucidmr.dicom.header.standard import standard_facts

_MOST: Final = 1 << 20
_LEVELS: Final = 4
"""``method`` lies at most this many folders above the images (``pdata/1/dicom``)."""
_ENTRY: Final = re.compile(r"^##\$(PVM_\w+)=(?:\([^)\n]*\)\s*\n)?([^#$]*)", re.M)
_NUMBER: Final = re.compile(r"-?\d{1,6}(\.\d{1,20})?")
_DIRECTIONS: Final = ("freq", "phase", "slice")


def bruker(header: Dataset) -> Told:
    """What a ParaVision image and the method beside it say.

    Args:
        header: The file's attributes, with its file name if it was read from one.
    """
    return Told((_method_facts(_method(header)), standard_facts(header)))


def _method(header: Dataset) -> dict[str, list[float]]:
    name = getattr(header, "filename", None)
    folders = list(Path(name).absolute().parents)[:_LEVELS] if isinstance(name, str | Path) else []
    for folder in folders:
        try:
            with (folder / "method").open("rb") as file:
                text = file.read(_MOST).decode("latin-1")
        except OSError:
            continue
        if text.startswith("##TITLE"):
            return {key: _numbers(values) for key, values in _ENTRY.findall(text)}
    return {}


def _numbers(text: str) -> list[float]:
    parts = text.split()
    return [float(part) for part in parts] if all(_NUMBER.fullmatch(part) for part in parts) else []


def _method_facts(method: dict[str, list[float]]) -> Facts:
    found: dict[str, Fact[Any]] = {}
    matrix, filled = method.get("PVM_Matrix", []), method.get("PVM_EncZf", [])
    if len(matrix) in (2, 3):
        found["three_dimensional"] = inferred(len(matrix) == 3, "method PVM_Matrix")
    for direction, pixels, factor in zip(_DIRECTIONS, matrix, filled, strict=False):
        if factor > 0 and pixels >= 1:
            found[f"matrix_{direction}"] = inferred(max(1.0, float(round(pixels / factor))), "method PVM_EncZf")
    for direction, factor in zip(_DIRECTIONS, method.get("PVM_EncPft", []), strict=False):
        if 1 <= factor <= 2:
            found[f"partial_fourier_{direction}"] = inferred(1 / factor, "method PVM_EncPft")
    for direction, factor in list(zip(_DIRECTIONS, method.get("PVM_EncPpi", []), strict=False))[1:]:
        if factor >= 1:
            found[f"acceleration_{direction}"] = inferred(factor, "method PVM_EncPpi")
    for direction, factor in list(zip(_DIRECTIONS, method.get("PVM_AntiAlias", []), strict=False))[1:]:
        if factor >= 1:
            found[f"oversampling_{direction}"] = inferred(factor - 1, "method PVM_AntiAlias")
    return found
