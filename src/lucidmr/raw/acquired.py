"""Which samples were acquired, put in the words of :class:`lucidmr.physics.sampling.Sampling`."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import inf
from typing import Final

from jaxtyping import Bool
from torch import Tensor

from lucidmr.physics.fourier import central_band
from lucidmr.physics.sampling import AxisSampling, Sampling, plane_mask
from lucidmr.physics.undersampling import PlaneMask, UniformUndersampling, elliptical_radius
from lucidmr.shapes import Mask

_SLICE_FACTORS: Final = (1.0, 2.0, 3.0, 4.0)
_PHASE_FACTORS: Final = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_SAME: Final = 0.98
"""Share of either pattern that the other must have: scanners round the rim of an ellipse their own way, and a sample
that was acquired may happen to be 0."""


def describe_sampling(acquired: Mask, calibration: tuple[int, int] | None = None) -> Sampling:
    """Describe what was acquired.

    Args:
        acquired: (slice, freq, phase).
        calibration: (slice, phase) lines of a calibration scan of its own, if there is one.

    Returns:
        The sampling on a matrix with DC at its centre, narrower than the mask where that is padded with gaps.

    Raises:
        ValueError: It is none that a :class:`Sampling` describes; the message says why.
    """
    plane, readout = acquired.any(-2), acquired.any(-1).any(0)
    if not plane.any():
        raise ValueError("nothing was acquired")
    if _agreement(acquired, plane[:, None] & readout[:, None]) < _SAME:
        raise ValueError("its samples do not lie on whole readouts; was it gridded from a non-Cartesian trajectory?")
    if not bool(readout[_extent(readout)].all()):
        raise ValueError("its readouts have gaps")
    bare = Sampling(_axis(readout), _axis(plane.any(0)), _axis(plane.any(1)))
    lines = _central(plane, (bare.slice.width, bare.phase.width))
    best, share = bare, 0.0
    for candidate in _candidates(bare, lines, calibration):
        found = _agreement(plane_mask(candidate), lines)
        if found > share:
            best, share = candidate, found
        if share == 1.0:
            break
    if share >= _SAME:
        return best
    count = f"{int(lines.sum())} of {lines.numel()} lines"
    raise ValueError(f"it has {count} in no pattern of partial Fourier, ellipse or lattice through the centre")


def _central(lines: PlaneMask, plane: tuple[int, int]) -> Bool[Tensor, "kept_slice kept_phase"]:
    """What of a plane's lines lies on a smaller one around DC."""
    rows, columns = (slice(*central_band(n, wanted)) for n, wanted in zip(lines.shape, plane, strict=True))
    return lines[rows, columns]


def _extent(axis: Bool[Tensor, " n"]) -> slice:
    found = axis.nonzero().flatten().tolist()
    return slice(found[0], found[-1] + 1)


def _axis(axis: Bool[Tensor, " n"]) -> AxisSampling:
    """The band that was acquired: of the whole axis where it reaches an end, else of the narrowest one."""
    band, n = _extent(axis), len(axis)
    before, after = n // 2 - band.start, band.stop - n // 2
    if before < 0 or after < 1:
        raise ValueError("its centre was not acquired")
    width = min(2 * max(before, after), 2 * max(before, after - 1) + 1)
    if (band.start == 0 or band.stop == n) and before + after > n // 2:
        width = n
    whole = before + after == width
    return AxisSampling(width, (before + after) / width, early=whole or before < width // 2)


def _candidates(bare: Sampling, lines: PlaneMask, calibration: tuple[int, int] | None) -> Iterator[Sampling]:
    """From the plain to the particular."""
    yield bare
    supports = [bare]
    if bare.slice.width > 1:
        radius = float(elliptical_radius(*lines.shape)[lines].max())
        supports += [replace(bare, corner_cut=min(1.0, max(0.0, 2.0 - radius**2))), replace(bare, corner_cut=1.0)]
        yield from supports[1:]
    slices = _SLICE_FACTORS if bare.slice.width > 1 else (1.0,)
    blocks = [(calibration, False)] if calibration else []
    blocks.append((full_block(lines), True))
    for (block, integrated), support, along_slice, along_phase in product(blocks, supports, slices, _PHASE_FACTORS):
        for shift in range(int(along_slice) if along_slice * along_phase > 1.0 else 0):
            pattern = UniformUndersampling(along_phase, along_slice, shift, block, integrated)
            yield replace(support, undersampling=pattern)


def full_block(lines: PlaneMask) -> tuple[int, int]:
    """The largest block around DC without a gap, (slice, phase) lines."""
    best, most = (1, 1), 0
    n_slice, n_phase = lines.shape
    for height in range(1, n_slice + 1):
        start = n_slice // 2 - height // 2
        whole = lines[start : start + height].all(0)
        gaps = (~whole).nonzero().flatten() - n_phase // 2
        before = float((-gaps[gaps < 0]).min()) - 1 if (gaps < 0).any() else inf
        after = float(gaps[gaps >= 0].min()) if (gaps >= 0).any() else inf
        width = int(min(n_phase, 2 * min(before, after) + (1 if after > before else 0)))
        if width * height > most:
            best, most = (height, width), width * height
    return best


def _agreement(one: Bool[Tensor, "..."], other: Bool[Tensor, "..."]) -> float:
    """What two patterns have in common over what the fuller one has."""
    return int((one & other).sum()) / max(int(one.sum()), int(other.sum()))
