import re
from itertools import pairwise

import pytest
import torch

from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.solvers import total_variation
from lucidmr.physics.undersampling import RandomUndersampling
from lucidmr.physics.wavelets import inverse_wavelet_transform, wavelet_transform
from lucidmr.reconstruct.compressed_sensing import _check, _normal_operator, compressed_sensing
from properties import assert_adjoint, random_complex, seeded

N = 64
PRIORS = ("wavelet", "total_variation")


def sensitivities(coils=6, n_slice=1, n_freq=N, n_phase=N):
    return loop_array_maps(coils, (n_slice, n_freq, n_phase), seeded(1))


def head(n_freq=N, n_phase=N):
    return image(anatomy_phantom(), n_freq, n_phase)[None]


def random_mask(n_slice=1, n_freq=N, n_phase=N, factor=2.5, seed=0):
    pattern = RandomUndersampling(factor, (n_slice // 4 + 1, n_phase // 6), seed=seed)
    axes = (AxisSampling(n) for n in (n_freq, n_phase, n_slice))
    return sampling_mask(Sampling(*axes, undersampling=pattern))


def acquired(truth, maps, mask, sd=0.0):
    clean = to_kspace(maps * truth.unsqueeze(-4))
    return (clean + sd * random_complex(*clean.shape, seed=9)) * mask


def error(found, truth):
    return float((found - truth).norm() / truth.norm())


def objective(found, kspace, maps, mask, prior, regularization):
    peak = float((maps.conj() * to_image(kspace)).sum(-4).abs().max())
    penalty = wavelet_transform(found).abs() if prior == "wavelet" else total_variation(found)
    residual = mask * to_kspace(maps * found.unsqueeze(-4)) - kspace
    return float(residual.norm() ** 2 / 2 + regularization * peak * penalty.sum())


@pytest.mark.parametrize("shape", [(1, 16, 20), (12, 16, 10)])
def test_normal_operator_is_that_of_the_encoding(shape):
    maps, picture = sensitivities(3, *shape), random_complex(*shape)
    mask = random_mask(*shape)
    expected = (maps.conj() * to_image(mask * to_kspace(maps * picture.unsqueeze(-4)))).sum(-4)
    normal = _normal_operator(maps, mask)
    torch.testing.assert_close(normal(picture), expected, atol=1e-5, rtol=1e-5)
    assert_adjoint(normal, normal, shape, shape)


@pytest.mark.parametrize("prior", PRIORS)
def test_fully_sampled_without_regularization_is_the_combination(prior, device):
    maps, truth = sensitivities().to(device), head().to(device)
    mask = torch.ones(1, N, N, dtype=torch.bool, device=device)
    found = compressed_sensing(acquired(truth.cpu(), maps.cpu(), mask.cpu(), 0.1).to(device), maps, mask, prior, 0.0)
    data = acquired(truth.cpu(), maps.cpu(), mask.cpu(), 0.1)
    expected = (maps.cpu().conj() * to_image(data)).sum(-4)
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prior", PRIORS)
def test_removes_the_aliases_of_random_undersampling(prior, device):
    maps, truth, mask = sensitivities(), head(), random_mask()
    kspace = acquired(truth, maps, mask)
    aliased = error((maps.conj() * to_image(kspace)).sum(-4), truth)
    found = compressed_sensing(kspace.to(device), maps.to(device), mask.to(device), prior, 5e-4, 100).cpu()
    assert error(found, truth) < aliased / 5


def test_a_sparse_object_is_recovered_exactly():
    coefficients = torch.zeros(1, N, N, dtype=torch.complex64)
    places = torch.randint(N, (2, 40), generator=seeded(2))
    coefficients[0, places[0], places[1]] = random_complex(40)
    truth = inverse_wavelet_transform(coefficients, (1, N, N))
    maps, mask = sensitivities(), random_mask()
    found = compressed_sensing(acquired(truth, maps, mask), maps, mask, "wavelet", 1e-4, 600)
    assert error(found, truth) < 0.02


def test_a_piecewise_constant_object_is_recovered_exactly():
    truth = torch.zeros(1, N, N, dtype=torch.complex64)
    truth[:, 12:50, 10:54], truth[:, 20:30, 24:40] = 1.0, 0.4 + 0.5j
    maps, mask = sensitivities(), random_mask()
    found = compressed_sensing(acquired(truth, maps, mask), maps, mask, "total_variation", 1e-4, 400)
    assert error(found, truth) < 0.01


@pytest.mark.parametrize(("prior", "rise"), [("wavelet", 1.02), ("total_variation", 1.0)])
def test_the_objective_falls(prior, rise):
    """On the whole: cycle spinning trades a last per cent of the fixed grid's objective for fewer blocks."""
    maps, mask = sensitivities(), random_mask()
    kspace = acquired(head(), maps, mask, 0.05)
    values = [
        objective(compressed_sensing(kspace, maps, mask, prior, 2e-3, count), kspace, maps, mask, prior, 2e-3)
        for count in (1, 3, 10, 30, 100)
    ]
    assert values[-1] < 0.95 * values[0]
    assert all(after < rise * before for before, after in pairwise(values))


@pytest.mark.parametrize("regularization", [5e-4, 5e-3, 5e-2])
def test_total_variation_settles(regularization):
    maps, mask = sensitivities(), random_mask()
    kspace = acquired(head(), maps, mask, 0.05)
    short, long = (compressed_sensing(kspace, maps, mask, "total_variation", regularization, n) for n in (150, 500))
    assert error(short, long) < 0.02


@pytest.mark.parametrize("prior", PRIORS)
def test_follows_the_scale_of_the_data(prior):
    maps, mask = sensitivities(), random_mask()
    kspace = acquired(head(), maps, mask, 0.05)
    once = compressed_sensing(kspace, maps, mask, prior, 2e-3, 10)
    scaled = compressed_sensing(-1e-6j * kspace, maps, mask, prior, 2e-3, 10)
    torch.testing.assert_close(1e6j * scaled, once, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prior", PRIORS)
def test_a_batch_is_its_items(prior):
    """Each with its own maps, mask and scale; one is empty."""
    maps = torch.stack([sensitivities(4), sensitivities(4).flip(-1), sensitivities(4)])
    mask = torch.stack([random_mask(seed=seed) for seed in (0, 1, 2)])
    kspace = acquired(head(), maps, mask.unsqueeze(1)) * torch.tensor([1.0, 50.0, 0.0])[:, None, None, None, None]
    together = compressed_sensing(kspace, maps, mask, prior, 2e-3, 8)
    for item in range(3):
        alone = compressed_sensing(kspace[item], maps[item], mask[item], prior, 2e-3, 8)
        torch.testing.assert_close(together[item], alone, atol=1e-4, rtol=1e-4)
    assert not together[2].any()


@pytest.mark.parametrize("prior", PRIORS)
def test_three_dimensions(prior):
    n_slice, n_freq, n_phase = 32, 12, 36
    maps = sensitivities(4, n_slice, n_freq, n_phase)
    place = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (n_slice, n_freq, n_phase)), indexing="ij"))
    truth = ((place.norm(dim=0) < 0.8) + 0.5j * (place.abs().amax(0) < 0.4)).to(torch.complex64)
    mask = random_mask(n_slice, n_freq, n_phase, factor=4.0)
    kspace = acquired(truth, maps, mask)
    aliased = error((maps.conj() * to_image(kspace)).sum(-4), truth)
    assert error(compressed_sensing(kspace, maps, mask, prior, 1e-3, 30), truth) < aliased / 2


