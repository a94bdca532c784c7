"""What simulation starts from: prewhitened multi-coil k-space."""

from dataclasses import dataclass, field
from math import inf

import torch
from jaxtyping import Complex
from torch import Tensor

from lucidmr.physics.sampling import Sampling
from lucidmr.raw.measurement import Facts
from lucidmr.shapes import KSpace


@dataclass(frozen=True)
class RawScan:
    """Raw k-space of one 2D slice or one 3D volume, prewhitened: the noise of every coil is independent and equal.

    Attributes:
        kspace: (coil, slice, freq, phase), complex64, orthonormal scaling, matrix = what was acquired. A 2D slice has
            one partition.
        noise_sd: Standard deviation of the noise that is already in ``kspace``, per real and imaginary part.
        signal: A typical tissue value of the reconstructed magnitude, in the units of ``kspace``; sets what a noise
            level means.
        maps: Receive sensitivities (coil, slice, freq, phase) where they are known. Their root sum of squares is the
            array's shading over a body coil's.
        source: Where it comes from, for provenance.
        sampling: What was acquired, where ``kspace`` has gaps (0 there); ``None`` = fully sampled.
        facts: What the header tells.
        calibration: Fully sampled block around DC from a calibration scan of its own, mixed as the coils of ``kspace``
            are, over the same field of view; its scale and contrast are its own. There is one where ``sampling`` says
            that calibration lines are not integrated.
    """

    kspace: KSpace
    noise_sd: float
    signal: float
    maps: Complex[Tensor, "..."] | None = None
    source: str = ""
    sampling: Sampling | None = None
    facts: Facts = field(default_factory=Facts)
    calibration: Complex[Tensor, "coil block_slice block_freq block_phase"] | None = None

    def __post_init__(self) -> None:
        if self.kspace.ndim != 4:
            raise ValueError(f"kspace has {self.kspace.ndim} axes; it needs 4: coil, slice, freq, phase")
        if not torch.isfinite(torch.view_as_real(self.kspace)).all():
            raise ValueError(f"kspace of {self.source or 'this scan'} holds values that are not finite")
        if not (0.0 <= self.noise_sd < inf and 0.0 < self.signal < inf):
            raise ValueError(f"noise_sd is {self.noise_sd:g} and signal {self.signal:g}; they must be >= 0 and > 0")
        if self.maps is not None and self.maps.shape != self.kspace.shape:
            raise ValueError(f"maps are {tuple(self.maps.shape)}; they must be {tuple(self.kspace.shape)} as kspace")
        if self.sampling is not None and self.sampling.matrix != self.matrix:
            raise ValueError(f"sampling.matrix is {self.sampling.matrix}; it must be {self.matrix} as kspace")

    @property
    def matrix(self) -> tuple[int, int, int]:
        """(slice, freq, phase) samples."""
        _, n_slice, n_freq, n_phase = self.kspace.shape
        return n_slice, n_freq, n_phase

    @property
    def n_coils(self) -> int:
        """Receive coils."""
        return self.kspace.shape[0]
