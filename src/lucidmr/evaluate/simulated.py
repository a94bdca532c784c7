"""Series and scans whose truth is known: phantoms, and simulated images as the DICOM series a scanner would write."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.context import Acquisition
from lucidmr.degrade.apply import acquire
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.dicom.storage import PixelFormat
from lucidmr.pairs.describe import acquisition_of
from lucidmr.physics.analytic import Ellipsoid, Rectangle, Shape, kspace, kspace_3d
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, resize_kspace, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.chain import reconstruct
from lucidmr.reconstruct.settings import Reconstruction

HEADER_FRACTION: Final = 0.75
"""The partial Fourier fraction that a standard header, which only flags it, is understood to mean."""
_SIXTEEN_BITS: Final = PixelFormat(16, 16, False)
_COILS: Final = 4
_FINER: Final = 1.5
"""Grid on which coils and phase are multiplied in, over the matrix: k-space is all but exact then."""


def simulated_series(
    images: Float[Tensor, "slice freq phase"],
    acquisition: Acquisition,
    spacing: tuple[float, float, float],
    folder: Path,
) -> ImageSeries:
    """Write images as a DICOM series whose header tells how they were acquired, and read it.

    Args:
        images: Real images, on the grid that the scanner would store.
        acquisition: What the header says. Partial Fourier is told along phase alone, where standard headers flag it
            without its fraction: it is understood as :data:`HEADER_FRACTION`. An unknown matrix is the stored one.
        spacing: Distance of pixels along slice, freq and phase, mm.
        folder: Where the files go; it must not exist yet.

    Returns:
        The series.
    """
    matrix, partial = acquisition.matrix, acquisition.partial_fourier
    low, high = float(images.min()), float(images.max())
    protocol = Protocol(
        identity=folder.name,
        description=folder.name,
        plane=Geometry((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), spacing[1:]),
        slice_thickness=spacing[0],
        slice_spacing=spacing[0],
        three_dimensional=bool(acquisition.three_dimensional),
        matrix=(round(matrix.freq or images.shape[1]), round(matrix.phase or images.shape[2])),
        slices_encoded=None if matrix.slice is None else round(matrix.slice),
        partial_fourier=(partial.phase or 1.0) < 1.0,
        acceleration=acquisition.acceleration_phase or 1.0,
        acceleration_slice=acquisition.acceleration_slice or 1.0,
        random=acquisition.acceleration_random or 1.0,
        elliptical=acquisition.elliptical,
        format=_SIXTEEN_BITS,
        slope=max(high - low, 1e-6) / _SIXTEEN_BITS.range[1],
        intercept=low,
    )
    create_series((image.numpy() for image in images.cpu()), folder, protocol)
    return read_series(folder).series[0]


def blocks_phantom() -> tuple[Shape, ...]:
    """25 blocks on a square, all turned by 3 degrees, so that edges lie at all sub-pixel positions.

    Returns:
        The shapes; signal 1 in the blocks, 0.5 in the square.
    """
    pitch, half, turn = 0.17, 0.045, 0.05
    ground = Rectangle((0.0, 0.0), (0.46, 0.46), turn, intensity=0.5)
    places = product((-2, -1, 0, 1, 2), repeat=2)
    blocks = (Rectangle((pitch * row, pitch * column), (half, half), turn, intensity=0.5) for row, column in places)
    return ground, *blocks


def phantom_scan(shapes: tuple[Shape, ...], matrix: tuple[int, int], noise_sd: float, seed: int) -> RawScan:
    """Raw data of a slice through a phantom, from its closed-form k-space.

    Args:
        shapes: The object; signals of about 1.
        matrix: (freq, phase) samples.
        noise_sd: Of the noise per sample.
        seed: Of coils, phase and noise.

    Returns:
        A fully sampled scan of four coils.
    """
    return _received(_fine_image(shapes, round(_FINER * max(matrix))), (1, *matrix), noise_sd, seed)


@lru_cache(maxsize=4)
def _fine_image(shapes: tuple[Shape, ...], side: int) -> Complex[Tensor, "1 freq phase"]:
    """On a grid of so many pixels; kept, as the same object is often acquired again."""
    return to_image(kspace(shapes, side, side), IN_PLANE)[None]


def phantom_scan_3d(solids: Sequence[Ellipsoid], matrix: tuple[int, int, int], noise_sd: float, seed: int) -> RawScan:
    """Raw data of a solid phantom; as :func:`phantom_scan`, with (slice, freq, phase) samples."""
    fine = tuple(round(_FINER * n) for n in matrix)
    return _received(to_image(kspace_3d(solids, (fine[0], fine[1], fine[2]))), matrix, noise_sd, seed)


def _received(fine: Tensor, matrix: tuple[int, int, int], noise_sd: float, seed: int) -> RawScan:
    """What four coils receive."""
    generator = torch.Generator().manual_seed(seed)
    grid = (fine.shape[0], fine.shape[1], fine.shape[2])
    maps = loop_array_maps(_COILS, grid, generator)
    phase = smooth_phase(grid, 0.6, generator)
    samples = resize_kspace(to_kspace(maps * (phase * fine)), matrix)
    noise = complex_noise(tuple(samples.shape), noise_sd, generator)
    return RawScan(samples + noise, noise_sd, 1.0, source=f"phantom {' x '.join(map(str, matrix))}")


def phantom_series(scans: Sequence[RawScan], folder: Path, partial: bool = False) -> ImageSeries:
    """Reconstruct scans, 2D slices or one volume, as a scanner would, into a DICOM series.

    Args:
        scans: Fully sampled scans of one matrix.
        folder: Where the files go; its name becomes the series' description.
        partial: Whether phase is cut to partial Fourier.

    Returns:
        The series, interpolated to square pixels.
    """
    n_slice, n_freq, n_phase = scans[0].matrix
    phase = AxisSampling(n_phase, HEADER_FRACTION if partial else 1.0)
    sampling = Sampling(AxisSampling(n_freq), phase, AxisSampling(n_slice))
    how = Reconstruction((n_slice, n_freq, n_freq), window="tukey", window_strength=0.3)
    images = torch.cat([reconstruct(acquire(scan.kspace, sampling), how) for scan in scans])
    step = 224.0 / n_freq
    thickness = 224.0 / n_slice if n_slice > 1 else 5.0
    return simulated_series(images, acquisition_of(sampling), (thickness, step, step), folder)
