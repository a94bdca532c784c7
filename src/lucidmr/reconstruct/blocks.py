"""How much of a coil array to work on at a time."""

from typing import Final

import torch

_CPU_BLOCK: Final = 1 << 19
"""Complex numbers (4 MiB) that stay in a core's cache, in memory that is not given back between blocks."""
_GPU_BLOCK: Final = 1 << 26
"""512 MiB: enough to keep a GPU busy, a small part of its memory."""


def positions_per_block(numbers: int, device: torch.device) -> int:
    """Positions along freq to process together.

    Args:
        numbers: Complex numbers of each position.
        device: Where they are.
    """
    return max(1, (_CPU_BLOCK if device.type == "cpu" else _GPU_BLOCK) // max(numbers, 1))
