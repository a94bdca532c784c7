"""Receive sensitivities from the data themselves: ESPIRiT from calibration lines, Walsh and Inati from coil images.

All maps have a root sum of squares of 1 wherever they are not 0. No method can tell a phase that all coils share from
the object's own, so each takes the phase relative to a *virtual coil*: the combination of the coils that holds most of
the signal's energy. Relative to it the maps turn smoothly over the object; relative to one of the coils they would turn
at random where that coil sees nothing.
"""

from collections.abc import Callable
from math import pi, prod
from typing import Final

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import pad

from lucidmr.physics.fourier import central_band, resize_kspace, to_image
from lucidmr.shapes import CoilImages, CoilMaps, Image

Calibration = Complex[Tensor, "... coil lines_slice lines_freq lines_phase"]
"""A fully sampled block of k-space around DC, as a rule smaller than the matrix of the image."""
Extent = tuple[int, int, int]
"""Samples or pixels along (slice, freq, phase)."""
Covariance = Complex[Tensor, "... row phase coil coil"]
"""A Hermitian, positive semidefinite coil x coil matrix for each pixel of some rows along phase."""

_MOST_LINES: Final = 24
"""Sensitivities are smooth: a larger calibration region costs time and tells ESPIRiT nothing new."""
_ROUNDING: Final = 1e-14
"""Singular values squared below this share of the largest are zeros with rounding errors."""
_CHUNK_BYTES: Final = {"cpu": 2**21, "cuda": 2**28}
"""Of covariances worked on at a time; a CPU is fastest while they stay in its cache."""


def espirit(
    calibration: Calibration,
    matrix: Extent,
    kernel: int | Extent = 6,
    threshold: float = 0.02,
    crop: float = 0.95,
) -> CoilMaps:
    """ESPIRiT, the first set of maps (Uecker et al., MRM 71 (2014) 990).

    Args:
        calibration: Fully sampled k-space around DC, of which the central 24 samples along each direction are used.
        matrix: (slice, freq, phase) pixels of the maps.
        kernel: Samples of a k-space patch along (slice, freq, phase); a single number counts only along directions
            in which the calibration is longer than one sample. In 3D, 4 takes a small part of the time of 6.
        threshold: The signal's subspace is that of the patches' singular values above this share of the largest.
        crop: Maps are 0 where the eigenvalue is below this. It is 1 where one set of maps explains the calibration
            and lower in the background; 0 keeps all.

    Returns:
        Maps on ``matrix``.

    Raises:
        ValueError: The kernel does not fit into the calibration, a factor is out of range, or data are not finite.
    """
    if not 0.0 <= crop <= 1.0:
        raise ValueError(f"crop is {crop:g}; it must lie between 0 and 1")
    maps, eigenvalues = espirit_eigenmaps(calibration, matrix, kernel, threshold)
    return maps * (eigenvalues >= crop).unsqueeze(-4)


