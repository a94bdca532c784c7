"""A head whose noise is known, for tests."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SIGNAL = 0.8  # typical tissue signal of the phantom


def phantom(n: int, seed: int = 3) -> Tensor:
    """A head: bright rim, tissue, soft-edged structures of all sizes, smooth shading; 0 outside."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(-1, 1, n), torch.linspace(-1, 1, n), indexing="ij")

    def ellipse(cy: float, cx: float, a: float, b: float) -> Tensor:
        radius = torch.hypot((y - cy) / a, (x - cx) / b)
        return torch.sigmoid((1 - radius) * min(a, b) * n / 1.5)

    image = ellipse(0, 0, 0.85, 0.7) - 0.6 * ellipse(0, 0, 0.8, 0.65) + 0.4 * ellipse(0, 0, 0.75, 0.6)
    for _ in range(25):
        cy, cx, a, b, value = torch.rand(5, generator=generator).tolist()
        inside = ellipse(0.9 * (cy - 0.5), 0.7 * (cx - 0.5), 0.03 + 0.12 * a, 0.03 + 0.12 * b)
        image = image + 0.5 * (value - 0.5) * inside
    return (image * (1 + 0.15 * torch.sin(2 * x + y))).clamp_min(0)


def acquire(truth: Tensor, sd: float, grid: tuple[int, int], window: Callable[[int], Tensor] | None = None) -> Tensor:
    """The magnitude image of a scan of ``truth`` with smooth phase and noise, zero-filled to ``grid``."""
    generator = torch.Generator().manual_seed(1)
    n = truth.shape[-1]
    y, x = torch.meshgrid(torch.linspace(-1, 1, n), torch.linspace(-1, 1, n), indexing="ij")
    scan = torch.polar(truth, x + 0.7 * y * y)
    scan = scan + sd * torch.complex(*torch.randn(2, n, n, generator=generator))
    kspace = torch.fft.fftshift(torch.fft.fft2(scan))
    if window is not None:
        kspace = kspace * window(n)[:, None] * window(n)
    top, left = (grid[0] - n) // 2, (grid[1] - n) // 2
    padded = F.pad(kspace, (left, grid[1] - n - left, top, grid[0] - n - top))
    return torch.fft.ifft2(torch.fft.ifftshift(padded)).abs() * (grid[0] * grid[1] / n**2)


def masked(image: Tensor, truth: Tensor) -> Tensor:
    """Skull-stripped: exactly 0 outside the body."""
    inside = F.interpolate((truth > 0.05)[None, None].float(), size=image.shape)[0, 0] > 0.5
    return image * inside


def root_sum_of_squares(truth: Tensor, sd: float, coils: int = 8, seed: int = 2) -> Tensor:
    """Of channels of equal sensitivity, with noise of ``sd`` in the real and the imaginary part of each."""
    channels = sd * torch.randn(coils, 2, *truth.shape, generator=torch.Generator().manual_seed(seed))
    channels[:, 0] += truth / coils**0.5
    return channels.square().sum((0, 1)).sqrt()
