"""One series in, one enhanced series out: header to context, standardize, network, restore."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import log2
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lucidmr import __version__ as VERSION
from lucidmr.context import NOISE_REDUCTION_RANGE, Acquisition, Context, Enhancement
from lucidmr.device import DeviceName, choose_device
from lucidmr.dicom.header import HeaderFacts, acquisition
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.source import Source
from lucidmr.enhance.across import REACH, AcrossSlices, acts
from lucidmr.enhance.calibrate import Behaviour, Calibration, Calibrator, DialMap, Response, nominal, pooled, unmeasured
from lucidmr.enhance.choose import LEAST_SLICES, choose_across, choose_model, has_learned_slice
from lucidmr.enhance.neighbours import Neighbours, middle, stack_around, stack_noise
from lucidmr.enhance.noise import measure_noise
from lucidmr.enhance.parts import in_band, on_working_grid, predicted, vector, without_mean
from lucidmr.enhance.passes import Passes
from lucidmr.enhance.prepare import context_of, extents_of, facts_of, plan_of
from lucidmr.enhance.probe import ProbeResult, probe
from lucidmr.enhance.respond import Asking
from lucidmr.enhance.risk import WEAKER
from lucidmr.enhance.significance import insignificant
from lucidmr.network.ce_unet import blend, gated_details
from lucidmr.network.weights import Model, packaged_models
from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import NoiseEstimate, homogeneity
from lucidmr.physics.noise_floor import floor_in, noise_floor
from lucidmr.shapes import Image
from lucidmr.standardize import Standardization, interpolate, resample, restore, standardize

Images = Iterator[NDArray[np.float32]]

_ENOUGH_SAMPLES: Final = 2**13
"""Acquired samples of extra noise that the dial is set by: the dial of 64 x 64 images was 20 % off by chance alone."""
_MOST_DRAWS: Final = 4
_CORRECTIONS: Final = 3
_MEASURED: Final = 9
"""Images of a stack that noise is measured on."""
_STANDING: Final = 3
"""Images of a stack that the network's answer to noise is asked on."""
_MOST_ABOVE: Final = 1.25
"""Times the noise that the network's answer bears out: so much is believed, as the network does not answer added noise
quite as it does the image's own."""
_CALIBRATION_SEED: Final = 1
_MEASURING_SEED: Final = 2


