"""Magnitude images of real anatomy as truths: averaged to thick slices, without the floor that noise gave them."""

from dataclasses import replace
from typing import Final

from lucidmr.physics.body import body_mask
from lucidmr.physics.noise_floor import floor_in, noise_floor
from lucidmr.raw.pseudo import NativeSlices, thick_slices
from lucidmr.shapes import Image

THICK_MM: Final = 5.0
"""Of the slices that truths are made of, as is usual in 2D: adjacent thin ones are averaged and have less noise."""


def thick_truth(slices: NativeSlices) -> NativeSlices:
    """Slices of :data:`THICK_MM` where a volume has thinner ones, without floor."""
    thick = thick_slices(slices, THICK_MM)
    return replace(thick, images=without_floor(thick.images, slices.noise_sd))


def without_floor(images: Image, noise_sd: float) -> Image:
    """Images whose air is dark: what noise has made bright is no anatomy, and no average takes it off.

    Args:
        images: Magnitude images, as they are or averaged.
        noise_sd: Noise of each of those that were averaged.
    """
    return images - floor_in(images, noise_floor(images, body_mask(images), noise_sd))
