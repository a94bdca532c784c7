"""Whether an image comes closer to its truth, without the truth: Stein's unbiased estimate of the risk.

The mean squared error of a processed image follows from what was changed and from how far noise passes through
(Stein, Ann. Statist. 9 (1981) 1135); weak extra noise shows the latter for any processor (Ramani, Blu and Unser, IEEE
Trans. Image Process. 17 (2008) 1540). It is as right as the level of noise that it is told, and knows of noise alone:
of ringing and ghosts it tells nothing.
"""

import math
from typing import Final, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from lucidmr.shapes import Image

WEAKER: Final = 0.3
"""Extra noise over that of the image. As strong as that, it would show what the processor does to a noisier image, of
which it takes more: the risk would come out too low, the more so the more passes there are."""


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

    @property
    def least(self) -> float:
        """The lowest risk at any share from 0 to 1."""
        if self.curvature <= 0.0:
            return min(self(0.0), self(1.0))
        return self(min(max(-0.5 * self.slope / self.curvature, 0.0), 1.0))

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
        given: Extra noise of the image's own band, :data:`WEAKER` than its own.
        gone_of_it: How it changes what passes before have removed.
        predicted_of_it: How it changes what this one takes for noise.
        where: Pixels to estimate it on.

    Returns:
        The risk; that of the original where there are no pixels.
    """
    if not bool(where.any()):
        return ORIGINAL
    weak = given[:, where[0]].square().mean().clamp_min(1e-20)
    own = weak / WEAKER**2

    def shared(one: Tensor, other: Tensor, power: Tensor) -> float:
        return float((one * other)[:, where[0]].mean() / power)

    return Risk(
        1.0 + shared(gone, gone, own) - 2.0 * shared(given, gone_of_it, weak),
        2.0 * shared(gone, predicted, own) - 2.0 * shared(given, predicted_of_it, weak),
        shared(predicted, predicted, own),
    )


def mean_of(risks: list[Risk]) -> Risk:
    """The risk on several images together."""
    return Risk(*(math.fsum(terms) / len(risks) for terms in zip(*risks, strict=True)))
