"""Make the noise dial mean what it says on this very image.

A network that is not trained to the end removes less noise than asked for, by a share that depends on noise level and
anatomy. The gated head is linear in the share of predicted noise that is removed, so one measurement with weak extra
noise (as in :mod:`lucidmr.enhance.probe`) tells for every share which noise reduction it gives in homogeneous tissue,
and the share that gives the wanted one is found without running the network again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.enhance.probe import homogeneous_mask, local_mean
from lucidmr.shapes import Image

MOST_REMOVAL: Final = 1.5
"""More than all of the predicted noise is removed only to make up for noise that was predicted too weak."""


class Response(NamedTuple):
    """How weak extra noise passes through the parts of the gated head: local powers at pixels of homogeneous tissue.

    Attributes:
        given: Power of the change of the input.
        kept: Power of the change of input and gated details together.
        shared: Product of that change and the change of the predicted noise.
        noise: Power of the change of the predicted noise.
    """

    given: Float[Tensor, " pixel"]
    kept: Float[Tensor, " pixel"]
    shared: Float[Tensor, " pixel"]
    noise: Float[Tensor, " pixel"]

    def noise_reduction(self, removal: float) -> float:
        """Median noise reduction when this share of the predicted noise is removed."""
        after = self.kept - 2.0 * removal * self.shared + removal**2 * self.noise
        median: Tensor = (self.given / after.clamp_min(1e-20)).median()
        return math.sqrt(float(median))


def response_of(before: Image, given: Image, kept: Image, noise: Image) -> Response:
    """Measure a response.

    Args:
        before: Image without extra noise; homogeneous tissue is looked for in it.
        given: Change of the input.
        kept: Change of what the predicted noise is to be taken from, the gated details included.
        noise: Change of the predicted noise.

    Returns:
        The response; empty where the image has no body.
    """
    where = homogeneous_mask(before)
    powers = (given.square(), kept.square(), kept * noise, noise.square())
    return Response(*(local_mean(power)[where] for power in powers))


def pooled(responses: Sequence[Response]) -> Response:
    """The response of several images together."""
    return Response(*map(torch.cat, zip(*responses, strict=True)))


@dataclass(frozen=True)
class Calibration:
    """How the noise dial is set on one image.

    Attributes:
        removal: Share of the predicted noise to remove, 0 to :data:`MOST_REMOVAL`.
        expected: Noise reduction that it gives in homogeneous tissue, as measured; the nominal one where the image
            shows no noise to measure with.
        measured: Whether it was measured.
    """

    removal: float
    expected: float
    measured: bool


def nominal(wanted: float) -> Calibration:
    """The setting for a perfect network: 1 - 1/NRF."""
    return Calibration(1.0 - 1.0 / wanted, wanted, measured=False)


def calibrate(response: Response, wanted: float) -> Calibration:
    """Find the share of predicted noise whose removal gives the wanted noise reduction.

    Args:
        response: Measured on the image.
        wanted: Noise-reduction factor.

    Returns:
        The smallest such share. Towards the largest factor that any share gives the dial saturates smoothly (see
        :func:`within_reach`), so that asking for more never gives less.
    """
    if not len(response.given):
        return nominal(wanted)
    shares = [MOST_REMOVAL * step / 25 for step in range(26)]
    reached = [response.noise_reduction(share) for share in shares]
    best = max(range(len(shares)), key=reached.__getitem__)
    goal = within_reach(wanted, reached[best])
    low, high = 0.0, shares[best]
    for _ in range(10):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if response.noise_reduction(middle) >= goal else (middle, high)
    return Calibration(high, response.noise_reduction(high), measured=True)


def within_reach(wanted: float, reach: float) -> float:
    """The wanted factor up to four fifths of the reach, then a smooth approach to it: strictly rising, below it."""
    knee = 1.0 + 0.8 * (reach - 1.0)
    if wanted <= knee or reach <= 1.0:
        return min(wanted, reach)
    return knee + (reach - knee) * (1.0 - math.exp(-(wanted - knee) / (reach - knee)))
