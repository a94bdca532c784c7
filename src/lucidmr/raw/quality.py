"""What makes raw data unfit to learn from. Each check is a pure function; :mod:`lucidmr.raw.prepare` judges by them."""

from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import Final, Literal

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from lucidmr.physics.fourier import to_image
from lucidmr.physics.sampling import Sampling, calibration_region
from lucidmr.physics.spectrum import typical_signal
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.noise_estimate import power
from lucidmr.shapes import KSpace

Check = Literal["sampling", "empty readouts", "coils", "noise", "clipping", "spikes", "signal"]

_EMPTY: Final = 1e-3
"""Energy of a readout over that of quiet ones: noise alone gives any of them hundreds of times as much."""
_LEAST_CLIPPED: Final = 4
"""Samples of one coil at its very maximum; the peak of k-space is one sample."""
_SPIKE: Final = 50.0
"""Energy of a sample over that of all its neighbours on other lines, and over the noise."""
_NEIGHBOURS: Final = (1, 4)
"""(slice, phase) lines to either side: far enough to find the next ones acquired in undersampled data."""
_ALONG_READOUT: Final = 5
"""Samples of a neighbouring line that are looked at."""
_NOISE_LOOKS: Final = 1.5
"""Signal-to-noise ratio that noise alone seems to have, over the fourth root of the number of coils."""


@dataclass(frozen=True)
class Verdict:
    """What the quality gate says.

    Attributes:
        check: What was looked at.
        reason: What was found, for people to read.
        refused: Whether what it is about is left out; otherwise it is only flagged.
        scan: Number of the slice or volume, counted from 0; ``None`` = the whole measurement.
    """

    check: Check
    reason: str
    refused: bool
    scan: int | None = None

    def __str__(self) -> str:
        about = "" if self.scan is None else f"scan {self.scan}, "
        return f"{about}{self.check}: {self.reason}"


def filled_readouts(
    kspace: Complex[Tensor, "scan coil slice freq phase"], acquired: Bool[Tensor, "scan slice freq phase"]
) -> Bool[Tensor, "scan slice freq phase"]:
    """What of the acquired samples lies on readouts that hold something."""
    energy = power(kspace).sum((1, 3))
    lines = acquired.any(2)
    measured = energy[lines & (energy > 0.0)]
    if not len(measured):
        return torch.zeros_like(acquired)
    quiet = measured[:: max(1, len(measured) // 1_000_000)].quantile(0.1)
    return acquired & (energy > _EMPTY * quiet)[:, :, None]


def clipped_coils(kspace: Complex[Tensor, "scan coil slice freq phase"]) -> list[int]:
    """Coils whose largest value, of the real or the imaginary part, occurs again and again.

    Data whose readout oversampling was removed hide it: their samples are mixtures of those that were digitized.
    """
    parts = torch.view_as_real(kspace).abs().movedim(1, 0).flatten(1, -2)
    largest = parts.amax((1, 2), keepdim=True)
    repeated = (parts >= largest).sum((1, 2))
    return ((repeated >= _LEAST_CLIPPED) & (largest.flatten() > 0.0)).nonzero().flatten().tolist()


def spikes(kspace: KSpace, noise_sd: float) -> int:
    """Count samples that stand out from every neighbour.

    A body smaller than the field of view makes k-space smooth from line to line; a spark lasts one readout at most.
    What removed the readout oversampling spreads it along that readout, so only other lines count as neighbours. The
    readout through DC is left out: where those beside it were not acquired, a large body makes it stand out itself.

    Args:
        kspace: Prewhitened (coil, slice, freq, phase), 0 where nothing was acquired.
        noise_sd: Standard deviation of its noise per part.

    Returns:
        Readouts with a spike.
    """
    energy = power(kspace).sum(0)
    spread = max_pool2d(energy, (_ALONG_READOUT, 1), 1, (_ALONG_READOUT // 2, 0))
    around = _loudest_neighbour(spread)
    noise = 2.0 * noise_sd**2 * kspace.shape[0]
    found = ((energy > _SPIKE * around) & (around > 0.0) & (energy > _SPIKE * noise)).any(-2)
    found[len(found) // 2, found.shape[1] // 2] = False
    return int(found.sum())


def _loudest_neighbour(spread: Float[Tensor, "slice freq phase"]) -> Float[Tensor, "slice freq phase"]:
    n_slice, n_phase = _NEIGHBOURS
    padded = torch.nn.functional.pad(spread, (n_phase, n_phase, 0, 0, n_slice, n_slice))
    loudest = torch.zeros_like(spread)
    for dz, dp in product(range(2 * n_slice + 1), range(2 * n_phase + 1)):
        if (dz, dp) != _NEIGHBOURS:
            moved = padded[dz : dz + spread.shape[0], :, dp : dp + spread.shape[2]]
            loudest = torch.maximum(loudest, moved)
    return loudest


def signal_level(kspace: KSpace, noise_sd: float, sampling: Sampling) -> float:
    """A typical tissue value of the image that all samples would give, root sum of squares of the coils.

    Undersampled data show it where they are whole, at the centre of k-space.

    Args:
        kspace: Prewhitened, on ``sampling.matrix``, 0 where nothing was acquired.
        noise_sd: Standard deviation of its noise per part; what it adds to the sum of squares is taken off.
        sampling: What was acquired.

    Returns:
        The value; 0 where there is none.
    """
    pattern = sampling.undersampling
    whole_centre = isinstance(pattern, UniformUndersampling) and pattern.integrated
    centre = kspace[..., *calibration_region(sampling)] if whole_centre else kspace
    # Gaps share the signal out among the aliases.
    gain = 1.0 if pattern is None or whole_centre else pattern.factor
    share = centre.shape[-3:].numel() / kspace.shape[-3:].numel()
    image = to_image(centre * sqrt(share))  # the scale that keeps the signal on a smaller matrix
    noise = 2.0 * noise_sd**2 * len(kspace) * share
    squares = avg_pool2d(power(image).sum(0), 3, 1, 1) - noise * _filled(centre)
    return gain * typical_signal(squares.clamp_min(0.0).sqrt())


def _filled(kspace: KSpace) -> float:
    return float((kspace != 0).any(0).float().mean())


def looks_like_noise(snr: float, n_coils: int) -> bool:
    """Whether a signal-to-noise ratio is what noise alone would seem to have."""
    return snr < _NOISE_LOOKS * sqrt(sqrt(n_coils))
