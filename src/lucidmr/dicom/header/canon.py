"""Canon and Toshiba: words of the scan options and, where private attributes are exported, an XML of the protocol."""

import re
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Fact, Facts, Told, exact, inferred
from lucidmr.dicom.header.standard import source, standard_facts
from lucidmr.dicom.values import private_bytes, tokens

_PROTOCOL: Final = "TOSHIBA_MEC_MR3^10"
_MOST: Final = 1 << 20
# Read by pattern, not by an XML parser: the text is flat, and its entities are none of our business.
_ENTRY: Final = re.compile(rb"<(\w{1,32})>([^<>]{0,200})</\1>")
_SPEEDER: Final = re.compile(r"S(\d+)_(\d)")


def canon(header: Dataset) -> Told:
    """What a Canon or Toshiba image says.

    Args:
        header: The file's attributes.
    """
    block = private_bytes(header, 0x700D, _PROTOCOL, 0x19)[:_MOST]
    protocol = {key.decode("ascii"): value.decode("latin-1") for key, value in _ENTRY.findall(block)}
    damaged = bool(block) and not protocol
    warnings = ("damaged private data: no protocol in it; read without it",) if damaged else ()
    return Told((_protocol(protocol), _words(header), standard_facts(header)), warnings)


def _words(header: Dataset) -> Facts:
    found: dict[str, Fact[Any]] = {}
    for word in tokens(header, "ScanOptions"):
        if (speeder := _SPEEDER.fullmatch(word)) and (factor := float(f"{speeder[1]}.{speeder[2]}")) >= 1:
            found["acceleration_phase"] = exact(factor, f"{source('ScanOptions')} {word}")
            found["technique"] = exact("SPEEDER", f"{source('ScanOptions')} {word}")
    if "GDC" in tokens(header, "ImageType"):
        # Whether in two or in three directions is told by the protocol alone.
        found["distortion_correction"] = inferred("2D", f"{source('ImageType')} GDC")
    return found


def _protocol(protocol: dict[str, str]) -> Facts:
    found: dict[str, Fact[Any]] = {}
    factors = _numbers(protocol, "SPDRR")
    if len(factors) == 3 and min(factors) >= 1:
        found["acceleration_phase"] = exact(factors[0], "protocol SPDRR")
        found["acceleration_slice"] = inferred(factors[1], "protocol SPDRR")
    bands = _numbers(protocol, "MLTBF")
    if bands and bands[0] > 1:
        found["acceleration_slice"] = exact(bands[0], "protocol MLTBF")
    wrap = _numbers(protocol, "WRAPR")
    if len(wrap) == 3 and min(wrap) >= 1:
        found["oversampling_phase"] = inferred(wrap[0] - 1, "protocol WRAPR")
        found["oversampling_slice"] = inferred(wrap[1] - 1, "protocol WRAPR")
    corrected = {"0": "none", "1": {"2": "2D", "3": "3D"}.get(protocol.get("GDCDIMR", ""))}.get(protocol.get("GDC", ""))
    if corrected:
        found["distortion_correction"] = exact(corrected, "protocol GDC, GDCDIMR")
    if protocol.get("INTCORF") in ("0", "1"):
        found["normalized"] = exact(protocol["INTCORF"] == "1", "protocol INTCORF")
    return found


def _numbers(protocol: dict[str, str], key: str) -> list[float]:
    parts = protocol.get(key, "").split(",")
    return [float(part) for part in parts] if all(re.fullmatch(r"\d{1,3}(\.\d{1,6})?", part) for part in parts) else []
