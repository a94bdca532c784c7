"""Channel combination."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.reconstruct.combine import COIL, root_sum_of_squares, sensitivity_weighted, virtual_coil
from lucidmr.reconstruct.combine import phase_sum as phase_sum_of
from properties import noise_sd, random_complex, seeded

SIZE = (1, 48, 40)


def phase_sum(coils: Tensor) -> Tensor:
    return phase_sum_of(coils.unbind(COIL), virtual_coil(coils))


@pytest.fixture
def maps() -> Tensor:
    return loop_array_maps(4, SIZE, seeded())


@pytest.fixture
def image() -> Tensor:
    return (1.0 + torch.rand(SIZE, generator=seeded(1))) * smooth_phase(SIZE, 1.0, seeded(2))


def test_the_sensitivity_weighted_image_is_the_object(maps: Tensor, image: Tensor) -> None:
    torch.testing.assert_close(sensitivity_weighted(maps * image, maps), image)


def test_the_scale_and_phase_of_the_sensitivities_are_divided_out(maps: Tensor, image: Tensor) -> None:
    other = maps * (0.3 - 2.0j)
    torch.testing.assert_close(sensitivity_weighted(other * image, other), image)


def test_all_agree_on_the_magnitude_of_what_holds_no_noise(maps: Tensor, image: Tensor) -> None:
    coils = maps * image
    torch.testing.assert_close(root_sum_of_squares(coils).real, image.abs())
    torch.testing.assert_close(sensitivity_weighted(coils, maps).abs(), image.abs())
    torch.testing.assert_close(phase_sum(coils).abs(), image.abs())


def test_the_root_sum_of_squares_has_no_phase(maps: Tensor, image: Tensor) -> None:
    assert not root_sum_of_squares(maps * image).imag.any()


def test_white_noise_keeps_its_standard_deviation(maps: Tensor) -> None:
    combined = sensitivity_weighted(random_complex(40, 4, *SIZE).unbind(COIL), maps)
    assert noise_sd(combined) == pytest.approx(1.0, rel=0.02)


def test_no_other_unbiased_combination_has_less_noise(maps: Tensor, image: Tensor) -> None:
    """Roemer's weights are the optimum: an equal-phase sum with the same signal is noisier."""
    noise = random_complex(40, 4, *SIZE)
    phases = maps.conj() / maps.abs()
    plain = (phases * noise).sum(-4) / maps.abs().sum(0)
    torch.testing.assert_close((phases * maps * image).sum(-4) / maps.abs().sum(0), image)
    assert noise_sd(plain) > 1.02 * noise_sd(sensitivity_weighted(noise.unbind(COIL), maps))


def test_noise_alone_is_raised_by_the_root_sum_of_squares() -> None:
    """The mean of the chi distribution with 2 n degrees of freedom, here n = 4: 35 sqrt(2 pi) / 32."""
    combined = root_sum_of_squares(random_complex(4, 1, 200, 100)).real
    assert float(combined.mean()) == pytest.approx(35 / 32 * (2 * torch.pi) ** 0.5, rel=0.01)


def test_pixels_that_no_coil_sees_are_zero() -> None:
    combined = sensitivity_weighted(random_complex(3, *SIZE), torch.zeros(3, *SIZE, dtype=torch.complex64))
    assert not combined.any()


def test_the_phase_sum_has_the_phase_of_the_object_up_to_a_smooth_one(maps: Tensor, image: Tensor) -> None:
    """A detail of the object's phase, far finer than the coils' own, is all there."""
    detail = torch.zeros(SIZE)
    detail[0, 20:24, 18:22] = 0.8
    change = phase_sum(maps * image * torch.polar(torch.ones(SIZE), detail)) * phase_sum(maps * image).conj()
    inside = change.angle()[0, 20:24, 18:22].mean() - change.angle()[0, 30:, 30:].mean()
    assert float(inside) == pytest.approx(0.8, abs=0.08)


def test_the_phase_sum_does_not_cancel_where_coils_oppose_each_other(image: Tensor) -> None:
    opposed = torch.tensor([1.0, -1.0, 1.0j, -1.0j]).reshape(4, 1, 1, 1)
    combined = phase_sum(opposed * image)
    torch.testing.assert_close(combined.angle(), image.angle(), atol=1e-4, rtol=0)  # in phase with the first coil
    assert float((opposed * image).sum(0).abs().max()) < 1e-6


def test_the_phase_sum_turns_and_scales_with_the_signal(maps: Tensor, image: Tensor, device: torch.device) -> None:
    coils = (maps * image + 0.05 * random_complex(4, *SIZE)).to(device)
    factor = 30.0 * (0.6 - 0.8j)
    torch.testing.assert_close(phase_sum(factor * coils), factor * phase_sum(coils), atol=1e-2, rtol=1e-3)


def test_the_order_of_the_coils_does_not_matter(maps: Tensor, image: Tensor) -> None:
    coils = maps * image
    torch.testing.assert_close(phase_sum(coils.flip(0)), phase_sum(coils), atol=1e-3, rtol=1e-3)


def test_leading_axes_are_batches(maps: Tensor) -> None:
    coils = random_complex(2, 4, *SIZE)
    torch.testing.assert_close(sensitivity_weighted(coils.unbind(COIL), maps)[1], sensitivity_weighted(coils[1], maps))
    torch.testing.assert_close(root_sum_of_squares(coils.unbind(COIL))[1], root_sum_of_squares(coils[1]))
    torch.testing.assert_close(phase_sum(coils)[1], phase_sum(coils[1]), atol=1e-4, rtol=1e-4)


def test_sensitivities_that_do_not_fit_are_refused(maps: Tensor) -> None:
    unchecked = getattr(sensitivity_weighted, "__wrapped__", sensitivity_weighted)  # no run-time check of types
    with pytest.raises(ValueError, match=r"maps are 4 x 1 x 48 x 40 .*; each coil image needs one of its own matrix"):
        unchecked(random_complex(3, *SIZE), maps)
