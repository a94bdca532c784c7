"""What a reader of raw data gives: k-space as it was measured, and what its header tells."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Complex
from torch import Tensor


@dataclass(frozen=True)
class Facts:
    """What a header tells of a measurement; ``None`` where it is silent.

    Attributes:
        vendor: Manufacturer.
        model: Scanner model.
        field_strength: Tesla.
        anatomy: Body part.
        protocol: Name of the protocol or sequence.
        subject: Whatever tells one subject from another; measurements of one subject stay in one split.
    """

    vendor: str | None = None
    model: str | None = None
    field_strength: float | None = None
    anatomy: str | None = None
    protocol: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Measurement:
    """Raw k-space of one measurement on a Cartesian grid, readout oversampling removed.

    Attributes:
        kspace: Centred, 0 where nothing was acquired; ``scan`` counts what was Fourier encoded by itself: the slices of
            a 2D measurement, or 1 for a 3D volume (times contrasts and repetitions where several were selected).
        acquired: Where something was.
        noise: Samples of a noise scan, coil by coil, scaled to the level that noise has in ``kspace``; ``None`` where
            there is none.
        calibration: Lines of a calibration scan of their own, centred on their small matrix; the field of view is that
            of ``kspace``.
        alternating: Whether lines were read in both directions, as EPI does. Their small offsets in time and phase are
            not corrected.
        field_of_view_mm: (slice, freq, phase) of the encoded grid; slice is the thickness of a 2D slice.
        facts: What the header tells.
        source: Name for provenance, with what was selected of the file.
    """

    kspace: Complex[Tensor, "scan coil slice freq phase"]
    acquired: Bool[Tensor, "scan slice freq phase"]
    noise: Complex[Tensor, "coil sample"] | None = None
    calibration: Complex[Tensor, "scan coil slice_line freq_line phase_line"] | None = None
    alternating: bool = False
    field_of_view_mm: tuple[float, float, float] | None = None
    facts: Facts = field(default_factory=Facts)
    source: str = ""

    def __post_init__(self) -> None:
        if not self.kspace.numel():
            raise ValueError(f"kspace of {self.source or 'this measurement'} is empty: {tuple(self.kspace.shape)}")
        if not torch.isfinite(torch.view_as_real(self.kspace)).all():
            raise ValueError(f"kspace of {self.source or 'this measurement'} holds values that are not finite")
