"""Anti-ringing windows over the acquired width of k-space, as functions of |k| / k_max in [0, 1].

F. J. Harris, Proc. IEEE 66 (1978) 51, for the shapes; Fermi as scanners use it: a plateau with a logistic edge.
"""

from math import pi
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

WindowName = Literal["none", "hann", "hamming", "tukey", "fermi"]


def window(n: int, width: int, name: WindowName, strength: float = 1.0) -> Float[Tensor, " n"]:
    """A symmetric window over the central ``width`` of ``n`` centred samples.

    Args:
        n: Samples of the axis.
        width: Acquired samples between -k_max and +k_max; k beyond k_max is given the window's edge value.
        name: Shape. ``tukey`` tapers the outer ``strength`` share of the half-width (0.5 = the outer half);
            ``fermi`` has its half height at 0.95 k_max and a transition of ``0.1 * strength``.
        strength: Blend between no window and the full shape (1); for ``tukey`` and ``fermi`` as above. 0 is no
            window, whatever the name.

    Returns:
        Weights in [0, 1], 1 at DC, real, so the window is linear and keeps the mean of the image.

    Raises:
        ValueError: ``strength`` lies outside [0, 1] or the name is unknown.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength is {strength:g}; it must lie between 0 and 1")
    k = ((torch.arange(n) - n // 2).abs() / (width / 2)).clamp(max=1.0)
    match name:
        case "none":
            return torch.ones(n)
        case "hann" | "hamming" | "tukey" | "fermi" if strength == 0.0:
            return torch.ones(n)
        case "hann":
            return 1.0 - strength * (0.5 - 0.5 * torch.cos(pi * k))
        case "hamming":
            return 1.0 - strength * (0.46 - 0.46 * torch.cos(pi * k))
        case "tukey":
            taper = max(strength, 1e-6)
            return 0.5 + 0.5 * torch.cos(pi * ((k - (1 - taper)) / taper).clamp(0.0, 1.0))
        case "fermi":
            transition = 0.1 * max(strength, 1e-3) / 4
            return torch.sigmoid((0.95 - k) / transition) / torch.sigmoid(torch.tensor(0.95 / transition))
    raise ValueError(f"window {name!r} is unknown; use none, hann, hamming, tukey or fermi")
