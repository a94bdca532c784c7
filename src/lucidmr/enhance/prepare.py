"""From header and pixels to what the network is told of a series and how its images are standardized.

torch is imported where pixels are looked at: most series can be described without.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lucidmr.context import SIDE_2D, SIDE_3D, Acquisition, Context, Enhancement, encode, standard_grid
from lucidmr.dicom.header import Confidence, Fact, Facts, HeaderFacts, acquisition, facts
from lucidmr.dicom.header.fact import inferred
from lucidmr.dicom.source import Source
from lucidmr.errors import LucidError

if TYPE_CHECKING:
    from lucidmr.standardize import Standardization

_PLANNING_IMAGES: Final = 16
_MEASURING_IMAGES: Final = 4
"""A matrix is measured on this many: more of them take seconds and move it by a few percent."""
_RIM: Final = 0.95
"""Extents above this share of Nyquist are no evidence of zero-filling."""


def facts_of(series: Source) -> HeaderFacts:
    """Header facts, the displayed field of view checked against the pixels, the matrix measured if nothing tells it.

    Some scanners write a reduced phase field of view and fill the image all the same.
    """
    told = facts(series)
    measured: dict[str, Fact[Any]] = {}
    if told.matrix_freq.value is None or told.matrix_phase.value is None:
        measured.update(_measured_matrix(series, told))
    if (told.filled_phase.value or 1.0) < 1.0 and not plan_of(series, told).cropped:
        measured["filled_phase"] = inferred(1.0, "the pixels: the image is filled to its edges")
    return facts(series, measured) if measured else told


def _measured_matrix(series: Source, told: HeaderFacts) -> Facts:
    """Samples from the zero rim of the Fourier transform; nothing where there is no rim."""
    import torch

    from lucidmr.physics.image_noise import estimate_noise

    images = torch.from_numpy(_sample(series, _MEASURING_IMAGES))
    oriented = images.mT if told.phase_axis.value == "col" else images
    noise = estimate_noise(oriented)
    extents = {"matrix_freq": noise.extent_freq, "matrix_phase": noise.extent_phase}
    n_freq, n_phase = oriented.shape[-2:]
    pixels = {"matrix_freq": n_freq, "matrix_phase": n_phase * (told.filled_phase.value or 1.0)}
    return {
        name: Fact(float(round(extent * pixels[name])), "zero rim of the Fourier transform", Confidence.INFERRED, 0.15)
        for name, extent in extents.items()
        if extent < _RIM
    }


def context_of(series: Source, told: HeaderFacts, wanted: Enhancement, volume: bool = True) -> Context:
    """What the network is told about a series, from its header alone.

    Args:
        series: The series.
        told: Its header facts.
        wanted: What is asked for.
        volume: Whether the network looks at neighbouring slices. One that does not is told of a 2D acquisition, as it
            knows no other; what undersampling along slice did to the noise is in the image.

    Returns:
        The context.
    """
    stored = _stored(series, told)
    known, filled = acquisition(told), told.filled_phase.value
    n_freq, n_phase = standard_grid(stored, _side(told), extents_of(known, stored, filled))
    grid = (n_freq, round(n_phase * (filled or 1.0)), series.depth)
    if not volume:
        known = replace(known, three_dimensional=False, acceleration_slice=1.0, elliptical=False)
    return encode(known, wanted, grid)


def _stored(series: Source, told: HeaderFacts) -> tuple[int, int]:
    """Stored pixels along freq and phase."""
    rows, columns = series.rows, series.columns
    return (columns, rows) if told.phase_axis.value == "col" else (rows, columns)


def _side(told: HeaderFacts) -> int:
    return SIDE_3D if told.three_dimensional.value else SIDE_2D


def extents_of(known: Acquisition, stored: tuple[int, int], filled: float | None) -> tuple[float, float]:
    """Acquired k-space over the Nyquist frequency of the stored (freq, phase) matrix; 1 where the header is silent.

    Args:
        known: What was acquired.
        stored: Pixels along freq and phase.
        filled: Share of the phase axis that the displayed field of view fills; ``None`` where the header is silent.
    """
    freq, phase = known.matrix.freq or stored[0], known.matrix.phase or stored[1]
    return min(1.0, freq / stored[0]), min(1.0, phase / stored[1] / (filled or 1.0))


def plan_of(series: Source, told: HeaderFacts) -> "Standardization":
    """How the images of a series are standardized.

    Raises:
        LucidError: An image cannot be read, or holds values that are not finite.
    """
    import torch

    from lucidmr.standardize import plan

    sample = torch.from_numpy(_sample(series, _PLANNING_IMAGES))
    return plan(
        sample,
        phase_along_rows=told.phase_axis.value != "col",
        extents=extents_of(acquisition(told), _stored(series, told), told.filled_phase.value),
        side=_side(told),
        filled=told.filled_phase.value or 1.0,
    )


def _sample(series: Source, count: int) -> NDArray[np.float32]:
    """Some images of a series, spread over it."""
    numbers = _spread(len(series), count)
    sample = np.stack([series.image(index) for index in numbers])
    if not np.isfinite(sample).all():
        raise LucidError(f"{series.label}: holds values that are not finite; check the rescale slope of its files")
    return sample


def _spread(count: int, wanted: int) -> list[int]:
    """Image numbers spread over the series, away from its ends, each once."""
    return sorted({min(count - 1, int(count * (index + 0.5) / wanted)) for index in range(wanted)})
