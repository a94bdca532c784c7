"""Philips: private attributes, among them an item that carries most of the multi-frame attributes of a single frame.

The private blocks of later releases lie at other places, which is why each is found by its creator.
"""

from dataclasses import replace
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Fact, Facts, Told, exact, flagged, inferred
from lucidmr.dicom.header.standard import private_source, source, standard_facts
from lucidmr.dicom.values import item, private_item, private_text, text

_FIRST: Final = "Philips MR Imaging DD 001"
_ITEM: Final = "Philips MR Imaging DD 005"
_LEARNED: Final = "Philips MR Imaging DD 008"
_IMAGING: Final = "Philips Imaging DD 001"
_COMPONENTS: Final = {"M": "magnitude", "P": "phase", "R": "real", "I": "imaginary"}


def philips(header: Dataset) -> Told:
    """What a Philips image says.

    Args:
        header: The file's attributes; of a multi-frame file, the first frame counts.
    """
    nested = _nested(header)
    places = [header, *nested]
    inside = tuple(_inside(standard_facts(place)) for place in nested)
    return Told((_private(places), standard_facts(header), *inside, _flag(places)))


def _nested(header: Dataset) -> list[Dataset]:
    """The items in which the other form's attributes are kept: of the first frame, of all frames."""
    shared, frame = item(header, "SharedFunctionalGroupsSequence"), item(header, "PerFrameFunctionalGroupsSequence")
    places = [(header, 0x0F), (frame, 0x0F), (shared, 0x0E)]
    found = [private_item(place, 0x2005, _ITEM, element) for place, element in places if place is not None]
    return [place for place in found if place is not None]


def _inside(found: Facts) -> Facts:
    """Facts of a nested item; its image type and geometry are those of the other form."""
    where = private_source(0x2005, 0x0F, "")
    return {
        name: replace(fact, source=f"{where}> {fact.source}")
        for name, fact in found.items()
        if name not in ("manufacturer", "model", "image_type")
    }


def _first(places: list[Dataset], group: int, creator: str, element: int) -> str:
    return next((found for place in places if (found := private_text(place, group, creator, element).upper())), "")


def _private(places: list[Dataset]) -> Facts:
    found: dict[str, Fact[Any]] = {}
    # Old releases call magnitude REAL in the standard attribute; their own is right.
    component = _first(places, 0x2005, _FIRST, 0x11)
    if component in _COMPONENTS:
        found["component"] = exact(_COMPONENTS[component], private_source(0x2005, 0x11, "ImageType"))
    scan, where = _first(places, 0x2005, _FIRST, 0xA1), private_source(0x2005, 0xA1, "SyncraScanType")
    if scan in ("SYN_COCA", "SENSE"):
        # SENSE divides by the coils' sensitivities relative to the body coil; CLEAR does that without acceleration.
        found["normalized"] = inferred(True, f"{where} {scan}")
    learned, where = _first(places, 0x2005, _LEARNED, 0x10), private_source(0x2005, 0x10, "ReconstructionAI")
    if learned:
        found["dl_reconstructed"] = exact(learned == "CS_SENSE_AI", f"{where} {learned}")
    return found


def _flag(places: list[Dataset]) -> Facts:
    """Partial Fourier, and its absence, from the oldest of the places that tell of it."""
    where = private_source(0x2001, 0x19, "PartialMatrixScanned")
    flags = {"Y": flagged(f"{where} Y"), "N": exact(1.0, f"{where} N")}
    found: dict[str, Fact[Any]] = {}
    if (flag := _first(places, 0x2001, _IMAGING, 0x19)) in flags:
        found["partial_fourier_phase"] = flags[flag]
    oversampled = next((word for place in places if (word := text(place, "OversamplingPhase").upper())), "")
    if oversampled == "NONE":
        found["oversampling_phase"] = inferred(0.0, f"{source('OversamplingPhase')} NONE")
    return found
