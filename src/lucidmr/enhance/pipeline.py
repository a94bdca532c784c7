"""One series in, one enhanced series out: header to context, standardize, network, restore."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

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
_CALIBRATION_IMAGES: Final = 4
# Four images spread over a series leave out its middle one, on which the result is then measured.
_CALIBRATION_SEED: Final = 1
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
        noise: Noise of the original images; ``sd`` is 0 where none can be found.
        calibration: How the noise dial is set on this series.
        device: Where the network runs.
    """

    source: ImageSeries
    enhancement: Enhancement
    facts: HeaderFacts
    acquisition: Acquisition
    context: Context
    model: Model
    standardization: Standardization
    noise: NoiseEstimate
    calibration: Calibration
    device: torch.device

    def __len__(self) -> int:
        return len(self.source)

    def image(self, index: int) -> NDArray[np.float32]:
        """Image ``index``, enhanced: (row, column) on the interpolated grid, in the source's real-world units."""
        return self.process(_tensor(self.source.image(index))[None])[0].numpy()

    def images(self) -> Iterator[NDArray[np.float32]]:
        """All images in the source's order."""
        return (self.image(index) for index in range(len(self)))

    def original(self, index: int) -> NDArray[np.float32]:
        """Image ``index`` of the source on the same grid: Lanczos interpolation and nothing else."""
        return self.interpolated(_tensor(self.source.image(index))[None])[0].numpy()

    def process(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image r c"]:
        """Enhance images of this series' matrix."""
        given = standardize(images, self.standardization).to(self.device)
        vector = _vector(self.context, self.device)
        with torch.inference_mode():
            enhanced = [
                blend(one, _parts(self.model, one, vector), vector, self.calibration.removal)[0, 0].cpu()
                for one in given[:, None, None]
            ]
        return restore(torch.stack(enhanced), images, self.standardization)

    def interpolated(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image r c"]:
        """Images of this series' matrix on the output grid, unprocessed."""
        found = interpolate(images, self.standardization)
        return found.transpose(-1, -2) if self.standardization.transposed else found

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
        return (
            *self._asked,
            ("share of predicted noise removed", f"{self.calibration.removal:.3f}"),
            ("noise found", f"{self.noise.sd:.4g}" if self.noise.sd > 0 else "none"),
            ("device", str(self.device)),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, one line each."""
        lines = list(self.source.warnings)
        if self.noise.sd <= 0:
            lines.append("no noise could be found in the images: the dial is not calibrated on this series")
        elif self.calibration.expected < 0.95 * self.enhancement.noise_reduction:
            lines.append(
                f"a noise reduction of {self.enhancement.noise_reduction:g} is out of the network's reach on this "
                f"series: about {self.calibration.expected:.2f} is what it gives"
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
        """Noise reduction really achieved, by the probe on a middle image with noise of its own seed.

        ``None`` where the image shows no noise.
        """
        if self.noise.sd <= 0:
            return None
        image = _tensor(self.source.image(middle_image(len(self))))[None]
        oriented = image.transpose(-1, -2) if self.standardization.transposed else image

        def process(batch: Tensor) -> Tensor:
            stored = batch.transpose(-1, -2) if self.standardization.transposed else batch
            found = self.process(stored)
            return found.transpose(-1, -2) if self.standardization.transposed else found

        generator = torch.Generator().manual_seed(_MEASURING_SEED)
        return probe(process, lambda batch: resample(batch, self.standardization.grid), oriented, self.noise, generator)


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
        The enhanced series. Context, standardization and calibration are done; images follow when asked for.

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
    sample = torch.stack([_tensor(series.image(index)) for index in _spread(len(series), _CALIBRATION_IMAGES)])
    noise = estimate_noise(sample.transpose(-1, -2) if how.transposed else sample)
    dial = nominal(wanted.noise_reduction)
    if noise.sd > 0 and wanted.noise_reduction > 1:
        dial = calibrate(_respond(network, sample, how, context, noise, where), wanted.noise_reduction)
    return EnhancedSeries(series, wanted, told, known, context, network, how, noise, dial, where)


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


def _respond(
    model: Model,
    images: Float[Tensor, "image row column"],
    how: Standardization,
    context: Context,
    noise: NoiseEstimate,
    device: torch.device,
) -> Response:
    """Send weak extra noise of the series' own level and band through the network."""
    generator = torch.Generator().manual_seed(_CALIBRATION_SEED)
    extra = band_noise(images.transpose(-1, -2).shape if how.transposed else images.shape, noise, generator)
    noisy = images + (extra.transpose(-1, -2) if how.transposed else extra)
    vector = _vector(context, device)
    outputs = []
    for batch in (images, noisy):
        given = standardize(batch, how)
        with torch.inference_mode():
            parts = torch.cat([_parts(model, one.to(device), vector).cpu() for one in given[:, None, None]])
        outputs.append((given, parts[:, 0], _details(parts, vector)))
    before, after = outputs
    changes = (after[0] - before[0], after[1] - before[1], after[2] - before[2])
    return response_of(before[0], changes)


def _details(parts: Float[Tensor, "b 3 h w"], vector: Tensor) -> Float[Tensor, "b h w"]:
    gates = [gate(vector, direction).cpu()[:, 0] for direction in ("freq", "phase")]
    return gates[0] * parts[:, 1] + gates[1] * parts[:, 2]


def _parts(model: Model, images: Float[Tensor, "b 1 h w"], vector: Tensor) -> Float[Tensor, "b 3 h w"]:
    """Noise and details of standardized images, in the fastest precision that the device has."""
    precision = fast_precision(images.device)

    def network(batch: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            return model.network.parts(batch, vector.expand(len(batch), -1))

    return _without_mean(parts_of(network, images, model.network.settings.stride), body_mask(images))


def _without_mean(parts: Float[Tensor, "b 3 h w"], body: Bool[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Take the mean over the body off each part: noise has none, nor has what lies beyond k_max.

    It keeps the signal of the body where it was. Without it the network's idea of the Rician floor of very noisy images
    would darken them.
    """
    pixels = body.sum((2, 3), keepdim=True).clamp_min(1)
    return parts - (parts * body).sum((2, 3), keepdim=True) / pixels


def _vector(context: Context, device: torch.device) -> Float[Tensor, "1 field"]:
    return torch.tensor([context.vector], device=device)


def _tensor(image: NDArray[np.float32]) -> Float[Tensor, "row column"]:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))


def middle_image(count: int) -> int:
    """Number of the image that stands for a series of ``count``."""
    return count // 2


def _spread(count: int, wanted: int) -> list[int]:
    """Image numbers spread over the series, away from its ends, each once."""
    return sorted({min(count - 1, int(count * (index + 0.5) / wanted)) for index in range(wanted)})
