"""What the network is told of a pair: its context, forgetful as headers are."""

from dataclasses import replace

import torch
from torch import Generator

from lucidmr.context import FILLED, GAIN_RANGE, Acquisition, Context, Directions, Enhancement, clamped, encode
from lucidmr.degrade.draw import Degradation
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling

_FORGETTABLE = ("extent_freq", "extent_phase", "extent_slice", "missing_freq", "missing_phase", "missing_slice")
_ACCELERATIONS = ("acceleration_phase", "acceleration_slice", "acceleration_random", "elliptical")


def acquisition_of(sampling: Sampling) -> Acquisition:
    """A sampling in the words of a header."""
    is_3d = sampling.slice.width > 1
    uniform = sampling.undersampling if isinstance(sampling.undersampling, UniformUndersampling) else None
    random = sampling.undersampling if isinstance(sampling.undersampling, RandomUndersampling) else None
    widths = Directions(
        float(sampling.freq.width), float(sampling.phase.width), float(sampling.slice.width) if is_3d else None
    )
    return Acquisition(
        matrix=widths,
        partial_fourier=Directions(sampling.freq.fraction, sampling.phase.fraction, sampling.slice.fraction),
        acceleration_phase=uniform.phase if uniform else 1.0,
        acceleration_slice=uniform.slice if uniform else 1.0,
        acceleration_random=random.factor if random else 1.0,
        elliptical=sampling.corner_cut > 0.0,
        three_dimensional=is_3d,
    )


def describe(degradation: Degradation, grid: tuple[int, int, int], generator: Generator) -> Context:
    """The pair's context; what the header might not tell is forgotten now and then.

    Partial Fourier and corner cut are forgotten only where nothing of them is to be restored: a user can ask for that
    only where the header tells of it.

    Args:
        degradation: What was done.
        grid: (freq, phase, slice) pixels of the standardized grid.
        generator: Source of all randomness.

    Returns:
        The context.
    """
    sampled, wanted = degradation.input, degradation.target
    enhancement = Enhancement(
        noise_reduction=degradation.noise_reduction,
        gain_freq=_gain(wanted.freq, sampled.freq),
        gain_phase=_gain(wanted.phase, sampled.phase),
        gain_slice=_gain(wanted.slice, sampled.slice),
        restore_partial_fourier=False,
    )
    context = replace(
        encode(acquisition_of(sampled), enhancement, grid),
        restore_freq=wanted.freq.fraction - sampled.freq.fraction,
        restore_phase=wanted.phase.fraction - sampled.phase.fraction,
        restore_slice=wanted.slice.fraction - sampled.slice.fraction,
        restore_elliptical=sampled.corner_cut - wanted.corner_cut,
    )
    return _forget(context, sampled.slice.width > 1, generator)


def _gain(wanted: AxisSampling, sampled: AxisSampling) -> float:
    """Ratio of the widths; whole samples can make it a little more than was drawn."""
    return clamped(wanted.width / sampled.width, GAIN_RANGE)


def _forget(context: Context, is_3d: bool, generator: Generator) -> Context:
    """Set facts to unknown as headers leave them out."""
    u = torch.rand(len(_FORGETTABLE) + 1, generator=generator).tolist()
    for name, draw in zip(_FORGETTABLE, u, strict=False):
        asked = getattr(context, name.replace("missing", "restore")) if name.startswith("missing") else 0.0
        if draw < 0.15 and asked == 0.0 and (is_3d or not name.endswith("slice")):
            context = _without(context, name)
    if u[-1] < 0.5:
        for name in _ACCELERATIONS:
            if name != "elliptical" or context.restore_elliptical == 0.0:
                context = _without(context, name)
    return context


def _without(context: Context, name: str) -> Context:
    return replace(context, **{name: 0.0, f"{name}_unknown": 1.0})


def draw_grid(target: Sampling, matrix: tuple[int, int, int], generator: Generator) -> tuple[int, int]:
    """The grid that the network is shown a pair on: the target fills it about as far as in use (:data:`FILLED`).

    Args:
        target: What is wanted.
        matrix: (slice, freq, phase) pixels of its image.
        generator: Source of all randomness.

    Returns:
        (freq, phase) pixels; the same zoom along both axes.
    """
    filled = FILLED * (0.8 + 0.6 * float(torch.rand(1, generator=generator)))
    zoom = max(target.freq.width / matrix[1], target.phase.width / matrix[2]) / filled
    return round(matrix[1] * zoom), round(matrix[2] * zoom)