def espirit_eigenmaps(
    calibration: Calibration, matrix: Extent, kernel: int | Extent = 6, threshold: float = 0.02
) -> tuple[CoilMaps, Image]:
    """Maps of :func:`espirit` before cropping and their eigenvalues, 0 to 1; arguments and errors as there.

    Patches of multi-coil k-space span a small subspace. Projecting every patch onto it and averaging what the patches
    say about each sample is a convolution in k-space, so in the image it multiplies the coils of each pixel by a
    matrix G. Data are left as they are, thus the sensitivities are the eigenvector of G of eigenvalue 1.
    """
    for axis in (-3, -2, -1):
        start, stop = central_band(calibration.shape[axis], _MOST_LINES)
        calibration = calibration.narrow(axis, start, stop - start)
    extent = _extent("kernel", kernel, calibration)
    _check_calibration(calibration, matrix, extent, threshold)
    calibration = _scaled("calibration", calibration)
    lags = _lags(_projection_onto_signal(_patches(calibration, extent), threshold), extent)
    *batch, n_coils = calibration.shape[:-3]
    along_slice, along_freq, along_phase = (
        _waves(n, width, calibration.device) for n, width in zip(matrix, extent, strict=True)
    )

    def covariance(rows: Tensor) -> Covariance:
        """G in some rows: the Fourier sum of its lags, along slice and freq first."""
        in_row = along_slice[rows // matrix[1], :, None] * along_freq[rows % matrix[1], None, :]
        by_row = (in_row.flatten(1) @ lags).reshape(*batch, len(rows), -1, n_coils**2)
        return (along_phase @ by_row).reshape(*batch, len(rows), -1, n_coils, n_coils)

    vectors, eigenvalues = _leading_eigenpairs(covariance, matrix, calibration)
    return _aligned(vectors, _virtual_coil(calibration)), eigenvalues


def walsh(images: CoilImages, window: int | Extent = 5) -> CoilMaps:
    """Adaptive sensitivities, the main eigenvector of each pixel's local coil covariance (Walsh, MRM 43 (2000) 682).

    Args:
        images: Coil images, prewhitened.
        window: Pixels along (slice, freq, phase) that the covariance is summed over, odd; a single number counts only
            along directions of more than one pixel.

    Returns:
        Maps on the images' matrix, 0 where the whole window is 0.

    Raises:
        ValueError: The window is not odd, or data are not finite.
    """
    extent = _extent("window", window, images)
    _check_window(extent)
    images = _scaled("images", images)
    windows = _blocks(_zero_padded(images, extent), extent)
    n_slice, n_freq, n_phase = images.shape[-3:]

    def covariance(rows: Tensor) -> Covariance:
        """Sum of x x^H over the window around each pixel of some rows."""
        local = windows[..., rows // n_freq, rows % n_freq, :, :, :, :].flatten(-3).movedim(-4, -2)
        return local @ local.mH

    vectors, _ = _leading_eigenpairs(covariance, (n_slice, n_freq, n_phase), images)
    return _aligned(vectors, _virtual_coil(images))


def inati(images: CoilImages, window: int | Extent = 5, iterations: int = 5) -> CoilMaps:
    """Sensitivities by alternating projections with a common phase (Inati, Hansen, Kellman, ISMRM 2014, 4407).

    Locally the images are maps times one object. In turn the maps are the images times the conjugate object, averaged
    over the window and normalized, and the object is the images combined by the maps: a power iteration for the local
    singular vector in which every pixel starts from its neighbours' phase, so that the maps are smooth by themselves.

    Args:
        images: Coil images, prewhitened.
        window: Pixels along (slice, freq, phase) that maps are averaged over, odd; a single number counts only along
            directions of more than one pixel.
        iterations: At least 1; five are enough.

    Returns:
        Maps on the images' matrix, 0 where the whole window is 0.

    Raises:
        ValueError: The window is not odd, there is no iteration, or data are not finite.
    """
    extent = _extent("window", window, images)
    _check_window(extent)
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; it must be at least 1")
    images = _scaled("images", images)
    virtual = _virtual_coil(images)
    maps = virtual
    for _ in range(iterations):
        local = _window_mean(images * _combined(maps, images).conj(), extent)
        maps = _aligned(_unit(local, -4), virtual)
    return maps


def low_resolution(calibration: Calibration, matrix: Extent) -> CoilImages:
    """Coil images from calibration lines alone, for :func:`walsh` and :func:`inati` on the image's matrix.

    A Hann window over the lines keeps them from ringing: the ringing of one coil's bright skin would be taken for its
    sensitivity elsewhere.

    Args:
        calibration: Fully sampled k-space around DC.
        matrix: (slice, freq, phase) pixels of the images.

    Returns:
        Images on ``matrix``, their signal that of the lines' own matrix.

    Raises:
        ValueError: A size of ``matrix`` is not positive.
    """
    n_slice, n_freq, n_phase = (_hann(n, calibration.device) for n in calibration.shape[-3:])
    window = n_slice[:, None, None] * n_freq[:, None] * n_phase
    return to_image(resize_kspace(calibration * window, matrix))


def _extent(name: str, size: int | Extent, array: Tensor) -> Extent:
    """One size per direction; a single number is 1 along directions in which the array has one sample."""
    n_slice, n_freq, n_phase = (size if n > 1 else 1 for n in array.shape[-3:]) if isinstance(size, int) else size
    if min(n_slice, n_freq, n_phase) < 1:
        raise ValueError(f"{name} is {n_slice} x {n_freq} x {n_phase}; every size must be at least 1")
    return n_slice, n_freq, n_phase


def _check_calibration(calibration: Tensor, matrix: Extent, kernel: Extent, threshold: float) -> None:
    region = calibration.shape[-3:]
    if any(width > lines for width, lines in zip(kernel, region, strict=True)):
        raise ValueError(f"kernel is {_by(kernel)}; it must not exceed the calibration region of {_by(region)}")
    if min(matrix) < 1:
        raise ValueError(f"matrix is {_by(matrix)}; every size must be at least 1")
    if not 0.0 <= threshold < 1.0:
        raise ValueError(f"threshold is {threshold:g}; it must be at least 0 and below 1")


def _check_window(window: Extent) -> None:
    if any(width % 2 == 0 for width in window):
        raise ValueError(f"window is {_by(window)}; every size must be odd")


def _scaled(name: str, data: Tensor) -> Tensor:
    """Finite data with a largest magnitude of 1, so that no square or fourth power of them leaves single precision."""
    if bad := int(data.numel() - data.isfinite().sum()):
        raise ValueError(f"{name} holds {bad} values that are not finite; all must be")
    return data * _inverse(data.abs().amax((-4, -3, -2, -1), keepdim=True))


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _blocks(array: Tensor, extent: Extent) -> Complex[Tensor, "... coil slice freq phase k_slice k_freq k_phase"]:
    """Every block of the given extent inside an array (..., coil, slice, freq, phase), as a view."""
    for width in extent:
        array = array.unfold(-3, width, 1)
    return array


def _patches(calibration: Tensor, kernel: Extent) -> Complex[Tensor, "... entry patch"]:
    """All patches of the kernel's size, each a column: entries are ordered (coil, kernel sample)."""
    blocks = _blocks(calibration, kernel).flatten(-3)
    return blocks.movedim(-1, -4).flatten(-3).flatten(-3, -2)


def _projection_onto_signal(patches: Tensor, threshold: float) -> Complex[Tensor, "... entry entry"]:
    """Orthogonal projection onto the left singular vectors of the large singular values of (entry, patch).

    From the eigenvectors of the smaller Gram matrix, in double precision because Gram squares singular values.
    """
    patches = patches.to(torch.complex128)
    is_tall = patches.shape[-2] > patches.shape[-1]
    power, vectors = torch.linalg.eigh(patches.mH @ patches if is_tall else patches @ patches.mH)
    is_signal = power > power[..., -1:] * max(threshold**2, _ROUNDING)
    basis = patches @ vectors if is_tall else vectors
    weights = torch.where(is_signal, 1.0 / power, 0.0) if is_tall else is_signal.to(power)
    projection: Tensor = (basis * weights.unsqueeze(-2)) @ basis.mH
    return projection.to(torch.complex64)


def _lags(projection: Tensor, kernel: Extent) -> Complex[Tensor, "... lag entry"]:
    """Sum of a (coil x kernel)^2 matrix over the pairs of kernel samples that lie the same distance (lag) apart.

    Lags run from 1 - width to width - 1 along each direction.

    Returns:
        (lag along slice x lag along freq, lag along phase x coil x coil), divided by the samples of the kernel.
    """
    lags = tuple(2 * width - 1 for width in kernel)
    samples = torch.cartesian_prod(*(torch.arange(width, device=projection.device) for width in kernel))
    position = (samples[:, 0] * lags[1] + samples[:, 1]) * lags[2] + samples[:, 2]
    lag = position[:, None] - position[None, :] + position[-1]
    *batch, entries, _ = projection.shape
    n_coils, n_samples = entries // prod(kernel), prod(kernel)
    pairs = projection.reshape(*batch, n_coils, n_samples, n_coils, n_samples).movedim((-1, -3), (-3, -4))
    sums = pairs.new_zeros(*batch, prod(lags), n_coils**2)
    sums.index_add_(-2, lag.flatten(), pairs.reshape(*batch, n_samples**2, n_coils**2))
    return sums.reshape(*batch, lags[0] * lags[1], -1) / n_samples


def _waves(n: int, width: int, device: torch.device) -> Complex[Tensor, "pixel lag"]:
    """exp(2 pi i lag x) at the n pixels of an axis, x in fields of view."""
    x = (torch.arange(n, device=device) - n // 2) / n
    lag = torch.arange(1 - width, width, device=device)
    angle = 2 * pi * x[:, None] * lag[None, :]
    return torch.polar(torch.ones_like(angle), angle)


def _leading_eigenpairs(
    covariance: Callable[[Tensor], Covariance], matrix: Extent, data: Tensor
) -> tuple[CoilMaps, Image]:
    """Unit eigenvector of the largest eigenvalue, and that eigenvalue, in every pixel of a matrix.

    Args:
        covariance: Gives the covariances of those rows along phase (counted over slice and freq) that it is given.
        matrix: (slice, freq, phase) pixels.
        data: Any array (..., coil, slice, freq, phase) of the same batch, coils and device.
    """
    *batch, n_coils = data.shape[:-3]
    total_bytes = data.element_size() * prod(batch) * prod(matrix) * n_coils**2
    rows = torch.arange(matrix[0] * matrix[1], device=data.device)
    chunks = rows.chunk(1 + total_bytes // _CHUNK_BYTES[data.device.type])
    vectors, values = zip(*(_leading_eigenpair(covariance(chunk)) for chunk in chunks), strict=True)
    return torch.cat(vectors, -2).reshape(*batch, n_coils, *matrix), torch.cat(values, -2).reshape(*batch, *matrix)


def _leading_eigenpair(
    covariance: Covariance,
) -> tuple[Complex[Tensor, "... coil row phase"], Float[Tensor, "... row phase"]]:
    """By raising the matrices to the power 256, in which an eigenvalue of 0.95 of the largest is 2e-6 of it.

    That is eight products of small matrices, several times faster than as many eigendecompositions. Traces are made 1
    in between, so that nothing underflows.
    """
    power = covariance
    for _ in range(2):
        trace = power.diagonal(dim1=-2, dim2=-1).real.sum(-1)
        power = torch.linalg.matrix_power(power * _inverse(trace)[..., None, None], 16)
    # All columns are multiples of the eigenvector; the one with the largest diagonal entry is the longest.
    longest = power.diagonal(dim1=-2, dim2=-1).real.argmax(-1)[..., None, None]
    vector = _unit(power.take_along_dim(longest, -1), -2)
    value = (vector.mH @ covariance @ vector).real
    return vector.squeeze(-1).movedim(-1, -3), value.squeeze((-2, -1))


def _virtual_coil(data: CoilImages) -> Tensor:
    """Weights (..., coil, 1, 1, 1) of the combination that holds most of the energy.

    Its own phase is the first coil's, the next one's should that be dead. Were it the strongest coil's, noise would
    decide between coils of nearly equal weight, and the phase of the whole image would jump with it.
    """
    samples = data.flatten(-3)
    weights: Tensor = torch.linalg.eigh(samples @ samples.mH).eigenvectors[..., -1, None, None, None]
    precedence = 0.1 ** torch.arange(data.shape[-4], device=data.device)[:, None, None, None]
    return weights * torch.sgn((precedence * weights).sum(-4, keepdim=True)).conj()


def _aligned(maps: CoilMaps, virtual: Tensor) -> CoilMaps:
    """Maps with a phase relative to the virtual coil."""
    return maps * torch.sgn(_combined(virtual, maps)).conj()


def _combined(weights: Tensor, images: Tensor) -> Tensor:
    """Sum of conj(w) x over coils, (..., 1, slice, freq, phase)."""
    return (weights.conj() * images).sum(-4, keepdim=True)


def _unit(vectors: Tensor, axis: int) -> Tensor:
    """Vectors along an axis scaled to length 1; 0 stays 0."""
    return vectors * _inverse(torch.linalg.vector_norm(vectors, dim=axis, keepdim=True))


def _inverse(positive: Tensor) -> Tensor:
    """1 / x, 0 where x is 0 (or so small that 1 / x is infinite)."""
    return torch.where(positive > torch.finfo(positive.dtype).tiny, 1 / positive, 0.0)


def _zero_padded(images: CoilImages, window: Extent) -> Tensor:
    """Zeros around the images, so that every pixel has a full window."""
    return pad(images, [half for width in reversed(window) for half in (width // 2, width // 2)])


def _window_mean(images: CoilImages, window: Extent) -> CoilImages:
    """Mean over the window around each pixel."""
    mean = _zero_padded(images, window)
    for axis, width in zip((-3, -2, -1), window, strict=True):
        mean = mean.unfold(axis, width, 1).mean(-1)
    return mean


def _hann(n: int, device: torch.device) -> Float[Tensor, " n"]:
    """A Hann window over n centred samples, 1 at DC, its zeros just outside."""
    window: Tensor = torch.cos(pi * (torch.arange(n, device=device) - n // 2) / (n + 1)).square()
    return window
