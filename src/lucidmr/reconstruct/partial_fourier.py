"""Partial Fourier: an image that is real but for a smooth, known phase has k-space that is its own mirror.

Three classical ways to use that, beside zero filling. Each goes from k-space to k-space, so that coils and phase
stay for the steps that follow, and each is linear (with real factors) in k-space for a given phase reference: noise
can be sent through by itself.

Where several directions are partial, those of one method are completed together. One after the other would not do:
a sample in the corner of two directions has its mirror in the opposite corner, which neither direction alone can see.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.fft import fftn, ifftn

from lucidmr.physics.fourier import ENCODED, FREQ, PHASE, SLICE, centring, to_image, to_kspace
from lucidmr.physics.sampling import AxisSampling, Sampling, axis_mask
from lucidmr.physics.windows import profile
from lucidmr.reconstruct.filter import check_matrix
from lucidmr.shapes import CoilImages, KSpace

Completion = Literal["conjugate", "pocs", "homodyne"]
Method = Literal["zero_fill", Completion]
PhaseReference = Complex[Tensor, "... coil slice freq phase"]
"""A factor exp(i phi) per pixel and coil."""
Weights = Float[Tensor, "#slice #freq #phase"]
"""Weights in k-space; a direction that they do not depend on may have length 1."""
Axes = tuple[int, ...]


@dataclass(frozen=True)
class PartialFourierMethods:
    """How the missing side of each direction is treated; of no effect where a direction is complete.

    Attributes:
        freq: Method for readout (asymmetric echo).
        phase: Method for in-plane phase encoding.
        slice: Method for partition encoding.
        ramp: Share of the way from where sampling began to DC over which the weight of measured data rises, linearly:
            0 is a step, 1 makes Noll's ramp over the whole symmetric band.
        iterations: Of ``pocs``.
    """

    freq: Method = "zero_fill"
    phase: Method = "zero_fill"
    slice: Method = "zero_fill"
    ramp: float = 0.5
    iterations: int = 10

    def __post_init__(self) -> None:
        if not 0.0 <= self.ramp <= 1.0:
            raise ValueError(f"ramp is {self.ramp:g}; it must lie between 0 and 1")
        if self.iterations < 1:
            raise ValueError(f"iterations is {self.iterations}; it must be at least 1")

    def completions(self, sampling: Sampling) -> list[tuple[Completion, Axes]]:
        """The methods in the order in which they are applied, each with the partial directions it completes.

        Homodyne comes last because it drops what is not in phase with the reference. For the same reason it takes
        along the directions that would be zero-filled: the real part halves every sample without a mirror.
        """
        wanted: dict[int, Method] = {SLICE: self.slice, FREQ: self.freq, PHASE: self.phase}
        partial = {axis: wanted[axis] for axis in ENCODED if not _is_complete(_axis(sampling, axis))}
        if "homodyne" in partial.values():
            partial = {axis: "homodyne" if method == "zero_fill" else method for axis, method in partial.items()}
        order: tuple[Completion, ...] = ("conjugate", "pocs", "homodyne")
        groups = [(method, tuple(axis for axis in partial if partial[axis] == method)) for method in order]
        return [(method, axes) for method, axes in groups if axes]


def partial_fourier(
    kspace: KSpace, sampling: Sampling, methods: PartialFourierMethods, reference: PhaseReference
) -> KSpace:
    """Complete k-space.

    Args:
        kspace: Centred k-space on the acquired matrix; what it holds on the missing side is dropped.
        sampling: Its sampling.
        methods: Method per direction.
        reference: Phase of the image, from :func:`phase_reference`.

    Returns:
        k-space on the same matrix; the input itself where no direction is partial.

    Raises:
        ValueError: k-space is not on the sampling's matrix.
    """
    check_matrix(kspace, sampling)
    if not sampling.is_partial:
        return kspace
    kspace = kspace * acquired_bands(sampling, kspace.device)
    for method, axes in methods.completions(sampling):
        others = tuple(axis for axis in ENCODED if axis not in axes)
        share = measured_share(sampling, axes, methods.ramp, kspace.device)
        lines = to_image(kspace, others) if others else kspace
        match method:
            case "conjugate":
                lines = conjugate_synthesis(lines, share, axes, reference)
            case "pocs":
                lines = pocs(lines, share, axes, reference, methods.iterations)
            case "homodyne":
                lines = homodyne(lines, share, axes, reference)
        kspace = to_kspace(lines, others) if others else lines
    return kspace


def phase_reference(kspace: KSpace, sampling: Sampling) -> PhaseReference:
    """The phase of the image at low resolution: from the band that is symmetric about DC, under a Hann window.

    Args:
        kspace: Centred k-space on the acquired matrix.
        sampling: Its sampling; directions that are complete keep their whole resolution.

    Returns:
        exp(i phi) of every pixel and coil; 1 where the image is 0.

    Raises:
        ValueError: k-space is not on the sampling's matrix, or holds values that are not finite.
    """
    check_matrix(kspace, sampling)
    if not torch.isfinite(torch.view_as_real(kspace)).all():
        raise ValueError("kspace holds values that are not finite")
    for axis in ENCODED:
        kspace = kspace * _along(axis, _symmetric_window(_axis(sampling, axis), kspace.device))
    image = to_image(kspace)
    return torch.where(image == 0, 1.0, image.sgn())


def homodyne(lines: KSpace, share: Weights, axes: Axes, reference: PhaseReference) -> KSpace:
    """Homodyne detection (Noll, Nishimura, Macovski, IEEE Trans. Med. Imaging 10 (1991) 154).

    Margosian's weights double what was acquired on one side only; the real part after phase correction then is the
    image, and the phase is put back. Noise in phase with the reference has the standard deviation of white noise under
    :func:`margosian_weights`; there is none in quadrature.

    Args:
        lines: k-space along ``axes``, image along the others; 0 where nothing was acquired.
        share: From :func:`measured_share`.
        axes: The partial directions.
        reference: Phase of the image.

    Returns:
        The same, completed.
    """
    weighted = to_image(lines * margosian_weights(share, axes), axes)
    return to_kspace(_in_phase(weighted, reference), axes)


def conjugate_synthesis(lines: KSpace, share: Weights, axes: Axes, reference: PhaseReference) -> KSpace:
    """Conjugate synthesis (Margosian, Schmitt, Purdy, Health Care Instrum. 1 (1986) 195).

    After phase correction the missing samples are the conjugates of their mirrors. What is in quadrature with the
    reference stays, at the resolution of the symmetric band. Noise in phase with the reference is that of
    :func:`homodyne`, exactly for a constant reference, nearly for a smooth one.

    Args and result are those of :func:`homodyne`.
    """
    mirror = to_kspace(to_image(lines, axes).conj() * reference.square(), axes)
    return torch.lerp(mirror, lines, share.to(lines.dtype))


def pocs(lines: KSpace, share: Weights, axes: Axes, reference: PhaseReference, iterations: int) -> KSpace:
    """Projection onto convex sets (Haacke, Lindskog, Lin, J. Magn. Reson. 92 (1991) 126).

    In turn the image is given the reference's phase, by projection (what is in quadrature is dropped, the sign is
    free), and k-space its measured samples. Each of the ``iterations`` halves what is left of the error where the phase
    is smooth.

    Args and result are those of :func:`homodyne`.
    """
    # Transforms that are not centred inside the loop: the factor that centres them goes into data and reference.
    factor = centring(lines, axes)
    completed, reference = lines * factor, reference * factor.conj()
    measured, missing = completed * share, 1.0 - share
    for _ in range(iterations):
        image = _in_phase(ifftn(completed, dim=axes, norm="ortho"), reference)
        completed = torch.addcmul(measured, fftn(image, dim=axes, norm="ortho"), missing)
    return completed * factor.conj()


def acquired_bands(sampling: Sampling, device: torch.device | str = "cpu") -> Weights:
    """1 inside the acquired band of every direction, 0 on the missing side."""
    weights = [_along(axis, axis_mask(_axis(sampling, axis)).to(device).float()) for axis in ENCODED]
    return weights[0] * weights[1] * weights[2]


def measured_share(sampling: Sampling, axes: Axes, ramp: float, device: torch.device | str = "cpu") -> Weights:
    """How much of a sample is to come from its own measurement; the rest comes from its mirror.

    It falls short of 1 only where the mirror was acquired: it is 0 where the sample itself was not, and rises linearly
    from there over a share ``ramp`` of the way to DC.
    """
    rise = torch.ones(1, 1, 1, device=device)
    for axis in axes:
        rise = rise * _along(axis, _rise(_axis(sampling, axis), ramp, device))
    return 1.0 - (1.0 - rise) * mirrored(rise > 0, axes)


def margosian_weights(share: Weights, axes: Axes) -> Weights:
    """1 + share(k) - share(-k): 2 where the sample alone was acquired, 1 at DC, 0 where its mirror alone was.

    Between them it is a step or a ramp, as ``share`` is; a sample and its mirror together always count 2.
    """
    return 1.0 + share - mirrored(share, axes)


def mirrored(weights: Tensor, axes: Axes) -> Tensor:
    """The value at -k; the sample at -k_max of an even axis is its own mirror."""
    shifts = [1 - weights.shape[axis] % 2 for axis in axes]
    return weights.flip(axes).roll(shifts, axes)


def _in_phase(image: CoilImages, reference: PhaseReference) -> CoilImages:
    """The part of the image in phase with the reference."""
    return (image * reference.conj()).real * reference


def _axis(sampling: Sampling, axis: int) -> AxisSampling:
    return {SLICE: sampling.slice, FREQ: sampling.freq, PHASE: sampling.phase}[axis]


def _is_complete(sampling: AxisSampling) -> bool:
    return sampling.samples == sampling.width


def _along(axis: int, values: Float[Tensor, " n"]) -> Weights:
    """Values along one of the three directions, of length 1 along the others."""
    return values.reshape([-1 if axis == direction else 1 for direction in ENCODED])


def _reach(sampling: AxisSampling) -> int:
    """Samples on either side of DC in the symmetric band."""
    centre, (start, stop) = sampling.width // 2, sampling.band
    return min(centre - start, stop - 1 - centre)


def _symmetric_window(sampling: AxisSampling, device: torch.device | str) -> Float[Tensor, " n"]:
    """A Hann window over the symmetric band, 0 outside; 1 throughout if the axis is complete."""
    if _is_complete(sampling):
        return torch.ones(sampling.width, device=device)
    k = (torch.arange(sampling.width, device=device) - sampling.width // 2).abs()
    return profile(k / (_reach(sampling) + 1), "hann")


def _rise(sampling: AxisSampling, ramp: float, device: torch.device | str) -> Float[Tensor, " n"]:
    """From 0 at the last sample that is missing to 1, linear over a share ``ramp`` of the way to DC."""
    k = torch.arange(sampling.width, device=device) - sampling.width // 2
    beyond = _reach(sampling) + 1
    inside = k + beyond if sampling.early else beyond - k
    return (inside / max(ramp * beyond, 1.0)).clamp(0.0, 1.0)
