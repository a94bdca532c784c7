"""One series in, one enhanced series out: header to context, standardize, network, restore."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lucidmr import __version__ as VERSION
from lucidmr.context import Acquisition, Context, Enhancement
from lucidmr.device import DeviceName, choose_device
from lucidmr.dicom.header import HeaderFacts, acquisition
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.source import Source
from lucidmr.enhance.across import REACH, AcrossSlices, acts
from lucidmr.enhance.calibrate import Calibration, Calibrator, Response
from lucidmr.enhance.choose import LEAST_SLICES, choose_across, choose_model, has_learned_slice
from lucidmr.enhance.dial import Dial, DialFinder
from lucidmr.enhance.neighbours import Neighbours, middle
from lucidmr.enhance.prepare import context_of, extents_of, facts_of, plan_of
from lucidmr.enhance.probe import ProbeResult, probe
from lucidmr.enhance.series_network import SeriesNetwork
from lucidmr.network.weights import Model, packaged_models
from lucidmr.physics.image_noise import NoiseEstimate
from lucidmr.standardize import Standardization, interpolate, resample, restore, standardize

Images = Iterator[NDArray[np.float32]]

_MEASURING_SEED: Final = 2


@dataclass(frozen=True, eq=False)
class EnhancedSeries:
    """An enhanced series; images are computed when asked for, one at a time.

    Attributes:
        source: The original series.
        enhancement: What was asked for.
        facts: What the header says.
        acquisition: What of it the network is told.
        context: The contextual data.
        model: Network and card.
        standardization: How the images are brought to the network's grid and back.
        device: Where the network runs.
        across: Finds the detail along slice where the network itself does not.
        fixed: Setting of the noise dial for every image; ``None`` (the default) calibrates it on each image of a 2D
            acquisition, on each stack of a 3D one.
        dials: Noise and setting of the dial of the images that were looked at so far, by number.
        noises: Noise of the images that were looked at so far, by number.
        calibrators: Where given, keeps by number what sets the dial of the images that were looked at so far, some MB
            each: series that differ by nothing but the noise reduction asked for can share it.
    """

    source: Source
    enhancement: Enhancement
    facts: HeaderFacts
    acquisition: Acquisition
    context: Context
    model: Model
    standardization: Standardization
    device: torch.device
    across: AcrossSlices | None = None
    fixed: Calibration | None = None
    dials: dict[int, Dial] = field(default_factory=dict)
    noises: dict[int, NoiseEstimate] = field(default_factory=dict)
    calibrators: dict[int, Calibrator] | None = None

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> NDArray[np.float32]:
        """Image ``index``, enhanced: (row, column) on the interpolated grid, in the source's real-world units."""
        stored, given, dial = self._neighbours.stored(index), self._neighbours.standardized(index), self.dial(index)
        enhanced = self._network.enhanced(stored, given, dial.noise, dial.calibration)
        return restore(enhanced + self._along_slice(index), middle(stored), self.standardization)[0].numpy()

    def dial(self, index: int) -> Dial:
        """Noise of image ``index`` and how the noise dial is set on it; the slices of a 3D acquisition share both."""
        return self._finder.dial(index)

    def noise(self, index: int) -> NoiseEstimate:
        """Noise of image ``index``; the slices of a stack share theirs."""
        return self._finder.noise(index)

    def response(self, index: int) -> Response:
        """How one answer of the network treats weak extra noise in homogeneous tissue of image ``index``.

        Raises:
            ValueError: The image shows no noise.
        """
        return self._finder.response(index)

    def images(self) -> Iterator[NDArray[np.float32]]:
        """All images in the source's order."""
        for index in range(len(self)):
            yield self.image(index)
        # What is kept in memory is made anew should it be asked for again.
        self._neighbours.forget()
        if self.across is not None:
            self.across.forget()

    def original(self, index: int) -> NDArray[np.float32]:
        """Image ``index`` of the source on the same grid: Lanczos interpolation and nothing else."""
        return self.interpolated(middle(self._neighbours.stored(index)))[0].numpy()

    def process(self, stack: Float[Tensor, "slice row column"], dial: Dial) -> Float[Tensor, "1 r c"]:
        """Enhance the middle one of as many slices as the network takes, with a given setting of the noise dial.

        Detail along slice that needs more slices is left out.
        """
        given = standardize(stack, self.standardization)
        enhanced = self._network.enhanced(stack, given, dial.noise, dial.calibration)
        return restore(enhanced, middle(stack), self.standardization)

    def _along_slice(self, index: int) -> Float[Tensor, "1 freq phase"] | float:
        """The standardized detail along slice that planes across the slices show."""
        if self.across is None or not self._acts_across:
            return 0.0
        stack = self._neighbours.stack(index)
        # Planes are looked at once for the whole stack, so with the noise of one slice of it.
        noise = self.noise(stack[middle_image(len(stack))])
        return self.across(stack, stack.index(index), self.acquisition, self.enhancement, noise)

    @property
    def _acts_across(self) -> bool:
        """Whether planes across the slices are looked at."""
        return self.across is not None and acts(self.acquisition, self.enhancement)

    @property
    def sharpens_along_slice(self) -> bool:
        """Whether a gain along slice acts."""
        return self.across is not None or has_learned_slice(self.model)

    @cached_property
    def _network(self) -> SeriesNetwork:
        # The network is not told of what is found across the slices.
        told = self.context if self.across is None else replace(self.context, gain_slice=0.0, restore_slice=0.0)
        return SeriesNetwork(self.model, told, self.enhancement, self.standardization, self.device)

    @cached_property
    def _neighbours(self) -> Neighbours:
        return Neighbours(self.source, self.standardization, self._network.slices)

    @cached_property
    def _finder(self) -> DialFinder:
        known = self.acquisition.matrix.slice
        return DialFinder(
            self._neighbours,
            self._network,
            extents_of(self.acquisition, self.standardization.matrix, self.facts.filled_phase.value),
            min(1.0, known / self.source.depth) if known else 1.0,
            self.fixed,
            self.dials,
            self.noises,
            self.calibrators,
        )

    def interpolated(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image r c"]:
        """Images of this series' matrix on the output grid, unprocessed."""
        return self.standardization.turned(interpolate(images, self.standardization))

    @property
    def _asked(self) -> tuple[tuple[str, str], ...]:
        asked, volume = self.enhancement, self._network.slices > 1 or self.across
        return (
            ("noise reduction", f"{asked.noise_reduction:g}"),
            ("gain along freq", f"{asked.gain_freq:g}"),
            ("gain along phase", f"{asked.gain_phase:g}"),
            *((("gain along slice", f"{asked.gain_slice:g}"),) if volume else ()),
            ("restore partial Fourier", "yes" if asked.restore_partial_fourier else "no"),
            *((("planes across the slices by", self.across.model.name),) if self.across and self._acts_across else ()),
        )

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """Names and values of all that was asked for and found, for people to read."""
        middle = self.dial(middle_image(len(self)))
        return (
            *self._asked,
            ("noise found", f"{middle.noise.sd:.4g} on the middle image" if middle.noise.sd > 0 else "none"),
            ("first pass", "spares structure" if middle.calibration.sparing else "acts everywhere"),
            ("noise told over noise found, each pass", ", ".join(f"{told:.2g}" for told in middle.calibration.told)),
            ("share of the noise of the last pass removed", f"{middle.calibration.removal:.3f}"),
            ("device", str(self.device)),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one line each; what the noise dial reaches follows from the images so far."""
        lines = [*self.source.warnings, *self.facts.warnings]
        dials = [self.dial(middle_image(len(self))), *self.dials.values()]
        reached = median(dial.calibration.expected for dial in dials)
        if all(dial.noise.sd <= 0 for dial in dials):
            lines.append("no noise could be found in the images: the dial is not calibrated on this series")
        elif reached < 0.95 * self.enhancement.noise_reduction:
            lines.append(
                f"a noise reduction of {self.enhancement.noise_reduction:g} is out of the network's reach on this "
                f"series: about {reached:.2f} is what it gives"
            )
        if self.enhancement.gain_slice > 1 and not self.sharpens_along_slice:
            lines.append(self._why_not_along_slice)
        return tuple(lines)

    @property
    def _why_not_along_slice(self) -> str:
        """Why a gain along slice does not act."""
        if not self.facts.three_dimensional.value:
            return "a gain along slice needs a 3D acquisition: it was ignored"
        if self._network.slices == 1:
            return f"a gain along slice needs {LEAST_SLICES} adjoining slices: it was ignored"
        return (
            f"{self.model.name} has not learned a gain along slice: it changes next to nothing; name 2D weights as well"
        )

    @property
    def provenance(self) -> Provenance:
        """What goes into the header of the derived images."""
        # Only what was asked for: UIDs follow from it, and must not depend on the last digit of a measurement.
        asked = "; ".join(f"{name} {value}" for name, value in self._asked)
        slices = 2 * REACH + 1 if self._acts_across else self._network.slices
        return Provenance(self.model.name, VERSION, self.model.sha256, asked, slices=slices)

    def save(
        self, folder: Path, overwrite: bool = False, watch: Callable[[Images], Iterable[NDArray[np.float32]]] = iter
    ) -> list[Path]:
        """Compute all images and write them as a derived series; the folder appears whole or not at all.

        Args:
            folder: Where the series goes.
            overwrite: Replace an earlier output.
            watch: Passes the images on, for a progress bar.

        Returns:
            The files, one per source file.

        Raises:
            LucidError: The folder cannot be used, or an image cannot be read or processed.
        """
        return self.source.write(watch(self.images()), folder, self.provenance, overwrite)

    @cached_property
    def measured(self) -> ProbeResult | None:
        """Noise reduction really achieved on the middle image, by the probe with noise of its own.

        ``None`` where the image shows no noise.
        """
        index = middle_image(len(self))
        dial = self.dial(index)
        if dial.noise.sd <= 0:
            return None

        turned = self.standardization.turned

        def process(stack: Tensor) -> Tensor:
            return turned(self.process(turned(stack), dial))

        generator = torch.Generator().manual_seed(_MEASURING_SEED)
        return probe(
            process,
            lambda stack: resample(middle(stack), self.standardization.grid),
            turned(self._neighbours.stored(index)),
            [turned(self._finder.extra_noise(index, dial.noise, generator)) for _ in range(2)],
        )


def enhance(
    series: Source,
    enhancement: Enhancement | None = None,
    *,
    model: Model | Sequence[Model] | None = None,
    device: DeviceName = "auto",
) -> EnhancedSeries:
    """Enhance a series.

    Args:
        series: Magnitude images of one series.
        enhancement: What is asked for; a noise reduction of 2 where nothing is said.
        model: Network to use, or several to choose from; those that come with the package where nothing is said.
        device: Where to compute.

    Returns:
        The enhanced series. Context and standardization are done; images follow when asked for.

    Raises:
        LucidError: An image cannot be read, the weights are damaged or do not fit the series, or the device is not
            there.
    """
    wanted = enhancement or Enhancement()
    where = choose_device(device)
    told = facts_of(series)
    models = (model,) if isinstance(model, Model) else model or packaged_models(where)
    network = choose_model(series, told, models)
    context = context_of(series, told, wanted, volume=network.network.settings.slices > 1)
    how, single = plan_of(series, told), choose_across(series, told, models, network)
    across = AcrossSlices(single, how, where, series.image) if single else None
    return EnhancedSeries(series, wanted, told, acquisition(told), context, network, how, where, across)


def middle_image(count: int) -> int:
    """Number of the image that stands for a series of ``count``."""
    return count // 2
