"""A gain along slice by a network of single slices, on planes across the slices of a volume.

Slice encoding of a 3D acquisition is a second phase encoding: a plane of freq and slice is an image in which slice
stands where phase stands, and what the network has learned of a gain along phase holds along slice. It sees all slices
there; a stack of seven that were acquired at half of the k_max wanted holds little more than three.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lucidmr.context import NOISE_REDUCTION_RANGE, Acquisition, Directions, Enhancement, encode
from lucidmr.enhance.parts import in_band, predicted, vector
from lucidmr.network.ce_unet import gated_details
from lucidmr.network.weights import Model
from lucidmr.physics.image_noise import NoiseEstimate
from lucidmr.shapes import Image
from lucidmr.standardize import Standardization, resample, standardize

FINER: Final = 3
"""Pixels of a plane per slice: as many as the largest gain asks for, and odd, so that slices lie on pixels."""
REACH: Final = 21
"""Slices on either side that the detail of a slice is found from: the network's effective reach, 64 pixels."""

_PHASE: Final = 1
"""The place of the detail along phase among the details of a plane."""

Stack = tuple[int, ...]


def acts(acquisition: Acquisition, wanted: Enhancement) -> bool:
    """Whether there is anything to do along slice."""
    missing = (acquisition.partial_fourier.slice or 1.0) < 1.0
    return wanted.gain_slice > 1 or (wanted.restore_partial_fourier and missing)


class AcrossSlices:
    """Finds the detail along slice of the stacks of a volume; that of the latest stack is kept in memory.

    Args:
        model: Network of single slices.
        how: How the slices are standardized.
        device: Where to compute.
        read: Number of an image to that image, as stored.
    """

    def __init__(
        self, model: Model, how: Standardization, device: torch.device, read: Callable[[int], NDArray[np.floating]]
    ) -> None:
        self.model, self._how, self._device, self._read = model, how, device, read
        self._found = lru_cache(1)(self._find)

    def __call__(
        self, stack: Stack, place: int, acquisition: Acquisition, wanted: Enhancement, noise: NoiseEstimate
    ) -> Float[Tensor, "1 freq phase"]:
        """The detail of a slice on the standardized grid.

        Args:
            stack: Numbers of all images of its stack, sorted by position.
            place: Its place among them.
            acquisition: What was acquired.
            wanted: What is asked for; of it the gain along slice and partial Fourier matter.
            noise: Noise of the stack.

        Returns:
            What is to be added to the slice.
        """
        rows, columns = self._how.box
        asked = Enhancement(
            NOISE_REDUCTION_RANGE[1],
            gain_phase=wanted.gain_slice,
            restore_partial_fourier=wanted.restore_partial_fourier,
        )
        details = self._found(stack, as_planes(acquisition), asked, noise)
        return resample(details[place : place + 1], self._how.grid)[..., rows, columns]

    def forget(self) -> None:
        """Free what is kept; it is found anew should it be asked for again."""
        self._found.cache_clear()

    def _find(self, stack: Stack, acquisition: Acquisition, asked: Enhancement, noise: NoiseEstimate) -> Image:
        """The details of all slices of a stack, oriented, at the matrix as stored: (slice, freq, phase)."""
        volume = self._volume(stack)
        n_slice, n_freq, _ = volume.shape
        how = self._plane(n_freq, n_slice, noise.extent_freq)
        told = encode(acquisition, asked, (*how.grid, 1)).with_noise(noise.sd / how.scale)
        acquired = min(1.0, (acquisition.matrix.phase or n_slice) / n_slice) / FINER
        density = n_freq * noise.extent_freq / how.grid[0], asked.gain_phase * acquired
        details = torch.zeros_like(volume)
        for column in range(*self._how.crop_phase):
            plane = standardize(volume[..., column].T, how)
            parts = predicted(self.model.network, plane[None, None], vector(told), self._device)
            (detail,) = in_band(gated_details(parts, vector(told))[_PHASE], density)
            # What lies beyond k_max averages out over two acquired pixels and a little more.
            reach = round(1 / acquired)
            detail = detail - avg_pool2d(detail, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
            details[..., column] = self._at_slices(detail[0], n_freq).T
        return details

    def _volume(self, stack: Stack) -> Image:
        """All slices of a stack, oriented."""
        stored = torch.from_numpy(np.stack([self._read(number) for number in stack]).astype(np.float32))
        return self._how.turned(stored)

    def _plane(self, n_freq: int, n_slice: int, extent_freq: float) -> Standardization:
        """How planes of freq and slice are standardized: as the slices are, on a grid of their own."""
        fine = max(n_freq, round(FINER * extent_freq * n_freq))
        return replace(
            self._how,
            transposed=False,
            matrix=(n_freq, n_slice),
            crop_freq=(0, n_freq),
            crop_phase=(0, n_slice),
            grid=(fine, FINER * n_slice),
        )

    @staticmethod
    def _at_slices(detail: Float[Tensor, "fine_freq fine_slice"], n_freq: int) -> Float[Tensor, "freq slice"]:
        """The detail at the centres of the slices, along freq at the matrix as stored."""
        return resample(detail, (n_freq, detail.shape[1]))[:, FINER // 2 :: FINER]


def as_planes(acquisition: Acquisition) -> Acquisition:
    """What was acquired as a plane of freq and slice shows it: slice in the place of phase."""
    matrix, fractions = acquisition.matrix, acquisition.partial_fourier
    return replace(
        acquisition,
        matrix=Directions(matrix.freq, matrix.slice),
        partial_fourier=Directions(fractions.freq, fractions.slice),
        acceleration_phase=acquisition.acceleration_slice,
        acceleration_slice=1.0,
        elliptical=False,
        three_dimensional=False,
    )
