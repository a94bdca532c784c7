"""What a gain does to the edges of a series: along the direction asked, along the others, on source and projection."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from lucidmr.context import Directions, Enhancement
from lucidmr.dicom.series import ImageSeries
from lucidmr.dicom.source import Source
from lucidmr.enhance.pipeline import EnhancedSeries, middle_image
from lucidmr.evaluate.bench import BeforeAfter, Bench, before_after, middle
from lucidmr.evaluate.sharpness import ENOUGH, Direction, EdgeSharpness, LineWidth, edge_sharpness, line_width

SLAB: Final = 24
"""Adjacent slices of a 3D series for projections and for edges along slice."""
_PLANES: Final = 16
"""Planes across freq in which edges along slice are looked for."""

Along = Literal["freq", "phase", "slice"]
Kind = Literal["source", "projection"]
"""Source images, or maximum intensity projections computed from processed source images."""


class Trial(NamedTuple):
    """What is asked for.

    Attributes:
        asked: Direction of the gain; the other directions are to be left alone.
        gain: k_max after / before.
        noise_reduction: The noise dial.
    """

    asked: Along
    gain: float = 2.0
    noise_reduction: float = 2.0

    @property
    def enhancement(self) -> Enhancement:
        """The same in the words of the pipeline."""
        freq, phase, slices = (self.gain if along == self.asked else 1.0 for along in ("freq", "phase", "slice"))
        return Enhancement(self.noise_reduction, freq, phase, slices, restore_partial_fourier=False)


class Outcome(NamedTuple):
    """What became of the edges and lines along one direction.

    Attributes:
        trial: What was asked for.
        along: The direction measured.
        kind: The images measured.
        edges: Of them.
        lines: Thin bright lines across it.
    """

    trial: Trial
    along: Along
    kind: Kind
    edges: EdgeSharpness
    lines: LineWidth

    @property
    def is_reliable(self) -> bool:
        """Whether there are enough edges to rely on."""
        return self.edges.edges >= ENOUGH

    @property
    def is_asked(self) -> bool:
        """Whether this is the direction that was to become sharper."""
        return self.along == self.trial.asked


def asked_directions(series: EnhancedSeries) -> tuple[Along, ...]:
    """The directions along which the network can make this series sharper."""
    return ("freq", "phase", "slice") if series.sharpens_along_slice else ("freq", "phase")


def outcomes(bench: Bench, series: ImageSeries, trial: Trial, slices: int, slab: bool = False) -> Iterator[Outcome]:
    """Enhance a series and measure its edges.

    Args:
        bench: Network and seed.
        series: The series.
        trial: What to ask for.
        slices: Source images to measure, from the middle.
        slab: Whether to measure projections too, where the series has a slab, and edges along slice, where the
            network looks at neighbouring slices.

    Yields:
        One outcome per direction and kind of image.
    """
    enhanced = bench.enhance(series, trial.enhancement)
    scales = scales_of(enhanced)
    source = before_after(enhanced, adjacent(series, slices))
    yield from _in_plane(bench, source, trial, "source", scales)
    volume = slab_of(enhanced) if slab else None
    if volume is not None:
        projected = BeforeAfter(*(side.amax(0, keepdim=True) for side in volume))
        yield from _in_plane(bench, projected, trial, "projection", scales)
        if "slice" in asked_directions(enhanced):
            along: tuple[Direction, float] = ("freq", scales.slice or 1.0)
            yield _outcome(bench, reformatted(volume), "slice", along, trial, "source")
            yield _outcome(bench, projected_along_freq(volume), "slice", along, trial, "projection")


def slab_of(series: EnhancedSeries) -> BeforeAfter | None:
    """Adjacent images from the middle of a series; ``None`` where it is not 3D or has fewer."""
    stack = adjacent(series.source, SLAB)
    if not series.facts.three_dimensional.value or len(stack) < SLAB:
        return None
    return before_after(series, stack)


def reformatted(slab: BeforeAfter) -> BeforeAfter:
    """Planes of slice and phase across the middle of a slab: slice takes the place of freq."""
    pixels = slab.before.shape[1]
    middle_half = slice(pixels // 4, 3 * pixels // 4, max(1, pixels // (2 * _PLANES)))
    return BeforeAfter(*(side[:, middle_half].transpose(0, 1) for side in slab))


def projected_along_freq(slab: BeforeAfter) -> BeforeAfter:
    """Maximum intensity projection of a slab: slice takes the place of freq."""
    return BeforeAfter(*(side.amax(1)[None] for side in slab))


def scales_of(series: EnhancedSeries) -> Directions:
    """Pixels of the output grid per acquired pixel."""
    noise = series.noise(middle_image(len(series)))
    how, known = series.standardization, series.acquisition.matrix.slice
    freq, phase = (fine / n for fine, n in zip(how.grid, how.matrix, strict=True))
    depth = series.source.depth / known if known else 1.0
    return Directions(freq / noise.extent_freq, phase / noise.extent_phase, max(1.0, depth))


def adjacent(series: Source, wanted: int) -> list[int]:
    """Images from the middle of the largest stack."""
    stack = max(series.stacks, key=len)
    return [stack[place] for place in middle(len(stack), wanted)]


def _in_plane(bench: Bench, images: BeforeAfter, trial: Trial, kind: Kind, scales: Directions) -> Iterator[Outcome]:
    yield _outcome(bench, images, "freq", ("freq", scales.freq or 1.0), trial, kind)
    yield _outcome(bench, images, "phase", ("phase", scales.phase or 1.0), trial, kind)


def _outcome(
    bench: Bench, images: BeforeAfter, along: Along, axis: tuple[Direction, float], trial: Trial, kind: Kind
) -> Outcome:
    """Measure along an axis of the images, named by its place, with its pixels per acquired pixel."""
    direction, scale = axis
    generator = bench.generator("edges")
    edges = edge_sharpness(*images, direction, generator, scale)
    return Outcome(trial, along, kind, edges, line_width(*images, direction, generator, scale))
