"""Apply a drawn degradation to k-space: deterministic."""

from lucidmr.degrade.draw import Sampling
from lucidmr.physics.sampling import axis_mask
from lucidmr.shapes import KSpace


def undersample(kspace: KSpace, sampling: Sampling) -> KSpace:
    """Set the samples that were not acquired to zero; the matrix stays.

    Args:
        kspace: Centred k-space.
        sampling: What was acquired along freq and phase.

    Returns:
        k-space of the same shape.
    """
    mask_freq = axis_mask(kspace.shape[-2], sampling.freq).to(kspace.device)
    mask_phase = axis_mask(kspace.shape[-1], sampling.phase).to(kspace.device)
    return kspace * (mask_freq[:, None] & mask_phase[None, :])
