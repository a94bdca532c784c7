"""What the noise gauge is shown, and what its answer is worth."""

from math import exp

import pytest
import torch

from lucidmr.network.noise_gauge import MOST_CORRECTION, NoiseGauge, seen_of


def noise(*sides: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*sides, generator=torch.Generator().manual_seed(seed))


def zero_filled(image: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    kspace = torch.zeros(grid, dtype=torch.complex64)
    (height, width), (top, left) = (
        image.shape,
        (side // 2 - given // 2 for side, given in zip(grid, image.shape, strict=True)),
    )
    kspace[top : top + height, left : left + width] = torch.fft.fftshift(torch.fft.fft2(image))
    return torch.fft.ifft2(torch.fft.ifftshift(kspace)).real * (grid[0] * grid[1] / image.numel())


def test_units_do_not_matter() -> None:
    image = 10.0 + noise(64, 80)
    torch.testing.assert_close(seen_of(image, 1.0, (1.0, 1.0)), seen_of(512.0 * image, 512.0, (1.0, 1.0)))


@pytest.mark.parametrize("grid", [(192, 192), (120, 300)])
def test_zero_filling_does_not_matter(grid: tuple[int, int]) -> None:
    image = 10.0 + noise(96, 96)
    extents = (96 / grid[0], 96 / grid[1])
    seen = seen_of(zero_filled(image, grid), 1.0, extents)
    assert seen.shape == (2, 96, 96)
    # The lines at Nyquist are shared between both ends of the finer k-space.
    torch.testing.assert_close(seen, seen_of(image, 1.0, (1.0, 1.0)), atol=0.15, rtol=0.05)


def test_of_large_images_the_middle_is_seen() -> None:
    image = noise(500, 400)
    image[:50] = 1000.0
    assert seen_of(image, 1.0, (1.0, 1.0)).shape == (2, 384, 384)
    assert float(seen_of(image, 1.0, (1.0, 1.0))[1].max()) < 2.0


def test_a_tiny_image_is_seen() -> None:
    assert seen_of(noise(9, 7), 1.0, (0.2, 0.2)).shape == (2, 9, 7)


def test_an_untrained_gauge_leaves_levels_and_corrections_have_an_end() -> None:
    gauge = NoiseGauge().eval()
    torch.nn.init.zeros_(gauge.head[-1].bias)
    assert gauge.correction(noise(40, 40), 1.0, (1.0, 1.0)) == pytest.approx(1.0)
    for bias in (-50.0, 50.0):
        torch.nn.init.constant_(gauge.head[-1].bias, bias)
        limit = exp(MOST_CORRECTION if bias > 0 else -MOST_CORRECTION)
        assert gauge.correction(noise(40, 40), 1.0, (1.0, 1.0)) == pytest.approx(limit)


def test_what_is_padded_is_not_weighted() -> None:
    torch.manual_seed(1)
    gauge = NoiseGauge().eval()
    torch.nn.init.normal_(gauge.head[-1].weight)
    seen = seen_of(10.0 + noise(64, 64), 1.0, (1.0, 1.0))
    padded, inside = torch.zeros(1, 2, 96, 96), torch.zeros(1, 1, 96, 96)
    padded[..., :64, :64], inside[..., :64, :64] = seen, 1.0
    with torch.inference_mode():
        alone, masked = gauge(seen[None], torch.ones(1, 1, 64, 64)), gauge(padded, inside)
        everywhere = gauge(padded, torch.ones_like(inside))
    torch.testing.assert_close(masked, alone, atol=0.05, rtol=0.05)
    assert abs(float(everywhere - alone)) > 3.0 * abs(float(masked - alone))
