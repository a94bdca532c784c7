"""How far what a network predicts may be kept."""

import math

import pytest
import torch

from lucidmr.context import Context
from lucidmr.enhance.parts import in_band, on_working_grid, without_mean
from properties import seeded


def test_what_lies_beyond_k_space_is_left_out():
    rows, columns = torch.arange(96)[:, None], torch.arange(96)
    own = torch.cos(2 * math.pi * (0.12 * rows + 0.05 * columns))  # acquired up to 0.15 and 0.2 cycles per pixel
    board = (-1.0) ** (rows + columns)
    kept = in_band((own + board)[None, None], (0.3, 0.4))[0, 0]
    inside = (slice(12, -12), slice(12, -12))
    assert float((kept - own)[inside].abs().max()) < 0.1
    assert torch.equal(in_band(board[None, None], (0.7, 1.0)), board[None, None])


def test_parts_have_no_mean_in_the_body_and_none_around_a_pixel_of_air():
    body = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    body[..., 16:48, 16:48] = True
    rows = torch.arange(64.0)[:, None].expand(64, 64)
    left = without_mean((1.0 + rows / 64 + (-1.0) ** rows)[None, None], body, 10.0, (1.0, 1.0))[0, 0]
    assert abs(float(left[20:44, 20:44].mean())) < 0.05
    assert float(left[42, 32] - left[22, 32]) == pytest.approx(20 / 64, abs=0.02)  # in the body slopes stay
    assert abs(float(left[4:12].mean())) < 0.05
    assert float(left[4:12].abs().mean()) > 0.75  # in air what is not smooth stays: all but the mean of five rows


def test_predicted_noise_has_no_larger_mean_over_a_region_than_noise_can_have():
    body = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    noise = torch.randn(1, 1, 128, 128, generator=seeded())
    slope = torch.linspace(-1.0, 1.0, 128).expand(1, 1, 128, 128)
    for density, most in ((1.0, 2.0 / 17), (0.5, 2.0 / 8.5)):  # regions of 17 x 17 pixels, or so many acquired ones
        found = without_mean(noise + slope, body, 1.0, (density, density)) - noise
        assert float(found[..., 20:-20].abs().median()) == pytest.approx(most, rel=0.15)
        assert float((without_mean(noise, body, 1.0, (density, density)) - noise).abs().mean()) < 0.02
    details = torch.cat([noise, slope], 1)
    assert torch.allclose(without_mean(details, body, 1.0, (1.0, 1.0))[:, 1], slope[:, 0], atol=1e-3)


@pytest.mark.parametrize(
    ("wanted", "side"), [((0.25, 0.1), 48), ((0.125, 0.125), 24), ((0.5, 0.3), 96), ((0.9, 0.9), 96)]
)
def test_the_network_works_where_the_wanted_k_space_fills_half_of_the_grid(wanted, side):
    rows = torch.arange(96.0)
    image = torch.cos(2 * math.pi * 0.5 * 0.9 * 0.125 * rows)[:, None] * torch.ones(96)
    told = Context(extent_freq=math.log2(0.125), extent_phase_unknown=1.0)

    def network(stacks, context):
        assert stacks.shape == (1, 1, side, side)
        zoom = side / 96
        assert context.extent_freq == pytest.approx(math.log2(0.125 / zoom))
        assert (context.extent_phase, context.extent_phase_unknown) == (0.0, 1.0)
        return torch.cat([stacks, -stacks], 1)

    found = on_working_grid(network, image[None, None], told, wanted)
    assert found.shape == (1, 2, 96, 96)
    inside = (slice(12, -12), slice(12, -12))
    assert float((found[0, 0] - image)[inside].abs().max()) < 0.05
