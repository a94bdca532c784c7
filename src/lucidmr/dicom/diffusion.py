"""Diffusion weighting of a single-frame image; most vendors keep it in attributes of their own."""

from typing import Final

from pydicom.dataset import Dataset

from lucidmr.dicom.values import number, numbers, private_numbers

_B_VALUES: Final = (
    (0x0019, "SIEMENS MR HEADER", 0x0C),
    (0x0043, "GEMS_PARM_01", 0x39),
    (0x2001, "Philips Imaging DD 001", 0x03),
    (0x0065, "Image Private Header", 0x09),
)
_DIRECTIONS: Final = (
    (0x0019, "SIEMENS MR HEADER", (0x0E,)),
    (0x0019, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD)),
    (0x2005, "Philips MR Imaging DD 001", (0xB0, 0xB1, 0xB2)),
    (0x0065, "Image Private Header", (0x37,)),
)
_GE_FLAG: Final = 1e5
"""GE adds multiples of this to some b-values."""


def diffusion(header: Dataset) -> tuple[float, float, float, float]:
    """The b-value in s/mm² and the direction of the gradient in the vendor's axes; zeros where there is none.

    Args:
        header: The file's attributes.
    """
    weighting = number(header, "DiffusionBValue")
    found = (private_numbers(header, *place) for place in _B_VALUES)
    b_value = next((told[0] % _GE_FLAG for told in found if told), 0.0) if weighting is None else weighting
    if b_value <= 0:
        # GE keeps other things in the places of the direction.
        return 0.0, 0.0, 0.0, 0.0
    places = [
        tuple(value for element in elements for value in private_numbers(header, group, creator, element))
        for group, creator, elements in _DIRECTIONS
    ]
    told = (numbers(header, "DiffusionGradientOrientation"), *places)
    return round(b_value, 1), *direction(next((found for found in told if len(found) == 3), ()))


def direction(found: tuple[float, ...]) -> tuple[float, float, float]:
    """A direction as it tells images apart; zeros if there is none."""
    return (round(found[0], 3), round(found[1], 3), round(found[2], 3)) if len(found) == 3 else (0.0, 0.0, 0.0)
