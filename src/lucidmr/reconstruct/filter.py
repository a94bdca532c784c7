"""Anti-ringing filter in k-space, separable, relative to the acquired width."""

from lucidmr.degrade.draw import Sampling
from lucidmr.physics.windows import WindowName, window
from lucidmr.shapes import KSpace


def anti_ringing(kspace: KSpace, sampling: Sampling, name: WindowName, strength: float) -> KSpace:
    """Multiply k-space by a window over the acquired width of each direction.

    Args:
        kspace: Centred k-space.
        sampling: Its sampling.
        name: Window (see :mod:`lucidmr.physics.windows`).
        strength: Its strength, 0 to 1.

    Returns:
        Filtered k-space.
    """
    weights_freq = window(kspace.shape[-2], sampling.freq.width, name, strength).to(kspace.device)
    weights_phase = window(kspace.shape[-1], sampling.phase.width, name, strength).to(kspace.device)
    return kspace * (weights_freq[:, None] * weights_phase[None, :])
