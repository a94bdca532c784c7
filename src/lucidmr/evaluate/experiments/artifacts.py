"""Artifacts of low resolution (Jeong et al., 3.4), simulated: ringing beside edges, signal lost by dephasing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi
from statistics import fmean
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.context import Enhancement
from lucidmr.enhance.pipeline import EnhancedSeries
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.finding import Cell, Figure, Finding, Table
from lucidmr.evaluate.peers import remove_gibbs, sharpened
from lucidmr.evaluate.plates import magnified_plate, plate
from lucidmr.evaluate.sharpness import DIRECTIONS, edge_sharpness
from lucidmr.evaluate.specimens import Simulation, Specimen, acquire, enhanced, phantom_volume, specimens
from lucidmr.physics.averages import box_mean
from lucidmr.physics.body import body_mask
from lucidmr.physics.fourier import resize_image, to_image, to_kspace
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.settings import Reconstruction

TITLE: Final = "Artifacts of low resolution (3.4)"
_NOISE: Final = 0.01
_EDGES: Final = 0.03
"""Share of pixels that count as edges: those of the steepest slope."""
_BESIDE: Final = (1.5, 6.0)
"""Acquired pixels from an edge between which ringing is looked for."""
_FLAT: Final = 0.3
"""Of that, the share with the least slope."""
_LOST: Final = 0.3
"""Share of signal from which on it counts as lost."""
_CYCLES: Final = 0.6
"""Largest slope of the field's phase, cycles per pixel of low resolution: more than half is beyond it."""

Plane = Float[Tensor, "freq phase"]


@dataclass(frozen=True)
class Ringing:
    """What is wrong beside edges, by method.

    Attributes:
        specimen: Name.
        energy: Root mean square of the oscillating error that two noise draws have in common, % of tissue, by method.
        images: By method.
    """

    specimen: str
    energy: Mapping[str, float]
    images: Mapping[str, Plane]


@dataclass(frozen=True)
class Dephasing:
    """Signal where low resolution has lost it.

    Attributes:
        specimen: Name.
        pixels: How many there are.
        before: Of the signal there, the share that low resolution shows.
        after: The same enhanced.
        images: Low resolution, enhanced, truth.
    """

    specimen: str
    pixels: int
    before: float
    after: float
    images: tuple[Plane, Plane, Plane]


