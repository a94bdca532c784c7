"""What Siemens' classic and NUMARIS/X images say alike: short texts, words of the image type, counted lines."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import UNKNOWN, Fact, Facts, exact, flagged, inferred
from lucidmr.dicom.header.standard import source
from lucidmr.dicom.values import number

_MATRIX_TEXT: Final = re.compile(r"(\d{1,5})(p?)[a-oq-zA-Z ]*\*(\d{1,5})")
_PAT_TEXT: Final = re.compile(r"p(\d{1,2})\s*(?:s(\d{1,2}))?$|s(\d{1,2})$")
DISTORTION: Final = {"ND": "none", "DIS2D": "2D", "DIS3D": "3D"}
_DEEP_LEARNING: Final = frozenset({"DRB", "DRG", "DRS"})
_USUAL_FRACTIONS: Final = (5 / 8, 6 / 8, 7 / 8)


def matrix_text_facts(text: str, where: str) -> Facts:
    """Facts from a text such as ``90p*128s``: phase samples, ``p`` for partial Fourier, freq samples."""
    found = _MATRIX_TEXT.match(text.strip())
    if found is None or "0" in (found[1], found[3]):
        return {}
    partial = flagged(f"{where} {text}") if found[2] else exact(1.0, f"{where} {text}")
    return {
        "matrix_phase": exact(float(found[1]), where),
        "matrix_freq": exact(float(found[3]), where),
        "partial_fourier_phase": partial,
    }


def pat_text_facts(text: str, where: str) -> Facts:
    """Facts from a text such as ``p2s3``: the factors along phase and slice (for a 2D scan, simultaneous slices)."""
    found = _PAT_TEXT.match(text.strip())
    if found is None:
        return {}
    phase, across = float(found[1] or 1), float(found[2] or found[3] or 1)
    return {"acceleration_phase": exact(max(1.0, phase), where), "acceleration_slice": exact(max(1.0, across), where)}


def image_facts(words: Sequence[str], history: str, where: str) -> Facts:
    """What this very image went through; one protocol may give images with and without it.

    Args:
        words: The values of the image type.
        history: The scanner's list of processing steps, empty if unknown.
        where: The place of the words.
    """
    found: dict[str, Fact[Any]] = {}
    if words:
        found["image_type"] = exact("\\".join(words), where)
    steps = [DISTORTION[word] for word in words if word in DISTORTION]
    if steps:
        found["distortion_correction"] = exact(steps[-1], where)
    if steps or "NORM" in words:
        found["normalized"] = exact("NORM" in words, where)
    if learned := sorted(_DEEP_LEARNING & set(words)):
        found["dl_reconstructed"] = exact(True, f"{where} {' '.join(learned)}")
    elif "IterativeDenoising:" in history:
        found["dl_reconstructed"] = inferred(True, "the image history names IterativeDenoising")
    if "CC:SoS" in history:
        found["coil_combination"] = exact("sum of squares", "the image history, CC:SoS")
    return found


def counted_lines(header: Dataset, told: Facts) -> Facts:
    """Partial Fourier from the number of lines, which is that after partial Fourier and before acceleration.

    With oversampling there are more lines than samples over the field of view, and nothing can be said.

    Args:
        header: The file's attributes.
        told: Facts with the samples along phase.
    """
    counted, lines = number(header, "NumberOfPhaseEncodingSteps"), told.get("matrix_phase", UNKNOWN).value
    full = told.get("partial_fourier_phase", UNKNOWN).value == 1.0
    if full or not lines or not counted or not 0.55 < counted / lines < 0.94:
        return {}
    fraction = min(_USUAL_FRACTIONS, key=lambda usual: abs(usual - counted / lines))
    why = f"{counted:g} of {lines:g} lines, {source('NumberOfPhaseEncodingSteps')}"
    return {"partial_fourier_phase": inferred(fraction, why)}
