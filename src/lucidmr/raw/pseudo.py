"""Pseudo-raw data: a magnitude image made into the multi-coil k-space that could have given it."""

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from lucidmr.physics.anatomy import random_anatomy
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import resize_image, to_kspace
from lucidmr.physics.spectrum import acquired_extent, noise_level, typical_signal
from lucidmr.raw.augment import LEAST_MATRIX, augmented, cut_out, excited, slab_around
from lucidmr.raw.scan import RawScan
from lucidmr.raw.volume import Volume

SYNTHETIC: Final = "synthetic"
"""Source of scans of random anatomy."""
MAX_COILS = 16
_THIN: Final = 2.0
"""Slices that are at most so many mm or in-plane pixels apart make a volume."""
_MOST_PARTITIONS: Final = 4
"""Of a volume that make a thick slice."""
_MOST_PIXELS: Final = (40_000, 600_000)
"""Of a scan, 2D and 3D: what a few squares need, and what does not take long."""
_MOST_SAMPLES: Final = (200_000, 3_000_000)
"""The same times the coils: an array of many sees less."""


@dataclass(frozen=True)
class NativeSlices:
    """Slices of one volume on the matrix that was really acquired.

    Attributes:
        images: (slice, freq, phase) magnitude.
        noise_sd: Noise that is in them, per pixel.
        signal: Typical tissue value.
        source: Name for provenance.
        is_volume: Whether they lie so near each other that they may be a 3D acquisition.
        distance: From one to the next, mm; ``None`` where it is unknown.
    """

    images: Float[Tensor, "slice freq phase"]
    noise_sd: float
    signal: float
    source: str
    is_volume: bool = False
    distance: float | None = None


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
    is_volume = _is_thin(volume.spacing)
    images = images[_all_between(tissue) if is_volume else tissue]
    extents = (acquired_extent(images.transpose(0, 1))[0] if is_volume else 1.0, *acquired_extent(images))
    matrix = [
        n if extent == 1.0 else 2 * round(0.5 * extent * n) for extent, n in zip(extents, images.shape, strict=True)
    ]
    if min(matrix[1:]) < LEAST_MATRIX:
        return None
    native = _resized(images, (matrix[0], matrix[1], matrix[2]))
    distance = volume.spacing[0] * len(images) / len(native) if volume.spacing else None
    return NativeSlices(native, noise_level(native), typical_signal(native), volume.source, is_volume, distance)


def pseudo_raw(slices: NativeSlices, chosen: int | slice, generator: Generator, augment: bool = False) -> RawScan:
    """Make raw data of one slice, or of a slab of a volume: shading, phase and coils are drawn.

    A slab is cut to a field of view that does not take long to reconstruct.

    Args:
        slices: Native slices.
        chosen: Which of them; several are one 3D scan.
        generator: Source of all randomness.
        augment: Whether orientation, contrast, resolution and field of view are drawn, too.

    Returns:
        Raw multi-coil k-space whose noise is that of the image.
    """
    first = chosen if isinstance(chosen, int) else chosen.start or 0
    if isinstance(chosen, slice):
        images, noise_sd = excited(slices.images[chosen]), slices.noise_sd
    else:
        most = _MOST_PARTITIONS if augment and slices.is_volume else 1
        images, noise_sd = _thick_slice(slices, first, int(torch.randint(1, most + 1, (1,), generator=generator)))
    images, noise_sd = (images / slices.signal).clamp_min(0.0), noise_sd / slices.signal
    if augment:
        images, noise_sd = augmented(images, noise_sd, generator)
    coils = _draw_coils(generator)
    if augment or len(images) > 1:
        images = cut_out(images, _most_pixels(coils, len(images)), generator, augment)
    return _received(images, noise_sd, coils, f"{slices.source}[{first}]", generator)


def _thick_slice(slices: NativeSlices, first: int, partitions: int) -> tuple[Tensor, float]:
    """The mean of some adjacent slices, as a thicker one shows them, and its noise: thick slices are the cleanest."""
    together = slices.images[first : first + partitions]
    return together.mean(0, keepdim=True), slices.noise_sd / sqrt(len(together))


