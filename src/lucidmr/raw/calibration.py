"""Calibration scans of their own: what of them GRAPPA and sensitivities can be found from."""

from typing import Final

import torch
from jaxtyping import Complex
from torch import Tensor

from lucidmr.physics.fourier import ENCODED, central_band
from lucidmr.raw.acquired import full_block

CalibrationLines = Complex[Tensor, "scan coil slice_line freq_line phase_line"]

_LEAST_READOUT: Final = 12
"""Samples along freq that a kernel needs to be found."""


def whole_block(lines: CalibrationLines) -> Complex[Tensor, "scan coil block_slice block_freq block_phase"]:
    """The largest block around DC that every scan has without a gap.

    Args:
        lines: Centred on their matrix, 0 where nothing was acquired.

    Returns:
        The block.

    Raises:
        ValueError: It is too small, or holds values that are not finite.
    """
    if not torch.isfinite(torch.view_as_real(lines)).all():
        raise ValueError("it holds values that are not finite")
    acquired = (lines != 0).any(1).all(0)
    n_slice, n_phase = full_block(acquired.any(1).cpu())
    _, n_freq = full_block(acquired.any(-1).any(0)[None].cpu())
    if n_freq < _LEAST_READOUT:
        raise ValueError(f"its readouts have {n_freq} samples about the centre; {_LEAST_READOUT} are needed")
    for axis, wanted in zip(ENCODED, (n_slice, n_freq, n_phase), strict=True):
        start, stop = central_band(lines.shape[axis], wanted)
        lines = lines.narrow(axis, start, stop - start)
    return lines
