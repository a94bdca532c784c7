"""Homodyne against BART's, which takes the late samples of a direction as missing and gives the real part."""

import pytest
from torch import Tensor

from bart import bart, from_bart, needs_bart, to_bart, write_cfl
from lucidmr.physics.analytic import kspace as analytic_kspace
from lucidmr.physics.coils import smooth_phase
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.partial_fourier import (
    PartialFourierMethods,
    acquired_bands,
    partial_fourier,
    phase_reference,
)
from properties import seeded

N = 96
HOMODYNE = {0.0: 1, 1.0: 0}
"""Our ramp and BART's ``-r`` for the same weights."""


@pytest.fixture(scope="module")
def samples() -> Tensor:
    """k-space of the head with a smooth phase, without the sample at -k_max, which BART counts twice."""
    fine = (1, 2 * N, 2 * N)
    image = to_image(analytic_kspace(anatomy_phantom(), 2 * N, 2 * N)[None]) * smooth_phase(fine, 0.6, seeded(1))
    kspace = resize_kspace(to_kspace(image), (1, N, N))[None]
    kspace[..., 0] = 0.0
    return kspace


def nrmse(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).norm() / truth.norm())


def name(ramp: float, fraction: float) -> str:
    return f"homodyne {'ramp' if ramp else 'step'}, {8 * fraction:g}/8"


def in_phase(samples: Tensor, sampling: Sampling, ramp: float, reference: Tensor) -> Tensor:
    methods = PartialFourierMethods("homodyne", "homodyne", ramp=ramp)
    return (to_image(partial_fourier(samples, sampling, methods, reference)) * reference.conj()).real


@needs_bart
@pytest.mark.parametrize("fraction", [5 / 8, 6 / 8, 7 / 8])
def test_homodyne_with_a_given_phase_is_barts(samples, fraction, compare, tmp_path) -> None:
    sampling = Sampling(AxisSampling(N), AxisSampling(N, fraction, early=False))
    reference = phase_reference(samples, sampling)
    write_cfl(tmp_path / "phase", to_bart(reference))
    measured = samples * acquired_bands(sampling)
    measured[..., N - sampling.phase.samples] = 0.0  # BART's step doubles only from the next sample on
    for ramp, offset in HOMODYNE.items():
        theirs = from_bart(bart(f"homodyne -r {offset} -P {tmp_path / 'phase'} 1 {fraction}", to_bart(measured))).real
        difference = nrmse(in_phase(measured, sampling, ramp, reference), theirs)
        compare(name(ramp, fraction), "BART", "image difference, same reference", difference, 1e-5)


@needs_bart
@pytest.mark.parametrize("fraction", [5 / 8, 6 / 8, 7 / 8])
def test_homodyne_is_no_further_from_the_truth_than_barts(samples, fraction, compare) -> None:
    """Each with its own phase reference; BART's is a boxcar without taper."""
    sampling = Sampling(AxisSampling(N), AxisSampling(N, fraction, early=False))
    truth = to_image(samples).abs()
    measured = to_bart(samples * acquired_bands(sampling))
    for ramp, offset in HOMODYNE.items():
        ours = in_phase(samples, sampling, ramp, phase_reference(samples, sampling))
        theirs = from_bart(bart(f"homodyne -r {offset} 1 {fraction}", measured)).real
        excess = nrmse(ours.abs(), truth) - nrmse(theirs.abs(), truth)
        compare(name(ramp, fraction), "BART", "NRMSE to truth, ours less theirs", excess, 0.0)
        compare(name(ramp, fraction), "BART", "image difference, own references", nrmse(ours.abs(), theirs.abs()), 0.06)
