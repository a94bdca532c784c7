"""Where and in which precision networks run."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import torch

from lucidmr.errors import LucidError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "bf16", "fp32"]

_AMX: Final = "_is_amx_tile_supported"
_AVX512_BF16: Final = "_is_avx512_bf16_supported"
"""PyTorch's questions to the processor; not every release has them."""
_TELLS_VENDOR: Final = Path("/proc/cpuinfo")
_FAST_WITHOUT_AMX: Final = "AuthenticAMD"
"""Of AMD's processors AVX512-BF16 doubles the speed; Intel's multiply twice as much in AMX alone, and where that is
hidden, as in some virtual machines, float32 is 1.5 times as fast (measured on Zen 4 and Sapphire Rapids)."""


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
    """bfloat16 where it is faster (CUDA, CPUs with AMX, AMD's with AVX512-BF16), else float32."""
    if device.type == "cuda":
        faster = torch.cuda.is_bf16_supported()
    else:
        faster = _has(_AMX) or (_has(_AVX512_BF16) and _FAST_WITHOUT_AMX in _vendor())
    return torch.bfloat16 if faster else torch.float32


def autocast(device: torch.device, precision: Precision = "auto") -> torch.autocast:
    """Context in which networks compute in the precision asked for; their weights are float32 always.

    Args:
        device: Where they run.
        precision: ``auto`` is the faster one, see :func:`fast_precision`.

    Returns:
        The context.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype_of(precision, device) == torch.bfloat16)


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """What a name of a precision means on a device."""
    if precision == "auto":
        return fast_precision(device)
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _has(instruction: str) -> bool:
    return bool(getattr(torch.cpu, instruction, lambda: False)())


@cache
def _vendor() -> str:
    """What the operating system tells of the processor; nothing where it tells nothing."""
    try:
        return _TELLS_VENDOR.read_text()
    except OSError:
        return ""
