"""Thermal receiver noise: complex, Gaussian, white in k-space."""

import torch
from jaxtyping import Complex
from torch import Generator, Tensor


def complex_noise(shape: tuple[int, ...], sd: float, generator: Generator) -> Complex[Tensor, "..."]:
    """Draw complex Gaussian noise.

    Args:
        shape: Shape wanted.
        sd: Standard deviation of the real part and of the imaginary part, each.
        generator: Source of all randomness; its device is the result's.

    Returns:
        complex64 noise.

    Raises:
        ValueError: ``sd`` is negative or not finite.
    """
    if not 0.0 <= sd < float("inf"):
        raise ValueError(f"sd is {sd:g}; it must be finite and not negative")
    parts = torch.randn(*shape, 2, generator=generator, device=generator.device)
    return torch.view_as_complex(parts.mul_(sd))
