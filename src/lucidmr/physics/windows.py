"""Windows over k-space, as functions of |k| / k_max.

F. J. Harris, Proc. IEEE 66 (1978) 51, for the shapes; Fermi as scanners use it: a plateau with a logistic edge.
"""

from math import pi
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

WindowName = Literal["none", "hann", "hamming", "tukey", "fermi", "gaussian", "kaiser"]

_FERMI_RADIUS: Final = 0.95
_FERMI_TRANSITION: Final = 0.025
_GAUSSIAN_SD: Final = 0.4
_KAISER_BETA: Final = 2 * pi


def profile(k: Float[Tensor, "*any"], name: WindowName, strength: float = 1.0) -> Float[Tensor, "*any"]:
    """The window's weight at a distance from DC.

    Args:
        k: |k| / k_max, 0 or more; beyond 1 the window keeps its edge value.
        name: Shape. ``hann`` and ``hamming`` are raised cosines. ``tukey`` tapers the outer ``strength`` share of
            the half-width (0.5 = the outer half). ``fermi`` has its half height at 0.95 k_max and a logistic edge of
            ``0.025 * strength``. ``gaussian`` has a standard deviation of ``0.4 / strength`` k_max, ``kaiser`` a beta
            of ``2 pi * strength``.
        strength: 0 is no window, whatever the name; 1 the full shape. ``hann`` and ``hamming`` are blended with no
            window, the others change as above.

    Returns:
        Weights in [0, 1], 1 at DC, real, so the window is linear and keeps the mean of the image.

    Raises:
        ValueError: ``strength`` lies outside [0, 1] or the name is unknown.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength is {strength:g}; it must lie between 0 and 1")
    k = k.clamp(max=1.0)
    match name:
        case "none":
            return torch.ones_like(k)
        case "hann" | "hamming" | "tukey" | "fermi" | "gaussian" | "kaiser" if strength == 0.0:
            return torch.ones_like(k)
        case "hann":
            return 1.0 - strength * (0.5 - 0.5 * torch.cos(pi * k))
        case "hamming":
            return 1.0 - strength * (0.46 - 0.46 * torch.cos(pi * k))
        case "tukey":
            taper = max(strength, 1e-6)
            return 0.5 + 0.5 * torch.cos(pi * ((k - (1.0 - taper)) / taper).clamp(0.0, 1.0))
        case "fermi":
            # The plateau falls short of 1 by exp(-0.95 / transition) < 1e-16 of it: nothing to divide out.
            return torch.sigmoid((_FERMI_RADIUS - k) / (_FERMI_TRANSITION * max(strength, 1e-3)))
        case "gaussian":
            return torch.exp(-0.5 * (k * (strength / _GAUSSIAN_SD)).square())
        case "kaiser":
            beta = k.new_tensor(_KAISER_BETA * strength)
            height: Tensor = torch.special.i0(beta * (1.0 - k.square()).sqrt()) / torch.special.i0(beta)
            return height
    raise ValueError(f"window {name!r} is unknown; use none, hann, hamming, tukey, fermi, gaussian or kaiser")


def positions(n: int, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """Where ``n`` centred samples lie, k / k_max: from -1 (``n`` even) to just below 1; a single sample at 0."""
    return (torch.arange(n, device=device) - n // 2) / (n / 2)


def window(n: int, name: WindowName, strength: float = 1.0, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """The window of an axis of ``n`` acquired samples; an axis of one sample has none.

    Raises:
        ValueError: As :func:`profile`.
    """
    return profile(positions(n, device).abs(), name, strength)


def noise_gain(weights: Float[Tensor, "*any"]) -> Float[Tensor, ""]:
    """Standard deviation per pixel of white noise of 1 per k-space sample after weighting: sqrt(mean w^2)."""
    return weights.square().mean().sqrt()
