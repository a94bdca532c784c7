"""The network asked again and again: each pass goes on where the one before ended, with all predicted noise taken off.

The first pass takes off what no test tells from noise (:mod:`lucidmr.enhance.significance`), then what the network
finds in the rest. It acts everywhere, unless it is told to spare structure. What later ones find is what looked like
anatomy to those before, and beside structure it often is anatomy: there they act the less the more structure there is
(docs/results). What is smooth of their noise is left: noise has no mean.
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.physics.image_noise import local_mean

Stacks = Float[Tensor, "b slice h w"]
Parts = Float[Tensor, "b part h w"]


class Passes:
    """Stacks of slices on their way through the network; the slices around the middle ones stay as they are.

    Args:
        network: Stacks, and how many times the noise found it is told, to parts: predicted noise, then the details.
        given: Standardized stacks.
        insignificant: What of the middle slices is noise by another test than the network's, (b, 1, h, w).
        homogeneity: Gives (b, 1, h, w), 0 to 1: where passes that spare structure act (see
            :func:`lucidmr.physics.image_noise.homogeneity`); not called where none does.
        whole: (freq, phase) of the image that the stacks are windows of, or whole.
        sparing: Whether the first pass does so, too.

    Attributes:
        asked: The middle slices before the latest pass, (b, 1, h, w).
        left: The stacks after the latest pass.
    """

    def __init__(
        self,
        network: Callable[[Stacks, float], Parts],
        given: Stacks,
        insignificant: Float[Tensor, "b 1 h w"],
        homogeneity: Callable[[], Float[Tensor, "b 1 h w"]],
        whole: Sequence[int],
        sparing: bool = False,
    ) -> None:
        self._network, self._homogeneity, self._whole = network, cache(homogeneity), whole
        self._first, self._sparing, self._further = insignificant, sparing, False
        self.left, self.asked = given, _middles(given)

    def __call__(self, told: float) -> Parts:
        """The parts of one more pass: the noise it may take off, then the details."""
        self.asked = _middles(self.left)
        first = torch.zeros_like(self.asked) if self._further else self._first
        parts = self._network(self._without(first), told)
        noise, details = first + parts[:, :1], parts[:, 1:]
        if self._further:
            noise = noise - local_mean(noise, self._whole)
        if self._further or self._sparing:
            noise = self._homogeneity() * noise
        self._further, self.left = True, self._without(noise)
        return torch.cat([noise, details], 1)

    def _without(self, noise: Float[Tensor, "b 1 h w"]) -> Stacks:
        """What is left when this is taken off the middle slices."""
        around = self.left.shape[1] // 2
        return self.left - F.pad(noise, (0, 0, 0, 0, around, around))


def _middles(stacks: Stacks) -> Float[Tensor, "b 1 h w"]:
    middle = stacks.shape[1] // 2
    return stacks[:, middle : middle + 1]
