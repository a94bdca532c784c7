"""Where and in which precision the network runs."""

from typing import Final, Literal

import torch

from lucidmr.errors import LucidError

DeviceName = Literal["auto", "cpu", "cuda"]

_BFLOAT16_INSTRUCTIONS: Final = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
"""PyTorch's questions to the processor; not every release has them."""


def choose_device(name: DeviceName = "auto") -> torch.device:
    """The device asked for; ``auto`` takes CUDA where there is one.

    Raises:
        LucidError: CUDA is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise LucidError("--device cuda: no CUDA device can be used here; use --device cpu or auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies in it (CUDA, CPUs with AMX or AVX512-BF16), else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    instructions = (getattr(torch.cpu, name, lambda: False) for name in _BFLOAT16_INSTRUCTIONS)
    return torch.bfloat16 if any(has() for has in instructions) else torch.float32
