"""Standard and fast protocols of the same anatomy (Jeong et al., 3.7, table 2): does the enhanced fast scan keep up?"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import torch

from lucidmr.context import Enhancement
from lucidmr.errors import LucidError
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.finding import Figure, Finding, Table
from lucidmr.evaluate.plates import magnified_plate
from lucidmr.evaluate.real_pairs import RealComparison, compare_real, find_real_pairs
from lucidmr.evaluate.sharpness import DIRECTIONS, edge_sharpness
from lucidmr.evaluate.specimens import Quality, Specimen, acquire, enhanced, quality, specimens, volume
from lucidmr.physics.image_noise import homogeneous_mask
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.settings import Grappa, Reconstruction
from lucidmr.shapes import Image

TITLE: Final = "Acceleration (3.7)"
_NOISE: Final = 0.02
"""Of one sample of an average, over tissue: an image of a fully sampled scan has it too."""
_CALIBRATION: Final = 24
"""Lines of a block of them, at least; a kernel of four lines needs six per factor to be fitted well."""


@dataclass(frozen=True)
class Arm:
    """One protocol of a pair.

    Attributes:
        phase: Acceleration along phase.
        slice: Acceleration along slice.
        phase_resolution: Share of the full matrix.
        slice_resolution: The same along slice.
        partial_fourier: Along phase; "allowed" leaves the choice to the scanner and counts as none.
        samples: Oversampling and averages: how often what is counted here was measured.
        seconds: Scan time.
    """

    phase: float
    slice: float
    phase_resolution: float
    slice_resolution: float
    partial_fourier: float
    samples: float
    seconds: float


@dataclass(frozen=True)
class Protocols:
    """Standard and fast, and the noise reduction that the paper gave the fast one."""

    name: str
    three_dimensional: bool
    noise_reduction: float
    standard: Arm
    fast: Arm


TABLE_2: Final = (
    Protocols(
        "heart, 2D TRUFI", False, 2.0, Arm(2.0, 1.0, 0.7, 1.0, 1.0, 1.8, 12.0), Arm(3.0, 1.0, 0.8, 1.0, 1.0, 2.0, 9.0)
    ),
    Protocols(
        "lumbosacral plexus, 3D SPACE",
        True,
        3.0,
        Arm(2.0, 1.0, 0.8, 0.5, 1.0, 1.5 * 1.273, 369.0),
        Arm(6.0, 1.0, 1.0, 0.5, 1.0, 1.5 * 1.273, 219.0),
    ),
    Protocols(
        "knee, 3D SPACE",
        True,
        2.0,
        Arm(1.0, 3.0, 0.85, 0.75, 1.0, 1.2, 321.0),
        Arm(2.0, 3.0, 0.95, 0.83, 1.0, 1.1, 185.0),
    ),
    Protocols(
        "brain DWI, 2D EPI",
        False,
        3.0,
        Arm(2.0, 1.0, 1.0, 1.0, 0.75, 2.0, 52.0),
        Arm(3.0, 1.0, 1.0, 1.0, 0.875, 1.0, 32.0),
    ),
)


@dataclass(frozen=True)
class Compared:
    """The three images of one anatomy under one pair of protocols, on the grid of the enhanced one.

    Attributes:
        protocols: Which.
        specimen: Name of the anatomy.
        quality: Closeness of the standard, fast and enhanced fast image to the truth.
        noise: Error in homogeneous tissue of the three, relative to its signal.
        sharpness: Edge sharpness of the enhanced fast image over the standard one along (freq, phase).
        images: The three and the truth.
    """

    protocols: Protocols
    specimen: str
    quality: tuple[Quality, Quality, Quality]
    noise: tuple[float, float, float]
    sharpness: tuple[float, float]
    images: tuple[Image, Image, Image, Image]


def acceleration(bench: Bench) -> Finding:
    """Simulate both protocols of each pair on the same anatomy and enhance the fast one.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    planes, notes = specimens(bench, 1 if bench.quick else 4)
    solid = volume(bench)
    compared = [
        _compare(bench, protocols, one, number)
        for protocols in TABLE_2
        for number, one in enumerate([solid] if protocols.three_dimensional else planes)
    ]
    real, more = _real(bench)
    kept_up = sum(one.quality[2].psnr >= one.quality[0].psnr for one in compared)
    quieter = sum(one.noise[2] <= one.noise[0] for one in compared)
    return Finding(
        "acceleration",
        TITLE,
        f"Of {len(compared)} enhanced fast scans {kept_up} are at least as close to the truth (PSNR) as the standard "
        f"scan, and {quieter} at least as quiet.",
        (_table(compared), *((_real_table(real),) if real else ())),
        (*(_figure(one) for one in _one_of_each(compared)), *(_real_figure(one) for one in real)),
        {f"{one.protocols.name}, {one.specimen}": _values(one) for one in compared}
        | {one.pair.name: {"noise": one.noise, "sharpness": one.sharpness} for one in real},
        (
            *notes,
            *more,
            "contrast and its decay along echo trains are not simulated: both protocols show the same signal",
        ),
    )


def _real(bench: Bench) -> tuple[list[RealComparison], list[str]]:
    """Really acquired pairs, and why there are none or no more of them."""
    found: list[RealComparison] = []
    notes: list[str] = []
    pairs = find_real_pairs(bench.series)
    for pair in pairs:
        try:
            found.append(compare_real(bench, pair))
        except (LucidError, ValueError) as error:
            notes.append(str(error))
    if not pairs:
        notes.append("no two series of the data show one plane in one contrast with different scan times")
    return found, notes


