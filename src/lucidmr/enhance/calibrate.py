"""Make the noise dial mean what it says on this very image.

A network that is not trained to the end removes less noise than asked for, by a share that depends on noise level and
anatomy. The gated head is linear in the share of predicted noise that is removed, so one measurement with weak extra
noise (as in :mod:`lucidmr.enhance.probe`) tells for every share which noise reduction it gives in homogeneous tissue,
and the share that gives the wanted one is found without running the network again. Where even all of the predicted
noise is too little, the network is told of more noise than there is, and predicts more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.physics.image_noise import Tissue, local_mean
from lucidmr.shapes import Image, Mask

MOST_REMOVAL: Final = 1.2
"""Little more than all of the predicted noise, as sharpening may amplify it. To take off more would exaggerate what was
taken for noise by mistake."""
EMPHASES: Final = (1.0, 1.6, 2.5, 4.0)
"""How many times the noise that is found the network may be told: more than it has learned to doubt makes no sense."""
MOST_SPILL: Final = 1.3
"""Power of what is taken for noise beside structure over that in homogeneous tissue (root mean squares): noise is about
as strong in both, 0.7 to 1.25 on series of all vendors; anatomy that is taken for noise is not."""


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


def response_of(given: Image, kept: Image, noise: Image, where: Mask) -> Response:
    """Measure a response.

    Args:
        given: Change of the input.
        kept: Change of what the predicted noise is to be taken from, the gated details included.
        noise: Change of the predicted noise.
        where: True in homogeneous tissue.

    Returns:
        The response; empty where there is none.
    """
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


def calibrate(response: Response, wanted: float, spilt: float = 0.0) -> Calibration:
    """Find the share of predicted noise whose removal gives the wanted noise reduction.

    Args:
        response: Measured on the image.
        wanted: Noise-reduction factor.
        spilt: :func:`spill` of the predicted noise. Above :data:`MOST_SPILL` anatomy is taken for noise: no more than
            the nominal share is removed.

    Returns:
        The smallest such share. Towards the largest factor that any share gives the dial saturates smoothly (see
        :func:`within_reach`), so that asking for more never gives less.
    """
    if not len(response.given):
        return nominal(wanted)
    most = nominal(wanted).removal if spilt > MOST_SPILL else MOST_REMOVAL
    best, reach = _reach(response, most)
    goal = within_reach(wanted, reach)
    low, high = 0.0, best
    for _ in range(10):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if response.noise_reduction(middle) >= goal else (middle, high)
    return Calibration(high, response.noise_reduction(high), measured=True)


def least_emphasis(respond: Callable[[float], tuple[Response, float]], wanted: float) -> float:
    """How many times the noise that is found the network is to be told.

    Args:
        respond: Measures response and spill of the network that is told so many times the noise.
        wanted: Noise-reduction factor.

    Returns:
        The least of :data:`EMPHASES` with which the dial is exact; the one that reaches farthest where none is. Those
        that spill are none of them.
    """
    reached: dict[float, float] = {}
    for emphasis in EMPHASES:
        response, spilt = respond(emphasis)
        if not len(response.given) or spilt > MOST_SPILL:
            break
        reached[emphasis] = _reach(response)[1]
        if wanted <= _knee(reached[emphasis]):
            return emphasis
    return max(reached, key=reached.__getitem__, default=EMPHASES[0])


def spill(noise: Image, tissue: Tissue) -> float:
    """How much stronger what is taken for noise is beside structure than in homogeneous tissue.

    Args:
        noise: What is taken for noise.
        tissue: Where to look.

    Returns:
        Ratio of root mean squares, of structured over homogeneous tissue; 0 where one of them is missing.
    """
    if not all(bool(where.any()) for where in tissue):
        return 0.0
    homogeneous, structured = (float(noise[where].square().mean()) for where in tissue)
    return math.sqrt(structured / max(homogeneous, 1e-20))


def _reach(response: Response, most: float = MOST_REMOVAL) -> tuple[float, float]:
    """The share of predicted noise, up to the most, whose removal reduces the noise most, and by how much."""
    shares = [most * step / 25 for step in range(26)]
    reached = [response.noise_reduction(share) for share in shares]
    best = max(range(len(shares)), key=reached.__getitem__)
    return shares[best], reached[best]


def _knee(reach: float) -> float:
    """Up to here the dial is exact."""
    return 1.0 + 0.8 * (reach - 1.0)


def within_reach(wanted: float, reach: float) -> float:
    """The wanted factor up to four fifths of the reach, then a smooth approach to it: strictly rising, below it."""
    knee = _knee(reach)
    if wanted <= knee or reach <= 1.0:
        return min(wanted, reach)
    return knee + (reach - knee) * (1.0 - math.exp(-(wanted - knee) / (reach - knee)))
