"""Facts that follow from others, and what a header's silence means."""

from dataclasses import replace
from typing import Any

from lucidmr.dicom.header.fact import Confidence, Fact, Facts, PhaseAxis, default, inferred, unknown

_THIN = 2.0
"""Slices at most this many times as thick as pixels are wide speak for a 3D acquisition ..."""
_MANY = 48
"""... if there are at least this many of them."""


def fallbacks(found: Facts, matrix: tuple[int, int], slices: int) -> Facts:
    """What to believe where nothing was found.

    Args:
        found: The facts so far.
        matrix: Rows and columns of the images.
        slices: Images per stack.
    """
    silent = "the header is silent"
    three_dimensional = found.get("three_dimensional") or _dimension(found, slices)
    result: dict[str, Fact[Any]] = {
        "acceleration_phase": default(1.0, silent),
        "acceleration_slice": default(1.0, silent),
        "acceleration_random": default(1.0, silent),
        **{f"partial_fourier_{direction}": default(1.0, silent) for direction in ("freq", "phase", "slice")},
        "dl_reconstructed": default(False, "nothing tells of it"),
    }
    if "three_dimensional" not in found:
        result["three_dimensional"] = three_dimensional
    if "phase_axis" not in found:
        result["phase_axis"] = _phase_axis(found, matrix)
    random = found.get("acceleration_random")
    if not three_dimensional.value:
        result["elliptical"] = default(False, "a 2D acquisition has no corners to leave out")
    elif random is not None and (random.value or 1) > 1:
        result["elliptical"] = inferred(True, "3D compressed sensing leaves the corners out")
    return result


def along_slice(found: Facts, slices: int) -> Facts:
    """Samples along slice where the header tells the share of them that was acquired.

    The share counts, not the number: the header counts the slab, of which slices may have been left out.

    Args:
        found: The facts so far.
        slices: Images per stack.
    """
    share = found.get("slice_resolution")
    if share is None or share.value is None or not found["three_dimensional"].value:
        return {}
    return {"matrix_slice": replace(share, value=max(1.0, slices * share.value), others=())}


def consequences(found: Facts, matrix: tuple[int, int], slices: int) -> Facts:
    """Filled part of the image, slice matrix and interpolation.

    Args:
        found: The facts so far, with the phase axis.
        matrix: Rows and columns of the images.
        slices: Images per stack.
    """
    phase, freq = matrix[::-1] if found["phase_axis"].value == "row" else matrix
    result: dict[str, Fact[Any]] = {"filled_phase": _filled(found, phase, freq)}
    if found["three_dimensional"].value and "matrix_slice" not in found:
        result["matrix_slice"] = _slice_matrix(found, slices)
    known = {**result, **found}
    pixels = {"freq": float(freq), "phase": phase * (known["filled_phase"].value or 1.0), "slice": float(slices)}
    for direction, count in pixels.items():
        samples = known.get(f"matrix_{direction}")
        if samples is not None and samples.value and (direction != "slice" or found["three_dimensional"].value):
            why = f"{count:g} image pixels for {samples.value:g} samples"
            result[f"interpolation_{direction}"] = inferred(count / samples.value, why)
    return result


def _dimension(found: Facts, slices: int) -> Fact[bool]:
    thickness, width = _value(found, "slice_spacing"), _value(found, "spacing_column")
    if thickness and width and thickness <= _THIN * width and slices >= _MANY:
        return inferred(True, f"{slices} slices {thickness:g} mm apart, pixels {width:g} mm wide")
    return default(False, "the header is silent")


def _phase_axis(found: Facts, matrix: tuple[int, int]) -> Fact[PhaseAxis]:
    down, across = _value(found, "spacing_row") or 1.0, _value(found, "spacing_column") or 1.0
    height, width = matrix[0] * down, matrix[1] * across
    if abs(height - width) > 0.02 * max(height, width):
        # The field of view is cut along phase, where that saves time.
        return inferred("col" if height < width else "row", "the shorter side of the image")
    return default("col", "the header is silent")


def _filled(found: Facts, phase: int, freq: int) -> Fact[float]:
    percent = found.get("phase_fov")
    down, across = _value(found, "spacing_row") or 1.0, _value(found, "spacing_column") or 1.0
    if found["phase_axis"].value == "row":
        down, across = across, down
    if percent is None or percent.value is None:
        return default(1.0, "the header is silent")
    fraction = percent.value / 100 * (freq * across) / (phase * down)
    # Rounding of the matrix to whole pixels is no padding.
    value = 1.0 if fraction > 0.985 else fraction
    return inferred(value, f"{percent.source} and the image's shape")


def _slice_matrix(found: Facts, slices: int) -> Fact[float]:
    thickness, spacing = _value(found, "slice_thickness"), _value(found, "slice_spacing")
    if slices < 2:
        return unknown("one slice only")
    if thickness and spacing and thickness > 1.05 * spacing:
        # Interpolated along slice: the slices lie closer than they are thick.
        return inferred(max(1.0, slices * spacing / thickness), "slice spacing / slice thickness")
    return default(float(slices), "as many as slices")


def _value(found: Facts, name: str) -> float | None:
    fact = found.get(name)
    return None if fact is None or fact.confidence is Confidence.UNKNOWN else fact.value
