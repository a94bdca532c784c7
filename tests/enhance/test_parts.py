"""How far what a network predicts may be kept."""

import math

import pytest
import torch

from lucidmr.enhance.parts import in_band, without_mean


def test_what_lies_beyond_k_space_is_left_out():
    rows, columns = torch.arange(96)[:, None], torch.arange(96)
    own = torch.cos(2 * math.pi * (0.12 * rows + 0.05 * columns))  # acquired up to 0.15 and 0.2 cycles per pixel
    board = (-1.0) ** (rows + columns)
    kept = in_band((own + board)[None, None], (0.3, 0.4))[0, 0]
    inside = (slice(12, -12), slice(12, -12))
    assert float((kept - own)[inside].abs().max()) < 0.1
    assert torch.equal(in_band(board[None, None], (0.7, 1.0)), board[None, None])


def test_air_keeps_its_level_when_the_mean_of_the_body_is_kept():
    parts, body = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    body[..., 16:48, 16:48] = True
    left = without_mean(parts, body, 0.0)
    assert float(left[..., 24:40, 24:40].abs().max()) < 1e-6
    assert torch.equal(left[..., :8, :], parts[..., :8, :])


@pytest.mark.parametrize(("predicted", "most", "kept"), [(1.0, 0.3, 0.3), (0.2, 0.3, 0.2), (-0.2, 0.3, 0.0)])
def test_predicted_noise_keeps_as_much_of_its_mean_as_the_noise_floor_explains(predicted, most, kept):
    parts, body = torch.full((1, 2, 64, 64), predicted), torch.ones(1, 1, 64, 64, dtype=torch.bool)
    left = without_mean(parts, body, most)
    assert float(left[:, 0].mean()) == pytest.approx(kept, abs=1e-6)
    assert float(left[:, 1].abs().max()) < 1e-6