class Dial(NamedTuple):
    """The noise dial on one image of a 2D acquisition, or on a stack of a 3D one.

    Attributes:
        noise: Noise of the original; ``sd`` is 0 where none can be found.
        calibration: How the dial is set.
    """

    noise: NoiseEstimate
    calibration: Calibration


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
        stored = self._neighbours.stored(index)
        enhanced = self._enhanced(stored, self._neighbours.standardized(index), self.dial(index))
        return restore(enhanced + self._along_slice(index), middle(stored), self.standardization)[0].numpy()

    def dial(self, index: int) -> Dial:
        """Noise of image ``index`` and how the noise dial is set on it.

        The slices of a 3D acquisition share their noise, and so one setting: steps from slice to slice would show in
        reformatted planes.
        """
        if index not in self.dials:
            alike, some = self._alike(index)
            self.dials.update(dict.fromkeys(alike, self._find_dial(some, self.noise(index))))
        return self.dials[index]

    def noise(self, index: int) -> NoiseEstimate:
        """Noise of image ``index``; the slices of a stack share theirs."""
        if index not in self.noises:
            stack = stack_around(self.source, index)
            images = torch.cat([middle(self._neighbours.stored(number)) for number in _spread(stack, _MEASURED)])
            most = extents_of(self.acquisition, self.standardization.matrix, self.facts.filled_phase.value)
            found = self._borne_out(_spread(stack, _STANDING), measure_noise(self._oriented(images), most))
            self.noises.update(dict.fromkeys(stack, found))
        return self.noises[index]

    def _borne_out(self, on: Sequence[int], noise: NoiseEstimate) -> NoiseEstimate:
        """The noise, but no more of it than the network's answer bears out (see :attr:`Behaviour.shown`)."""
        for _ in range(_CORRECTIONS if noise.sd > 0 else 0):
            most = _MOST_ABOVE * pooled([one.answer() for one in self._askings(on, noise)]).shown
            if most >= 1.0:
                break
            noise = replace(noise, sd=most * noise.sd)
        return noise

    def _alike(self, index: int) -> tuple[Sequence[int], Sequence[int]]:
        """Images that share noise and dial with this one, and some of them that stand for all."""
        alike = stack_around(self.source, index) if self._slices > 1 else (index,)
        return alike, _spread(alike, _STANDING)

    def images(self) -> Iterator[NDArray[np.float32]]:
        """All images in the source's order."""
        for index in range(len(self)):
            yield self.image(index)
        # What is kept in memory is made anew should it be asked for again.
        vars(self).pop("_neighbours", None)
        if self.across is not None:
            self.across.forget()

    def original(self, index: int) -> NDArray[np.float32]:
        """Image ``index`` of the source on the same grid: Lanczos interpolation and nothing else."""
        return self.interpolated(middle(self._neighbours.stored(index)))[0].numpy()

    def process(self, stack: Float[Tensor, "slice row column"], dial: Dial) -> Float[Tensor, "1 r c"]:
        """Enhance the middle one of as many slices as the network takes, with a given setting of the noise dial.

        Detail along slice that needs more slices is left out.
        """
        enhanced = self._enhanced(stack, standardize(stack, self.standardization), dial)
        return restore(enhanced, middle(stack), self.standardization)

    def _along_slice(self, index: int) -> Float[Tensor, "1 freq phase"] | float:
        """The standardized detail along slice that planes across the slices show."""
        if self.across is None or not self._acts_across:
            return 0.0
        stack = stack_around(self.source, index)
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

    @property
    def _in_plane(self) -> Context:
        """What the network is told, without what is found across the slices."""
        return self.context if self.across is None else replace(self.context, gain_slice=0.0, restore_slice=0.0)

    @cached_property
    def _neighbours(self) -> Neighbours:
        return Neighbours(self.source, self.standardization, self._slices)

    @property
    def _slices(self) -> int:
        return self.model.network.settings.slices

    def _enhanced(
        self, stored: Float[Tensor, "slice row column"], given: Float[Tensor, "slice freq phase"], dial: Dial
    ) -> Float[Tensor, "1 freq phase"]:
        """The middle one of slices, stored and standardized: noise comes off pass by pass, the last one is blended."""
        image = self._in_own_units(middle(given))
        body, sd = body_mask(image), dial.noise.sd / self.standardization.scale

        def network(stacks: Tensor, told: float) -> Tensor:
            return without_mean(self._answer(stacks, told, dial.noise), body[:, None], sd, self._density(dial.noise))

        how = dial.calibration
        first = self._insignificant(stored, dial.noise) if how.measured else torch.zeros_like(image)
        passes = Passes(
            network, given[None], first[None], lambda: homogeneity(image)[:, None], image.shape[-2:], how.sparing
        )
        *_, parts = map(passes, how.told)
        enhanced = blend(passes.asked, parts, vector(self._in_plane), how.removal)[:, 0]
        share = 1.0 - 1.0 / self.enhancement.noise_reduction  # air is known to be noise
        if share == 0.0:
            return enhanced
        level = noise_floor(image, body, dial.noise.sd)
        floor = floor_in(self._in_own_units(middle(passes.left[0])), level)
        return enhanced - share / self.standardization.scale * floor

    def _insignificant(self, stored: Float[Tensor, "slice row column"], noise: NoiseEstimate) -> Image:
        """What of the middle slice is not significant, standardized: (1, freq, phase)."""
        part = self._oriented(insignificant(self._oriented(stored), noise))
        return standardize(part, replace(self.standardization, offset=0.0))

    def _density(self, noise: NoiseEstimate) -> tuple[float, float]:
        """Acquired pixels per pixel of the grid along (freq, phase)."""
        how, extents = self.standardization, (noise.extent_freq, noise.extent_phase)
        freq, phase = (min(1.0, n * share / fine) for n, share, fine in zip(how.matrix, extents, how.grid, strict=True))
        return freq, phase

    def _answer(self, stacks: Float[Tensor, "b slice h w"], told: float, noise: NoiseEstimate) -> Tensor:
        """Noise and details that the network finds, told so many times the noise, within their parts of k-space."""

        def network(coarse: Tensor, context: Context) -> Tensor:
            return predicted(self.model.network, coarse, vector(context), self.device)

        freq, phase = self._density(noise)
        wanted = freq * self.enhancement.gain_freq, phase * self.enhancement.gain_phase
        parts = on_working_grid(network, stacks, self._told(told * noise.sd), wanted)
        return torch.cat([in_band(parts[:, :1], (freq, phase)), in_band(parts[:, 1:], wanted)], 1)

    def _told(self, noise_sd: float) -> Context:
        """What the network is told when it is asked for all noise there is: the dial decides how much of it goes."""
        known = self._in_plane.with_noise(noise_sd / self.standardization.scale)
        return replace(known, noise_reduction=log2(NOISE_REDUCTION_RANGE[1]))

    def _in_own_units(self, standardized: Image) -> Image:
        """What is the body is found in the image's own units: the standardization's offset would move the threshold."""
        return standardized * self.standardization.scale + self.standardization.offset

    def _find_dial(self, on: Sequence[int], noise: NoiseEstimate) -> Dial:
        """Set the dial on some images of common noise together."""
        wanted = self.enhancement.noise_reduction
        if self.fixed is not None or wanted == 1:
            return Dial(noise, self.fixed or nominal(wanted))
        measured = self._calibrator(on, noise)(wanted) if noise.sd > 0 else None
        return Dial(noise, measured or self._by_the_card(noise))

    def _by_the_card(self, noise: NoiseEstimate) -> Calibration:
        """The setting where the image cannot be measured on: what the network's card tells, if it does."""
        wanted, told = self.enhancement.noise_reduction, self.model.card.get("dial")
        if told is None:
            return nominal(wanted)
        return unmeasured(wanted, DialMap.from_json(told).share(wanted, noise.sd / self.standardization.scale))

    def response(self, index: int) -> Response:
        """How one answer of the network treats weak extra noise in homogeneous tissue of image ``index``.

        Raises:
            ValueError: The image shows no noise.
        """
        noise = self.noise(index)
        if noise.sd <= 0:
            raise ValueError(f"image {index} shows no noise")
        return self._askings((index,), noise)[0].answer().response

    def _calibrator(self, on: Sequence[int], noise: NoiseEstimate) -> Calibrator:
        """What asks the network about some images together; kept where it is to be."""
        if self.calibrators is not None and on[0] in self.calibrators:
            return self.calibrators[on[0]]
        asking = self._askings(on, noise)

        def start(sparing: bool) -> Callable[[float], Behaviour]:
            ask = [one.start(sparing) for one in asking]
            return lambda told: pooled([one(told) for one in ask])

        made = Calibrator(start)
        if self.calibrators is not None:
            self.calibrators[on[0]] = made
        return made

    def _askings(self, on: Sequence[int], noise: NoiseEstimate) -> list[Asking]:
        """What sends some images that share their noise through the network."""
        draws = self._draws(noise, len(on))
        return [self._asking(index, noise, draws) for index in on]

    def _asking(self, index: int, noise: NoiseEstimate, draws: int) -> Asking:
        """Weak extra noise of the image's own level and band, to be sent through the network."""
        generator = torch.Generator().manual_seed(_CALIBRATION_SEED)
        stored = self._neighbours.stored(index)
        extra = [self._oriented(self._noise(index, noise, generator)) for _ in range(draws)]
        extra.append(WEAKER * extra[0])
        noisy = [stored + one for one in extra]
        stacks = [self._neighbours.standardized(index), *(standardize(one, self.standardization) for one in noisy)]

        def network(stacks: Tensor, told: float) -> Tensor:
            return self._answer(stacks, told, noise)

        def details(parts: Tensor) -> Tensor:
            return torch.cat(gated_details(parts, vector(self._in_plane)), 1).sum(1)

        own = [self._in_own_units(middle(stack)) for stack in stacks]
        return Asking(
            network, details, own, stacks, lambda: [self._insignificant(one, noise) for one in (stored, *noisy)]
        )

    def _draws(self, noise: NoiseEstimate, images: int) -> int:
        """How often to draw extra noise: the fewer samples images have, the more of it chance decides."""
        freq, phase = self.standardization.matrix
        samples = images * freq * noise.extent_freq * phase * noise.extent_phase
        return min(_MOST_DRAWS, max(1, round(_ENOUGH_SAMPLES / samples)))

    def _noise(self, index: int, noise: NoiseEstimate, generator: torch.Generator) -> Float[Tensor, "slice freq phase"]:
        """Noise for an image and its neighbours, oriented."""
        known = self.acquisition.matrix.slice
        extent = min(1.0, known / self.source.depth) if known else 1.0
        return stack_noise(self._neighbours.numbers(index), self.standardization.matrix, noise, extent, generator)

    def _oriented(self, images: Tensor) -> Tensor:
        """Stored images with rows along phase, or the way back."""
        return images.transpose(-1, -2) if self.standardization.transposed else images

    def interpolated(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image r c"]:
        """Images of this series' matrix on the output grid, unprocessed."""
        return self._oriented(interpolate(images, self.standardization))

    @property
    def _asked(self) -> tuple[tuple[str, str], ...]:
        asked = self.enhancement
        along_slice = (("gain along slice", f"{asked.gain_slice:g}"),) if self._slices > 1 or self.across else ()
        return (
            ("noise reduction", f"{asked.noise_reduction:g}"),
            ("gain along freq", f"{asked.gain_freq:g}"),
            ("gain along phase", f"{asked.gain_phase:g}"),
            *along_slice,
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
        if self._slices == 1:
            return f"a gain along slice needs {LEAST_SLICES} adjoining slices: it was ignored"
        return (
            f"{self.model.name} has not learned a gain along slice: it changes next to nothing; name 2D weights as well"
        )

    @property
    def provenance(self) -> Provenance:
        """What goes into the header of the derived images."""
        # Only what was asked for: UIDs follow from it, and must not depend on the last digit of a measurement.
        asked = "; ".join(f"{name} {value}" for name, value in self._asked)
        slices = 2 * REACH + 1 if self._acts_across else self._slices
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

        def process(stack: Tensor) -> Tensor:
            return self._oriented(self.process(self._oriented(stack), dial))

        generator = torch.Generator().manual_seed(_MEASURING_SEED)
        return probe(
            process,
            lambda stack: resample(middle(stack), self.standardization.grid),
            self._oriented(self._neighbours.stored(index)),
            [self._noise(index, dial.noise, generator) for _ in range(2)],
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


def _spread(stack: Sequence[int], count: int) -> list[int]:
    """Some images of a stack, at most so many, away from its ends."""
    return sorted({stack[step * len(stack) // (count + 1)] for step in range(1, count + 1)})


def middle_image(count: int) -> int:
    """Number of the image that stands for a series of ``count``."""
    return count // 2
