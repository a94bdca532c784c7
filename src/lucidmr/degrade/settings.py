"""Ranges that degradations are drawn from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DegradationRanges:
    """Ranges of one pair's degradations; pairs are (low, high), probabilities lie in [0, 1].

    Attributes:
        base_fraction: k_max kept by the common degradation, per direction: the scanner's base resolution.
        gain: Target k_max over input k_max, log-uniform, where a direction is drawn to be improved.
        gain_probability: Share of pairs in which a given direction is to be improved.
        partial_fourier: Sampled fraction where partial Fourier is drawn.
        partial_fourier_probability: Share of pairs with partial Fourier along phase; along freq it is half of that.
        restore_probability: Of those, the share in which it is input-only, i.e. to be filled in.
        noise: Noise in the input relative to the tissue signal, log-uniform.
        noise_reduction: Noise-reduction factor of the pair, log-uniform.
        leave_noise_probability: Share of pairs with a noise-reduction factor of exactly 1.
    """

    base_fraction: tuple[float, float] = (0.6, 1.0)
    gain: tuple[float, float] = (1.1, 2.6)
    gain_probability: float = 0.35
    partial_fourier: tuple[float, float] = (0.55, 0.95)
    partial_fourier_probability: float = 0.3
    restore_probability: float = 0.6
    noise: tuple[float, float] = (0.006, 0.15)
    noise_reduction: tuple[float, float] = (1.0, 8.0)
    leave_noise_probability: float = 0.1
