"""Reads GE's protocol data block: a compressed text of what was prescribed.

Four bytes of length and a gzip member; inside, lines ``KEY "value"`` (older releases put ``set`` before the key).
"""

import re
import zlib
from typing import Final

_MOST: Final = 1 << 20
"""Bytes of text that are believed; a real one has two thousand."""
_GZIP: Final = 31
_LINE: Final = re.compile(r'^\s*(?:set\s+)?(\w{1,64})\s+"([^"\r\n]*)"', re.M)


def read_ge_protocol(block: bytes) -> dict[str, str]:
    """The prescribed values by key.

    Args:
        block: The value of the private attribute.

    Returns:
        Values as text.

    Raises:
        ValueError: It is cut off, not compressed as expected, or unfolds to more than a protocol can hold.
    """
    unfold = zlib.decompressobj(_GZIP)
    try:
        text = unfold.decompress(block[4:], _MOST)
    except zlib.error as error:
        raise ValueError(f"GE protocol block: {error}") from error
    if not unfold.eof:
        raise ValueError("GE protocol block " + ("too large" if len(text) >= _MOST else "cut off"))
    return {key: value.strip() for key, value in _LINE.findall(text.decode("latin-1"))}
