"""GRAPPA: missing samples as linear combinations of acquired neighbours of all coils.

Griswold et al., MRM 47 (2002) 1202; kernels in the slice-phase plane, CAIPIRINHA included: Breuer et al.,
MRM 55 (2006) 549.

freq is read out without gaps, so both steps happen in hybrid space, after a Fourier transform along it: there the taps
of a kernel along freq are one factor per position, exp(-2 pi i x tap / n). Calibration needs the Gram matrix of the
neighbours in the plane alone, and filling a line one small matrix product per position. The readout counts as
periodic, which matters only where k-space has not decayed at its ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, pi
from typing import Final

import torch
from einops import rearrange
from jaxtyping import Complex, Int
from torch import Tensor
from torch.fft import fft, ifft

from lucidmr.physics.fourier import COIL, FREQ, PHASE, SLICE
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.blocks import positions_per_block
from lucidmr.reconstruct.sense import check_finite
from lucidmr.shapes import KSpace, Mask

Step = tuple[int, int]
"""A displacement in k-space, (slice, phase) samples."""
Hybrid = Complex[Tensor, "... freq slice phase coil"]
SMALLEST_REGULARIZATION: Final = 1e-10
"""What a fit is given at least, so that noise-free or too few calibration lines have one answer."""


@dataclass(frozen=True)
class GrappaWeights:
    """Kernels of one undersampling lattice.

    Attributes:
        kernels: What each acquired neighbour (source) of each coil contributes to each missing sample of the
            elementary cell (offset); tap runs along freq.
        undersampling: The lattice.
        kernel: (slice, freq, phase) acquired neighbours of a missing sample.
    """

    kernels: Complex[Tensor, "... offset tap source coil_in coil_out"]
    undersampling: UniformUndersampling
    kernel: tuple[int, int, int]

    @property
    def offsets(self) -> tuple[Step, ...]:
        """Missing samples of the elementary cell, as displacements from its acquired one."""
        return missing_offsets(self.undersampling)

    def sources(self, offset: Step) -> tuple[Step, ...]:
        """Displacements of the acquired neighbours from a missing sample."""
        return source_steps(offset, self.undersampling, self.kernel)


def missing_offsets(undersampling: UniformUndersampling) -> tuple[Step, ...]:
    """The elementary cell of the lattice without its acquired sample."""
    cell = ((s, p) for p in range(int(undersampling.phase)) for s in range(int(undersampling.slice)))
    return tuple(offset for offset in cell if offset != (0, 0))


def source_steps(offset: Step, undersampling: UniformUndersampling, kernel: tuple[int, int, int]) -> tuple[Step, ...]:
    """The acquired samples nearest to a missing one: so many phase lines, and so many partitions on each of them."""
    r_slice, r_phase = int(undersampling.slice), int(undersampling.phase)
    return tuple(
        (step_slice, step_phase)
        for step_phase in _nearest(-offset[1], r_phase, kernel[2])
        for step_slice in _nearest(
            undersampling.shift * (step_phase + offset[1]) // r_phase - offset[0], r_slice, kernel[0]
        )
    )


def _nearest(residue: int, period: int, count: int) -> list[int]:
    """The ``count`` numbers congruent to ``residue`` that are nearest to 0, ascending."""
    candidates = [residue % period + period * turn for turn in range(-count, count + 1)]
    return sorted(sorted(candidates, key=lambda step: (abs(step), step))[:count])


def grappa_weights(
    calibration: KSpace,
    undersampling: UniformUndersampling,
    kernel: tuple[int, int, int] = (1, 5, 4),
    regularization: float = 1e-3,
) -> GrappaWeights:
    """Fit the kernels to a fully sampled block around DC by least squares.

    Args:
        calibration: The block, the whole readout long.
        undersampling: The lattice whose gaps are to be filled.
        kernel: (slice, freq, phase) acquired neighbours of a missing sample: 1 x 5 x 4 in 2D, 3 x 5 x 4 in 3D.
        regularization: Tikhonov, relative to the mean power of the sources: the fit of data with that much more white
            noise. Weights do not depend on the scale of the data.

    Returns:
        Weights; one set per batch item.

    Raises:
        ValueError: The acceleration is not whole or exceeds the coils, a number is out of range, data are not finite,
            or the calibration region is smaller than the kernel.
    """
    _check_lattice(undersampling, calibration.shape[COIL])
    _check_kernel(calibration, undersampling, kernel)
    if not (isfinite(regularization) and regularization >= 0.0):
        raise ValueError(f"regularization is {regularization:g}; it must be finite and not negative")
    check_finite("calibration", calibration)
    hybrid = rearrange(ifft(calibration, dim=FREQ, norm="ortho"), "... c s f p -> ... f s p c").to(torch.complex128)
    fits = [
        _fit(hybrid, source_steps(offset, undersampling, kernel), kernel[1], regularization)
        for offset in missing_offsets(undersampling)
    ]
    n_coils, n_sources = calibration.shape[COIL], kernel[0] * kernel[2]
    batch = calibration.shape[:COIL]
    empty = calibration.new_zeros(*batch, 0, kernel[1], n_sources, n_coils, n_coils)
    return GrappaWeights(torch.stack(fits, COIL - 1) if fits else empty, undersampling, kernel)


def _fit(
    hybrid: Hybrid, steps: tuple[Step, ...], n_taps: int, regularization: float
) -> Complex[Tensor, "... tap source coil_in coil_out"]:
    """Solve the normal equations of one missing sample.

    Tap t of the sources is the factor exp(-2 pi i x t / n), so the block (t, u) of the Gram matrix is the Fourier
    coefficient u - t of the Gram matrices of all positions x.
    """
    targets, sources = _equations(hybrid, steps)
    n_freq = hybrid.shape[-4]
    adjoint = sources.mH
    lags = _factors(n_freq, 2 * n_taps - 1, hybrid)
    gram = torch.einsum("xd,...xij->...dij", lags, adjoint @ sources)
    cross = torch.einsum("xt,...xij->...tij", _factors(n_freq, n_taps, hybrid).conj(), adjoint @ targets)
    tap = torch.arange(n_taps, device=hybrid.device)
    blocks = gram[..., tap[None, :] - tap[:, None] + n_taps - 1, :, :]
    system = rearrange(blocks, "... t u i j -> ... (t i) (u j)")
    fit = _tikhonov(system, rearrange(cross, "... t i c -> ... (t i) c"), regularization)
    return rearrange(fit.to(torch.complex64), "... (t j c) d -> ... t j c d", t=n_taps, j=len(steps))


def _tikhonov(
    gram: Complex[Tensor, "... n n"], cross: Complex[Tensor, "... n m"], regularization: float
) -> Complex[Tensor, "... n m"]:
    """(G + lambda mean(diag G))^-1 B, in double precision: G squares the condition of the data. No signal gives 0."""
    power = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)
    ridge = (max(regularization, SMALLEST_REGULARIZATION) * power).clamp_min(torch.finfo(torch.float32).tiny)
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.cholesky_solve(cross, torch.linalg.cholesky(gram + ridge[..., None, None] * identity))


def _equations(
    hybrid: Hybrid, steps: tuple[Step, ...]
) -> tuple[Complex[Tensor, "... freq equation coil"], Complex[Tensor, "... freq equation source"]]:
    """Every place of the calibration block where the sample and all its sources lie inside."""
    sizes = hybrid.shape[-3:-1]
    (low_s, high_s), (low_p, high_p) = map(_reach, zip(*steps, strict=True))

    def moved(step: Step) -> Tensor:
        rows = slice(step[0] - low_s, sizes[0] - high_s + step[0])
        columns = slice(step[1] - low_p, sizes[1] - high_p + step[1])
        return hybrid[..., rows, columns, :]

    return moved((0, 0)).flatten(-3, -2), torch.cat([moved(step) for step in steps], -1).flatten(-3, -2)


def _reach(steps: Sequence[int]) -> tuple[int, int]:
    """The lowest and highest of the steps and 0."""
    return min(0, *steps), max(0, *steps)


def _factors(n_freq: int, n_taps: int, like: Tensor, origin: int = 0) -> Complex[Tensor, "freq tap"]:
    """exp(-2 pi i x tap / n), taps centred: what a shift by a tap along freq is at position x - origin."""
    x = torch.arange(n_freq, device=like.device) - origin
    tap = torch.arange(n_taps, device=like.device) - n_taps // 2
    turns = (torch.outer(x, tap) % n_freq).double() / n_freq
    return torch.polar(torch.ones_like(turns), -2 * pi * turns).to(like.dtype)


def hybrid_kernels(
    weights: GrappaWeights, n_freq: int, origin: int = 0
) -> Complex[Tensor, "... offset freq source coil_in coil_out"]:
    """The kernels at each position along freq; ``origin`` is the index of position 0."""
    factors = _factors(n_freq, weights.kernel[1], weights.kernels, origin)
    return torch.einsum("xt,...tjcd->...xjcd", factors, weights.kernels)


def grappa(kspace: KSpace, mask: Mask, weights: GrappaWeights) -> KSpace:
    """Fill the gaps of the lattice through DC.

    Sources are lattice samples alone; where they lie outside the matrix or were not acquired they are 0.

    Args:
        kspace: Acquired samples, 0 elsewhere.
        mask: The samples acquired; they are returned as they are, calibration lines off the lattice included.
        weights: Of the same coils and lattice, one set or one per batch item.

    Returns:
        k-space without gaps, also beyond a partial Fourier or corner cut: multiply with the support.

    Raises:
        ValueError: The coils are not those of the weights, or data are not finite.
    """
    if kspace.shape[COIL] != weights.kernels.shape[-1]:
        raise ValueError(
            f"kspace has {kspace.shape[COIL]} coils; it must have the {weights.kernels.shape[-1]} of weights"
        )
    check_finite("kspace", kspace)
    if not weights.offsets:
        return kspace
    plane = (kspace.shape[SLICE], kspace.shape[PHASE])
    places = [_neighbours(plane, weights, offset) for offset in weights.offsets]
    lines = _acquired_lines(kspace, weights.undersampling.lattice(*plane))
    kernels = hybrid_kernels(weights, kspace.shape[FREQ])
    filled = [
        _predict(lines, sources.to(kspace.device), kernels[..., index, :, :, :, :])
        for index, (_, sources) in enumerate(places)
    ]
    gaps = rearrange(fft(torch.cat(filled, -2), dim=-3, norm="ortho"), "... f n c -> ... c f n")
    result = rearrange(kspace, "... c s f p -> ... c f (s p)").clone()
    result[..., torch.cat([target for target, _ in places]).to(kspace.device)] = gaps
    complete = rearrange(result, "... c f (s p) -> ... c s f p", s=plane[0])
    return torch.where(mask.unsqueeze(COIL), kspace, complete)


def _acquired_lines(kspace: KSpace, lattice: Tensor) -> Complex[Tensor, "... freq line coil"]:
    """The lines of the lattice in hybrid space, and an empty one after them for what lies outside the matrix."""
    lines = rearrange(kspace, "... c s f p -> ... c f (s p)")[
        ..., lattice.flatten().nonzero().squeeze(1).to(kspace.device)
    ]
    hybrid = rearrange(ifft(lines, dim=-2, norm="ortho"), "... c f l -> ... f l c")
    return torch.nn.functional.pad(hybrid, (0, 0, 0, 1))


def _neighbours(
    plane: tuple[int, int], weights: GrappaWeights, offset: Step
) -> tuple[Int[Tensor, " gap"], Int[Tensor, "gap source"]]:
    """The gaps of one offset, as indices into the plane, and for each the numbers of its lattice lines."""
    steps = torch.tensor(weights.sources(offset))
    margin = [int(steps[:, axis].abs().max()) + offset[axis] for axis in (0, 1)]
    lattice = weights.undersampling.lattice(plane[0] + 2 * margin[0], plane[1] + 2 * margin[1])
    inside = tuple(slice(edge, edge + n) for edge, n in zip(margin, plane, strict=True))
    gaps = lattice.roll(offset, (0, 1))[inside].nonzero()
    number = torch.full(lattice.shape, int(lattice[inside].sum()))
    number[inside][lattice[inside]] = torch.arange(int(lattice[inside].sum()))
    rows, columns = (gaps[:, axis, None] + margin[axis] + steps[:, axis] for axis in (0, 1))
    return gaps[:, 0] * plane[1] + gaps[:, 1], number[rows, columns]


def _predict(
    lines: Complex[Tensor, "... freq line coil"],
    sources: Int[Tensor, "gap source"],
    kernels: Complex[Tensor, "... freq source coil_in coil_out"],
) -> Complex[Tensor, "... freq gap coil"]:
    """The gaps of one offset, a block of positions along freq at a time."""
    per_position = lines[..., 0, 0, 0].numel() * sources.numel() * lines.shape[-1]
    size = positions_per_block(per_position, lines.device)
    parts = [
        rearrange(block[..., sources, :], "... n j c -> ... n (j c)") @ kernel.flatten(-3, -2)
        for block, kernel in zip(torch.split(lines, size, -3), torch.split(kernels, size, -4), strict=True)
    ]
    return torch.cat(parts, -3)


def _check_lattice(undersampling: UniformUndersampling, n_coils: int) -> None:
    if not undersampling.is_lattice:
        factors = f"{undersampling.slice:g} x {undersampling.phase:g}"
        raise ValueError(f"undersampling is {factors} (slice x phase); GRAPPA needs whole factors")
    if undersampling.factor > n_coils:
        raise ValueError(f"acceleration is {undersampling.factor:g}; it must not exceed the {n_coils} coils")


def _check_kernel(calibration: KSpace, undersampling: UniformUndersampling, kernel: tuple[int, int, int]) -> None:
    if min(kernel) < 1 or kernel[1] % 2 == 0:
        raise ValueError(f"kernel is {_times(kernel)}; every size must be at least 1, and odd along freq")
    needed, given = _span(undersampling, kernel), tuple(calibration.shape[SLICE:])
    if any(n > m for n, m in zip(needed, given, strict=True)):
        raise ValueError(
            f"kernel spans {_times(needed)} samples (slice x freq x phase); it must not exceed the calibration region "
            f"of {_times(given)}"
        )


def _span(undersampling: UniformUndersampling, kernel: tuple[int, int, int]) -> tuple[int, int, int]:
    """From the first to the last of a gap and its sources, for the offset that needs most."""
    sizes = [
        [high - low + 1 for low, high in map(_reach, zip(*source_steps(offset, undersampling, kernel), strict=True))]
        for offset in missing_offsets(undersampling)
    ]
    along_slice, along_phase = map(max, zip([1, 1], *sizes, strict=True))
    return along_slice, kernel[1], along_phase


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
