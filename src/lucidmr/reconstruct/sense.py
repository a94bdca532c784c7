"""SENSE: the image whose coil images, weighted with known sensitivities, explain the acquired samples.

The scan is y = M F S x: sensitivities S, Fourier transform F, sampling M. The image is the minimum of
|M F S x - y|^2 + lambda |x|^2. The maps have a root sum of squares of 1 wherever there is signal, so that S^H F^H M F S
has eigenvalues between 0 and 1: lambda is dimensionless and the image scales with the data.

freq is read out without gaps and takes no part in the unfolding: each position along it is a system of its own.
Samples that an asymmetric echo left out are zeros of the data, as in any zero-filled reconstruction.
"""

from math import isfinite
from typing import Final

import torch
from einops import rearrange
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor
from torch.fft import fftn, ifftn, ifftshift

from lucidmr.physics.conjugate_gradient import conjugate_gradient
from lucidmr.physics.fourier import COIL, FREQ, PHASE, SLICE, to_image
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.blocks import positions_per_block
from lucidmr.shapes import CoilMaps, ComplexImage, KSpace, Mask

SMALLEST_REGULARIZATION: Final = 1e-6
"""What the closed form adds at least: aliases that the coils cannot tell apart in single precision stay finite."""

AliasMatrix = Complex[Tensor, "... freq cell alias alias"]


def sense(
    kspace: KSpace,
    maps: CoilMaps,
    mask: Mask,
    regularization: float = 1e-3,
    iterations: int = 30,
    tolerance: float = 1e-4,
) -> ComplexImage:
    """SENSE of any sampling by conjugate gradients (Pruessmann et al., MRM 46 (2001) 638).

    Args:
        kspace: Acquired samples.
        maps: Sensitivities with a root sum of squares of 1, or 0 where there is no signal.
        mask: The samples acquired, a band along freq times lines in the slice-phase plane.
        regularization: lambda.
        iterations: At most so many per batch item.
        tolerance: Of the residual, relative to that of an empty image.

    Returns:
        The image; 0 where every map is 0.

    Raises:
        ValueError: Shapes do not fit, data are not finite, a number is out of range, or there are fewer samples than
            pixels to find.
    """
    _check_maps(kspace, maps)
    _check_regularization(regularization)
    lines = mask.any(FREQ, keepdim=True)
    _check_count(lines, maps)
    start = to_image(kspace * mask.unsqueeze(COIL)).mul_(maps.conj()).sum(COIL)
    size = positions_per_block(kspace[..., 0, :].numel(), kspace.device)
    blocks = torch.split(_freq_first(maps), size, SLICE)
    # A circular convolution commutes with shifts: for an FFT that is not centred only the mask has to move.
    sampled = _freq_first(ifftshift(lines, dim=(SLICE, PHASE))).to(maps.dtype).unsqueeze(COIL)

    def normal(image: Tensor) -> Tensor:
        parts = zip(torch.split(image, size, SLICE), blocks, strict=True)
        return torch.cat([_resample(part, coils, sampled) for part, coils in parts], SLICE) + regularization * image

    return _freq_first(conjugate_gradient(normal, _freq_first(start), iterations, tolerance))


def _freq_first(array: Tensor) -> Tensor:
    """(..., freq, slice, phase) of (..., slice, freq, phase) and back: planes in one piece transform fastest."""
    return array.transpose(SLICE, FREQ).contiguous()


def _resample(
    image: Complex[Tensor, "... freq slice phase"],
    maps: Complex[Tensor, "... coil freq slice phase"],
    sampled: Complex[Tensor, "... 1 1 slice phase"],
) -> Complex[Tensor, "... freq slice phase"]:
    """S^H F^H M F S of some positions along freq."""
    axes = (FREQ, PHASE) if image.shape[FREQ] > 1 else (PHASE,)
    spectrum = fftn(maps * image.unsqueeze(COIL), dim=axes).mul_(sampled)
    weighted: Tensor = ifftn(spectrum, dim=axes).mul_(maps.conj())
    return weighted.sum(COIL)


