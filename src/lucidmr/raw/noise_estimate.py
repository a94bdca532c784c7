"""Covariance of receiver noise: from a noise scan, or from where k-space and image hold no signal.

Psi is the covariance of the real parts, and of the imaginary parts: its diagonal is the square of each coil's standard
deviation, as everywhere "complex noise of standard deviation sigma" means sigma per part.

Without a noise scan there are two witnesses: the edge of k-space, where anatomy has all but died away, and the
background of the image. Each looks at the quietest of many small tiles. They go wrong for different reasons: sharp
anatomy reaches the edge of k-space, and scanners filter it; the body or its ghosts fill the field of view, and the
receiver's filter quietens its ends. So where they agree both can be believed. Signal can only add: the quieter one
counts, unless far fewer of its tiles are of its level, as at the ends of a filtered readout.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import torch
from einops import rearrange
from jaxtyping import Bool, Complex, Float, Shaped
from torch import Tensor

from lucidmr.physics.fourier import to_image

Covariance = Complex[Tensor, "coil coil"]

LEAST_SAMPLES_PER_COIL: Final = 32
"""Fewer samples of noise give a covariance that is itself mostly noise."""
AGREEMENT: Final = 0.2
"""Two levels of noise that differ by more than this share disagree."""
_QUIETEST: Final = 0.25
"""Share of the tiles that are taken for noise alone at first."""
_KEPT: Final = 0.8
"""Share of the noise's own tiles that are kept: those that signal has made louder lie mostly above."""
_ROUNDS: Final = 8
_FAR_MORE: Final = 3.0
"""Times as many tiles that make a louder witness the better one. White noise without signal is half of an image with
its background, or most of a noisy k-space; the ends of a readout are a tenth."""
_EDGE_TILE: Final = (32, 1)
_BACKGROUND_TILE: Final = (8, 8)
"""(freq, phase) samples. A stretch of readout is whole in undersampled data too."""
_MOST_SCANS: Final = 8
_MOST_PLANES: Final = 16
"""Looked at, of long measurements: enough to know the noise by."""


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise of a measurement, estimated without a noise scan.

    Attributes:
        covariance: (coil, coil).
        edge: Standard deviation per part as the edge of k-space has it, root mean square over the coils.
        background: The same as the background of the image has it; ``None`` where gaps in k-space fold the body
            into it.
    """

    covariance: Covariance
    edge: float
    background: float | None

    @property
    def agrees(self) -> bool:
        """Whether both witnesses were heard and say the same."""
        return self.background is not None and abs(self.edge - self.background) <= AGREEMENT * self.background


def noise_covariance(samples: Complex[Tensor, "coil sample"]) -> Covariance:
    """Covariance of samples that hold nothing but noise.

    Args:
        samples: Noise of every coil at the same instants.

    Returns:
        Psi, Hermitian.

    Raises:
        ValueError: There are too few samples, or one is not finite.
    """
    n_coils, n = samples.shape
    if n < LEAST_SAMPLES_PER_COIL * n_coils:
        least = LEAST_SAMPLES_PER_COIL * n_coils
        raise ValueError(f"samples has {n} of each of {n_coils} coils; the covariance needs at least {least}")
    # In double precision: the gains of receivers may differ by orders of magnitude.
    covariance = (samples - samples.mean(1, keepdim=True)).to(torch.complex128)
    covariance = (covariance @ covariance.mH / (2 * (n - 1))).to(samples.dtype)
    if not torch.isfinite(torch.view_as_real(covariance)).all():
        raise ValueError("samples holds values that are not finite; noise must be finite")
    return covariance


def estimate_noise(
    kspace: Complex[Tensor, "scan coil slice freq phase"],
    acquired: Bool[Tensor, "scan slice freq phase"],
    folded: bool = False,
) -> NoiseEstimate:
    """Covariance without a noise scan.

    Args:
        kspace: Centred, 0 where nothing was acquired.
        acquired: Where something was.
        folded: Whether gaps in k-space fold the body into the background.

    Returns:
        The covariance of the witness that is to be believed.

    Raises:
        ValueError: Too little was acquired to tell noise by.
    """
    chosen = slice(None, None, -(-len(kspace) // _MOST_SCANS))
    kspace, acquired = kspace[chosen], acquired[chosen]
    edge, edge_share = _quietest(kspace, acquired, _EDGE_TILE, 1.0)
    if folded:
        return NoiseEstimate(edge, level(edge), None)
    background, background_share = _of_the_background(kspace, acquired)
    if level(background) < level(edge):
        believed = background if edge_share <= _FAR_MORE * background_share else edge
    else:
        believed = edge if background_share <= _FAR_MORE * edge_share else background
    return NoiseEstimate(believed, level(edge), level(background))


def level(covariance: Covariance) -> float:
    """Standard deviation per part, root mean square over the coils."""
    return sqrt(float(covariance.diagonal().real.mean()))


def power(samples: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Squared magnitude; several times as fast as by way of the magnitude."""
    return samples.real.square() + samples.imag.square()


