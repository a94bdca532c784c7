"""Partial Fourier methods: closed-form phantoms as truth, what each must keep, and the noise it leaves."""

from dataclasses import replace
from functools import cache
from typing import get_args

import pytest
import torch
from torch import Tensor

from lucidmr.physics.analytic import kspace as analytic_kspace
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import FREQ, PHASE, SLICE, resize_kspace, to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.windows import noise_gain
from lucidmr.reconstruct.partial_fourier import (
    Method,
    PartialFourierMethods,
    acquired_bands,
    margosian_weights,
    measured_share,
    mirrored,
    partial_fourier,
    phase_reference,
)
from properties import noise_sd, random_complex, seeded

N = 64
METHODS: tuple[Method, ...] = get_args(Method)
COMPLETING = tuple(method for method in METHODS if method != "zero_fill")
FULL = AxisSampling(N)


@cache
def head_kspace(strength: float = 0.5, coils: int = 1) -> Tensor:
    """k-space (coil, 1, N, N) of the head with a smooth phase; the phase is put on at twice the resolution."""
    fine = (1, 2 * N, 2 * N)
    image = to_image(analytic_kspace(anatomy_phantom(), 2 * N, 2 * N)[None]) * smooth_phase(fine, strength, seeded(1))
    maps = loop_array_maps(coils, fine, seeded(2)) if coils > 1 else torch.ones(1, *fine)
    return resize_kspace(to_kspace(maps * image), (1, N, N))


def everywhere(method: Method, ramp: float = 0.5) -> PartialFourierMethods:
    return PartialFourierMethods(method, method, method, ramp)


def completed(kspace: Tensor, sampling: Sampling, methods: PartialFourierMethods) -> Tensor:
    """The image, with the reference of the data themselves."""
    return to_image(partial_fourier(kspace, sampling, methods, phase_reference(kspace, sampling)))


def nrmse(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).norm() / truth.norm())


@pytest.mark.parametrize("method", COMPLETING)
@pytest.mark.parametrize("fraction", [5 / 8, 6 / 8, 7 / 8])
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("axis", ["freq", "phase", "both"])
def test_every_method_beats_zero_filling(method: Method, fraction: float, early: bool, axis: str) -> None:
    samples, cut = head_kspace(), AxisSampling(N, fraction, early)
    sampling = Sampling(cut if axis != "phase" else FULL, cut if axis != "freq" else FULL)
    truth, zero_filled = to_image(samples), completed(samples, sampling, everywhere("zero_fill"))
    for ramp in (0.0, 0.5, 1.0):
        found = completed(samples, sampling, everywhere(method, ramp))
        # Where both directions are partial, two quadrants are lost for good.
        share = 0.7 if axis == "both" else 0.5
        assert nrmse(found, truth) < share * nrmse(zero_filled, truth)
        assert nrmse(found.abs(), truth.abs()) < nrmse(zero_filled.abs(), truth.abs())


