"""A slice with its neighbours: what a network that looks at several slices at once is given."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.dicom.source import Source
from lucidmr.physics.image_noise import NoiseEstimate, band_noise
from lucidmr.shapes import Image
from lucidmr.standardize import Standardization, standardize


def middle(stack: Float[Tensor, "slice *plane"]) -> Float[Tensor, "1 *plane"]:
    """The middle one of an odd number of slices."""
    return stack[len(stack) // 2 : len(stack) // 2 + 1]


class Neighbours:
    """Images of a series with their neighbours; those around the latest image are kept in memory.

    Neighbours are of the same stack (echo, b-value, time point ...), in the order of their position. Beyond the ends of
    a stack its end slices are repeated, as in training.
    """

    def __init__(self, series: Source, how: Standardization, slices: int) -> None:
        self._series, self._how, self._slices = series, how, slices
        self._read = lru_cache(slices)(self._stored_image)
        self._standardized = lru_cache(slices)(self._standardized_image)

    def stack(self, index: int) -> tuple[int, ...]:
        """The numbers of all images of the stack that an image is in, sorted by position."""
        return next(stack for stack in self._series.stacks if index in stack)

    def numbers(self, index: int) -> tuple[int, ...]:
        """The images around an image, itself in the middle."""
        stack = self.stack(index)
        place, half = stack.index(index), self._slices // 2
        return tuple(stack[min(max(place + step, 0), len(stack) - 1)] for step in range(-half, half + 1))

    def stored(self, index: int) -> Float[Tensor, "slice row column"]:
        """An image and its neighbours as stored, in real-world units."""
        return torch.cat([self._read(number) for number in self.numbers(index)])

    def standardized(self, index: int) -> Float[Tensor, "slice freq phase"]:
        """An image and its neighbours as the network takes them."""
        return torch.cat([self._standardized(number) for number in self.numbers(index)])

    def forget(self) -> None:
        """Free what is kept in memory; it is read anew should it be asked for again."""
        self._read.cache_clear()
        self._standardized.cache_clear()

    def _stored_image(self, index: int) -> Float[Tensor, "1 row column"]:
        return torch.from_numpy(np.ascontiguousarray(self._series.image(index), dtype=np.float32))[None]

    def _standardized_image(self, index: int) -> Float[Tensor, "1 freq phase"]:
        return standardize(self._read(index), self._how)


def stack_noise(
    numbers: tuple[int, ...],
    matrix: tuple[int, int],
    noise: NoiseEstimate,
    extent_slice: float,
    generator: torch.Generator,
) -> Image:
    """Draw noise for a slice and its neighbours as the acquisition would have left it.

    Slices of a fully sampled volume have independent noise. Zero-filling along slice correlates that of neighbours by
    sinc(extent d), d slices apart; a slice that is repeated beyond the end of the volume brings its own noise along.

    Args:
        numbers: The slices' places in the volume.
        matrix: (freq, phase) pixels of a slice.
        noise: Level and in-plane band.
        extent_slice: Acquired extent along slice over Nyquist of the slices, 0 to 1.
        generator: Source of randomness.

    Returns:
        (slice, freq, phase) noise.
    """
    white = band_noise((len(numbers), *matrix), noise, generator)
    places = torch.tensor(numbers, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(torch.sinc(extent_slice * (places[:, None] - places)))
    mixing = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
    return torch.einsum("ij,jfp->ifp", mixing.to(white), white)
