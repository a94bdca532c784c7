"""Compressed sensing: the sparsest image that agrees with the data (Lustig, Donoho and Pauly, MRM 58 (2007) 1182)."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Final, Literal

import torch
from torch import Generator, Tensor
from torch.fft import fftn, ifftn, ifftshift

from lucidmr.physics.fourier import COIL, ENCODED, FREQ, PHASE, SLICE, to_image
from lucidmr.physics.solvers import Split, proximal_gradient, total_variation_denoised
from lucidmr.physics.wavelets import wavelet_levels, wavelet_shrinkage
from lucidmr.shapes import CoilMaps, ComplexImage, KSpace, Mask

Prior = Literal["wavelet", "total_variation"]
Shift = tuple[int, ...]
TOLERANCE: Final = 0.01
"""How far above 1 the root sum of squares of estimated sensitivities may lie."""


def compressed_sensing(
    kspace: KSpace, maps: CoilMaps, mask: Mask, prior: Prior, regularization: float, iterations: int = 30
) -> ComplexImage:
    """Reconstruct randomly undersampled k-space with sensitivities and a sparse prior.

    With the encoding E = mask, Fourier transform, sensitivities, it solves

        min_x 1/2 ||E x - y||^2 + regularization * max|E* y| * prior(x)

    where the prior is the sum of moduli of the wavelet coefficients, on a grid that moves at random from iteration to
    iteration (cycle spinning), or the isotropic total variation. The factor max|E* y|, one per batch item, makes the
    result follow every rescaling of the data. What partial Fourier left out along freq stays zero.

    Args:
        kspace: Prewhitened, (..., coil, slice, freq, phase), on the acquired matrix.
        maps: Sensitivities of root sum of squares 1, or 0 outside the object.
        mask: Samples acquired, a band along freq times a slice-phase pattern.
        prior: "wavelet" or "total_variation".
        regularization: Relative weight of the prior, 0 to 1; a fully sampled image keeps differences above about
            this share of its maximum.
        iterations: Each costs one Fourier transform of all coils and one back.

    Returns:
        The image, on the acquired matrix.

    Raises:
        ValueError: Shapes do not fit, values are not finite, the mask is no such product, the sensitivities are not
            normalised or a setting is out of range.
    """
    _check(kspace, maps, mask, regularization, iterations)
    first = _adjoint(kspace * mask.unsqueeze(COIL), maps)
    if not first.isfinite().all():
        raise ValueError("kspace or maps hold values that are not finite; all must be")
    normal = _normal_operator(maps, mask)
    weight = regularization * first.abs().amax(ENCODED, keepdim=True)

    def gradient(image: Tensor) -> Tensor:
        return normal(image) - first

    def shrunk(image: Tensor, shifts: list[Shift]) -> tuple[Tensor, list[Shift]]:
        return wavelet_shrinkage(image, weight, shifts[0]), shifts[1:]

    def flattened(image: Tensor, split: Split | None) -> tuple[Tensor, Split | None]:
        return total_variation_denoised(image, weight, split)

    match prior:
        case "wavelet":
            shifts = _shifts(first.shape[-3:], iterations)
            return proximal_gradient(gradient, shrunk, first, shifts, iterations)
        case "total_variation":
            return proximal_gradient(gradient, flattened, first, None, iterations)


def _adjoint(kspace: KSpace, maps: CoilMaps) -> ComplexImage:
    """Coil images weighted by the conjugate sensitivities and summed, one coil at a time for the memory's sake."""
    coils = zip(kspace.unbind(COIL), maps.unbind(COIL), strict=True)
    return reduce(torch.add, (coil_map.conj() * to_image(data) for data, coil_map in coils))


def _normal_operator(maps: CoilMaps, mask: Mask) -> Callable[[Tensor], Tensor]:
    """The operator E* E.

    As no position along freq is skipped, the transform along freq cancels and those in the slice-phase plane remain;
    freq goes in front of the plane, where they are fastest. A circular shift of the image commutes with them, so only
    the mask needs its DC at the first sample.
    """
    plane = ifftshift(mask.any(FREQ).unsqueeze(SLICE), dim=(-2, -1)).to(maps.real.dtype)
    maps = maps.movedim(FREQ, SLICE).contiguous()
    coils = list(zip(maps.unbind(COIL), maps.conj().resolve_conj().unbind(COIL), strict=True))

    def normal(image: Tensor) -> Tensor:
        planes = image.movedim(FREQ, SLICE).contiguous()
        total = torch.zeros_like(planes)
        for coil_map, conjugate in coils:
            spectrum = fftn(coil_map * planes, dim=(-2, -1)).mul_(plane)
            total.addcmul_(conjugate, ifftn(spectrum, dim=(-2, -1)))
        return total.movedim(SLICE, FREQ)

    return normal


def _shifts(matrix: Sequence[int], iterations: int) -> list[Shift]:
    """Shifts of the wavelet grid, random but the same in every call."""
    periods = torch.tensor([2**level for level in wavelet_levels(matrix)])
    uniform = torch.rand(iterations, 3, generator=Generator().manual_seed(0))
    return [tuple(shift) for shift in (uniform * periods).int().tolist()]


def _check(kspace: KSpace, maps: CoilMaps, mask: Mask, regularization: float, iterations: int) -> None:
    if not 0.0 <= regularization <= 1.0:
        raise ValueError(f"regularization is {regularization:g}; it must lie between 0 and 1")
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; it must be at least 1")
    if maps.shape[COIL:] != kspace.shape[COIL:] or mask.shape[-3:] != kspace.shape[-3:]:
        raise ValueError(
            f"kspace, maps and mask end in {_sizes(kspace, 4)}, {_sizes(maps, 4)} and {_sizes(mask, 3)}; "
            "kspace and maps must agree in (coil, slice, freq, phase), the mask with both in (slice, freq, phase)"
        )
    if not torch.equal(mask, mask.any(FREQ, keepdim=True) & mask.any(SLICE, keepdim=True).any(PHASE, keepdim=True)):
        raise ValueError("mask differs between positions along freq; it must be a band along freq times a pattern")
    if (largest := float(maps.abs().square().sum(COIL).amax().sqrt())) > 1.0 + TOLERANCE:
        raise ValueError(f"maps have a root sum of squares of up to {largest:.3g}; it must not exceed 1")


def _sizes(array: Tensor, axes: int) -> str:
    return " x ".join(map(str, array.shape[-axes:]))