@pytest.mark.parametrize("method", COMPLETING)
def test_a_real_object_is_restored_exactly(method: Method) -> None:
    """With the true phase and a smooth one at that, nothing is missing (odd width: no sample without a mirror)."""
    image = torch.randn(2, 1, 15, 33, generator=seeded(3))
    phasor = torch.polar(torch.ones(2, 1, 1, 1), torch.tensor([0.3, 2.0]).reshape(2, 1, 1, 1))
    sampling = Sampling(AxisSampling(15), AxisSampling(33, 0.7))
    for ramp in (0.0, 0.5, 1.0):
        methods = replace(everywhere(method, ramp), iterations=25)
        found = partial_fourier(to_kspace(image * phasor), sampling, methods, phasor.expand(image.shape))
        torch.testing.assert_close(to_image(found), image * phasor, atol=2e-5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_happens_where_nothing_is_partial(method: Method) -> None:
    samples, sampling = random_complex(2, 1, N, N), Sampling(FULL, FULL)
    assert torch.equal(
        partial_fourier(samples, sampling, everywhere(method), phase_reference(samples, sampling)), samples
    )


def test_zero_filling_drops_what_lies_on_the_missing_side_and_nothing_else() -> None:
    samples, sampling = random_complex(2, 1, N, N), Sampling(AxisSampling(N, 0.8, early=False), AxisSampling(N, 0.6))
    found = partial_fourier(samples, sampling, everywhere("zero_fill"), torch.ones_like(samples))
    assert torch.equal(found, samples * acquired_bands(sampling))


@pytest.mark.parametrize("method", METHODS)
def test_it_is_linear_with_real_factors(method: Method, device: torch.device) -> None:
    sampling = Sampling(AxisSampling(16, 0.8), AxisSampling(18, 0.6, early=False), AxisSampling(6, 0.7))
    x, y, data = (random_complex(2, 6, 16, 18, seed=seed).to(device) for seed in (1, 2, 3))
    reference = phase_reference(data, sampling)

    def complete(samples: Tensor) -> Tensor:
        return partial_fourier(samples, sampling, everywhere(method), reference)

    torch.testing.assert_close(complete(1.5 * x - 0.3 * y), 1.5 * complete(x) - 0.3 * complete(y), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_it_scales_and_turns_with_the_data(method: Method) -> None:
    samples, sampling = head_kspace(), Sampling(FULL, AxisSampling(N, 0.7))
    factor = 1e-4 * (0.6 - 0.8j)
    scaled = completed(factor * samples, sampling, everywhere(method))
    torch.testing.assert_close(scaled / factor, completed(samples, sampling, everywhere(method)), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("method", ["conjugate", "pocs"])
def test_a_step_keeps_every_measured_sample(method: Method) -> None:
    samples, sampling = head_kspace(), Sampling(FULL, AxisSampling(N, 0.7))
    found = to_kspace(completed(samples, sampling, everywhere(method, 0.0)))
    bands = acquired_bands(sampling)
    torch.testing.assert_close(found * bands, samples * bands, atol=1e-4, rtol=1e-4)


def test_homodyne_leaves_nothing_in_quadrature_and_puts_the_phase_back() -> None:
    samples, sampling = head_kspace(), Sampling(FULL, AxisSampling(N, 0.7))
    reference = phase_reference(samples, sampling)
    found = to_image(partial_fourier(samples, sampling, everywhere("homodyne"), reference)) * reference.conj()
    assert float(found.imag.abs().max()) < 1e-5
    assert float(found.real.mean()) > 0.1


@pytest.mark.parametrize("method", COMPLETING)
def test_coils_and_batches_are_independent(method: Method) -> None:
    samples, sampling = torch.stack([head_kspace(0.5, 3), head_kspace(0.2, 3)]), Sampling(FULL, AxisSampling(N, 0.7))
    together = completed(samples, sampling, everywhere(method))
    torch.testing.assert_close(
        together[1, 2:], completed(samples[1, 2:], sampling, everywhere(method)), atol=1e-5, rtol=1e-5
    )


def test_a_volume_is_completed_along_slice() -> None:
    image = torch.zeros(24, 20, 20)
    image[6:17, 5:14, 7:15] = 1.0
    samples = to_kspace(image * smooth_phase((24, 20, 20), 0.4, seeded(4)))[None]
    sampling = Sampling(AxisSampling(20), AxisSampling(20), AxisSampling(24, 0.7))
    truth = to_image(samples)
    zero_filled, pocs = (nrmse(completed(samples, sampling, everywhere(how)), truth) for how in ("zero_fill", "pocs"))
    assert pocs < 0.6 * zero_filled


@pytest.mark.parametrize("ramp", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("cuts", [(1.0, 0.7), (0.6, 1.0), (0.75, 0.65)])
def test_margosian_weights_of_a_sample_and_its_mirror_sum_to_two(cuts: tuple[float, float], ramp: float) -> None:
    """Wherever at least one of them was acquired; only then is the real part the whole image."""
    sampling = Sampling(AxisSampling(21, cuts[0]), AxisSampling(33, cuts[1], early=False))
    weights = margosian_weights(measured_share(sampling, (FREQ, PHASE), ramp), (FREQ, PHASE))
    bands = acquired_bands(sampling)
    pairs = weights * bands + mirrored(weights * bands, (FREQ, PHASE))
    acquired = torch.maximum(bands, mirrored(bands, (FREQ, PHASE))).expand(pairs.shape)
    torch.testing.assert_close(pairs, 2.0 * acquired)


def test_the_share_of_measured_data_rises_up_to_dc_at_most() -> None:
    sampling = Sampling(AxisSampling(1), AxisSampling(16, 0.75))
    for ramp, rise in ((1.0, [0.2, 0.4, 0.6, 0.8]), (0.5, [0.4, 0.8, 1.0, 1.0]), (0.0, [1.0] * 4)):
        share = measured_share(sampling, (PHASE,), ramp).flatten()
        # The sample at -k_max was not acquired, but neither was its mirror: itself.
        torch.testing.assert_close(share, torch.tensor([1.0, 0.0, 0.0, 0.0, *rise, *[1.0] * 8]))


def test_a_full_ramp_is_nolls() -> None:
    sampling = Sampling(AxisSampling(1), AxisSampling(16, 0.75, early=False))
    weights = margosian_weights(measured_share(sampling, (PHASE,), 1.0), (PHASE,)) * acquired_bands(sampling)
    expected = [2.0, 2.0, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(weights.flatten()[1:], torch.tensor(expected))
    assert float(weights.flatten()[0]) == 1.0  # -k_max of an even width is its own mirror


def test_homodyne_takes_zero_filled_directions_along_and_comes_last() -> None:
    cut = AxisSampling(N, 0.7)
    sampling = Sampling(cut, cut, cut)
    assert PartialFourierMethods(phase="homodyne").completions(sampling) == [("homodyne", (SLICE, FREQ, PHASE))]
    mixed = PartialFourierMethods("homodyne", "pocs", "conjugate")
    assert mixed.completions(sampling) == [("conjugate", (SLICE,)), ("pocs", (PHASE,)), ("homodyne", (FREQ,))]
    assert mixed.completions(Sampling(FULL, cut)) == [("pocs", (PHASE,))]


@pytest.mark.parametrize("mixed", [("homodyne", "pocs"), ("conjugate", "homodyne"), ("zero_fill", "pocs")])
def test_directions_may_differ_in_method(mixed: tuple[Method, Method]) -> None:
    samples, cut = head_kspace(), AxisSampling(N, 0.7)
    truth, sampling = to_image(samples), Sampling(cut, cut)
    zero_filled = nrmse(completed(samples, sampling, everywhere("zero_fill")), truth)
    assert nrmse(completed(samples, sampling, PartialFourierMethods(*mixed)), truth) < 0.85 * zero_filled


NOISE_SHAPE = (200, 1, 1, 24, 32)


def noise_in_phase(sampling: Sampling, methods: PartialFourierMethods, reference: Tensor) -> tuple[float, float]:
    """Standard deviation in phase with the reference and in quadrature to it, of 200 replicas of unit noise."""
    noise = to_image(partial_fourier(random_complex(*NOISE_SHAPE), sampling, methods, reference)) * reference.conj()
    return noise_sd(noise.real), noise_sd(noise.imag)


@pytest.mark.parametrize("fraction", [5 / 8, 6 / 8, 7 / 8])
def test_noise_of_zero_filling_is_the_root_of_the_acquired_share(fraction: float) -> None:
    sampling = Sampling(AxisSampling(24), AxisSampling(32, fraction))
    reference = smooth_phase((1, 24, 32), 1.0, seeded(5))[None]
    for part in noise_in_phase(sampling, everywhere("zero_fill"), reference):
        assert part == pytest.approx((sampling.phase.samples / 32) ** 0.5, rel=0.02)


@pytest.mark.parametrize("ramp", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("cuts", [(1.0, 5 / 8), (1.0, 7 / 8), (0.7, 0.75)])
@pytest.mark.parametrize("method", ["homodyne", "conjugate"])
def test_noise_in_phase_is_that_of_the_margosian_weights(
    method: Method, cuts: tuple[float, float], ramp: float
) -> None:
    sampling = Sampling(AxisSampling(24, cuts[0]), AxisSampling(32, cuts[1]))
    ((_, axes),) = everywhere(method).completions(sampling)
    weights = margosian_weights(measured_share(sampling, axes, ramp), axes) * acquired_bands(sampling)
    reference = smooth_phase((1, 24, 32), 0.4, seeded(5))[None]
    found, in_quadrature = noise_in_phase(sampling, everywhere(method, ramp), reference)
    assert found == pytest.approx(float(noise_gain(weights)), rel=0.02)
    assert in_quadrature < (1e-4 if method == "homodyne" else 1.0)


def test_a_step_of_homodyne_has_the_noise_of_the_textbook() -> None:
    """Real part: sqrt(3 - 2 f) of full sampling, up to the sample at -k_max that has no mirror."""
    sampling = Sampling(AxisSampling(1), AxisSampling(1001, 0.75))
    weights = margosian_weights(measured_share(sampling, (PHASE,), 0.0), (PHASE,)) * acquired_bands(sampling)
    assert float(noise_gain(weights)) == pytest.approx(1.5**0.5, rel=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_symmetric_band_and_no_data_stay_finite(method: Method) -> None:
    sampling = Sampling(AxisSampling(7, 0.5), AxisSampling(8, 0.5, early=False))
    for samples in (random_complex(1, 1, 7, 8), torch.zeros(1, 1, 7, 8, dtype=torch.complex64)):
        assert torch.isfinite(torch.view_as_real(completed(samples, sampling, everywhere(method)))).all()


def test_the_reference_is_a_phase_at_low_resolution() -> None:
    samples, sampling = head_kspace(0.8), Sampling(FULL, AxisSampling(N, 0.7))
    reference = phase_reference(samples, sampling)
    torch.testing.assert_close(reference.abs(), torch.ones(1, 1, N, N))
    truth, inside = to_image(samples), to_image(samples).abs() > 0.3
    assert float((reference * truth.conj()).angle()[inside].abs().median()) < 0.05
    missing = samples * (1.0 - acquired_bands(sampling))
    torch.testing.assert_close(phase_reference(samples + 5.0 * missing, sampling), reference)


def test_bad_input_is_named() -> None:
    sampling = Sampling(FULL, AxisSampling(N, 0.7))
    with pytest.raises(ValueError, match=r"kspace is 1 x 64 x 60 .*; its sampling says 1 x 64 x 64"):
        phase_reference(random_complex(1, 1, N, 60), sampling)
    with pytest.raises(ValueError, match="kspace holds values that are not finite"):
        phase_reference(float("nan") * random_complex(1, 1, N, N), sampling)
    with pytest.raises(ValueError, match="ramp is 2; it must lie between 0 and 1"):
        PartialFourierMethods(ramp=2.0)
    with pytest.raises(ValueError, match="iterations is 0; it must be at least 1"):
        PartialFourierMethods(iterations=0)
