"""Anatomy whose truth is known: real scans that are clean enough and phantoms, acquired anew by any protocol.

What a specimen's own noise is counts as anatomy: it is in the truth. So thin slices are averaged into thick ones,
specimens that are noisier than a few percent of tissue are passed over, and the floor that noise gave the others is
taken off.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, sqrt
from operator import itemgetter
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.context import Acquisition, Enhancement, encode
from lucidmr.degrade.draw import Degradation
from lucidmr.dicom.series import ImageSeries
from lucidmr.dicom.values import text
from lucidmr.enhance.noise import measure_noise
from lucidmr.enhance.pipeline import EnhancedSeries
from lucidmr.evaluate.bench import Bench, middle
from lucidmr.evaluate.fidelity import nrmse, psnr, ssim
from lucidmr.evaluate.simulated import simulated_series
from lucidmr.evaluate.truths import THICK_MM, without_floor
from lucidmr.pairs.describe import acquisition_of
from lucidmr.pairs.response import ideal_response
from lucidmr.pairs.simulate import reconstruct_pair
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, resize_image, to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom, anatomy_phantom_3d, kspace, kspace_3d
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.spectrum import typical_signal
from lucidmr.raw.pseudo import NativeSlices, native_slices, thick_slices
from lucidmr.raw.scan import RawScan
from lucidmr.raw.volume import Volume
from lucidmr.reconstruct.combine import root_sum_of_squares
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.shapes import Image

_CLEAN: Final = 0.03
"""Most noise of a specimen, relative to tissue: the least that is added."""
_COILS: Final = 8
_COILS_3D: Final = 12
_FIELD_OF_VIEW_MM: Final = 220.0
_PARTITIONS: Final = 32
_MOST_IN_PLANE: Final = 128
"""Samples of a volume along freq and phase: correcting the distortion of more takes minutes per protocol."""


@dataclass(frozen=True)
class Specimen:
    """Something to acquire.

    Attributes:
        name: For tables.
        scan: Fully sampled k-space.
        spacing: Distance of its pixels along slice, freq and phase, mm.
    """

    name: str
    scan: RawScan
    spacing: tuple[float, float, float]

    @property
    def full(self) -> Sampling:
        """Every sample of it."""
        n_slice, n_freq, n_phase = self.scan.matrix
        return Sampling(AxisSampling(n_freq), AxisSampling(n_phase), AxisSampling(n_slice))


@dataclass(frozen=True)
class Simulation:
    """What a scanner stores of a specimen, and what it should have been.

    Attributes:
        images: (slice, freq, phase) as stored.
        truth: The same without noise and under the wanted sampling.
        acquisition: What the header tells.
        spacing: Distance of pixels along slice, freq and phase, mm.
    """

    images: Float[Tensor, "slice freq phase"]
    truth: Float[Tensor, "slice freq phase"]
    acquisition: Acquisition
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class Quality:
    """Closeness of an image to the truth."""

    psnr: float
    ssim: float
    nrmse: float


def specimens(bench: Bench, count: int) -> tuple[list[Specimen], list[str]]:
    """Slices to acquire in 2D, one per series or scan of the data; phantoms where there is none.

    Args:
        bench: Data and settings.
        count: How many at most.

    Returns:
        The specimens, and what was passed over and why.
    """
    found: list[Specimen] = []
    notes: list[str] = []
    for name, slices, noise_sd, spacing in _measured(bench):
        image = slices.images[len(slices.images) // 2][None]
        if _is_clean(image, slices.signal, name, notes):
            dark = without_floor(image, noise_sd) / slices.signal
            found.append(Specimen(name, received(dark, _COILS, bench.generator(name), name), spacing))
    planes = (scan for scan in bench.scans if scan.matrix[0] == 1 and scan.sampling is None)
    clean = (scan for scan in planes if _is_clean(_seen_by_all(scan), scan.signal, scan.source, notes))
    found += [Specimen(scan.source, scan, _spacing(scan.matrix)) for scan in clean]
    return (_spread(found, count) if found else _phantoms(bench, count)), notes


def _is_clean(image: Image, signal: float, name: str, notes: list[str]) -> bool:
    """Whether the noise of an image is faint enough to count as anatomy; where not, that is noted."""
    share = measure_noise(image).sd / signal
    if share > _CLEAN:
        notes.append(f"{name}: too noisy to be a truth ({share:.1%} of tissue)")
    return share <= _CLEAN


def _seen_by_all(scan: RawScan) -> Image:
    """What the coils of a scan see together."""
    return root_sum_of_squares(to_image(scan.kspace)).real


def volume(bench: Bench) -> Specimen:
    """A volume to acquire in 3D: the cleanest of the data that is clean enough, or a phantom."""
    found = list[tuple[float, str, NativeSlices]]()
    for name, series in bench.series.items():
        if bench.quick or not _is_3d(series) or series.depth < _PARTITIONS:
            continue
        slices = native_slices(_volume_of(series, list(series.stacks[0])))
        if slices is not None:
            some = replace(slices, images=slices.images[middle(len(slices.images), _PARTITIONS)])
            found.append((measure_noise(_coarse(some.images)).sd / some.signal, name, some))
    if not found or (cleanest := min(found, key=itemgetter(0)))[0] > _CLEAN:
        return phantom_volume(bench)
    _, name, slices = cleanest
    images = _coarse(without_floor(slices.images, slices.noise_sd)) / slices.signal
    spacing = _spacing_of(bench.series[name], (images.shape[1], images.shape[2]))
    return Specimen(name, received(images, _COILS_3D, bench.generator(name), name), spacing)


def phantom_volume(bench: Bench) -> Specimen:
    """The anatomy-like phantom as a volume."""
    matrix = (12, 64, 48) if bench.quick else (_PARTITIONS, _MOST_IN_PLANE, 112)
    image = to_image(kspace_3d(anatomy_phantom_3d(), matrix)).real
    scan = received(image, _COILS if bench.quick else _COILS_3D, bench.generator("phantom 3D"), "phantom 3D")
    return Specimen("phantom 3D", scan, _spacing(matrix))


def received(
    image: Float[Tensor, "slice freq phase"], coils: int, generator: torch.Generator, source: str, phase: float = 0.6
) -> RawScan:
    """What an array receives of an image; noise-free.

    Args:
        image: Tissue of about 1.
        coils: How many.
        generator: Of coils and phase.
        source: Name.
        phase: Standard deviation of the smooth phase, radians.

    Returns:
        The scan, its sensitivities known.
    """
    matrix = (image.shape[0], image.shape[1], image.shape[2])
    maps = loop_array_maps(coils, matrix, generator, shaded=True)
    kspace_ = to_kspace(maps * (image * smooth_phase(matrix, phase, generator)))
    return RawScan(kspace_, 0.0, typical_signal(image), maps, source)


def acquire(
    specimen: Specimen, given: Sampling, how: Reconstruction, noise: float, seed: int, wanted: Sampling | None = None
) -> Simulation:
    """Acquire a specimen by a protocol and reconstruct it as a scanner does.

    Args:
        specimen: What is scanned.
        given: What is sampled.
        how: How it is reconstructed.
        noise: Standard deviation of the noise per sample of the specimen's k-space, over its tissue signal.
        seed: Of the noise.
        wanted: Sampling of the truth; that of the image, without undersampling, unless given.

    Returns:
        Image and truth.
    """
    target = wanted or given.unaccelerated
    drawn = Degradation(target, given, 0.0, inf, seed)
    relative = noise * sqrt(ideal_response(specimen.scan.matrix, drawn, how).variance)
    return simulate(specimen, replace(drawn, noise=relative), how)


def simulate(specimen: Specimen, drawn: Degradation, how: Reconstruction) -> Simulation:
    """Acquire a specimen as :func:`acquire` does, by a degradation as it is drawn for training."""
    # Its own noise counts as anatomy, and an infinite factor leaves the truth no other.
    scan = replace(specimen.scan, noise_sd=0.0)
    pair = reconstruct_pair(scan, replace(drawn, noise_reduction=inf), how, "low_variance")
    steps = [step * old / new for step, old, new in zip(specimen.spacing, scan.matrix, how.matrix, strict=True)]
    return Simulation(pair.input, pair.target, acquisition_of(drawn.input), (steps[0], steps[1], steps[2]))


def enhanced(bench: Bench, simulation: Simulation, name: str, wanted: Enhancement) -> EnhancedSeries:
    """Write what the scanner stored as DICOM and enhance it.

    The network is told of the acquisition what complete headers would tell, partial Fourier fractions included.

    Args:
        bench: The network.
        simulation: What was acquired.
        name: Of the series; used once.
        wanted: What is asked for.

    Returns:
        The enhanced series.
    """
    series = simulated_series(simulation.images, simulation.acquisition, simulation.spacing, bench.folder / name)
    found = bench.enhance(series, wanted)
    depth = series.depth if found.model.network.settings.slices > 1 else 1
    asked = wanted if depth > 1 else replace(wanted, gain_slice=1.0)
    context = encode(simulation.acquisition, asked, (*found.standardization.grid, depth))
    return replace(found, acquisition=simulation.acquisition, context=context)


def quality(image: Image, truth: Image) -> Quality:
    """Closeness of an image to the truth on the same grid."""
    return Quality(psnr(image, truth), ssim(image, truth), nrmse(image, truth))


def _measured(bench: Bench) -> Iterator[tuple[str, NativeSlices, float, tuple[float, float, float]]]:
    """The middle images of every series on the matrix that was acquired, those of a volume as a thick slice.

    Yields:
        Name, slices, the noise of what thick ones were averaged from, and their spacing.
    """
    for name, series in bench.series.items():
        stack, distance = series.stacks[0], _distance(series)
        count = max(3, int(THICK_MM / distance)) if distance else 3
        slices = native_slices(_volume_of(series, [stack[index] for index in middle(len(stack), count)]))
        if slices is not None and text(series.headers[0], "Manufacturer") != "Lucid MR":
            n_freq, n_phase = slices.images.shape[-2:]
            thick = thick_slices(replace(slices, distance=distance), THICK_MM)
            yield name, thick, slices.noise_sd, _spacing_of(series, (n_freq, n_phase))


def _distance(series: ImageSeries) -> float | None:
    """Between the partitions of a volume, mm; ``None`` where slices stand alone."""
    places = [series.geometry(index) for index in series.stacks[0][:2]]
    if not _is_3d(series) or len(places) < 2 or places[0] is None or places[1] is None:
        return None
    return abs(places[1].distance - places[0].distance) or None


def _volume_of(series: ImageSeries, numbers: list[int]) -> Volume:
    """Some images of a series, rows along phase."""
    images = torch.from_numpy(np.stack([series.image(index) for index in numbers]))
    return Volume(images.mT.contiguous() if _phase_along_column(series) else images, series.label)


def _phase_along_column(series: ImageSeries) -> bool:
    return text(series.headers[0], "InPlanePhaseEncodingDirection") == "COL"


def _is_3d(series: ImageSeries) -> bool:
    return text(series.headers[0], "MRAcquisitionType") == "3D"


def _coarse(images: Float[Tensor, "slice freq phase"]) -> Float[Tensor, "slice coarse_freq coarse_phase"]:
    """At a resolution whose reconstruction does not take long."""
    matrix = [min(n, _MOST_IN_PLANE) for n in images.shape[-2:]]
    return resize_image(images, (matrix[0], matrix[1])).real.clamp_min(0.0)


def _spacing_of(series: ImageSeries, matrix: tuple[int, int]) -> tuple[float, float, float]:
    geometry = series.geometry(0)
    extents = (float(series.rows), float(series.columns))
    if geometry:
        extents = (geometry.spacing[0] * series.rows, geometry.spacing[1] * series.columns)
    along_freq, along_phase = reversed(extents) if _phase_along_column(series) else extents
    return 5.0, along_freq / matrix[0], along_phase / matrix[1]


def _spacing(matrix: tuple[int, int, int]) -> tuple[float, float, float]:
    """Of a head-sized field of view; 5 mm between the slices of a 2D scan."""
    in_plane = _FIELD_OF_VIEW_MM / max(matrix[1:])
    return (_FIELD_OF_VIEW_MM / matrix[0] if matrix[0] > 1 else 5.0), in_plane, in_plane


def _spread(found: list[Specimen], count: int) -> list[Specimen]:
    """At most ``count``, evenly over the list."""
    taken = min(count, len(found))
    return [found[index * len(found) // taken] for index in range(taken)]


def _phantoms(bench: Bench, count: int) -> list[Specimen]:
    side = (144, 120) if bench.quick else (256, 224)
    made = []
    for index in range(min(count, 4)):
        image = to_image(kspace(anatomy_phantom(-0.4 + 0.25 * index), *side), IN_PLANE).real[None]
        name = f"phantom {index + 1}"
        made.append(Specimen(name, received(image, _COILS, bench.generator(name), name), _spacing((1, *side))))
    return made