def _of_the_background(
    kspace: Complex[Tensor, "scan coil slice freq phase"], acquired: Bool[Tensor, "scan slice freq phase"]
) -> tuple[Covariance, float]:
    """The window keeps truncated edges from ringing into the background; what it does to white noise is known."""
    window = acquired * _hann(kspace.shape[-2:], kspace.device)
    second, fourth = float(window.square().mean()), float(window.pow(4).mean())
    image = to_image(kspace * window[:, None])
    everywhere = torch.ones_like(acquired)
    covariance, share = _quietest(image, everywhere, _BACKGROUND_TILE, second**2 / fourth)
    return covariance / second, share


def _hann(shape: torch.Size, device: torch.device) -> Float[Tensor, "freq phase"]:
    freq, phase = (torch.hann_window(n + 2, periodic=False, device=device)[1:-1] for n in shape)
    return freq[:, None] * phase


def _quietest(
    values: Complex[Tensor, "scan coil slice freq phase"],
    known: Bool[Tensor, "scan slice freq phase"],
    tile: tuple[int, int],
    independent: float,
) -> tuple[Covariance, float]:
    """Covariance of the quietest tiles, as if they had not been chosen for being quiet.

    Args:
        values: k-space or image.
        known: Where there is something; tiles that hold a gap, or nothing but zeros, are left out.
        tile: (freq, phase) samples.
        independent: Share of the samples that are as good as independent.

    Returns:
        Psi, and the share of the tiles that hold noise of this level alone.
    """
    tiles = _tiles(values.movedim(1, 2), tile)
    tiles = tiles[_tiles(known.unsqueeze(2), tile).all(-1).all(-1)]
    energy = power(tiles).mean(-1)
    heard = energy.sum(1) > 0.0
    tiles, energy = tiles[heard], energy[heard]
    if len(tiles) < 1.0 / _QUIETEST:
        raise ValueError(f"kspace has {len(tiles)} whole tiles of {tile[0]} x {tile[1]} samples; the noise needs more")
    # A loud coil must not decide alone which tiles are quiet.
    per_coil = energy.quantile(_QUIETEST, dim=0).clamp_min(torch.finfo(energy.dtype).tiny)
    loudness = (energy / per_coil).mean(1)
    quiet = loudness <= loudness.quantile(_QUIETEST)
    for _ in range(_ROUNDS):
        covariance = _of_tiles(tiles[quiet])
        shape = independent * tile[0] * tile[1] * _independent_coils(covariance)
        limit, share = _truncated_gamma(shape)
        typical = float(loudness[quiet].mean()) / share
        quiet = loudness <= limit * typical
    return _of_tiles(tiles[quiet]) / share, float(quiet.float().mean()) / _KEPT


def _of_tiles(tiles: Complex[Tensor, "tile coil sample"]) -> Covariance:
    samples = rearrange(tiles, "tile coil sample -> coil (tile sample)")
    return samples @ samples.mH / (2 * samples.shape[1])


def _tiles(
    planes: Shaped[Tensor, "scan slice coil freq phase"], tile: tuple[int, int]
) -> Shaped[Tensor, "tile coil sample"]:
    """Tiles of planes taken at even steps; what does not fill a tile is left over."""
    every = -(-planes.shape[0] * planes.shape[1] // _MOST_PLANES)
    freq, phase = (n - n % side for n, side in zip(planes.shape[-2:], tile, strict=True))
    planes = planes.flatten(0, 1)[::every, ..., :freq, :phase]
    return rearrange(planes, "plane coil (y f) (x p) -> (plane y x) coil (f p)", f=tile[0], p=tile[1])


def _independent_coils(covariance: Covariance) -> float:
    """How many independent coils would make the summed energy, each coil counting alike, vary as much."""
    sd = covariance.diagonal().real.clamp_min(torch.finfo(torch.float32).tiny).sqrt()
    correlation = covariance / sd[:, None] / sd
    return len(sd) ** 2 / float(correlation.abs().square().sum())


def _truncated_gamma(shape: float) -> tuple[float, float]:
    """Where the noise's tiles are cut off, and the mean of those below, both relative to the mean of all.

    Mean energies of tiles of noise follow nearly a gamma distribution; its cube root is nearly normal (Wilson and
    Hilferty, PNAS 17 (1931) 684).

    Args:
        shape: Of the distribution: independent complex samples per tile.

    Returns:
        Upper limit and mean.
    """
    below = torch.special.ndtri((torch.arange(1000, dtype=torch.float64) + 0.5) / 1000 * _KEPT)
    energies = (1.0 - 1.0 / (9.0 * shape) + below / (3.0 * sqrt(shape))).pow(3)
    return float(energies[-1]), float(energies.mean())
