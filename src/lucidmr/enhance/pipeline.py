"""One series in, one enhanced series out: header to context, standardize, network, restore."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from lucidmr import __version__ as VERSION
from lucidmr.context import Acquisition, Context, Enhancement, encode
from lucidmr.dicom.derived import write_derived
from lucidmr.dicom.header import HeaderFacts, acquisition, facts
from lucidmr.dicom.header.fact import inferred
from lucidmr.dicom.provenance import Provenance
from lucidmr.dicom.series import ImageSeries
from lucidmr.enhance.calibrate import Calibration, Response, calibrate, nominal, response_of
from lucidmr.enhance.device import DeviceName, choose_device, fast_precision
from lucidmr.enhance.probe import NoiseEstimate, ProbeResult, band_noise, body_mask, estimate_noise, probe
from lucidmr.enhance.tiling import parts_of
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import blend, gate
from lucidmr.network.weights import Model, load_model
from lucidmr.standardize import (
    SIDE_2D,
    SIDE_3D,
    Standardization,
    interpolate,
    plan,
    resample,
    restore,
    standard_grid,
    standardize,
)

Images = Iterator[NDArray[np.float32]]

_PLANNING_IMAGES: Final = 16
_CALIBRATION_SEED: Final = 1
_MEASURING_SEED: Final = 2


class Dial(NamedTuple):
    """The noise dial on one image.

    Attributes:
        noise: Noise of the original image; ``sd`` is 0 where none can be found.
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
        fixed: Setting of the noise dial for every image; ``None`` calibrates it on each (the default).
        dials: Noise and setting of the dial of the images that were computed so far, by number.
    """

    source: ImageSeries
    enhancement: Enhancement
    facts: HeaderFacts
    acquisition: Acquisition
    context: Context
    model: Model
    standardization: Standardization
    device: torch.device
    fixed: Calibration | None = None
    dials: dict[int, Dial] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> NDArray[np.float32]:
        """Image ``index``, enhanced: (row, column) on the interpolated grid, in the source's real-world units."""
        image = _tensor(self.source.image(index))[None]
        given, parts = self._parts(image)
        enhanced = self._blend(given, parts, self._dial(index, image, given, parts).calibration)
        return restore(enhanced, image, self.standardization)[0].numpy()

    def dial(self, index: int) -> Dial:
        """Noise of image ``index`` and how the noise dial is set on it."""
        if index not in self.dials:
            image = _tensor(self.source.image(index))[None]
            self._dial(index, image, *self._parts(image))
        return self.dials[index]

    def images(self) -> Iterator[NDArray[np.float32]]:
        """All images in the source's order."""
        return (self.image(index) for index in range(len(self)))

    def original(self, index: int) -> NDArray[np.float32]:
        """Image ``index`` of the source on the same grid: Lanczos interpolation and nothing else."""
        return self.interpolated(_tensor(self.source.image(index))[None])[0].numpy()

    def process(self, images: Float[Tensor, "1 row column"], calibration: Calibration) -> Float[Tensor, "1 r c"]:
        """Enhance one image of this series' matrix with a given setting of the noise dial."""
        return restore(self._blend(*self._parts(images), calibration), images, self.standardization)

    def _parts(self, images: Float[Tensor, "1 row column"]) -> tuple[Tensor, Tensor]:
        """The standardized image (1, freq, phase) and the network's parts of it (1, 3, freq, phase)."""
        given = standardize(images, self.standardization)
        with torch.inference_mode():
            parts = _parts(self.model, given[:, None].to(self.device), self._vector).cpu()
        # Found in the image's own units: the offset of the standardization would move the threshold.
        body = body_mask(given * self.standardization.scale + self.standardization.offset)
        return given, parts - _body_mean(parts, body[:, None])

    def _blend(self, given: Tensor, parts: Tensor, calibration: Calibration) -> Float[Tensor, "1 freq phase"]:
        return blend(given[:, None], parts, self._vector.cpu(), calibration.removal)[:, 0]

    def _dial(self, index: int, image: Tensor, given: Tensor, parts: Tensor) -> Dial:
        """Find the setting of the dial, once per image."""
        if index not in self.dials:
            noise = estimate_noise(self._oriented(image), self._told_extents)
            wanted = self.enhancement.noise_reduction
            if self.fixed is not None or noise.sd <= 0 or wanted == 1:
                found = self.fixed or nominal(wanted)
            else:
                found = calibrate(self._respond(image, given, parts, noise), wanted)
            self.dials[index] = Dial(noise, found)
        return self.dials[index]

    def _respond(self, image: Tensor, given: Tensor, parts: Tensor, noise: NoiseEstimate) -> Response:
        """Send weak extra noise of the image's own level and band through the network."""
        generator = torch.Generator().manual_seed(_CALIBRATION_SEED)
        extra = band_noise(self._oriented(image).shape, noise, generator)
        noisy, noisy_parts = self._parts(image + self._oriented(extra))
        change = noisy_parts - parts
        gates = [gate(self._vector.cpu(), direction)[:, 0] for direction in ("freq", "phase")]
        detail = gates[0] * change[:, 1] + gates[1] * change[:, 2]
        return response_of(given, noisy - given, change[:, 0], detail)

    def _oriented(self, images: Tensor) -> Tensor:
        """Stored images with rows along phase, or the way back."""
        return images.transpose(-1, -2) if self.standardization.transposed else images

    @property
    def _vector(self) -> Float[Tensor, "1 field"]:
        return torch.tensor([self.context.vector], device=self.device)

    @property
    def _told_extents(self) -> tuple[float, float]:
        """Acquired extent of the stored matrix as the header tells it; 1 where it is silent."""
        filled = self.facts.filled_phase.value or 1.0
        known, stored = self.acquisition.matrix, self.standardization.matrix
        return min(1.0, (known.freq or stored[0]) / stored[0]), min(
            1.0, (known.phase or stored[1]) / stored[1] / filled
        )

    def interpolated(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image r c"]:
        """Images of this series' matrix on the output grid, unprocessed."""
        return self._oriented(interpolate(images, self.standardization))

    @property
    def _asked(self) -> tuple[tuple[str, str], ...]:
        asked = self.enhancement
        return (
            ("noise reduction", f"{asked.noise_reduction:g}"),
            ("gain along freq", f"{asked.gain_freq:g}"),
            ("gain along phase", f"{asked.gain_phase:g}"),
            ("restore partial Fourier", "yes" if asked.restore_partial_fourier else "no"),
        )

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """Names and values of all that was asked for and found, for people to read."""
        middle = self.dial(middle_image(len(self)))
        return (
            *self._asked,
            ("share of predicted noise removed", f"{middle.calibration.removal:.3f} on the middle image"),
            ("noise found", f"{middle.noise.sd:.4g}" if middle.noise.sd > 0 else "none"),
            ("device", str(self.device)),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one line each; what the noise dial reaches follows from the images so far."""
        lines = list(self.source.warnings)
        dials = [self.dial(middle_image(len(self))), *self.dials.values()]
        reached = median(dial.calibration.expected for dial in dials)
        if all(dial.noise.sd <= 0 for dial in dials):
            lines.append("no noise could be found in the images: the dial is not calibrated on this series")
        elif reached < 0.95 * self.enhancement.noise_reduction:
            lines.append(
                f"a noise reduction of {self.enhancement.noise_reduction:g} is out of the network's reach on this "
                f"series: about {reached:.2f} is what it gives"
            )
        if self.enhancement.gain_slice > 1:
            lines.append("a gain along slice needs the 3D network, which this version does not have: it was ignored")
        return tuple(lines)

    @property
    def provenance(self) -> Provenance:
        """What goes into the header of the derived images."""
        # Only what was asked for: UIDs follow from it, and must not depend on the last digit of a measurement.
        asked = "; ".join(f"{name} {value}" for name, value in self._asked)
        return Provenance(self.model.name, VERSION, self.model.sha256, asked)

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
        return write_derived(self.source, watch(self.images()), folder, self.provenance, overwrite)

    @cached_property
    def measured(self) -> ProbeResult | None:
        """Noise reduction really achieved on the middle image, by the probe with noise of its own.

        ``None`` where the image shows no noise.
        """
        index = middle_image(len(self))
        dial = self.dial(index)
        if dial.noise.sd <= 0:
            return None

        def process(batch: Tensor) -> Tensor:
            return self._oriented(self.process(self._oriented(batch), dial.calibration))

        return probe(
            process,
            lambda batch: resample(batch, self.standardization.grid),
            self._oriented(_tensor(self.source.image(index))[None]),
            dial.noise,
            torch.Generator().manual_seed(_MEASURING_SEED),
        )


def enhance(
    series: ImageSeries,
    enhancement: Enhancement | None = None,
    *,
    model: Model | None = None,
    device: DeviceName = "auto",
) -> EnhancedSeries:
    """Enhance a series.

    Args:
        series: Magnitude images of one series.
        enhancement: What is asked for; a noise reduction of 2 where nothing is said.
        model: Network to use; the one that comes with the package where nothing is said.
        device: Where to compute.

    Returns:
        The enhanced series. Context and standardization are done; images follow when asked for.

    Raises:
        LucidError: An image cannot be read, the weights are damaged, or the device is not there.
    """
    wanted = enhancement or Enhancement()
    where = choose_device(device)
    network = model or load_model(device=where)
    told = facts_of(series)
    known = acquisition(told)
    how = _plan(series, told)
    context = context_of(series, told, wanted)
    return EnhancedSeries(series, wanted, told, known, context, network, how, where)


def facts_of(series: ImageSeries) -> HeaderFacts:
    """Header facts, the displayed field of view checked against the pixels.

    Some scanners write a reduced phase field of view and fill the image all the same.
    """
    told = facts(series)
    if (told.filled_phase.value or 1.0) == 1.0 or _plan(series, told).cropped:
        return told
    return facts(series, {"filled_phase": inferred(1.0, "the pixels: the image is filled to its edges")})


def context_of(series: ImageSeries, told: HeaderFacts, wanted: Enhancement) -> Context:
    """What the network is told about a series, from its header alone.

    Args:
        series: The series.
        told: Its header facts.
        wanted: What is asked for.

    Returns:
        The context.
    """
    rows, columns = series.rows, series.columns
    stored = (columns, rows) if told.phase_axis.value == "col" else (rows, columns)
    n_freq, n_phase = standard_grid(stored, _side(told))
    return encode(acquisition(told), wanted, (n_freq, round(n_phase * (told.filled_phase.value or 1.0)), 1))


def _side(told: HeaderFacts) -> int:
    return SIDE_3D if told.three_dimensional.value else SIDE_2D


def _plan(series: ImageSeries, told: HeaderFacts) -> Standardization:
    sample = torch.stack([_tensor(series.image(index)) for index in _spread(len(series), _PLANNING_IMAGES)])
    if not torch.isfinite(sample).all():
        raise LucidError(f"{series.label}: holds values that are not finite; check the rescale slope of its files")
    return plan(
        sample,
        phase_along_rows=told.phase_axis.value != "col",
        side=_side(told),
        filled=told.filled_phase.value or 1.0,
    )


def _parts(model: Model, images: Float[Tensor, "b 1 h w"], vector: Tensor) -> Float[Tensor, "b 3 h w"]:
    """Noise and details of standardized images, in the fastest precision that the device has."""
    precision = fast_precision(images.device)

    def network(batch: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            return model.network.parts(batch, vector.expand(len(batch), -1))

    return parts_of(network, images, model.network.settings.stride)


def _body_mean(parts: Float[Tensor, "b 3 h w"], body: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 1 1"]:
    """Mean of each part over the body: noise has none, nor has what lies beyond k_max, so it is taken off.

    Without that the network's idea of the Rician floor of very noisy images would darken them.
    """
    mean: Tensor = (parts * body).sum((2, 3), keepdim=True) / body.sum((2, 3), keepdim=True).clamp_min(1)
    return mean


def _tensor(image: NDArray[np.float32]) -> Float[Tensor, "row column"]:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))


def middle_image(count: int) -> int:
    """Number of the image that stands for a series of ``count``."""
    return count // 2


def _spread(count: int, wanted: int) -> list[int]:
    """Image numbers spread over the series, away from its ends, each once."""
    return sorted({min(count - 1, int(count * (index + 0.5) / wanted)) for index in range(wanted)})
