"""What a magnitude image tells about its own acquisition: the acquired extent of k-space and the noise level."""

from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from lucidmr.physics.fourier import IN_PLANE, to_kspace

_DROP = 1.8
"""A fall of the log power (natural, about 8 dB) over a tenth of the axis that marks the end of what was acquired."""


def acquired_extent(images: Float[Tensor, "image freq phase"]) -> tuple[float, float]:
    """Extent of acquired k-space per axis, measured at the rim of the Fourier transform.

    Zero-filling leaves an empty rim: the mean log power along an axis falls off a cliff where sampling ended. Where
    no cliff is seen the axis counts as fully acquired. A Hann taper keeps the border of the field of view from
    painting a cross over the rim.

    Args:
        images: Images of one series on their stored matrix.

    Returns:
        (freq, phase), as a share of the matrix's Nyquist frequency, in (0, 1].
    """
    n_freq, n_phase = images.shape[-2:]
    taper = torch.hann_window(n_freq, False)[:, None] * torch.hann_window(n_phase, False)
    power = to_kspace((images * taper).to(torch.complex64), IN_PLANE).abs().square().mean(0)
    return _cliff(power.mean(1)), _cliff(power.mean(0))


def _cliff(power: Float[Tensor, " n"]) -> float:
    """Where the power of a centred axis falls off, as a share of its half-width."""
    n = len(power)
    steps = torch.arange((n - 1) // 2 + 1)
    half = torch.log(power[n // 2 + steps] + power[n // 2 - steps] + 1e-20 * power.max())
    width = max(2, round(0.05 * len(half)))
    level = half.unfold(0, width, 1).mean(-1)
    drop = level[: -2 * width] - level[2 * width :]
    start = round(0.2 * len(half))
    steep = (drop[start:] > _DROP).nonzero()
    if len(steep) == 0:
        return 1.0
    first = start + int(steep[0])
    last = first
    while last + 1 < len(drop) and drop[last + 1] > drop[last]:
        last += 1
    return min(1.0, (last + 1.5 * width) / len(half))


def noise_level(images: Float[Tensor, "image freq phase"], block: int = 8) -> float:
    """Standard deviation of white noise in the flattest tissue of magnitude images.

    The second difference along both axes removes what is locally bilinear (J. Immerkaer, Comput. Vis. Image Underst.
    64 (1996) 300); its mean absolute value per block is an estimate of the noise, and the lower fifth over blocks of
    tissue those that hold nothing else. Noise must be white on the matrix given: crop zero-filled images first.

    Args:
        images: Images on their native matrix.
        block: Side of a block in pixels.

    Returns:
        The standard deviation in the images' units; 0 when there is no tissue.
    """
    kernel = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])[None, None]
    rough = conv2d(images[:, None], kernel, padding=1).abs()
    blocks = torch.nn.functional.avg_pool2d(torch.cat([rough, images[:, None]], 1), block)
    values, tissue = blocks[:, 0].flatten(), blocks[:, 1].flatten()
    values = values[tissue > 0.25 * typical_signal(images)]
    if len(values) == 0:
        return 0.0
    # The lower fifth of blocks lies about 8 % below their mean when a block has 64 correlated samples.
    return float(values.quantile(0.2)) * sqrt(pi / 2) / 6 / 0.92


def typical_signal(images: Float[Tensor, "image freq phase"]) -> float:
    """A typical tissue value: the median of what exceeds a fifth of the 99th percentile."""
    values = images.flatten()
    values = values[:: max(1, len(values) // 1_000_000)]
    bright = values[values > 0.2 * values.quantile(0.99)]
    return float(bright.median()) if len(bright) else 0.0
