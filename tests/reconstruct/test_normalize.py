"""Surface-coil intensity normalization."""

from functools import cache, partial

import pytest
import torch
from torch import Tensor

from lucidmr.physics.analytic import image as paint
from lucidmr.physics.phantoms import anatomy_phantom
from lucidmr.reconstruct.normalize import image_based_gain, prescan_gain
from properties import noise_sd, random_complex

SIZE = (1, 64, 64)
GAINS = {
    "prescan": lambda image, strength: prescan_gain(image, head(), strength),
    "image_based": image_based_gain,
}


@cache
def head() -> Tensor:
    return paint(anatomy_phantom(), 64, 64).abs()[None]


def shading() -> Tensor:
    """Brighter by three towards the first pixel of freq, as under a surface coil."""
    x = torch.linspace(-0.5, 0.5, 64)[:, None].expand(SIZE)
    return (0.6 - x).clamp_min(0.1)


def tissue() -> Tensor:
    """White and grey matter."""
    return (head() > 0.45) & (head() < 0.8)


def unevenness(image: Tensor) -> float:
    """Coefficient of variation of what shading is left in tissue."""
    ratio = (image / head())[tissue()]
    return float(ratio.std() / ratio.mean())


@pytest.mark.parametrize("name", GAINS)
def test_strength_zero_changes_nothing(name: str) -> None:
    gain = GAINS[name](head() * shading(), 0.0)
    torch.testing.assert_close(gain, torch.ones(SIZE))


@pytest.mark.parametrize(("name", "left"), [("prescan", 0.35), ("image_based", 0.6)])
def test_shading_is_reduced_more_the_stronger_it_is(name: str, left: float) -> None:
    shaded = head() * shading()
    before, half, after = (unevenness(shaded * GAINS[name](shaded, strength)) for strength in (0.0, 0.5, 1.0))
    assert after < half < before
    assert after < left * before


@pytest.mark.parametrize("name", GAINS)
def test_it_is_bounded_smooth_and_scale_free_where_there_is_only_noise(name: str, device: torch.device) -> None:
    noisy = (head() * shading() + 0.02 * random_complex(*SIZE)).abs().to(device)
    function = partial(prescan_gain, body=head().to(device)) if name == "prescan" else image_based_gain
    gain = function(noisy, strength=1.0)
    assert 0.2 < float(gain.min()) <= float(gain.max()) < 5.0
    for axis in (-1, -2):
        assert float(gain.log().diff(dim=axis).abs().max()) < 0.4
    torch.testing.assert_close(function(1e-4 * noisy, strength=1.0), gain, rtol=1e-3, atol=1e-4)


def test_the_scale_of_the_body_coil_does_not_matter() -> None:
    shaded = head() * shading()
    torch.testing.assert_close(prescan_gain(shaded, 50 * head(), 1.0), prescan_gain(shaded, head(), 1.0))


def test_the_image_based_one_keeps_the_mean_of_the_foreground() -> None:
    shaded = head() * shading()
    foreground = shaded > 0.3 * shaded.square().sum() / shaded.sum()
    normalized = shaded * image_based_gain(shaded, 0.8)
    assert float(normalized[foreground].mean()) == pytest.approx(float(shaded[foreground].mean()), rel=1e-5)


@pytest.mark.parametrize("name", GAINS)
def test_noise_follows_the_gain(name: str) -> None:
    gain = GAINS[name](head() * shading(), 1.0)
    noise = gain * random_complex(200, *SIZE)
    expected = float(gain[0, 20, 30])
    assert noise_sd(noise[:, 0, 18:23, 28:33] / gain[0, 18:23, 28:33]) == pytest.approx(1.0, rel=0.02)
    assert noise_sd(noise[:, 0, 20, 30]) == pytest.approx(expected, rel=0.15)


def test_batches_are_normalized_one_by_one_and_nothing_stays_finite() -> None:
    images = torch.stack([head() * shading(), 7.0 * head(), torch.zeros(SIZE)])
    gains = image_based_gain(images, 1.0)
    torch.testing.assert_close(gains[0], image_based_gain(images[0], 1.0))
    torch.testing.assert_close(gains[2], torch.ones(SIZE))
    torch.testing.assert_close(prescan_gain(images, images, 1.0), torch.ones(3, *SIZE))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"strength is 1.5; it must lie between 0 and 1"):
        image_based_gain(head(), 1.5)
    with pytest.raises(ValueError, match="image holds values that are negative or not finite"):
        image_based_gain(-head(), 1.0)
    with pytest.raises(ValueError, match="body holds values that are negative or not finite"):
        prescan_gain(head(), head() * float("nan"), 1.0)
