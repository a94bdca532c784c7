"""Whether the detail that a gain adds is true: half of k_max is cut off along a direction, and asked for again."""

from dataclasses import replace
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.fidelity import psnr
from lucidmr.evaluate.sharpening import Trial
from lucidmr.evaluate.sharpness import DIRECTIONS, Direction
from lucidmr.evaluate.specimens import Specimen, acquire, enhanced
from lucidmr.physics.body import body_mask
from lucidmr.physics.sampling import AxisSampling
from lucidmr.reconstruct.settings import Reconstruction

_NOISE: Final = 0.01
"""Of tissue: little, as resolution is what is judged."""
_NOTHING: Final = 1e-3
"""Of what was missing: what is fainter was not added but is rounding, of which no share is true."""

Plane = Float[Tensor, "freq phase"]


class Regained(NamedTuple):
    """A slice acquired at half of k_max along one direction, on the grid of the enhanced one.

    Attributes:
        before: As stored, interpolated.
        after: Enhanced, a gain of 2 asked along that direction.
        truth: All of k_max.
        pixel: Pixels of the grid per acquired pixel along that direction.
    """

    before: Plane
    after: Plane
    truth: Plane
    pixel: float


class TrueDetail(NamedTuple):
    """How much of added detail is true.

    Attributes:
        true: Of what was added, the share that the truth has: what is missing, projected on what was added; ``None``
            where nothing was.
        found: Of what was missing, the share that was added: the same the other way.
        psnr_gain: Of the enhanced image over the one at half of k_max, dB.
    """

    true: float | None
    found: float
    psnr_gain: float


def regained(bench: Bench, specimen: Specimen, along: Direction, name: str, noise_reduction: float = 1.0) -> Regained:
    """Acquire a slice at half of k_max along a direction and ask for a gain of 2.

    Args:
        bench: Network and seed.
        specimen: The slice.
        along: The direction.
        name: Of the series; used once.
        noise_reduction: The noise dial.

    Returns:
        The images.
    """
    axis = DIRECTIONS.index(along)
    samples = (specimen.full.freq, specimen.full.phase)[axis].width // 2
    half = AxisSampling(samples)
    given = replace(specimen.full, freq=half) if along == "freq" else replace(specimen.full, phase=half)
    how = Reconstruction(specimen.scan.matrix, combination="sensitivity_weighted")
    simulation = acquire(specimen, given, how, _NOISE, bench.seed, specimen.full)
    series = enhanced(bench, simulation, name, Trial(along, 2.0, noise_reduction).enhancement)
    before, after = torch.from_numpy(series.original(0)), torch.from_numpy(series.image(0))
    truth = series.interpolated(simulation.truth)[0]
    return Regained(before, after, truth, series.standardization.grid[axis] / samples)


def true_detail(images: Regained) -> TrueDetail:
    """Compare what was added with what was missing, in the body."""
    body = body_mask(images.truth)
    added, missing = ((side - images.before)[body] for side in (images.after, images.truth))
    power, wanted, shared = float(added @ added), float(missing @ missing), float(added @ missing)
    true = shared / power if power > _NOTHING**2 * wanted else None
    found = shared / wanted if wanted else 0.0
    return TrueDetail(true, found, psnr(images.after, images.truth) - psnr(images.before, images.truth))
