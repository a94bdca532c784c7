"""What every reader of raw data gives: fully sampled, prewhitened multi-coil k-space of one slice."""

from dataclasses import dataclass
from math import inf

import torch

from lucidmr.shapes import CoilMaps, KSpace


@dataclass(frozen=True)
class RawScan:
    """Raw k-space of one 2D slice, prewhitened: the noise of every coil is independent and equally strong.

    Attributes:
        kspace: (coil, freq, phase), complex64, orthonormal scaling, matrix = what was acquired.
        noise_sd: Standard deviation of the noise that is already in ``kspace``, per real and imaginary part.
        signal: A typical tissue value of the reconstructed magnitude, in the units of ``kspace``; sets what a noise
            level means.
        maps: Receive sensitivities (coil, freq, phase) with root sum of squares 1 where they are known.
        source: Where it comes from, for provenance.
    """

    kspace: KSpace
    noise_sd: float
    signal: float
    maps: CoilMaps | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.kspace.ndim != 3:
            raise ValueError(f"kspace has {self.kspace.ndim} axes; it needs 3: coil, freq, phase")
        if not torch.isfinite(torch.view_as_real(self.kspace)).all():
            raise ValueError(f"kspace of {self.source or 'this scan'} holds values that are not finite")
        if not (0.0 <= self.noise_sd < inf and 0.0 < self.signal < inf):
            raise ValueError(f"noise_sd is {self.noise_sd:g} and signal {self.signal:g}; they must be >= 0 and > 0")
