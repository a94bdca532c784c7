"""The body of phantoms whose body is known, in air, above noise floors and shaded by coils."""

import pytest
import torch
from torch.nn import functional as F

from lucidmr.physics.body import body_mask
from lucidmr.physics.noise_floor import noise_floor
from noisy_head import SIGNAL, acquire, phantom, root_sum_of_squares
from properties import seeded


def test_body_is_the_head_and_not_the_air_around_it():
    truth = phantom(192)
    body = body_mask(acquire(truth, SIGNAL / 10, (192, 192)))
    tissue, air = truth > 0.3, truth < 1e-3
    assert body[tissue].float().mean() > 0.97
    assert body[air].float().mean() < 0.01


def test_body_is_found_in_a_large_field_of_view_of_air():
    image = F.pad(phantom(64), (96,) * 4)
    image = (image + 0.08 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).abs()
    assert body_mask(image)[:90].float().mean() < 0.01


def test_body_is_found_above_a_noise_floor_of_more_than_half_the_tissue():
    truth = phantom(192)
    image = root_sum_of_squares(truth, 0.2 * SIGNAL)
    assert noise_floor(image, truth > 0.05, 0.2 * SIGNAL) > 0.5 * float(image[truth > 0.5 * SIGNAL].median())
    found, inside = body_mask(image), F.max_pool2d((truth > 0.05).float()[None], 5, 1, 2)[0] > 0
    assert float((found & ~inside).float().mean()) < 0.01
    assert float(found[truth > 0.8 * SIGNAL].float().mean()) > 0.95


def shaded(truth, rim):
    """Brighter by this factor on one side than on the other, as a surface coil makes it."""
    return truth * torch.logspace(0.0, torch.tensor(rim).log10().item(), truth.shape[-1])


@pytest.mark.parametrize("rim", [3.0, 30.0])
@pytest.mark.parametrize("depth", [1, 3])
def test_body_is_found_where_coils_have_shaded_it(rim, depth):
    truth = phantom(192)
    image = acquire(shaded(truth, rim), 0.1 * SIGNAL, (192, 192)).expand(depth, -1, -1)
    body = body_mask(image)
    tissue, air = truth > 0.3, F.max_pool2d(truth[None], 7, 1, 3)[0] < 1e-3
    assert body[:, tissue].float().mean() > 0.97
    assert body[:, air].float().mean() < 0.01


def test_body_does_not_grow_into_the_noise_beside_dark_tissue():
    truth = phantom(192)
    noise = 0.25 * SIGNAL  # the darkest tissue is hardly brighter than air
    body = body_mask(acquire(shaded(truth, 4.0), noise, (192, 192)))
    air = F.max_pool2d(truth[None], 7, 1, 3)[0] < 1e-3
    assert body[air].float().mean() < 0.01


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_images_without_contrast_are_all_body_or_none(value):
    assert body_mask(torch.full((2, 20, 24), value)).float().mean() == (value > 0.0)


def test_a_masked_background_is_no_body():
    truth = phantom(192)
    inside = truth > 1e-3
    image = torch.where(inside, shaded(truth, 3.0) + 0.02 * torch.rand(truth.shape, generator=seeded()), 0.0)
    body = body_mask(image)
    assert not bool(body[~inside].any())
    assert body[truth > 0.3].float().mean() > 0.9