def sense_lattice(
    kspace: KSpace, maps: CoilMaps, undersampling: UniformUndersampling, regularization: float = 1e-3
) -> ComplexImage:
    """SENSE of a whole lattice in closed form (Pruessmann et al., MRM 42 (1999) 952).

    Each pixel of the folded images is the sum of R pixels a whole share of the field of view apart; R equations by R
    unknowns give them back. It is the converged result of :func:`sense` with the same regularization, when the lattice
    is all that was acquired.

    Args:
        kspace: Acquired samples; calibration lines off the lattice are left out.
        maps: Sensitivities with a root sum of squares of 1, or 0 where there is no signal.
        undersampling: The lattice.
        regularization: lambda.

    Returns:
        The image; 0 where every map is 0.

    Raises:
        ValueError: Shapes do not fit, data are not finite, regularization is negative, there are more aliases than
            coils, or the matrix holds no whole number of elementary cells (use :func:`sense`).
    """
    _check_maps(kspace, maps)
    groups = alias_groups(undersampling, maps)
    lattice = undersampling.lattice(kspace.shape[SLICE], kspace.shape[PHASE]).to(kspace.device)
    folded = _plane_last(to_image(kspace * lattice[:, None, :]))[..., groups[0]]
    coils = coils_in_groups(maps, groups)
    projected = torch.einsum("...cfrq,...cfq->...fqr", coils.conj(), folded)
    system = regularized(alias_gram(coils), undersampling, regularization)
    found = torch.cholesky_solve(undersampling.factor * projected.unsqueeze(-1), torch.linalg.cholesky(system))
    return from_groups(found.squeeze(-1), groups, maps.shape)


