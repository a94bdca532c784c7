"""Channel combination."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.reconstruct.combine import root_sum_of_squares, sensitivity_weighted
from properties import noise_sd, random_complex, seeded

SIZE = (24, 20)


@pytest.fixture
def maps() -> Tensor:
    return loop_array_maps(4, *SIZE, seeded())


@pytest.fixture
def image() -> Tensor:
    return (1.0 + torch.rand(SIZE, generator=seeded(1))) * smooth_phase(*SIZE, 1.0, seeded(2))


def test_the_sensitivity_weighted_image_is_the_object(maps: Tensor, image: Tensor) -> None:
    torch.testing.assert_close(sensitivity_weighted(maps * image, maps), image)


def test_the_scale_and_phase_of_the_sensitivities_are_divided_out(maps: Tensor, image: Tensor) -> None:
    other = maps * (0.3 - 2.0j)
    torch.testing.assert_close(sensitivity_weighted(other * image, other), image)


def test_both_agree_on_the_magnitude_of_what_holds_no_noise(maps: Tensor, image: Tensor) -> None:
    coils = maps * image
    torch.testing.assert_close(root_sum_of_squares(coils), sensitivity_weighted(coils, maps).abs())
    torch.testing.assert_close(root_sum_of_squares(coils), image.abs())


def test_white_noise_keeps_its_standard_deviation(maps: Tensor) -> None:
    combined = sensitivity_weighted(random_complex(40, 4, *SIZE), maps)
    assert noise_sd(combined) == pytest.approx(1.0, rel=0.02)


def test_no_other_unbiased_combination_has_less_noise(maps: Tensor, image: Tensor) -> None:
    """Roemer's weights are the optimum: an equal-phase sum with the same signal is noisier."""
    noise = random_complex(40, 4, *SIZE)
    phases = maps.conj() / maps.abs()
    plain = (phases * noise).sum(-3) / maps.abs().sum(0)
    torch.testing.assert_close((phases * maps * image).sum(-3) / maps.abs().sum(0), image)
    assert noise_sd(plain) > 1.05 * noise_sd(sensitivity_weighted(noise, maps))


def test_noise_alone_is_raised_by_the_root_sum_of_squares() -> None:
    """The mean of the chi distribution with 2 n degrees of freedom, here n = 4: 35 sqrt(2 pi) / 32."""
    combined = root_sum_of_squares(random_complex(4, 200, 100))
    assert float(combined.mean()) == pytest.approx(35 / 32 * (2 * torch.pi) ** 0.5, rel=0.01)


def test_pixels_that_no_coil_sees_are_zero() -> None:
    combined = sensitivity_weighted(random_complex(3, *SIZE), torch.zeros(3, *SIZE, dtype=torch.complex64))
    assert not combined.any()


def test_leading_axes_are_batches(maps: Tensor) -> None:
    coils = random_complex(2, 4, *SIZE)
    torch.testing.assert_close(sensitivity_weighted(coils, maps)[1], sensitivity_weighted(coils[1], maps))
    torch.testing.assert_close(root_sum_of_squares(coils)[1], root_sum_of_squares(coils[1]))
