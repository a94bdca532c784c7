"""What the network does to the noise of an image, measured on windows of it: the dial needs no more of the image.

Windows lie where homogeneous tissue is, and have structured tissue around it. Half of the image's pixels at most
goes through the network, once a pass without extra noise and once with every draw of it.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from lucidmr.enhance.calibrate import Behaviour, response_of
from lucidmr.enhance.passes import Passes
from lucidmr.enhance.risk import ORIGINAL, risk_of
from lucidmr.physics.image_noise import Tissue, homogeneity, local_mean, tissue_of
from lucidmr.shapes import Image, Mask

WINDOW: Final = 384
"""Side of a window, pixels: wider than the network's effective reach, a multiple of its stride."""
_SHARE: Final = 0.5
"""Of the image's pixels that windows may hold."""

Window = tuple[slice, slice]
Stack = Float[Tensor, "slice freq phase"]
Windows = Float[Tensor, "window h w"]


class Asking:
    """Sends a stack of slices through the network with and without weak extra noise, pass after pass.

    Args:
        network: Stacks, and how many times the noise found it is told, to parts: predicted noise, then the details.
        details: Parts to the sum of the details that are let through, (b, h, w).
        images: (1, freq, phase), the middle slice in its own units, the same with each draw of extra noise, and last
            with noise that is :data:`lucidmr.enhance.risk.WEAKER`; tissue is looked for in the first.
        stacks: The stack, standardized, and the same with each draw and with the weaker noise.
        insignificant: Gives what of the images the first pass takes for noise without the network, standardized.
    """

    def __init__(
        self,
        network: Callable[[Tensor, float], Tensor],
        details: Callable[[Tensor], Tensor],
        images: Sequence[Image],
        stacks: Sequence[Stack],
        insignificant: Callable[[], Sequence[Image]],
    ) -> None:
        self._network, self._details, self._images = network, details, images
        self._insignificant = cache(lambda: self._cut(insignificant()))
        tissue = tissue_of(self._images[0])
        self._windows = windows_on(tissue.homogeneous[0])
        covered = torch.zeros_like(images[0], dtype=torch.bool)
        for window in self._windows:
            covered[0][window] = True
        self._tissue = Tissue(*(where & covered for where in tissue))
        self._stacks = self._cut(stacks)

    def start(self, sparing: bool) -> Callable[[float], Behaviour]:
        """Start with the first pass.

        Args:
            sparing: Whether it is to spare structure as later ones do.

        Returns:
            What makes one pass after the other, the network told so many times the noise found; the response is empty
            where the image has no body.
        """
        return self._passes(self._insignificant(), sparing)

    def answer(self) -> Behaviour:
        """What the network does in one answer, told the noise that was found, and nothing else does."""
        return self._passes(torch.zeros_like(self._stacks[:, :1]), sparing=False)(1.0)

    def _passes(self, insignificant: Float[Tensor, "window 1 h w"], sparing: bool) -> Callable[[float], Behaviour]:
        whole = self._images[0].shape
        passes = Passes(self._network, self._stacks, insignificant, lambda: self._homogeneity, whole, sparing)
        given = passes.asked[:, 0]

        def ask(told: float) -> Behaviour:
            if not self._windows:
                nothing = torch.zeros_like(self._images[0])
                return Behaviour(response_of(nothing, nothing, nothing, nothing > 0), ORIGINAL, ORIGINAL)
            parts = passes(told)
            return self._behaviour(given, passes.asked[:, 0], parts)

        return ask

    @cached_property
    def _homogeneity(self) -> Float[Tensor, "window 1 h w"]:
        """Of all images, as noise changes where tissue looks homogeneous, too."""
        return self._cut([homogeneity(image) for image in self._images])

    def _behaviour(self, given: Windows, asked: Windows, parts: Float[Tensor, "window part h w"]) -> Behaviour:
        """What a pass does that was given the noise and asked about what is left of it."""
        noise, gone = parts[:, 0], given - asked
        extra, kept, of_noise, of_gone = map(self._change, (given, asked + self._details(parts), noise, gone))
        response = response_of(extra[:-1], kept[:-1], of_noise[:-1], self._tissue.homogeneous)
        removed, weaker = (self._rough(gone), self._rough(noise)), (extra[-1:], of_gone[-1:], of_noise[-1:])
        return Behaviour(response, *(risk_of(*removed, *weaker, where) for where in self._tissue))

    def _rough(self, values: Windows) -> Image:
        """What of the first image is not smooth: noise has no mean."""
        placed = self._placed(self._by_image(values)[0])
        return placed - local_mean(placed)

    def _cut(self, stacks: Sequence[Stack]) -> Float[Tensor, "window slice h w"]:
        """The windows of all stacks, those of the first one first."""
        cut = [stack[:, rows, columns] for stack in stacks for rows, columns in self._windows]
        return torch.stack(cut) if cut else stacks[0][None]

    def _change(self, values: Windows) -> Float[Tensor, "draw freq phase"]:
        """What each draw of the extra noise changes."""
        without, *noisy = self._by_image(values)
        return torch.cat([self._placed(values - without) for values in noisy])

    def _by_image(self, values: Float[Tensor, "all h w"]) -> tuple[Windows, ...]:
        """The windows of each image."""
        return values.chunk(len(self._images))

    def _placed(self, values: Windows) -> Image:
        """Windows at their places in an image that is 0 elsewhere."""
        whole = torch.zeros_like(self._images[0])
        for window, value in zip(self._windows, values, strict=True):
            whole[0][window] = value
        return whole


def windows_on(mask: Mask) -> list[Window]:
    """Place windows so that they hold as much of a mask as they can.

    Args:
        mask: (freq, phase).

    Returns:
        Windows of equal size, the fullest first, as many as half of the image takes, at least one; none for an
        empty mask. They may overlap.
    """
    height, width = (min(WINDOW, side) for side in mask.shape)
    most = max(1, int(_SHARE * mask.numel() / (height * width)))
    left, found = mask.clone(), list[Window]()
    while len(found) < most and bool(left.any()):
        held = _held(left, height, width)
        row, column = divmod(int(held.argmax()), held.shape[1])
        found.append((slice(row, row + height), slice(column, column + width)))
        left[found[-1]] = False
    return found


def _held(mask: Mask, height: int, width: int) -> Int64[Tensor, "row column"]:
    """How much of a mask a window holds, for every place of its first corner."""
    sums = F.pad(mask.long().cumsum(0).cumsum(1), (1, 0, 1, 0))
    return sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
