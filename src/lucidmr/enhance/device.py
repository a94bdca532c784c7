"""Where and in which precision the network runs."""

from typing import Literal

import torch

from lucidmr.errors import LucidError

DeviceName = Literal["auto", "cpu", "cuda"]


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
    """bfloat16 where the hardware multiplies matrices in it (CUDA, CPUs with AMX), else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return torch.bfloat16 if has_amx() else torch.float32
