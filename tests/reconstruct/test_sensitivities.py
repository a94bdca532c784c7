"""Sensitivities on any matrix: estimated or known."""

import pytest
import torch

from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom_3d, kspace_3d
from lucidmr.reconstruct.sensitivities import Sensitivities, resize_maps
from lucidmr.reconstruct.settings import SensitivityMethod
from properties import random_complex, seeded

MATRIX = (1, 48, 40)


def test_resizing_keeps_smooth_maps() -> None:
    maps = loop_array_maps(4, MATRIX, seeded(1))
    finer = resize_maps(maps, (1, 96, 80))
    torch.testing.assert_close(finer[..., ::2, ::2], maps)  # pixel n // 2 stays in place
    torch.testing.assert_close(resize_maps(finer, MATRIX), maps)


@pytest.mark.parametrize("matrix", [(3, 7, 5), (4, 9, 11), (1, 2, 1)])
def test_a_linear_ramp_stays_one(matrix: tuple[int, int, int]) -> None:
    def ramp(n: int) -> torch.Tensor:
        return (torch.arange(n) - n // 2) / n

    axis = ramp(16).to(torch.complex64).expand(2, 4, 12, 16)
    found = resize_maps(axis, (matrix[0], matrix[1], 8))
    torch.testing.assert_close(found[0, 0, 0], ramp(8).to(torch.complex64))
    assert found.shape == (2, matrix[0], matrix[1], 8)


def test_known_maps_are_normalised_and_their_shading_kept_apart() -> None:
    maps = loop_array_maps(4, MATRIX, seeded(1), shaded=True)
    sensitivities = Sensitivities(random_complex(4, 1, 48, 20), "known", maps)
    found = sensitivities.maps(MATRIX)
    torch.testing.assert_close(found.abs().square().sum(0), torch.ones(MATRIX))
    torch.testing.assert_close(found * sensitivities.shading(MATRIX), maps)


def test_each_matrix_is_computed_once() -> None:
    maps = loop_array_maps(4, MATRIX, seeded(1))
    found = Sensitivities(to_kspace(maps)[..., 10:30], "walsh")
    assert found.maps(MATRIX) is found.maps(MATRIX)
    assert found.maps((1, 24, 20)).shape == (4, 1, 24, 20)


@pytest.mark.parametrize("method", ["espirit", "walsh", "inati"])
def test_an_estimate_is_interpolated_to_large_matrices(method: SensitivityMethod) -> None:
    """It serves every matrix, has a length of 1 on each, and explains the coil images as well as the true maps do."""
    matrix = (1, 256, 240)
    true = loop_array_maps(4, matrix, seeded(1))
    lines = to_kspace(true)[..., 112:144, 104:136]
    found = Sensitivities(lines, method)
    whole, half = found.maps(matrix), found.maps((1, 128, 120))
    inner = (slice(None), slice(None), slice(32, 224), slice(32, 208))
    alike = (whole.conj() * true).sum(0, keepdim=True).abs() / true.abs().square().sum(0, keepdim=True).sqrt()
    assert float(alike[inner].amin()) > 0.99
    torch.testing.assert_close(whole.abs().square().sum(0), torch.ones(matrix))
    torch.testing.assert_close(whole[inner][..., ::2, ::2], half[..., 16:112, 16:104], atol=0.02, rtol=0)


def test_missing_sensitivities_are_named() -> None:
    sensitivities = Sensitivities(random_complex(4, 1, 48, 20), "known")
    with pytest.raises(ValueError, match="sensitivities 'known' needs known sensitivities, and the scan has none"):
        sensitivities.maps(MATRIX)
    with pytest.raises(ValueError, match="prescan normalization needs known sensitivities, and the scan has none"):
        sensitivities.shading(MATRIX)


def test_a_block_thinner_than_the_kernel_of_espirit_is_enough() -> None:
    lines = random_complex(4, 2, 24, 24, seed=3)
    thin, walsh = (Sensitivities(lines, method).maps((6, 32, 32)) for method in ("espirit", "walsh"))
    torch.testing.assert_close(thin, walsh)


@pytest.mark.parametrize("slices", [4, 6, 8])
@pytest.mark.parametrize("lines", [6, 16])
def test_no_calibration_is_so_thin_that_the_image_is_black(slices: int, lines: int) -> None:
    """With as few lines as partial Fourier of a low resolution leaves, ESPIRiT's eigenvalues are far below 1."""
    matrix = (16, 48, 40)
    image = to_image(kspace_3d(anatomy_phantom_3d(), matrix)).abs()
    received = to_kspace(loop_array_maps(8, matrix, seeded(1)) * image)
    block = resize_kspace(received, (slices, 24, lines))
    found = Sensitivities(block, "espirit").maps(matrix)
    body = image > 0.1 * image.max()
    assert float((found.abs().sum(0) > 0)[body].float().mean()) > 0.99
