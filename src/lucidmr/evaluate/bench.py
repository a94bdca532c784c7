"""What every experiment works with: the network, the data, the settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.context import Enhancement
from lucidmr.corpus.add import Source, find_sources
from lucidmr.device import DeviceName
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.enhance.pipeline import EnhancedSeries, enhance
from lucidmr.enhance.prepare import context_of
from lucidmr.errors import LucidError
from lucidmr.evaluate.finding import Finding
from lucidmr.evaluate.simulated import blocks_phantom, phantom_scan, phantom_scan_3d, phantom_series
from lucidmr.evaluate.truths import thick_truth
from lucidmr.network.weights import Model, load_model
from lucidmr.physics.phantoms import anatomy_phantom, anatomy_phantom_3d
from lucidmr.raw.prepare import prepare
from lucidmr.raw.pseudo import native_slices, pseudo_raw
from lucidmr.raw.read import read_raw
from lucidmr.raw.scan import RawScan
from lucidmr.raw.volume import read_nifti

Measured = TypeVar("Measured")

_MATRIX: Final = (112, 84)
_MATRIX_3D: Final = (24, 64, 48)
_NOISE: Final = 0.03
_RECENT: Final = 16
"""Enhanced series that are kept: some tens of MB each."""
_SCANS_PER_FILE: Final = 2
"""Raw scans taken of one file, from its middle: more would be of the same subject."""


class Circle(NamedTuple):
    """A region of interest on the stored matrix, pixels."""

    column: int
    row: int
    radius: int


@dataclass(frozen=True, eq=False)
class Bench:
    """The data and the networks of one evaluation.

    Attributes:
        models: The networks; each series takes the one that fits.
        device: Where they run.
        quick: Whether a rough answer is enough: experiments take fewer images and draws.
        seed: Everything random follows from it.
        folder: For what simulated experiments write; it is gone afterwards.
        series: The DICOM series by a name that is theirs alone.
        scans: Raw scans, fully sampled or not; images of NIfTI files as the raw data that could have given them.
        region: Where to measure noise; found automatically where nothing is said.
        notes: What of the data cannot be used and why, one line each.
        without_context: A network of single slices that was trained on the same pairs and is told nothing: what it
            lacks is what the context gives.
    """

    models: tuple[Model, ...]
    device: DeviceName
    quick: bool
    seed: int
    folder: Path
    series: Mapping[str, ImageSeries]
    scans: Sequence[RawScan]
    region: Circle | None = None
    notes: tuple[str, ...] = ()
    without_context: Model | None = None

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the data."""
        return *self.series, *(scan.source for scan in self.scans)

    def enhance(self, series: ImageSeries, wanted: Enhancement) -> EnhancedSeries:
        """Enhance a series with the networks under test."""
        return self._enhanced(series, wanted)

    @cached_property
    def _enhanced(self) -> Callable[[ImageSeries, Enhancement], EnhancedSeries]:
        """What does not depend on the request is found once per series, the setting of the dial once per request.

        Requests that differ by the noise reduction share the passes of the dial.
        """
        plain = lru_cache(None)(lambda series: enhance(series, model=self.models, device=self.device))

        @lru_cache(_RECENT)
        def alike(series: ImageSeries, _: Enhancement) -> EnhancedSeries:
            return replace(plain(series), calibrators={})

        @lru_cache(_RECENT)
        def asking(series: ImageSeries, wanted: Enhancement) -> EnhancedSeries:
            found = alike(series, replace(wanted, noise_reduction=1.0))
            context = context_of(series, found.facts, wanted, volume=found.model.network.settings.slices > 1)
            return replace(found, enhancement=wanted, context=context, dials={})

        return asking

    def each(self, measure: Callable[[str, ImageSeries], Measured]) -> tuple[dict[str, Measured], tuple[str, ...]]:
        """Measure every series; one that cannot be does not stop the others.

        Args:
            measure: Takes name and series.

        Returns:
            What was measured, by name, and a note on every series that could not be.
        """
        found: dict[str, Measured] = {}
        notes: list[str] = []
        for name, series in self.series.items():
            try:
                found[name] = measure(name, series)
            except (LucidError, ValueError) as error:
                notes.append(f"{name}: {error}")
        return found, tuple(notes) if self.series else ("no DICOM series among the data",)

    def generator(self, purpose: str) -> torch.Generator:
        """A source of randomness, on the CPU, of its own for every purpose."""
        digest = sha256(f"{self.seed} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


Experiment = Callable[[Bench], Finding]


class BeforeAfter(NamedTuple):
    """Images of a series on the output grid, with rows along phase.

    Attributes:
        before: Interpolated and nothing else.
        after: Enhanced.
    """

    before: Float[Tensor, "image freq phase"]
    after: Float[Tensor, "image freq phase"]


def before_after(series: EnhancedSeries, indices: Sequence[int]) -> BeforeAfter:
    """Some images before and after."""
    pairs = [(series.original(index), series.image(index)) for index in indices]
    before, after = (torch.stack([torch.from_numpy(image) for image in side]) for side in zip(*pairs, strict=True))
    return BeforeAfter(*map(series.standardization.turned, (before, after)))


class Data(NamedTuple):
    """What a bench is given to work on: :attr:`Bench.series`, :attr:`Bench.scans` and :attr:`Bench.notes`."""

    series: Mapping[str, ImageSeries]
    scans: Sequence[RawScan]
    notes: tuple[str, ...]


def load_plain(path: Path, device: torch.device) -> Model:
    """Read the weights of :attr:`Bench.without_context`.

    Args:
        path: The ``.safetensors`` file; its card lies beside it.
        device: Where the network is to live.

    Returns:
        The model.

    Raises:
        LucidError: The weights cannot be read, or are of another network.
    """
    model = load_model(path, device)
    found = model.network.settings
    if found.modulation != "none" or found.slices > 1:
        raise LucidError(
            f"{path}: has modulation {found.modulation} and {found.slices} slices; "
            "name 2D weights that were trained with modulation none"
        )
    return model


def middle(count: int, wanted: int) -> list[int]:
    """Numbers of the ``wanted`` items, or fewer, in the middle of ``count``."""
    taken = min(count, wanted)
    start = (count - taken) // 2
    return list(range(start, start + taken))


def read_data(paths: Sequence[Path], out: Path, seed: int) -> Data:
    """Read DICOM series, raw k-space and NIfTI volumes; what cannot be read is noted.

    Args:
        paths: Files and folders, folders recursively.
        out: Where results go: what lies there is no data.
        seed: Of the coils and phase that magnitude images are given.

    Returns:
        The data.

    Raises:
        LucidError: A path does not exist, or nothing in them can be used.
    """
    series: dict[str, ImageSeries] = {}
    scans: list[RawScan] = []
    notes: list[str] = []
    for source in find_sources(paths, out):
        try:
            if source.kind == "dicom":
                found = read_series(source.path)
                notes += [f"passed over: {refusal.label}: {refusal.reason}" for refusal in found.refused]
                series.update((_free_name(one, series), one) for one in found.series)
            else:
                scans += _scans_of(source, seed, notes)
        except LucidError as error:
            notes.append(str(error))
    if not series and not scans:
        reasons = "; ".join(notes[:3])
        raise LucidError(f"{paths[0]}: holds nothing to evaluate on ({reasons}); name DICOM, raw data or NIfTI")
    return Data(series, scans, tuple(notes))


def phantoms(folder: Path, seed: int) -> Data:
    """A slice acquired twice, blocks with many edges, and a volume: as DICOM series and as raw scans.

    Args:
        folder: Where the DICOM files go; a temporary one.
        seed: Of coils, phase and noise.
    """
    once, again = ([phantom_scan(anatomy_phantom(), _MATRIX, _NOISE, seed + turn)] for turn in (0, 1))
    edges = [phantom_scan(blocks_phantom(), _MATRIX, _NOISE, seed)]
    volume = [phantom_scan_3d(anatomy_phantom_3d(), _MATRIX_3D, _NOISE, seed)]
    series = {
        "head": phantom_series(once, folder / "head", partial=True),
        "head again": phantom_series(again, folder / "head again", partial=True),
        "blocks": phantom_series(edges, folder / "blocks"),
        "head 3D": phantom_series(volume, folder / "head 3D"),
    }
    return Data(series, (*once, *edges, *volume), ("no data were named: phantoms alone",))


def _free_name(series: ImageSeries, taken: Mapping[str, ImageSeries]) -> str:
    """Folder and description, numbered where that is not enough."""
    name = f"{series.path(0).parent.name}: {series.description or 'no description'}"
    return next(found for found in _numbered(name) if found not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} ({number})" for number in range(2, 10**6))


def _scans_of(source: Source, seed: int, notes: list[str]) -> list[RawScan]:
    """The middle scans of a raw file, or those that the middle slices of an image volume could have come from."""
    if source.kind == "raw":
        prepared = prepare(read_raw(source.path))
        notes += [f"{source.path.name}: {verdict}" for verdict in prepared.verdicts]
        return [prepared.scans[index] for index in middle(len(prepared.scans), _SCANS_PER_FILE)]
    slices = native_slices(read_nifti(source.path))
    if slices is None:
        notes.append(f"{source.path.name}: has no tissue on a matrix of at least 64")
        return []
    slices = thick_truth(slices)
    generator = torch.Generator().manual_seed(seed)
    return [pseudo_raw(slices, index, generator) for index in middle(len(slices.images), _SCANS_PER_FILE)]