def thick_slices(slices: NativeSlices, thickness: float) -> NativeSlices:
    """Adjacent slices of a volume averaged into thick ones, as a 2D acquisition shows them: with less noise.

    Args:
        slices: Native slices.
        thickness: At most that of a thick slice, mm.

    Returns:
        The thick slices; the same ones where two are not to be had within that, or no distance is known.
    """
    if not slices.distance:
        return slices
    together = min(int(thickness / slices.distance), len(slices.images))
    if together < 2:
        return slices
    starts = range(0, len(slices.images) - together + 1, together)
    thick = torch.cat([_thick_slice(slices, first, together)[0] for first in starts])
    noise_sd, distance = slices.noise_sd / sqrt(together), slices.distance * together
    return NativeSlices(thick, noise_sd, typical_signal(thick), slices.source, distance=distance)


@dataclass(frozen=True)
class PseudoRaw:
    """How stored images become a scan; plain values that a record can keep.

    Attributes:
        seed: All that is drawn follows from it.
        slab: Whether to make a 3D scan of adjacent slices rather than a 2D scan of one.
        augment: Whether orientation, contrast, resolution and field of view are drawn, too.
    """

    seed: int
    slab: bool = False
    augment: bool = False

    def chosen(self, index: int, count: int) -> slice:
        """Which of the slices of a volume to read for slice ``index``."""
        if not self.slab:
            return slice(index, index + 1)
        return slab_around(index, count, Generator().manual_seed(self.seed + 1))

    def scan(self, slices: NativeSlices, source: str) -> RawScan:
        """Raw data of the slices that were chosen."""
        chosen = slice(None) if self.slab else 0
        return replace(pseudo_raw(slices, chosen, Generator().manual_seed(self.seed), self.augment), source=source)


def synthetic_raw(is_3d: bool, generator: Generator) -> RawScan:
    """Make raw data of random anatomy: no noise, exactly known truth, and nothing to learn by heart.

    Args:
        is_3d: Whether it is a slab rather than a slice.
        generator: Source of all randomness.

    Returns:
        Raw multi-coil k-space.
    """
    u = torch.rand(3, generator=generator).tolist()
    coils = _draw_coils(generator)
    slices = 2 * round(8.0 * 2.5 ** u[0]) if is_3d else 1
    side = sqrt(_most_pixels(coils, slices)) * (0.6 + 0.4 * u[1])
    freq, phase = (max(LEAST_MATRIX, 2 * round(0.5 * side * aspect)) for aspect in (1.0, 0.75 + 0.25 * u[2]))
    return _received(random_anatomy((slices, freq, phase), generator), 0.0, coils, SYNTHETIC, generator)


def _received(
    images: Float[Tensor, "slice freq phase"], noise_sd: float, n_coils: int, source: str, generator: Generator
) -> RawScan:
    """What an array receives of images."""
    u = torch.rand(3, generator=generator).tolist()
    matrix = (images.shape[0], images.shape[1], images.shape[2])
    shading = smooth_phase(matrix, 0.25 * u[0], generator).angle().exp()
    # Shading would bend the image's own noise, which counts as white; only a clean image can take it.
    maps = loop_array_maps(n_coils, matrix, generator, shaded=noise_sd == 0.0 and u[1] < 0.5)
    phase = smooth_phase(matrix, 1.2 * u[2], generator)
    signal = max(typical_signal(images), 1e-3 * float(images.amax()), 1e-6)
    return RawScan(to_kspace(maps * (images * shading * phase)), noise_sd, signal, maps, source)


def _draw_coils(generator: Generator) -> int:
    """2 to 4 coils are as likely as 4 to 8."""
    return round(exp(log(MAX_COILS) * float(torch.rand(1, generator=generator))))


def _most_pixels(coils: int, slices: int) -> int:
    """Pixels in plane that a scan may have."""
    is_3d = slices > 1
    return min(_MOST_PIXELS[is_3d], _MOST_SAMPLES[is_3d] // coils) // slices


def _is_thin(spacing: tuple[float, float, float] | None) -> bool:
    return spacing is not None and spacing[0] <= _THIN * max(1.0, *spacing[1:])


def _all_between(tissue: Bool[Tensor, " slice"]) -> slice:
    """From the first slice with tissue to the last: those of a volume have neighbours."""
    found = tissue.nonzero().flatten().tolist()
    return slice(found[0], found[-1] + 1)


def _resized(images: Float[Tensor, "slice freq phase"], matrix: tuple[int, int, int]) -> Tensor:
    """The images of a part of their k-space."""
    return resize_image(images, matrix if matrix[0] != images.shape[0] else matrix[1:]).abs()