def _compare(bench: Bench, protocols: Protocols, specimen: Specimen, number: int) -> Compared:
    generator = bench.generator(f"{protocols.name} {number}")
    seeds = torch.randint(2**31 - 2, (2,), generator=generator).tolist()
    how = _reconstruction(specimen)
    standard, fast = (
        acquire(specimen, sampling(specimen, arm), how, _NOISE / sqrt(arm.samples), seed, specimen.full)
        for arm, seed in zip((protocols.standard, protocols.fast), seeds, strict=True)
    )
    name = f"fast-{TABLE_2.index(protocols)}-{number}"
    series = enhanced(bench, fast, name, Enhancement(protocols.noise_reduction))
    index = len(series) // 2
    one = slice(index, index + 1)
    truth, usual = (series.interpolated(images[one])[0] for images in (standard.truth, standard.images))
    images = usual, torch.from_numpy(series.original(index)), torch.from_numpy(series.image(index))
    flat = homogeneous_mask(truth)
    level = float(truth[flat].mean())
    errors = [float((image - truth)[flat].std()) / level for image in images]
    scores = [quality(image, truth) for image in images]
    sharp = [
        edge_sharpness(usual, images[2], direction, generator, pixels / samples).sharpness.value
        for direction, pixels, samples in zip(
            DIRECTIONS, series.standardization.grid, specimen.scan.matrix[1:], strict=True
        )
    ]
    return Compared(
        protocols,
        specimen.name,
        (scores[0], scores[1], scores[2]),
        (errors[0], errors[1], errors[2]),
        (sharp[0], sharp[1]),
        (*images, truth),
    )


def sampling(specimen: Specimen, arm: Arm) -> Sampling:
    """What a protocol samples of a specimen."""
    n_slice, n_freq, n_phase = specimen.scan.matrix
    phase = AxisSampling(max(2, 2 * round(0.5 * n_phase * arm.phase_resolution)), arm.partial_fourier)
    partitions = 1 if n_slice == 1 else 2 * round(0.5 * n_slice * arm.slice_resolution)
    pattern = UniformUndersampling(
        arm.phase,
        arm.slice,
        shift=1 if arm.slice > 1 and arm.phase > 1 else 0,
        calibration=(min(_CALIBRATION, partitions), min(max(_CALIBRATION, round(6 * arm.phase)), phase.width)),
    )
    return Sampling(AxisSampling(n_freq), phase, AxisSampling(partitions), undersampling=pattern)


def _reconstruction(specimen: Specimen) -> Reconstruction:
    """GRAPPA, root sum of squares, a mild filter; in 3D with partitions as neighbours, too."""
    n_slice, n_freq, n_phase = specimen.scan.matrix
    kernel = (3, 5, 4) if n_slice > 1 else (1, 5, 4)
    return Reconstruction((n_slice, n_freq, n_phase), Grappa(kernel), window="tukey", window_strength=0.3)


def _table(compared: list[Compared]) -> Table:
    heads = (
        *("protocols", "anatomy", "scan time, s", "noise reduction"),
        *("PSNR standard, dB", "fast", "fast enhanced", "SSIM standard", "fast ", "fast enhanced "),
        *("noise standard, %", "fast  ", "fast enhanced  ", "sharpness freq", "phase"),
    )
    rows = []
    for one in compared:
        arms = one.protocols
        rows.append(
            (
                *(arms.name, one.specimen, f"{arms.standard.seconds:g} to {arms.fast.seconds:g}"),
                arms.noise_reduction,
                *(round(found.psnr, 1) for found in one.quality),
                *(round(found.ssim, 3) for found in one.quality),
                *(round(100 * noise, 2) for noise in one.noise),
                *(round(value, 2) if value == value else None for value in one.sharpness),
            )
        )
    return Table("Standard, fast and enhanced fast against the truth", heads, tuple(rows))


def _values(one: Compared) -> dict[str, list[float]]:
    """In the order standard, fast, enhanced fast."""
    return {
        "psnr": [found.psnr for found in one.quality],
        "ssim": [found.ssim for found in one.quality],
        "noise": list(one.noise),
    }


def _one_of_each(compared: list[Compared]) -> list[Compared]:
    return list({one.protocols.name: one for one in reversed(compared)}.values())[::-1]


def _figure(one: Compared) -> Figure:
    labels = ("standard", "fast", "fast, enhanced", "truth")
    times = f"{one.protocols.standard.seconds:g} s and {one.protocols.fast.seconds:g} s"
    caption = f"Simulated on {one.specimen}; the protocols take {times}."
    return magnified_plate(one.protocols.name, caption, list(zip(labels, one.images, strict=True)))


def _real_table(real: list[RealComparison]) -> Table:
    heads = (
        *("standard, fast", "scan time", "noise reduction", "gain freq", "gain phase"),
        *("noise standard, %", "fast", "fast enhanced", "edges fast", "edges fast enhanced"),
        *("difference fast, %", "difference fast enhanced, %"),
    )
    rows = tuple(
        (
            *(one.pair.name, f"{one.pair.time:.0%}"),
            *(round(value, 2) for value in (one.asked.noise_reduction, one.asked.gain_freq, one.asked.gain_phase)),
            *(round(100 * noise, 2) for noise in one.noise),
            *(round(value, 2) if value == value else None for value in one.sharpness),
            *(round(100 * apart, 1) for apart in one.difference),
        )
        for one in real
    )
    return Table("Really acquired pairs; edges and differences against the standard scan", heads, rows)


def _real_figure(one: RealComparison) -> Figure:
    labels = ("standard", "fast", "fast, enhanced")
    caption = f"Really acquired; the fast scan took {one.pair.time:.0%} of the time."
    return magnified_plate(one.pair.name, caption, list(zip(labels, one.images, strict=True)))
