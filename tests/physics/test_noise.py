"""Receiver noise: level, whiteness, reproducibility."""

import pytest
import torch

from lucidmr.physics.noise import complex_noise
from properties import noise_sd, seeded


def test_each_part_has_the_standard_deviation_asked_for() -> None:
    noise = complex_noise((4, 100, 100), 0.3, seeded())
    assert noise.dtype == torch.complex64
    assert noise_sd(noise.real) == pytest.approx(0.3, rel=0.01)
    assert noise_sd(noise.imag) == pytest.approx(0.3, rel=0.01)
    assert abs(complex(noise.mean())) < 0.3 * 4 / 200


def test_parts_coils_and_neighbours_are_uncorrelated() -> None:
    noise = complex_noise((2, 200, 200), 1.0, seeded())
    for a, b in [
        (noise.real, noise.imag),
        (noise[0].real, noise[1].real),
        (noise[..., 1:].real, noise[..., :-1].real),
        (noise[:, 1:].imag, noise[:, :-1].imag),
    ]:
        assert abs(float((a * b).mean())) < 4 / 200


def test_the_generator_decides_all() -> None:
    first = complex_noise((8, 8), 1.0, seeded(3))
    torch.manual_seed(1)
    assert torch.equal(first, complex_noise((8, 8), 1.0, seeded(3)))
    assert not torch.equal(first, complex_noise((8, 8), 1.0, seeded(4)))


def test_no_noise_is_nothing() -> None:
    assert not complex_noise((3, 3), 0.0, seeded()).any()


@pytest.mark.parametrize("sd", [-0.1, float("inf"), float("nan")])
def test_an_impossible_level_is_refused(sd: float) -> None:
    with pytest.raises(ValueError, match=f"sd is {sd:g}; it must be finite and not negative"):
        complex_noise((2, 2), sd, seeded())
