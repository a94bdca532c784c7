"""Draw a scenario of conventional reconstruction that fits what was acquired."""

from math import exp, log
from typing import TypeVar

import torch
from torch import Generator

from lucidmr.degrade.draw import Degradation
from lucidmr.physics.sampling import Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.physics.windows import WindowName
from lucidmr.reconstruct.component import Component
from lucidmr.reconstruct.distortion import DistortionCorrection, draw_distortion
from lucidmr.reconstruct.partial_fourier import Method, PartialFourierMethods
from lucidmr.reconstruct.settings import (
    Combination,
    CompressedSensing,
    Grappa,
    Normalization,
    Reconstruction,
    Sense,
    SensitivityMethod,
    Unaliasing,
)

Choice = TypeVar("Choice")
_WINDOWS: tuple[WindowName, ...] = ("none", "none", "none", "hann", "hamming", "tukey", "fermi", "gaussian", "kaiser")
_PARTIAL: tuple[Method, ...] = ("zero_fill", "zero_fill", "homodyne", "pocs", "conjugate")
_MEASURED: tuple[SensitivityMethod, ...] = ("espirit", "espirit", "walsh", "inati")


def draw_reconstruction(
    degradation: Degradation, matrix: tuple[int, int, int], has_maps: bool, generator: Generator
) -> Reconstruction:
    """Draw a scenario: about a third unfiltered, half zero-filled by up to two, 12 bit more often than 16.

    Args:
        degradation: What was acquired: the input's undersampling decides what can undo it.
        matrix: (slice, freq, phase) samples of the scan's k-space: the reconstructed matrix is at least that.
        has_maps: Whether the array's sensitivities are known.
        generator: Source of all randomness.

    Returns:
        The scenario.
    """
    u = torch.rand(12, generator=generator).tolist()
    unaliasing = _draw_unaliasing(degradation.input, u[0], u[1])
    combination: Combination = _pick(("root_sum_of_squares", "sensitivity_weighted", "phase_sum"), u[2])
    cheap: SensitivityMethod = "known" if has_maps else "walsh"
    component: Component = "real" if u[3] < 0.05 and combination != "root_sum_of_squares" else "magnitude"
    normalization: Normalization = "none" if u[4] < 0.6 else "prescan" if has_maps and u[4] < 0.8 else "image_based"
    return Reconstruction(
        matrix=_draw_matrix(matrix, u[5], generator),
        unaliasing=unaliasing,
        sensitivities=cheap if degradation.input.undersampling is None else _pick(_MEASURED, u[6]),
        partial_fourier=_draw_partial_fourier(degradation.input, generator),
        window=_pick(_WINDOWS, u[7]),
        window_strength=0.15 + 0.6 * u[8],
        window_shape="radial" if u[9] < 0.3 else "separable",
        combination=combination,
        component=component,
        normalization=normalization,
        normalization_strength=1.0 if normalization == "prescan" else 0.3 + 0.7 * u[9],
        distortion=_draw_distortion(matrix, generator),
        levels=4095 if u[10] < 0.75 else 65535,
        headroom=0.9 + 0.8 * u[11],
    )


def _draw_unaliasing(sampling: Sampling, u: float, v: float) -> Unaliasing | None:
    match sampling.undersampling:
        case RandomUndersampling():
            weight = exp(log(5e-4) + v * log(10.0))
            return CompressedSensing("wavelet" if u < 0.6 else "total_variation", weight)
        case UniformUndersampling(is_lattice=True) if u < 0.5:
            return Grappa((3 if sampling.undersampling.slice > 1 else 1, 5, 4))
        case UniformUndersampling():
            return Sense(regularization=exp(log(1e-4) + v * log(100.0)))
        case None:
            return None


def _draw_matrix(matrix: tuple[int, int, int], u: float, generator: Generator) -> tuple[int, int, int]:
    """Half of the scans are interpolated, 2D by 1.5 to 2 in plane, 3D by up to 1.4 in plane and along slice."""
    if u < 0.5:
        return matrix
    zoom = 1.0 + u if matrix[0] == 1 else 1.0 + 0.4 * u
    slices = matrix[0]
    if slices > 1 and float(torch.rand(1, generator=generator)) < 0.5:
        slices = round(slices * zoom)
    return slices, round(matrix[1] * zoom), round(matrix[2] * zoom)


def _draw_partial_fourier(sampling: Sampling, generator: Generator) -> PartialFourierMethods:
    freq, phase, slices = (
        "zero_fill" if axis.samples == axis.width else _pick(_PARTIAL, u)
        for axis, u in zip(
            (sampling.freq, sampling.phase, sampling.slice), torch.rand(3, generator=generator).tolist(), strict=True
        )
    )
    return PartialFourierMethods(freq, phase, slices)


def _draw_distortion(matrix: tuple[int, int, int], generator: Generator) -> DistortionCorrection | None:
    if float(torch.rand(1, generator=generator)) >= 0.25:
        return None
    return draw_distortion(matrix, generator)


def _pick(choices: tuple[Choice, ...], u: float) -> Choice:
    return choices[min(int(u * len(choices)), len(choices) - 1)]