def artifacts(bench: Bench) -> Finding:
    """Acquire anatomy at half the resolution and ask for all of it.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = specimens(bench, 1 if bench.quick else 4)
    solid = phantom_volume(bench)
    ringing = [_ringing(bench, one, f"ringing-{number}") for number, one in enumerate(found)]
    lost = [_dephasing(bench, one, f"dephasing-{number}") for number, one in enumerate(found)]
    ringing.append(_ringing(bench, solid, "ringing-slice"))
    lost.append(_dephasing(bench, solid, "dephasing-slice"))
    if "DIPY" not in ringing[0].energy:
        notes.append("Gibbs removal: needs dipy (extra peers)")
    return Finding(
        "artifacts",
        TITLE,
        _summary(ringing, lost),
        (_ringing_table(ringing), _dephasing_table(lost)),
        (_ringing_figure(ringing[0]), _dephasing_figure(lost[0])),
        {
            "ringing": {one.specimen: dict(one.energy) for one in ringing},
            "dephasing": {one.specimen: {"before": one.before, "after": one.after} for one in lost},
        },
        tuple(notes),
    )


def _halved(specimen: Specimen) -> Sampling:
    """Half of k_max: in plane of a slice, along slice of a volume."""
    n_slice, n_freq, n_phase = specimen.scan.matrix
    if n_slice > 1:
        return replace(specimen.full, slice=AxisSampling(n_slice // 2))
    return Sampling(AxisSampling(n_freq // 2), AxisSampling(n_phase // 2))


def _enhancement(specimen: Specimen) -> Enhancement:
    if specimen.scan.matrix[0] > 1:
        return Enhancement(2.0, gain_slice=2.0)
    return Enhancement(2.0, gain_freq=2.0, gain_phase=2.0)


def _acquired(specimen: Specimen, seed: int) -> Simulation:
    how = Reconstruction(specimen.scan.matrix, combination="sensitivity_weighted")
    return acquire(specimen, _halved(specimen), how, _NOISE, seed, specimen.full)


def _ringing(bench: Bench, specimen: Specimen, name: str) -> Ringing:
    draws = []
    for turn in range(2):
        simulation = _acquired(specimen, bench.seed + turn)
        series = enhanced(bench, simulation, f"{name}-{turn}", _enhancement(specimen))
        draws.append((series, simulation))
    index = len(draws[0][0]) // 2
    methods = [_methods(bench, series, index) for series, _ in draws]
    truth = draws[0][0].interpolated(draws[0][1].truth[index][None])[0]
    grid = draws[0][0].standardization.grid
    pixel = grid[0] / _halved(specimen).freq.width
    beside = _beside_edges(truth, pixel)
    level = float(truth[body_mask(truth)].mean())
    energy = {}
    for method in methods[0]:
        first, second = (_oscillation(found[method] - truth, pixel)[beside] for found in methods)
        energy[method] = 100.0 * float((first * second).mean().clamp_min(0.0).sqrt()) / level
    return Ringing(specimen.name, energy, {**methods[0], "truth": truth})


def _methods(bench: Bench, series: EnhancedSeries, index: int) -> dict[str, Plane]:
    """The image as stored, enhanced, and by peers, all on the grid of the enhanced one."""
    stored = torch.from_numpy(series.source.image(index))
    filled, ours = torch.from_numpy(series.original(index)), torch.from_numpy(series.image(index))
    acquired = _acquired_matrix(series)

    def sharpness(image: Plane) -> float:
        found = (
            edge_sharpness(filled, image, along, bench.generator("edges"), pixels / samples)
            for along, pixels, samples in zip(DIRECTIONS, series.standardization.grid, acquired, strict=True)
        )
        return fmean(one.sharpness.value for one in found)

    unsharp = sharpened(stored, lambda image: sharpness(series.interpolated(image[None])[0]), sharpness(ours))
    images = {"zero-filled": filled, "lucidmr": ours, "unsharp mask": series.interpolated(unsharp[None])[0]}
    # Subvoxel shifts have a meaning on the matrix that was acquired.
    removed = remove_gibbs(resize_image(stored, acquired).real)
    if removed is not None:
        whole = (stored.shape[0], stored.shape[1])
        images["DIPY"] = series.interpolated(resize_image(removed, whole).real[None])[0]
    return images


def _acquired_matrix(series: EnhancedSeries) -> tuple[int, int]:
    matrix, stored = series.acquisition.matrix, series.standardization.matrix
    return round(matrix.freq or stored[0]), round(matrix.phase or stored[1])


def _beside_edges(truth: Plane, pixel: float) -> Tensor:
    """Flat places within some acquired pixels of the steepest slopes; ``pixel`` in pixels of the grid.

    Elsewhere what low resolution cannot separate would count as ringing.
    """
    reach = round(pixel)
    slope = torch.stack(torch.gradient(box_mean(truth, (reach, reach)))).square().sum(0)
    steep = slope >= slope.flatten().kthvalue(round((1.0 - _EDGES) * slope.numel())).values
    near, far = (_box_max(steep.float(), round(distance * pixel)) > 0 for distance in _BESIDE)
    beside = far & ~near
    most = _box_max(slope, reach)
    return beside & (most <= most[beside].quantile(_FLAT))


def _oscillation(error: Plane, pixel: float) -> Plane:
    """What changes within two periods of ringing, each two acquired pixels; the rest is shading."""
    period = round(2 * pixel)
    return error - box_mean(error, (period, period))


def _box_max(image: Plane, reach: int) -> Plane:
    """Largest value in a square."""
    along = F.max_pool2d(image[None], (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(along, (1, 2 * reach + 1), 1, (0, reach))[0]


def dephased(specimen: Specimen, pixel: float) -> Specimen:
    """A specimen in an inhomogeneous field, as beside an air-filled sinus.

    Args:
        specimen: Where.
        pixel: Share of the field of view of a pixel of low resolution.

    Returns:
        The same with a bump of phase whose slope spoils the signal of large pixels alone.
    """
    axes = [(torch.arange(n) - n // 2) / n for n in specimen.scan.matrix]
    slices, freq, phase = torch.meshgrid(*axes, indexing="ij")
    width = 0.09
    distance = ((freq + 0.15).square() + (phase - 0.08).square()) / width**2
    if specimen.scan.matrix[0] > 1:
        distance = distance + slices.square() / width**2
    # The slope of exp(-d / 2) is steepest at d = 1: exp(-1/2) / width.
    height = 2.0 * pi * _CYCLES / pixel * width / 0.6065
    field = torch.polar(torch.ones_like(distance), height * torch.exp(-0.5 * distance))
    scan = specimen.scan
    return replace(specimen, scan=replace(scan, kspace=to_kspace(to_image(scan.kspace) * field)))


def _dephasing(bench: Bench, specimen: Specimen, name: str) -> Dephasing:
    axis = "slice" if specimen.scan.matrix[0] > 1 else "freq"
    spoiled = dephased(specimen, 1.0 / getattr(_halved(specimen), axis).width)
    simulation = _acquired(spoiled, bench.seed)
    series = enhanced(bench, simulation, name, _enhancement(specimen))
    index = len(series) // 2
    truth = series.interpolated(simulation.truth[index][None])[0]
    before, after = torch.from_numpy(series.original(index)), torch.from_numpy(series.image(index))
    lost = (before < (1.0 - _LOST) * truth) & body_mask(truth)
    shares = [float(image[lost].sum() / truth[lost].sum()) for image in (before, after)]
    return Dephasing(specimen.name, int(lost.sum()), shares[0], shares[1], (before, after, truth))


def _summary(ringing: list[Ringing], lost: list[Dephasing]) -> str:
    left = fmean(one.energy["lucidmr"] / one.energy["zero-filled"] for one in ringing if one.energy["zero-filled"] > 0)
    shown = [one for one in lost if one.pixels]
    if not shown:
        return f"Ringing beside edges: {left:.0%} of that of zero-filling. No signal was lost by dephasing."
    before, after = (fmean(getattr(one, name) for one in shown) for name in ("before", "after"))
    return (
        f"Ringing beside edges: {left:.0%} of that of zero-filling. Where dephasing left {before:.0%} of the signal, "
        f"enhancing gives {after:.0%}."
    )


def _ringing_table(ringing: list[Ringing]) -> Table:
    methods = list(ringing[0].energy)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.specimen, *(round(one.energy[name], 2) for name in methods)) for one in ringing
    )
    return Table("Ringing beside edges, % of tissue", ("specimen", *methods), rows)


def _dephasing_table(lost: list[Dephasing]) -> Table:
    heads = ("specimen", "pixels that lost signal", "left at low resolution, %", "enhanced, %")
    rows = tuple((one.specimen, float(one.pixels), _percent(one.before), _percent(one.after)) for one in lost)
    return Table("Intravoxel dephasing", heads, rows)


def _percent(share: float) -> float | None:
    return round(100 * share, 1) if share == share else None


def _ringing_figure(one: Ringing) -> Figure:
    caption = f"{one.specimen}, acquired at half of k_max; all of it asked for."
    return magnified_plate("Truncation", caption, [(name, image) for name, image in one.images.items()])


def _dephasing_figure(one: Dephasing) -> Figure:
    labels = ("low resolution", "enhanced", "truth")
    return plate("Dephasing", "Signal lost in a steep field.", list(zip(labels, one.images, strict=True)))
