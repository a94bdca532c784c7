"""`lucidmr demo`: a phantom scan from closed-form k-space to enhanced DICOM, without any data.

The scan is a plausible 2D protocol: 256 x 192 samples, partial Fourier 6/8 along phase, four coils, noise, a mild
anti-ringing filter, zero-filled to 320 x 320. One slice is a resolution phantom, the others look like anatomy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lucidmr.context import Enhancement
from lucidmr.degrade.apply import acquire
from lucidmr.device import DeviceName
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.geometry import Geometry
from lucidmr.dicom.series import read_series
from lucidmr.drawing.pictures import auto_window, difference_png, grey_png, panels
from lucidmr.enhance.pipeline import EnhancedSeries, enhance, middle_image
from lucidmr.evaluate.report import write_report
from lucidmr.evaluate.summary import report_data
from lucidmr.physics.analytic import Shape, kspace
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, resolution_phantom
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.chain import reconstruct
from lucidmr.reconstruct.settings import Reconstruction

_MATRIX: Final = (256, 192)
_PIXELS: Final = 320
_FIELD_OF_VIEW_MM: Final = 224.0
_NOISE: Final = 0.05
_ENHANCEMENT: Final = Enhancement(noise_reduction=2.0, gain_freq=1.5, gain_phase=1.5)
_SEED: Final = 20


def make_demo(folder: Path, device: DeviceName, overwrite: bool) -> Iterator[str]:
    """Simulate, write DICOM, enhance, write DICOM, pictures and a report.

    Args:
        folder: Where everything goes.
        device: Where to compute.
        overwrite: Replace an earlier demo.

    Yields:
        A line after every step.

    Raises:
        LucidError: The folder cannot be used.
    """
    slices = (anatomy_phantom(-0.3), anatomy_phantom(0.0), resolution_phantom(), anatomy_phantom(0.3))
    source = folder / "original"
    step = _FIELD_OF_VIEW_MM / _PIXELS
    protocol = Protocol(
        plane=Geometry(
            (-_FIELD_OF_VIEW_MM / 2, -_FIELD_OF_VIEW_MM / 2, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (step, step)
        ),
        matrix=_MATRIX,
        partial_fourier=True,
    )
    create_series(
        (simulate_slice(shapes, _SEED + index) for index, shapes in enumerate(slices)), source, protocol, overwrite
    )
    yield f"simulated: {len(slices)} slices as DICOM, {source}"
    enhanced = enhance(read_series(source).series[0], _ENHANCEMENT, device=device)
    enhanced.save(folder / "enhanced", overwrite)
    yield f"enhanced: noise reduction 2, gain 1.5, partial Fourier restored, {folder / 'enhanced'}"
    _write_pictures(enhanced, folder)
    write_report(report_data([enhanced]), folder / "report.html")
    measured = enhanced.measured
    if measured is not None:
        yield f"noise reduction measured: {measured.homogeneous:.2f} in homogeneous tissue, {measured.body:.2f} overall"
    yield f"look at {folder / 'report.html'} and the PNG files in {folder}"


def simulate_slice(shapes: tuple[Shape, ...], seed: int) -> NDArray[np.float32]:
    """One slice of the demo's scan: magnitude image of 12-bit integers, rows along phase encoding's column index.

    Args:
        shapes: The object.
        seed: Of coils, phase and noise.

    Returns:
        (row, column) image.
    """
    generator = torch.Generator().manual_seed(seed)
    # The object's own phase and the coils are smooth: multiplied in on a grid twice as fine, they leave k-space exact.
    side = 2 * _MATRIX[0]
    fine = (1, side, side)
    maps = loop_array_maps(4, fine, generator)
    phase = smooth_phase(fine, 0.6, generator)
    coils = to_kspace(maps * phase * to_image(kspace(shapes, side, side), IN_PLANE))
    noisy = coils + complex_noise(tuple(coils.shape), _NOISE * side / 256, generator)
    sampling = Sampling(AxisSampling(_MATRIX[0]), AxisSampling(_MATRIX[1], 0.75))
    how = Reconstruction((1, _PIXELS, _PIXELS), window="tukey", window_strength=0.3, headroom=1.1)
    image = reconstruct(acquire(noisy, sampling), how, top=1.6)[0]
    return (image * (4095 / 1.8)).round().numpy()


def _write_pictures(enhanced: EnhancedSeries, folder: Path) -> None:
    """Before, after and difference of the resolution phantom as PNG files."""
    index = middle_image(len(enhanced))
    before, after = (torch.from_numpy(found) for found in (enhanced.original(index), enhanced.image(index)))
    window = auto_window(before)
    limit = 0.15 * float(before.quantile(0.99))
    pictures = {
        "before": grey_png(before, window),
        "after": grey_png(after, window),
        "difference": difference_png(after - before, limit),
    }
    for name, data in pictures.items():
        (folder / f"{name}.png").write_bytes(data)
    (folder / "before-after-difference.png").write_bytes(panels(list(pictures.items())))