def test_partial_fourier_along_freq_stays_zero_filled():
    """The missing samples count as data of value 0: the image is that of zero-filled k-space."""
    maps, everything = sensitivities(), torch.ones(1, N, N, dtype=torch.bool)
    mask = everything & (torch.arange(N) >= 16)[:, None]
    kspace = acquired(head(), maps, mask)
    found = compressed_sensing(kspace, maps, mask, "wavelet", 0.0)
    torch.testing.assert_close(found, (maps.conj() * to_image(kspace)).sum(-4), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prior", PRIORS)
def test_nothing_is_made_up_outside_the_object(prior):
    maps, truth, mask = sensitivities(), head(), random_mask()
    body = truth.abs() > 0.01
    found = compressed_sensing(acquired(truth, maps * body, mask), maps * body, mask, prior, 1e-3, 60)
    assert float(found[~body].abs().max()) < 0.5 * float(truth.abs().max())
    assert error(found, truth) < 0.2


@pytest.mark.parametrize("prior", PRIORS)
def test_has_a_gradient(prior):
    maps, mask = sensitivities(2, 1, 32, 32), random_mask(1, 32, 32)
    kspace = acquired(head(32, 32), maps, mask).requires_grad_()
    compressed_sensing(kspace, maps, mask, prior, 1e-3, 3).abs().square().sum().backward()
    assert kspace.grad is not None
    assert kspace.grad.isfinite().all()
    assert kspace.grad.abs().max() > 0


def test_the_same_in_every_call():
    maps, mask = sensitivities(), random_mask()
    kspace = acquired(head(), maps, mask)
    one, other = (compressed_sensing(kspace, maps, mask, "wavelet", 2e-3, 5) for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regularization": -0.1}, "regularization is -0.1; it must lie between 0 and 1"),
        ({"regularization": float("nan")}, "regularization is nan; it must lie between 0 and 1"),
        ({"iterations": 0}, "iterations is 0; it must be at least 1"),
        ({"maps": 2.0 * sensitivities(2)}, "maps have a root sum of squares of up to 2; it must not exceed 1"),
        ({"mask": torch.rand(1, N, N, generator=seeded(0)) < 0.5}, "mask differs between positions along freq"),
        ({"kspace": torch.full((2, 1, N, N), complex("nan"))}, "values that are not finite"),
    ],
)
def test_bad_input_is_named(changes, message):
    maps, mask = sensitivities(2), random_mask()
    settings = {"kspace": acquired(head(), maps, mask), "maps": maps, "mask": mask, "regularization": 1e-3}
    with pytest.raises(ValueError, match=re.escape(message)):
        compressed_sensing(**{**settings, "prior": "wavelet", **changes})


def test_shapes_that_do_not_fit_are_named():
    unchecked = getattr(_check, "__wrapped__", _check)  # without the shape checks that run in the tests alone
    message = "kspace, maps and mask end in 2 x 1 x 64 x 64, 3 x 1 x 64 x 64 and 1 x 64 x 64"
    with pytest.raises(ValueError, match=message):
        unchecked(random_complex(2, 1, N, N), sensitivities(3), random_mask(), 0.1, 1)
