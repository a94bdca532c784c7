"""The network on one series: what it finds in standardized images, and what is taken off them."""

from dataclasses import dataclass, replace
from math import log2

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.context import NOISE_REDUCTION_RANGE, Context, Enhancement
from lucidmr.enhance.calibrate import Calibration
from lucidmr.enhance.neighbours import middle
from lucidmr.enhance.parts import in_band, on_working_grid, predicted, vector, without_mean
from lucidmr.enhance.passes import Passes
from lucidmr.enhance.significance import insignificant
from lucidmr.network.ce_unet import blend, gated_details
from lucidmr.network.weights import Model
from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import NoiseEstimate, homogeneity
from lucidmr.physics.noise_floor import floor_in, noise_floor
from lucidmr.shapes import Image
from lucidmr.standardize import Standardization, standardize


@dataclass(frozen=True, eq=False)
class SeriesNetwork:
    """A network and what it must know of a series.

    Attributes:
        model: The network.
        context: What it is told, but for noise and noise reduction.
        enhancement: What is asked for.
        standardization: How the images are brought to the network's grid.
        device: Where it runs.
    """

    model: Model
    context: Context
    enhancement: Enhancement
    standardization: Standardization
    device: torch.device

    @property
    def slices(self) -> int:
        """Neighbouring slices that the network looks at."""
        return self.model.network.settings.slices

    def parts(self, stacks: Float[Tensor, "b slice h w"], told: float, noise: NoiseEstimate) -> Tensor:
        """Noise and details that the network finds, told so many times the noise, within their parts of k-space."""

        def network(coarse: Tensor, context: Context) -> Tensor:
            return predicted(self.model.network, coarse, vector(context), self.device)

        freq, phase = self._density(noise)
        wanted = freq * self.enhancement.gain_freq, phase * self.enhancement.gain_phase
        parts = on_working_grid(network, stacks, self._told(told * noise.sd), wanted)
        return torch.cat([in_band(parts[:, :1], (freq, phase)), in_band(parts[:, 1:], wanted)], 1)

    def details(self, parts: Float[Tensor, "b part h w"]) -> Float[Tensor, "b h w"]:
        """The sum of the details that are let through."""
        return torch.cat(gated_details(parts, vector(self.context)), 1).sum(1)

    def enhanced(
        self,
        stored: Float[Tensor, "slice row column"],
        given: Float[Tensor, "slice freq phase"],
        noise: NoiseEstimate,
        how: Calibration,
    ) -> Float[Tensor, "1 freq phase"]:
        """The middle one of some slices: noise comes off pass by pass, the last one is blended.

        Args:
            stored: The slices, as many as the network looks at.
            given: The same, standardized.
            noise: Their noise.
            how: How the noise dial is set.

        Returns:
            The enhanced slice, standardized.
        """
        # In the images' own units: the standardization's offset would move the threshold of what is body.
        image = self.standardization.in_own_units(middle(given))
        body, sd = body_mask(image), noise.sd / self.standardization.scale

        def network(stacks: Tensor, told: float) -> Tensor:
            return without_mean(self.parts(stacks, told, noise), body[:, None], sd, self._density(noise))

        first = self.insignificant(stored, noise) if how.measured else torch.zeros_like(image)
        passes = Passes(
            network, given[None], first[None], lambda: homogeneity(image)[:, None], image.shape[-2:], how.sparing
        )
        *_, parts = map(passes, how.told)
        enhanced = blend(passes.asked, parts, vector(self.context), how.removal)[:, 0]
        share = 1.0 - 1.0 / self.enhancement.noise_reduction  # air is known to be noise
        if share == 0.0:
            return enhanced
        level = noise_floor(image, body, noise.sd)
        floor = floor_in(self.standardization.in_own_units(middle(passes.left[0])), level)
        return enhanced - share / self.standardization.scale * floor

    def insignificant(self, stored: Float[Tensor, "slice row column"], noise: NoiseEstimate) -> Image:
        """What of the middle slice is not significant, standardized: (1, freq, phase)."""
        how = self.standardization
        return standardize(how.turned(insignificant(how.turned(stored), noise)), replace(how, offset=0.0))

    def _density(self, noise: NoiseEstimate) -> tuple[float, float]:
        """Acquired pixels per pixel of the grid along (freq, phase)."""
        how, extents = self.standardization, (noise.extent_freq, noise.extent_phase)
        freq, phase = (min(1.0, n * share / fine) for n, share, fine in zip(how.matrix, extents, how.grid, strict=True))
        return freq, phase

    def _told(self, noise_sd: float) -> Context:
        """What the network is told when it is asked for all noise there is: the dial decides how much of it goes."""
        known = self.context.with_noise(noise_sd / self.standardization.scale)
        return replace(known, noise_reduction=log2(NOISE_REDUCTION_RANGE[1]))
