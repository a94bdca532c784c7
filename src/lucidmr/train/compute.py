"""What training costs: floating-point operations, counted, and the share of what the device can do."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from lucidmr.context import CONTEXT_FIELDS
from lucidmr.device import dtype_of
from lucidmr.network.ce_unet import CEUNet
from lucidmr.train.processes import Processes
from lucidmr.train.settings import TrainSettings

PEAKS: Final = {
    # Dense bf16 FLOP/s from NVIDIA's data sheets, half of the figures with sparsity that they print.
    "H200 NVL": 835e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,  # SXM
    "A100": 312e12,
}
"""What the device's maker states; the first name that is part of the device's counts."""


@dataclass(frozen=True)
class Compute:
    """What a run computes with, and how much.

    Attributes:
        device: What each process's device calls itself.
        precision: Of the network's arithmetic, bf16 or fp32.
        processes: How many there are.
        flops_per_step: Floating-point operations of one step, over all processes.
        peak: FLOP/s that all devices together can do; ``None`` where it is not known.
    """

    device: str
    precision: str
    processes: int
    flops_per_step: int
    peak: float | None

    def rate(self, steps: int, seconds: float) -> dict[str, float]:
        """FLOP/s achieved, waiting included, and the share of the peak where that is known."""
        achieved = steps * self.flops_per_step / max(seconds, 1e-9)
        share = {} if self.peak is None else {"share_of_peak": round(achieved / self.peak, 4)}
        return {"flops_per_second": float(f"{achieved:.4g}"), **share}

    def of_run(self, steps: int, seconds: float) -> dict[str, Any]:
        """For the card."""
        return {
            "steps": steps,
            "hours": round(seconds / 3600, 3),
            "device": self.device,
            "precision": self.precision,
            "processes": self.processes,
            "flops": steps * self.flops_per_step,
            **self.rate(steps, seconds),
        }


def compute_of(settings: TrainSettings, processes: Processes) -> Compute:
    """Count and measure, which takes about a second.

    Args:
        settings: Settings of the run.
        processes: Who trains.
    """
    device = processes.device
    dtype = dtype_of(settings.precision, device)
    most = peak(device, dtype)
    everywhere = None if most is None else processes.count * most
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    return Compute(device_name(device), precision, processes.count, flops_per_step(settings), everywhere)


def flops_per_step(settings: TrainSettings) -> int:
    """Floating-point operations of one step, forward and backward, over all processes.

    Counted on a network without values, so that it costs nothing and changes nothing; a multiply-add is two.

    Args:
        settings: Settings of the run.

    Returns:
        How many.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = CEUNet(settings.network)
        images = torch.zeros(1, settings.network.slices, settings.crop, settings.crop)
        network(images, torch.zeros(1, len(CONTEXT_FIELDS))).sum().backward()
    return int(counter.get_total_flops()) * settings.slices_per_step * settings.crops_per_slice


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def peak(device: torch.device, dtype: torch.dtype) -> float | None:
    """The most FLOP/s that the device can do: as stated of a GPU, as measured of a CPU.

    Args:
        device: The device.
        dtype: Of the network's arithmetic.

    Returns:
        FLOP/s; ``None`` for a GPU or a precision that is not in :data:`PEAKS`.
    """
    if device.type == "cpu":
        return _measured(dtype)
    if dtype != torch.bfloat16:
        return None
    name = device_name(device)
    return next((most for part, most in PEAKS.items() if part in name), None)


def _measured(dtype: torch.dtype, side: int = 1024, repeats: int = 5) -> float:
    """The best of a few matrix products."""
    matrix = torch.ones(side, side, dtype=dtype)
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        matrix @ matrix
        seconds.append(perf_counter() - start)
    return 2.0 * side**3 / min(seconds)
