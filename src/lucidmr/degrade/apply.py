"""Apply a drawn degradation to k-space: deterministic."""

from dataclasses import dataclass

from jaxtyping import Complex
from torch import Tensor

from lucidmr.physics.fourier import COIL, ENCODED, resize_kspace
from lucidmr.physics.sampling import Sampling, calibration_region, sampling_mask
from lucidmr.shapes import KSpace


@dataclass(frozen=True)
class Acquired:
    """What a scan gives to its reconstruction.

    Attributes:
        kspace: On ``sampling.matrix``, 0 where nothing was acquired.
        calibration: The fully sampled block around DC, on its own small matrix with k-space's values, whether its
            lines belong to the scan or come from one of their own.
        sampling: Which samples were acquired.
    """

    kspace: KSpace
    calibration: Complex[Tensor, "... coil block_slice block_freq block_phase"]
    sampling: Sampling


def acquire(
    kspace: KSpace, sampling: Sampling, calibration: Complex[Tensor, "coil line_s line_f line_p"] | None = None
) -> Acquired:
    """Acquire less of a fully sampled scan.

    Image signal stays as it is when the matrix shrinks; noise falls to sqrt(N_new / N_old) of itself per sample.

    Args:
        kspace: Centred, fully sampled k-space (..., coil, slice, freq, phase).
        sampling: What to acquire of it.
        calibration: Fully sampled block around DC that was measured beside it; that of ``kspace`` unless given.

    Returns:
        What was acquired.

    Raises:
        ValueError: The sampling is wider than ``kspace``.
    """
    given = tuple(kspace.shape[axis] for axis in ENCODED)
    if any(wanted > n for wanted, n in zip(sampling.matrix, given, strict=True)):
        wanted, most = (" x ".join(map(str, matrix)) for matrix in (sampling.matrix, given))
        raise ValueError(f"sampling.matrix is {wanted} (slice x freq x phase); it must not exceed kspace's {most}")
    cropped = resize_kspace(kspace, sampling.matrix)
    mask = sampling_mask(sampling).to(kspace.device)
    if calibration is None:
        calibration = cropped[..., *calibration_region(sampling)]
    return Acquired(cropped * mask, calibration.expand(*kspace.shape[:COIL], *calibration.shape[COIL:]), sampling)
