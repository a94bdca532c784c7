"""Whether an image comes closer to its truth, without the truth: Stein's unbiased estimate of the risk.

The mean squared error of a processed image follows from what was changed and from how far noise passes through
(Stein, Ann. Statist. 9 (1981) 1135); weak extra noise shows the latter for any processor (Ramani, Blu and Unser, IEEE
Trans. Image Process. 17 (2008) 1540). It is as right as the level of noise that it is told, and knows of noise alone:
of ringing and ghosts it tells nothing.
"""

import math
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.shapes import Image


class Risk(NamedTuple):
    """Estimated mean squared error over that of the original, by the share of the predicted noise that is removed.

    Attributes:
        before: When none of it is.
        slope: Change with the share, at first.
        curvature: Change with its square, not below 0.
    """

    before: float
    slope: float
    curvature: float

    def __call__(self, share: float) -> float:
        """The risk when this share is removed; can come out below 0, where more noise was told than there is."""
        return self.before + share * (self.slope + share * self.curvature)

    def most(self, allowed: float) -> float:
        """The largest share up to which the risk is allowed: 0 where it is too high before, infinite where any is."""
        spare = allowed - self.before
        if spare < 0.0:
            return 0.0
        root = math.sqrt(self.slope**2 + 4.0 * self.curvature * spare)
        # The form that keeps its digits as the curvature vanishes.
        if self.slope > 0.0:
            return 2.0 * spare / (self.slope + root)
        return (root - self.slope) / (2.0 * self.curvature) if self.curvature > 0.0 else math.inf


ORIGINAL = Risk(1.0, 0.0, 0.0)
"""Of an image that nothing is done to."""


def risk_of(
    gone: Image,
    predicted: Image,
    given: Float[Tensor, "draw freq phase"],
    gone_of_it: Float[Tensor, "draw freq phase"],
    predicted_of_it: Float[Tensor, "draw freq phase"],
    where: Bool[Tensor, "1 freq phase"],
) -> Risk:
    """Estimate the risk of a pass.

    Args:
        gone: What passes before have removed.
        predicted: What this one takes for noise.
        given: Extra noise, of the image's own level and band.
        gone_of_it: How it changes what passes before have removed.
        predicted_of_it: How it changes what this one takes for noise.
        where: Pixels to estimate it on.

    Returns:
        The risk; that of the original where there are no pixels.
    """
    if not bool(where.any()):
        return ORIGINAL
    power = given[:, where[0]].square().mean().clamp_min(1e-20)

    def shared(one: Tensor, other: Tensor) -> float:
        return float((one * other)[:, where[0]].mean() / power)

    return Risk(
        1.0 + shared(gone, gone) - 2.0 * shared(given, gone_of_it),
        2.0 * shared(gone, predicted) - 2.0 * shared(given, predicted_of_it),
        shared(predicted, predicted),
    )


def mean_of(risks: list[Risk]) -> Risk:
    """The risk on several images together."""
    return Risk(*(math.fsum(terms) / len(risks) for terms in zip(*risks, strict=True)))
