"""The eight settings of table 1 (Jeong et al., 3.5), simulated from one raw scan, each against its truth."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import torch

from lucidmr.context import Enhancement
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.finding import Figure, Finding, Table
from lucidmr.evaluate.plates import magnified_plate
from lucidmr.evaluate.specimens import Quality, Specimen, acquire, enhanced, quality, volume
from lucidmr.physics.gradients import draw_gradient_coil
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.reconstruct.distortion import DistortionCorrection
from lucidmr.reconstruct.settings import CompressedSensing, Reconstruction, Sense
from lucidmr.shapes import Image

TITLE: Final = "Protocols (3.5)"
_NOISE: Final = 0.015
"""Of one sample at the bandwidth of the first setting, over tissue."""
_BANDWIDTH: Final = 754.8
_CALIBRATION: Final = (12, 24)
_CALIBRATION_CS: Final = (4, 10)
"""Parts of the (slice, phase) lines that a block of calibration is: few, as a factor of 8 leaves few in all."""


@dataclass(frozen=True)
class Setting:
    """One column of table 1.

    Attributes:
        name: Its head.
        noise_reduction: What the paper asked for.
        random: Factor of compressed sensing; 1 is SENSE 2.5 x 2.
        elliptical: Whether the corners are left out.
        voxel: In-plane voxel along (freq, phase) over that of the first setting.
        bandwidth: Hz per pixel.
        interpolation: In plane.
        body_tuned: Normalization by the image instead of a reference scan.
        distortion: Whether distortion is corrected, in 3D.
        real: Whether the real part is shown.
        seconds: Scan time.
    """

    name: str
    noise_reduction: float = 4.0
    random: float = 1.0
    elliptical: bool = False
    voxel: tuple[float, float] = (1.0, 1.0)
    bandwidth: float = _BANDWIDTH
    interpolation: float = 2.0
    body_tuned: bool = False
    distortion: bool = True
    real: bool = False
    seconds: float = 240.0


TABLE_1: Final = (
    Setting("SENSE"),
    Setting("CS elliptical", 5.0, 8.0, elliptical=True, seconds=182.0),
    Setting("k_max bandwidth", 5.0, 7.0, voxel=(0.8 / 0.6, 0.9 / 0.7), bandwidth=951.3, seconds=115.0),
    Setting("k_max bandwidth, lower", 5.0, 8.0, voxel=(1.0 / 0.6, 1.2 / 0.7), bandwidth=1291.3, seconds=67.0),
    Setting("no interpolation", interpolation=1.0),
    Setting("intensity body tuned", body_tuned=True),
    Setting("no distortion correction", distortion=False),
    Setting("PSIR", real=True),
)


@dataclass(frozen=True)
class Judged:
    """One setting before and after, on the grid of the enhanced image.

    Attributes:
        setting: Which.
        before: Closeness to the truth of what the scanner stored.
        after: The same enhanced.
        noise_reduction: Measured in homogeneous tissue; ``None`` where the image shows no noise.
        images: Before, after, truth.
    """

    setting: Setting
    before: Quality
    after: Quality
    noise_reduction: float | None
    images: tuple[Image, Image, Image]


def protocols(bench: Bench) -> Finding:
    """Acquire one volume by eight settings and enhance each.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    specimen = volume(bench)
    judged = [_judge(bench, specimen, setting, number) for number, setting in enumerate(TABLE_1)]
    closer = sum(one.after.psnr > one.before.psnr for one in judged)
    return Finding(
        "protocols",
        TITLE,
        f"{closer} of {len(judged)} settings come closer to the truth (PSNR), simulated from {specimen.name}.",
        (_table(judged),),
        tuple(_figure(judged[first : first + 2]) for first in range(0, len(judged), 2)),
        {one.setting.name: _values(one) for one in judged},
        (
            "echo trains and contrast are not simulated; bandwidth acts through the noise alone",
            f"compressed sensing of {specimen.scan.matrix[0]} partitions has few lines: factors of 7 and 8 cost more "
            "here than on whole-head scans",
        ),
    )


