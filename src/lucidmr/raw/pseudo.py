"""Pseudo-raw data: a magnitude image made into the multi-coil k-space that could have given it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, resize_kspace, to_image, to_kspace
from lucidmr.physics.spectrum import acquired_extent, noise_level, typical_signal
from lucidmr.raw.scan import RawScan
from lucidmr.raw.volume import Volume

MAX_COILS = 16
_LEAST_MATRIX = 64


@dataclass(frozen=True)
class NativeSlices:
    """Slices of one volume on the matrix that was really acquired.

    Attributes:
        images: (slice, freq, phase) magnitude.
        noise_sd: Noise that is in them, per pixel.
        signal: Typical tissue value.
        source: Name for provenance.
    """

    images: Float[Tensor, "slice freq phase"]
    noise_sd: float
    signal: float
    source: str


def native_slices(volume: Volume) -> NativeSlices | None:
    """Undo the scanner's interpolation: crop k-space to its measured extent and drop slices without tissue.

    A volume that was interpolated by the scanner is no truth on its stored matrix; on the native one it is, and its
    noise is white again.

    Args:
        volume: An image volume.

    Returns:
        The slices, or ``None`` when nothing usable is left.
    """
    images = volume.images.clamp_min(0.0)
    signal = typical_signal(images)
    tissue = (images > 0.25 * signal).float().mean((1, 2)) > 0.04
    if signal <= 0 or not tissue.any():
        return None
    images = images[tissue]
    matrix = [
        2 * round(0.5 * extent * pixels)
        for extent, pixels in zip(acquired_extent(images), images.shape[-2:], strict=True)
    ]
    if min(matrix) < _LEAST_MATRIX:
        return None
    kspace = resize_kspace(to_kspace(images.to(torch.complex64), IN_PLANE), (matrix[0], matrix[1]))
    native = to_image(kspace, IN_PLANE).abs()
    return NativeSlices(native, noise_level(native), typical_signal(native), volume.source)


def pseudo_raw(slices: NativeSlices, index: int, generator: Generator) -> RawScan:
    """Make raw data of one slice: contrast, shading, orientation, phase and coils are drawn.

    Args:
        slices: Native slices.
        index: Which of them.
        generator: Source of all randomness.

    Returns:
        Raw multi-coil k-space whose noise is that of the image.
    """
    u = torch.rand(6, generator=generator).tolist()
    image = _orient(slices.images[index] / slices.signal, int(8 * u[0]))
    # An intensity map bends noise with it; a mild one leaves its level nearly white.
    image = image.clamp_min(0.0) ** (0.75 + 0.5 * u[1])
    matrix = (1, *image.shape)
    shading = smooth_phase(matrix, 0.25 * u[2], generator).angle().exp()
    # Shading would bend the image's own noise, which counts as white; only a clean image can take it.
    shaded = slices.noise_sd == 0.0 and u[5] < 0.5
    maps = loop_array_maps(1 + int(MAX_COILS * u[3] ** 2), matrix, generator, shaded)
    phase = smooth_phase(matrix, 1.2 * u[4], generator)
    kspace = to_kspace(maps * (image * shading * phase))
    return RawScan(kspace, slices.noise_sd / slices.signal, 1.0, maps, f"{slices.source}[{index}]")


def _orient(image: Tensor, code: int) -> Tensor:
    """One of the eight flips and transpositions: either axis may be phase encoded, in either direction."""
    image = image.T if code & 1 else image
    dims = [axis for axis, bit in enumerate((2, 4)) if code & bit]
    return image.flip(dims) if dims else image
