"""One image made into many: other orientations, contrasts, resolutions and fields of view of the same anatomy."""

from math import exp, log, pi, prod, sqrt
from typing import Final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lucidmr.physics.fourier import ENCODED, FREQ, IN_PLANE, PHASE, SLICE, resize_image

LEAST_MATRIX: Final = 64
"""In-plane pixels of an image that is worth learning from."""
_COARSEST: Final = 0.25
"""Least share of k_max that is kept: 2 to 4 mm, as functional and field mapping series have, of most volumes."""
_FADE: Final = 3
"""Pixels over which a cut image fades out."""
_TISSUE: Final = 0.25
"""Share of the typical signal above which a pixel counts as tissue."""
_NODES: Final = 256
"""Of a tone curve."""

_Images = Float[Tensor, "_slice _freq _phase"]


def augmented(images: _Images, noise_sd: float, generator: Generator) -> tuple[_Images, float]:
    """Turn, reduce and recolour.

    Args:
        images: Magnitude, typical tissue near 1.
        noise_sd: Standard deviation of the white noise in them.
        generator: Source of all randomness.

    Returns:
        Images that could have been acquired as well, and the noise in their tissue.
    """
    u = torch.rand(3, generator=generator).tolist()
    images = _oriented(images, int(16 * u[0]))
    if u[1] < 0.7:
        images, noise_sd = _reduced(images, noise_sd, exp(u[2] * log(_COARSEST)))
    return _recoloured(images, noise_sd, generator)


def _oriented(images: _Images, code: int) -> _Images:
    """One of the sixteen flips and transpositions: either axis may be phase encoded, each in either direction."""
    images = images.transpose(FREQ, PHASE) if code & 1 else images
    dims = [axis for axis, bit in ((SLICE, 8), (FREQ, 2), (PHASE, 4)) if code & bit]
    return images.flip(dims)


def _reduced(images: _Images, noise_sd: float, share: float) -> tuple[_Images, float]:
    """The same with a share of k_max in plane; the mean over more tissue per pixel holds less noise."""
    old = images.shape[-2:]
    matrix = tuple(min(n, max(LEAST_MATRIX, 2 * round(0.5 * share * n))) for n in old)
    return resize_image(images, matrix).real.clamp_min(0.0), noise_sd * sqrt(prod(matrix) / prod(old))


def _recoloured(images: _Images, noise_sd: float, generator: Generator) -> tuple[_Images, float]:
    """Another contrast: a smooth random tone curve that rises, or, one time in four, falls beyond dark tissue.

    A falling curve exchanges bright and dark tissue, as T1 and T2 weighting do, and leaves air dark. Curves bend noise
    with the signal: its level afterwards is that at the typical slope.
    """
    top = float(images.amax())
    if top <= 0.0:
        return images, noise_sd
    at = torch.linspace(0.0, top, _NODES)
    waves = torch.arange(1, 4)[:, None]
    weights = 0.5 * torch.randn(3, 1, generator=generator) / waves
    slope = torch.exp((weights * torch.cos(pi * waves * at / min(top, 3.0))).sum(0))
    curve = torch.cumulative_trapezoid(slope, at)
    curve = torch.cat([curve.new_zeros(1), curve])
    if float(torch.rand(1, generator=generator)) < 0.25:
        bright = float(curve[min(_NODES - 1, round(2.0 / top * _NODES))])
        curve = (1.15 * bright - curve).clamp_min(0.05 * bright) * (at / 0.4).clamp(0.0, 1.0) ** 1.5
    step = top / (_NODES - 1)
    node = (images / step).floor_().clamp_(0, _NODES - 2)
    steepness = curve.diff()
    index = node.long()
    tissue = index[images > _TISSUE]
    typical = float(steepness[tissue].abs().median()) / step if len(tissue) else 1.0
    return curve[index] + (images / step - node) * steepness[index], noise_sd * typical


def cut_out(images: _Images, most_pixels: int, generator: Generator, tighter: bool) -> _Images:
    """A field of view around a random piece of tissue.

    What is cut fades out over a few pixels, as a readout filter or a saturation band leaves it: opposite borders of
    the field of view are neighbours to the Fourier transform.

    Args:
        images: Magnitude, typical tissue near 1.
        most_pixels: Largest number of pixels in plane.
        generator: Source of all randomness.
        tighter: Whether it may be tighter than need be, now and then.

    Returns:
        Part of the images, at least 64 pixels wide in plane where they were.
    """
    n_freq, n_phase = images.shape[-2:]
    u = torch.rand(5, generator=generator).tolist()
    share = min(1.0, sqrt(most_pixels / (n_freq * n_phase)))
    aspect = exp(0.3 * (2.0 * u[0] - 1.0))
    shares = [min(1.0, share * aspect), min(1.0, share / aspect)] if share < 1.0 else [1.0, 1.0]
    if tighter and u[1] < 0.3:
        shares = [one * (0.6 + 0.4 * v) for one, v in zip(shares, u[2:4], strict=True)]
    tissue = (images[len(images) // 2] > _TISSUE).nonzero()
    centre = tissue[int(u[4] * len(tissue))].tolist() if len(tissue) else (n_freq // 2, n_phase // 2)
    for axis, part, middle in zip(IN_PLANE, shares, centre, strict=True):
        n = images.shape[axis]
        length = min(n, max(LEAST_MATRIX, 2 * round(0.5 * part * n)))
        images = _faded(images, axis, min(max(0, middle - length // 2), n - length), length)
    return images


def slab_around(index: int, count: int, generator: Generator) -> slice:
    """16 to 48 adjacent slices of a volume, an even number, or all of a thin one.

    Args:
        index: A slice that is to be among them.
        count: Slices of the volume.
        generator: Source of all randomness.
    """
    u, v = torch.rand(2, generator=generator).tolist()
    thickness = min(count, 2 * round(8.0 * 3.0**u))
    start = index - int(v * thickness)
    start = min(max(0, start), count - thickness)
    return slice(start, start + thickness)


def excited(slab: _Images) -> _Images:
    """A slab as a selective pulse excites it: its ends fade out."""
    return slab * _profile(len(slab), 2)[:, None, None]


def _faded(images: _Images, axis: int, start: int, length: int) -> _Images:
    """A part of one axis; it fades out where it is not all of it."""
    if length == images.shape[axis]:
        return images
    shape = [-1 if dim == axis else 1 for dim in ENCODED]
    return images.narrow(axis, start, length) * _profile(length, _FADE).reshape(shape)


def _profile(length: int, fade: int) -> Float[Tensor, " length"]:
    """1 in the middle, 0 at the ends."""
    from_end = torch.minimum(torch.arange(length), torch.arange(length - 1, -1, -1)) + 0.5
    return torch.sin(0.5 * pi * (from_end / fade).clamp_max(1.0)).square()
