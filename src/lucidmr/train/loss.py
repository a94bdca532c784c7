"""Losses: pure functions of output, target and input."""

from math import isinf

from jaxtyping import Float
from torch import Tensor


def relative_l1(
    output: Float[Tensor, "b 1 h w"], target: Float[Tensor, "b 1 h w"], given: Float[Tensor, "b s h w"], floor: float
) -> Float[Tensor, ""]:
    """L1 error of each sample relative to what its input had, averaged.

    A plain L1 loss is ruled by the noisiest pairs and learns little about faint noise; divided by the input's own
    error every noise level counts alike. With a fixed target per input it has the same minimizer as the L1 loss.

    Args:
        output: Network output.
        target: Wanted output.
        given: Network input; of a stack of slices the middle one counts.
        floor: Added to the divisor, in standardized units; infinity gives the plain L1 loss.

    Returns:
        The mean.
    """
    error = (output - target).abs().mean((1, 2, 3))
    if isinf(floor):
        return error.mean()
    middle = given[:, given.shape[1] // 2, None]
    return (error / ((middle - target).abs().mean((1, 2, 3)) + floor)).mean()
