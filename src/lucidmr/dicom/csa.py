"""Reads the CSA headers of Siemens' classic images: a list of named values in a format of its own.

The format is not published; this follows what nibabel (nicom/csa) and gdcm (CSAHeader) found out. Little endian. Type 2
starts with ``SV10``, type 1 without; both list their elements after the element count and the number 77. An element is
a name (64 bytes), multiplicity, VR, type, number of items and a mark; an item is four integers, from which its length
follows, and its bytes, padded to a multiple of four.
"""

import struct
from typing import Final

CSA_CREATOR: Final = "SIEMENS CSA HEADER"
"""Creator of the private block that holds the two headers: of the image in element 10, of the series in 20."""
_MAGIC: Final = b"SV10"
_ELEMENT: Final = struct.Struct("<64si4siii")
_ITEM: Final = struct.Struct("<4i")
_MOST_ELEMENTS: Final = 1000


def read_csa(block: bytes) -> dict[str, tuple[str, ...]]:
    """Read the elements of one CSA header.

    Args:
        block: The value of the private attribute.

    Returns:
        The values of each element that has any, as text.

    Raises:
        ValueError: The block is cut off or no CSA header.
    """
    second = block.startswith(_MAGIC)
    at = 8 if second else 0
    if len(block) < at + 8:
        raise ValueError("CSA header too short")
    (count,) = struct.unpack_from("<I", block, at)
    at += 8
    if not 0 < count <= _MOST_ELEMENTS:
        raise ValueError(f"CSA header of {count} elements")
    found: dict[str, tuple[str, ...]] = {}
    first_items = 0
    for number in range(count):
        try:
            raw_name, _, _, _, n_items, _ = _ELEMENT.unpack_from(block, at)
        except struct.error as error:
            raise ValueError(f"CSA header cut off in element {number + 1} of {count}") from error
        name = _text(raw_name)
        at += _ELEMENT.size
        if number == 0:
            first_items = n_items
        values, at = _items(block, at, n_items, None if second else first_items)
        if values:
            found[name] = values
    return found


def _items(block: bytes, at: int, count: int, offset: int | None) -> tuple[tuple[str, ...], int]:
    """The items that are not empty, and where the next element starts. Type 1 adds ``offset`` to each length."""
    values = []
    for _ in range(count):
        try:
            lengths = _ITEM.unpack_from(block, at)
        except struct.error as error:
            raise ValueError("CSA header cut off between items") from error
        at += _ITEM.size
        length = lengths[1] if offset is None else lengths[0] - offset
        if offset is not None and not 0 <= length <= len(block) - at:
            break  # type 1 fills the list of items up with nonsense
        if not 0 <= length <= len(block) - at:
            raise ValueError("CSA header cut off in an item")
        if length and (value := _text(block[at : at + length])):
            values.append(value)
        at += (length + 3) // 4 * 4
    return tuple(values), at


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()