def _judge(bench: Bench, specimen: Specimen, setting: Setting, number: int) -> Judged:
    given = sampling(specimen, setting, bench.seed)
    how = reconstruction(bench, specimen, setting)
    # Noise grows with the whole receiver bandwidth: that of a pixel times their number.
    noise = _NOISE * sqrt(setting.bandwidth / _BANDWIDTH / setting.voxel[0])
    simulation = acquire(specimen, given, how, noise, bench.seed + number)
    series = enhanced(bench, simulation, f"protocol-{number}", Enhancement(setting.noise_reduction))
    index = len(series) // 2
    truth = series.interpolated(simulation.truth[index][None])[0]
    before, after = torch.from_numpy(series.original(index)), torch.from_numpy(series.image(index))
    measured = series.measured
    reached = None if measured is None else measured.homogeneous
    return Judged(setting, quality(before, truth), quality(after, truth), reached, (before, after, truth))


def sampling(specimen: Specimen, setting: Setting, seed: int) -> Sampling:
    """What a setting samples of a specimen."""
    n_slice, n_freq, n_phase = specimen.scan.matrix
    freq, phase = (2 * round(0.5 * n / size) for n, size in zip((n_freq, n_phase), setting.voxel, strict=True))
    whole = Sampling(AxisSampling(freq), AxisSampling(phase), AxisSampling(n_slice), float(setting.elliptical))
    if setting.random > 1.0:
        block = (max(1, n_slice // _CALIBRATION_CS[0]), phase // _CALIBRATION_CS[1])
        return replace(whole, undersampling=RandomUndersampling(setting.random, block, seed=seed))
    return replace(whole, undersampling=UniformUndersampling(2.5, 2.0, calibration=_CALIBRATION))


def reconstruction(bench: Bench, specimen: Specimen, setting: Setting) -> Reconstruction:
    """How a setting is reconstructed; the coils and their place in the bore are the same for all."""
    n_slice, n_freq, n_phase = specimen.scan.matrix
    zoom = setting.interpolation
    extents = [n * step for n, step in zip(specimen.scan.matrix, specimen.spacing, strict=True)]
    coil = draw_gradient_coil(bench.generator("gradient coil"))
    corrected = DistortionCorrection(coil, (extents[0], extents[1], extents[2]), (0.0, 20.0, 30.0), dimensions=3)
    return Reconstruction(
        # Partitions are interpolated by two on the scanner; the network's own slices are these.
        (2 * n_slice, round(zoom * n_freq), round(zoom * n_phase)),
        CompressedSensing(iterations=20) if setting.random > 1.0 else Sense(),
        "known",
        window="tukey",
        window_strength=0.2,
        component="real" if setting.real else "magnitude",
        normalization="image_based" if setting.body_tuned else "prescan",
        normalization_strength=1.0,
        distortion=corrected if setting.distortion else None,
    )


def _table(judged: list[Judged]) -> Table:
    heads = ("setting", "scan time, s", "noise reduction", "measured", "PSNR before, dB", "after", "gain")
    more = ("SSIM before", "after ", "NRMSE before", "after  ")
    rows = []
    for one in judged:
        before, after, wanted = one.before, one.after, one.setting.noise_reduction
        reached = None if one.noise_reduction is None else round(one.noise_reduction, 2)
        scores = (before.psnr, after.psnr, after.psnr - before.psnr)
        others = (before.ssim, after.ssim, before.nrmse, after.nrmse)
        head = (one.setting.name, one.setting.seconds, wanted, reached)
        rows.append((*head, *(round(score, 2) for score in scores), *(round(score, 4) for score in others)))
    return Table("Eight settings against the truth", heads + more, tuple(rows))


def _values(one: Judged) -> dict[str, float | None]:
    before, after = one.before, one.after
    return {
        "noise_reduction": one.noise_reduction,
        "psnr_before": before.psnr,
        "psnr_after": after.psnr,
        "ssim_before": before.ssim,
        "ssim_after": after.ssim,
    }


def _figure(judged: list[Judged]) -> Figure:
    images = [
        (f"{one.setting.name}{label}", image)
        for one in judged
        for label, image in zip(("", ", enhanced"), one.images[:2], strict=True)
    ]
    side = min(image.shape[0] for _, image in images), min(image.shape[1] for _, image in images)
    shown = [(label, image[: side[0], : side[1]]) for label, image in images]
    title = " and ".join(one.setting.name for one in judged)
    return magnified_plate(title, "Each setting as the scanner stores it and enhanced.", shown)