def alias_groups(undersampling: UniformUndersampling, maps: CoilMaps) -> Int[Tensor, "alias cell"]:
    """Which pixels of the slice-phase plane fold onto each other, each pixel once.

    The lattice of (shift, R_phase) and (R_slice, 0) k-space samples repeats the image at a / R_slice fields of view
    along slice and b / R_phase - a shift / (R_phase R_slice) along phase, a and b whole (Breuer et al.,
    MRM 55 (2006) 549).

    Args:
        undersampling: The lattice.
        maps: On the matrix in question.

    Returns:
        Indices into the plane, slice times n_phase plus phase; the first row is an elementary cell.

    Raises:
        ValueError: As for :func:`sense_lattice`.
    """
    n_slice, n_phase = maps.shape[SLICE], maps.shape[PHASE]
    r_slice, r_phase = _whole_cells(undersampling, n_slice, n_phase)
    if r_slice * r_phase > maps.shape[COIL]:
        raise ValueError(f"acceleration is {r_slice * r_phase}; it must not exceed the {maps.shape[COIL]} coils")
    a, b, row, column = torch.meshgrid(
        *(torch.arange(n, device=maps.device) for n in (r_slice, r_phase, n_slice // r_slice, n_phase // r_phase)),
        indexing="ij",
    )
    rows = (row + a * (n_slice // r_slice)) % n_slice
    skew = a * undersampling.shift * n_phase // (r_phase * r_slice)
    columns = (column + b * (n_phase // r_phase) - skew) % n_phase
    return (rows * n_phase + columns).flatten(2).flatten(0, 1)


def alias_gram(coils: Complex[Tensor, "... coil freq alias cell"]) -> AliasMatrix:
    """A^H A of each group of aliases, A their (coil x alias) sensitivities."""
    stacked = rearrange(coils, "... c f r q -> ... f q c r")
    return stacked.mH @ stacked


def regularized(gram: AliasMatrix, undersampling: UniformUndersampling, regularization: float) -> AliasMatrix:
    """A^H A + R lambda: folding divides A^H A by R in the normal equations, which are multiplied by R here."""
    _check_regularization(regularization)
    ridge = undersampling.factor * max(regularization, SMALLEST_REGULARIZATION)
    return gram + ridge * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)


def from_groups(
    values: Tensor, groups: Int[Tensor, "alias cell"], shape: torch.Size
) -> Float[Tensor, "... slice freq phase"] | ComplexImage:
    """Values (..., freq, cell, alias) back at their pixels of ``shape``."""
    plane = torch.empty_like(values).reshape(*values.shape[:-2], -1)
    plane[..., groups.T.flatten()] = values.flatten(-2)
    return rearrange(plane, "... f (s p) -> ... s f p", s=shape[SLICE])


def coils_in_groups(maps: CoilMaps, groups: Int[Tensor, "alias cell"]) -> Complex[Tensor, "... coil freq alias cell"]:
    """The sensitivities of each group of aliases."""
    return _plane_last(maps)[..., groups]


def _plane_last(array: Complex[Tensor, "... slice freq phase"]) -> Complex[Tensor, "... freq plane"]:
    return rearrange(array, "... s f p -> ... f (s p)")


def _whole_cells(undersampling: UniformUndersampling, n_slice: int, n_phase: int) -> tuple[int, int]:
    """R_slice and R_phase where the matrix holds a whole number of elementary cells."""
    if not undersampling.is_lattice:
        factors = f"{undersampling.slice:g} x {undersampling.phase:g}"
        raise ValueError(f"undersampling is {factors} (slice x phase); the closed form needs whole factors")
    period = undersampling.period
    if n_slice % period[0] or n_phase % period[1]:
        raise ValueError(
            f"matrix is {n_slice} x {n_phase} (slice x phase); it must be a multiple of {period[0]} x {period[1]}"
        )
    return int(undersampling.slice), int(undersampling.phase)


def _check_maps(kspace: Tensor, maps: Tensor) -> None:
    if kspace.shape[COIL:] != maps.shape[COIL:]:
        raise ValueError(f"maps are {_sizes(maps)} (coil, slice, freq, phase); they must be {_sizes(kspace)} as kspace")
    for name, array in (("kspace", kspace), ("maps", maps)):
        check_finite(name, array)


def check_finite(name: str, array: Complex[Tensor, "..."]) -> None:
    """Refuse NaN and infinity; either one makes the sum so, and one pass without temporaries finds it."""
    if not torch.isfinite(torch.view_as_real(array.resolve_conj()).sum()):
        raise ValueError(f"{name} has values that are not finite; all of them must be")


def _check_regularization(value: float) -> None:
    if not (isfinite(value) and value >= 0.0):
        raise ValueError(f"regularization is {value:g}; it must be finite and not negative")


def _check_count(lines: Bool[Tensor, "... slice 1 phase"], maps: CoilMaps) -> None:
    """More unknowns than equations: the acceleration exceeds what the coils can undo.

    What lies beyond the outermost lines, as partial Fourier leaves out, is none of the unknowns: it is left at 0.
    """
    n_coils, acquired = maps.shape[COIL], lines.sum((SLICE, FREQ, PHASE)).min()
    pixels = (maps != 0).any(COIL).sum((SLICE, FREQ, PHASE)).max()
    spanned = _span(lines, SLICE) * _span(lines, PHASE)
    all_lines = lines.shape[SLICE] * lines.shape[PHASE]
    if pixels * spanned > acquired * n_coils * maps.shape[FREQ] * all_lines:
        share = spanned / max(int(acquired), 1)
        raise ValueError(f"mask keeps one line of {share:.3g}; it must not keep fewer than one per coil, of {n_coils}")


def _span(lines: Bool[Tensor, "... slice 1 phase"], axis: int) -> int:
    """From the first to the last position along an axis at which anything was acquired."""
    taken = lines.movedim(axis, 0).flatten(1).any(1).nonzero()
    return int(taken[-1] - taken[0]) + 1 if len(taken) else 0


def _sizes(array: Tensor) -> str:
    return " x ".join(map(str, array.shape[COIL:]))
