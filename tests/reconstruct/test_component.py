"""Magnitude, phase, real and imaginary part."""

from math import pi

import pytest
import torch
from torch import Tensor

from lucidmr.physics.coils import smooth_phase
from lucidmr.reconstruct.component import background_phase, component
from properties import noise_sd, random_complex, seeded

SIZE = (1, 64, 48)


@pytest.fixture
def background() -> Tensor:
    return smooth_phase(SIZE, 0.6, seeded(1))


def signed_blocks() -> Tensor:
    """An inversion recovery image: +1 and -0.5."""
    image = torch.ones(SIZE)
    image[:, 20:30, 16:24] = -0.5
    return image


def test_without_background_they_are_those_of_the_complex_number(device: torch.device) -> None:
    image = random_complex(2, *SIZE).to(device)
    assert torch.equal(component(image, "real"), image.real)
    assert torch.equal(component(image, "imaginary"), image.imag)
    torch.testing.assert_close(component(image, "magnitude"), image.abs())
    torch.testing.assert_close(component(image, "phase"), image.angle())


def test_the_real_part_keeps_its_sign_under_a_background_phase(background: Tensor) -> None:
    image = signed_blocks() * background
    torch.testing.assert_close(component(image, "real", background), signed_blocks(), atol=1e-5, rtol=0)
    torch.testing.assert_close(component(image, "imaginary", background), torch.zeros(SIZE), atol=1e-5, rtol=0)


def test_the_background_can_be_measured_in_another_image(background: Tensor) -> None:
    """Phase-sensitive inversion recovery: the reference has signal of one sign."""
    estimate = background_phase(background + 0.1 * random_complex(*SIZE), 0.03)
    inner = (slice(None), slice(8, -8), slice(8, -8))  # the smoothing is periodic
    found = component(signed_blocks() * background, "real", estimate)
    assert float((found - signed_blocks())[inner].abs().max()) < 0.15


def test_phase_is_relative_to_the_background_and_wraps_above_minus_pi() -> None:
    image = torch.polar(torch.ones(1, 1, 5), torch.tensor([[[0.0, 1.0, -1.0, 3.0, -3.0]]]))
    turned = image * torch.polar(torch.ones(1), torch.tensor(1.5))
    torch.testing.assert_close(component(turned, "phase", turned / image), image.angle(), atol=1e-6, rtol=0)
    edges = torch.complex(torch.tensor([[[-1.0, -1.0]]]), torch.tensor([[[0.0, -0.0]]]))
    assert component(edges, "phase").flatten().tolist() == pytest.approx([pi, pi])


def test_noise_in_phase_and_in_quadrature_is_that_of_the_complex_image(background: Tensor) -> None:
    noise = random_complex(40, *SIZE)
    for kind in ("real", "imaginary"):
        assert noise_sd(component(noise, kind, background)) == pytest.approx(1.0, rel=0.02)


def test_the_background_of_nothing_is_no_phase() -> None:
    assert torch.equal(background_phase(torch.zeros(1, 8, 8) + 0j), torch.ones(1, 8, 8) + 0j)
