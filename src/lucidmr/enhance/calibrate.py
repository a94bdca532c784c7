"""Make the noise dial mean what it says on this very image.

A network removes less noise than asked for where it cannot tell noise from anatomy, by a share that depends on noise
level and anatomy. The gated head is linear in the share of predicted noise that is removed, so one measurement with
weak extra noise (as in :mod:`lucidmr.enhance.probe`) tells for every share which noise reduction it gives in
homogeneous tissue, and the share that gives the wanted one is found without running the network again. Where even all
of the predicted noise is too little, it is taken off, and the network is asked again, pass by pass. That keeps more
anatomy at the same noise reduction than telling the network of more noise at once (docs/results). The dial ends where
the image is estimated to lose more anatomy than noise (:mod:`lucidmr.enhance.risk`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.enhance.risk import Risk, mean_of
from lucidmr.errors import LucidError
from lucidmr.physics.image_noise import local_mean

MOST_REMOVAL: Final = 1.2
"""Little more than all of the predicted noise, as sharpening may amplify it. To take off more would exaggerate what was
taken for noise by mistake."""
MOST_PASSES: Final = 6
"""Passes of the network that the dial may take."""
AGAIN: Final = 3.0
"""How many times the noise that is left the network is told when it is asked again: what is left is what looks like
anatomy, and told the truth the network would leave most of it."""
MOST_RISE: Final = 0.4
"""How far the estimated mean squared error of homogeneous tissue, over that of the original, may rise above the least
that was reached where 2 is asked for: what raises it takes more anatomy than noise. Who asks for 3 accepts twice that,
for 4 three times."""
_MOST_ACCEPTED: Final = 4.0
"""Who asks for more than this accepts no more."""
MOST_BESIDE: Final = 1.0
"""The same to which tissue beside structure may come in the first pass: there is more to lose."""


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
        powers: Tensor = self.given / after.clamp_min(1e-20)
        return math.sqrt(float(powers.median()))


def response_of(
    given: Float[Tensor, "draw freq phase"],
    kept: Float[Tensor, "draw freq phase"],
    noise: Float[Tensor, "draw freq phase"],
    where: Bool[Tensor, "1 freq phase"],
) -> Response:
    """Measure a response, over all draws of the extra noise together.

    Args:
        given: Change of the input.
        kept: Change of what the predicted noise is to be taken from, the gated details included.
        noise: Change of the predicted noise.
        where: True in homogeneous tissue.

    Returns:
        The response; empty where there is none.
    """
    powers = (given.square(), kept.square(), kept * noise, noise.square())
    return Response(*(local_mean(power.mean(0, keepdim=True))[where] for power in powers))


@dataclass(frozen=True)
class Calibration:
    """How the noise dial is set on one image.

    Attributes:
        told: How many times the noise that is found the network is told, pass by pass; of all passes but the last all
            of the predicted noise is removed.
        removal: Share of the noise predicted in the last pass to remove, 0 to :data:`MOST_REMOVAL`.
        expected: Noise reduction that it gives in homogeneous tissue, as measured; the nominal one where the image
            shows no noise to measure with.
        measured: Whether it was measured; where not, it is one answer of the network and nothing else.
        sparing: Whether the first pass spares structure, as all later ones do.
    """

    told: tuple[float, ...]
    removal: float
    expected: float
    measured: bool
    sparing: bool = False


@dataclass(frozen=True)
class DialMap:
    """What one answer of a network gives, measured after its training: for images that cannot be measured on.

    Attributes:
        noise: Levels of noise on the standardized scale, rising.
        shares: Shares of the predicted noise that are removed, rising.
        factors: Noise reduction in homogeneous tissue, by noise and share.
    """

    noise: tuple[float, ...]
    shares: tuple[float, ...]
    factors: tuple[tuple[float, ...], ...]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DialMap":
        """What is on a network's card.

        Raises:
            LucidError: It is not such a map.
        """
        try:
            levels, shares = (tuple(map(float, values[name])) for name in ("noise", "shares"))
            factors = tuple(tuple(map(float, row)) for row in values["factors"])
        except (LookupError, TypeError, ValueError) as error:
            raise LucidError(f"the card's 'dial' cannot be read ({error!r}); use the card of the weights") from error
        if not (levels and shares and len(factors) == len(levels) and all(len(row) == len(shares) for row in factors)):
            raise LucidError("the card's 'dial' has rows that do not fit; use the card of the weights")
        return cls(levels, shares, factors)

    def share(self, wanted: float, noise: float) -> float:
        """The smallest share that gives the wanted noise reduction, or the share that comes closest to it.

        Args:
            wanted: Noise-reduction factor.
            noise: Level on the standardized scale; beyond those that were measured the nearest one stands for it.
        """
        levels = np.log(np.maximum(self.noise, 1e-6))
        table = np.array(
            [np.interp(math.log(max(noise, 1e-6)), levels, column) for column in zip(*self.factors, strict=True)]
        )
        rising = np.maximum.accumulate(table)
        last = int(rising.argmax())
        return float(np.interp(wanted, rising[: last + 1], self.shares[: last + 1]))


class Behaviour(NamedTuple):
    """What the network does to an image in one pass and those before it.

    Attributes:
        response: To weak extra noise, in homogeneous tissue.
        homogeneous: Risk in homogeneous tissue.
        structured: Risk beside structure.
    """

    response: Response
    homogeneous: Risk
    structured: Risk

    @property
    def shown(self) -> float:
        """Most that the noise of the image can be, over the extra noise, as the first pass shows it.

        What is taken for noise over what is taken of the extra noise, root mean squares in homogeneous tissue; anatomy
        that is taken for noise makes it larger. Infinite where nothing is taken of the extra noise.
        """
        of_extra = float(self.response.noise.mean() / self.response.given.mean())
        return math.sqrt(self.homogeneous.curvature / of_extra) if of_extra > 0.0 else math.inf


class _Pass(NamedTuple):
    """A pass that the dial may end with: the share ``best`` of its noise gives the most, ``reach``."""

    told: float
    response: Response
    best: float
    reach: float


class _Asked(NamedTuple):
    """What the network was told in a pass, and what it did."""

    told: float
    found: Behaviour


def nominal(wanted: float) -> Calibration:
    """The setting for a perfect network: 1 - 1/NRF."""
    return unmeasured(wanted, 1.0 - 1.0 / wanted)


def unmeasured(wanted: float, share: float) -> Calibration:
    """One answer, of which this share is removed in the hope of the wanted noise reduction."""
    return Calibration((1.0,), share, wanted, measured=False)


class Calibrator:
    """Sets the dial on one image to whatever is wanted; passes are made when they are needed, each once.

    Where the first pass takes more anatomy than noise beside structure, it is made once more and spares structure. A
    pass that would take more anatomy than noise from homogeneous tissue stops short of it, and is the last.

    Args:
        start: Starts with the first pass, told whether it is to spare structure, and gives what asks the network: told
            so many times the noise found, it tells how the network behaves; asked again, about what is left when all
            predicted noise is taken off.
    """

    def __init__(self, start: Callable[[bool], Callable[[float], Behaviour]]) -> None:
        self._start = start
        self._asked, self._coming, self._sparing = list[_Asked](), self._asking(), False

    def __call__(self, wanted: float) -> Calibration | None:
        """Find the passes, and the share of the noise predicted in the last, that give the wanted noise reduction.

        Args:
            wanted: Noise-reduction factor.

        Returns:
            The fewest passes and the smallest share; ``None`` for an image without homogeneous tissue. Towards the
            largest factor that can be had the dial saturates smoothly (see :func:`within_reach`), so that asking for
            more never gives less.
        """
        passes = list[_Pass]()
        for one in self._passes(MOST_RISE * (min(wanted, _MOST_ACCEPTED) - 1.0)):
            passes.append(one)
            if wanted <= _knee(one.reach):
                break
        if not passes:
            return None
        goal = within_reach(wanted, max(one.reach for one in passes))
        last = next(number for number, one in enumerate(passes) if one.reach >= goal)
        response, low, high = passes[last].response, 0.0, passes[last].best
        for _ in range(10):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if response.noise_reduction(middle) >= goal else (middle, high)
        told = tuple(one.told for one in passes[: last + 1])
        return Calibration(told, high, response.noise_reduction(high), measured=True, sparing=self._sparing)

    def _passes(self, rise: float) -> Iterator[_Pass]:
        """One pass after the other, as many as the risk allows when it may rise so far."""
        allowed = 1.0 + rise
        for told, found in self._answers():
            yield _Pass(told, found.response, *_reach(found.response, found.homogeneous.most(allowed)))
            if found.homogeneous(1.0) > allowed:
                return
            allowed = min(allowed, found.homogeneous.least + rise)

    def _answers(self) -> Iterator[_Asked]:
        """Pass by pass, what the network was told and did; it is asked what it has not been before."""
        yield from self._asked
        for further in self._coming:
            self._asked.append(further)
            yield further

    def _asking(self) -> Iterator[_Asked]:
        """Ask the network, pass by pass; nothing for an image without homogeneous tissue."""
        ask = self._start(False)
        found = ask(1.0)
        self._sparing = found.structured(1.0) > MOST_BESIDE
        if self._sparing:
            ask = self._start(True)
            found = ask(1.0)
        if not len(found.response.given):
            return
        yield _Asked(1.0, found)
        for _ in range(MOST_PASSES - 1):
            told = AGAIN / found.response.noise_reduction(1.0)
            found = ask(told)
            yield _Asked(told, found)


def pooled(behaviours: Sequence[Behaviour]) -> Behaviour:
    """The behaviour on several images together."""
    responses, *risks = zip(*behaviours, strict=True)
    return Behaviour(Response(*map(torch.cat, zip(*responses, strict=True))), *(mean_of(list(each)) for each in risks))


def _reach(response: Response, most: float) -> tuple[float, float]:
    """The share of predicted noise, up to ``most``, whose removal reduces the noise most, and by how much."""
    shares = [min(most, MOST_REMOVAL) * step / 25 for step in range(26)]
    reached = [response.noise_reduction(share) for share in shares]
    best = max(range(len(shares)), key=reached.__getitem__)
    return shares[best], reached[best]


def _knee(reach: float) -> float:
    """Up to here the dial is exact."""
    return 1.0 + 0.9 * (reach - 1.0)


def within_reach(wanted: float, reach: float) -> float:
    """The wanted factor up to nine tenths of the reach, then a smooth approach to it: strictly rising, below it."""
    knee = _knee(reach)
    if wanted <= knee or reach <= 1.0:
        return min(wanted, reach)
    return knee + (reach - knee) * (1.0 - math.exp(-(wanted - knee) / (reach - knee)))
