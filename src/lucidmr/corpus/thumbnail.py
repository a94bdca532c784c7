"""Small pictures of scans."""

from typing import Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lucidmr.physics.fourier import IN_PLANE, to_image
from lucidmr.raw.scan import RawScan

Thumbnail = UInt8[Tensor, "row column"]

_SIDE: Final = 96
"""Pixels of the longer side, at most."""


def of_scan(scan: RawScan) -> Thumbnail:
    """The root sum of squares of a 2D scan, or of the middle slice of a volume."""
    # At the centre all partitions of centred k-space have the same phase: their sum is the middle slice.
    plane = scan.kspace.sum(1)
    return of_image(to_image(plane, IN_PLANE).abs().square().sum(0).sqrt())


def of_image(image: Float[Tensor, "freq phase"]) -> Thumbnail:
    """A magnitude image, brightest at the 99th percentile."""
    step = max(1.0, max(image.shape) / _SIDE)
    rows, columns = (max(1, round(n / step)) for n in image.shape)
    small = adaptive_avg_pool2d(image[None, None].cpu(), (rows, columns))[0, 0]
    top = float(small.flatten().quantile(0.99)) or 1.0
    return (255.0 * small / top).clamp(0.0, 255.0).to(torch.uint8)
