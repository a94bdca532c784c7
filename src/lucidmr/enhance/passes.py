"""The network asked again and again: each pass goes on where the one before ended, with all predicted noise taken off.

The first pass acts everywhere, unless it is told to spare structure. What later ones find is what looked like anatomy
to those before, and beside structure it often is anatomy: there they act the less the more structure there is
(docs/results). What is smooth of their noise is left: noise has no mean. A pass without the network takes
what is noise by another test (:mod:`lucidmr.enhance.significance`).
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.image_noise import local_mean

REST: Final = 0.0
"""In place of what the network is told: a pass without it."""

Stacks = Float[Tensor, "b slice h w"]
Parts = Float[Tensor, "b part h w"]
Rest = Callable[[Tensor, Tensor], Tensor]


class Passes:
    """Stacks of slices on their way through the network; the slices around the middle ones stay as they are.

    Args:
        network: Stacks, and how many times the noise found it is told, to parts: predicted noise, then the details.
        given: Standardized stacks.
        homogeneity: Gives (b, 1, h, w), 0 to 1: where passes that spare structure act (see
            :func:`lucidmr.physics.image_noise.homogeneity`); not called where none does.
        whole: (freq, phase) of the image that the stacks are windows of, or whole.
        sparing: Whether the first pass does so, too.
        rest: Takes middle slices and what they were at first, (b, h, w), and gives what a pass without the network
            takes for noise.

    Attributes:
        asked: The middle slices that the latest pass was asked about, (b, 1, h, w).
        left: The stacks after the latest pass.
    """

    def __init__(
        self,
        network: Callable[[Stacks, float], Parts],
        given: Stacks,
        homogeneity: Callable[[], Float[Tensor, "b 1 h w"]],
        whole: Sequence[int],
        rest: Rest,
        sparing: bool = False,
    ) -> None:
        self._network, self._homogeneity, self._whole, self._rest = network, cache(homogeneity), whole, rest
        self._sparing, self._further, self._details = sparing, False, given[:, :0]
        self.left, self.asked = given, _middles(given)
        self._given = self.asked[:, 0]

    def __call__(self, told: float) -> Parts:
        """The parts of one more pass: the noise it may take off, then the details that the network last predicted."""
        self.asked, count = _middles(self.left), self.left.shape[1]
        noise = self._rest(self.asked[:, 0], self._given)[:, None] if told == REST else self._predicted(told)
        self.left = self.left - F.pad(noise, (0, 0, 0, 0, count // 2, count // 2))
        return torch.cat([noise, self._details], 1)

    def _predicted(self, told: float) -> Float[Tensor, "b 1 h w"]:
        """What the network takes for noise, where it may act."""
        parts = self._network(self.left, told)
        noise, self._details = parts[:, :1], parts[:, 1:]
        if self._further:
            noise = noise - local_mean(noise, self._whole)
        if self._further or self._sparing:
            noise = self._homogeneity() * noise
        self._further = True
        return noise


def _middles(stacks: Stacks) -> Float[Tensor, "b 1 h w"]:
    middle = stacks.shape[1] // 2
    return stacks[:, middle : middle + 1]
