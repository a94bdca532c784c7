"""Pictures: what each grey level and colour stands for."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from lucidmr.drawing.pictures import (
    DIVERGING,
    SEQUENTIAL,
    Crop,
    Window,
    auto_window,
    bar_png,
    crop,
    difference_png,
    grey_png,
    magnified,
    map_png,
    panels,
    with_inset,
)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)))


def test_grey_levels_follow_the_window_and_clip():
    shown = pixels(grey_png(torch.tensor([[-5.0, 10.0, 60.0, 110.0, 500.0]]), Window(10, 110)))
    assert shown.tolist() == [[0, 0, 128, 255, 255]]


def test_difference_is_blue_below_dark_at_and_red_above_nothing():
    shown = pixels(difference_png(torch.tensor([[-2.0, -9.0, 0.0, 2.0]]), limit=2.0))[0]
    assert shown[0].tolist() == shown[1].tolist() == list(DIVERGING[0])
    assert shown[2].tolist() == list(DIVERGING[len(DIVERGING) // 2])
    assert shown[3].tolist() == list(DIVERGING[-1])


def test_a_map_leaves_what_was_not_measured_dark():
    shown = pixels(map_png(torch.tensor([[1.0, 3.0, 0.0, float("nan")]]), Window(1, 3)))[0]
    assert shown[0].tolist() == list(SEQUENTIAL[0])
    assert shown[1].tolist() == list(SEQUENTIAL[-1])
    assert shown[2].max() <= 20
    assert shown[3].max() <= 20


@pytest.mark.parametrize("colours", [DIVERGING[3:], tuple(reversed(DIVERGING[:4])), SEQUENTIAL])
def test_maps_grow_steadily_lighter(colours):
    bar = pixels(bar_png(colours))[0].astype(float)
    lightness = bar @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -0.5).all()


def test_auto_window_ignores_masked_background_and_single_bright_pixels():
    image = torch.zeros(100, 100)
    image[20:80, 20:80] = torch.linspace(100, 200, 3600).reshape(60, 60)
    image[50, 50] = 1e6
    low, high = auto_window(image)
    assert 100 <= low < 105
    assert 195 < high < 205


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_auto_window_of_a_constant_is_not_empty(value):
    low, high = auto_window(torch.full((8, 8), value))
    assert high > low


def test_crop_ends_at_the_border():
    assert crop(torch.zeros(10, 10), Crop(6, 2, 8, 3)).shape == (4, 3)


def test_magnification_keeps_square_pixels():
    small = grey_png(torch.tensor([[0.0, 1.0]]), Window(0, 1))
    assert pixels(magnified(small, 3)).tolist() == [[0, 0, 0, 255, 255, 255]] * 3


def test_inset_shows_the_crop_in_the_corner():
    image = torch.zeros(100, 100)
    image[10:20, 10:20] = 1.0
    shown = pixels(with_inset(grey_png(image, Window(0, 1)), Crop(10, 10, 10, 10), 3))
    assert shown.shape == (100, 100, 3)
    assert (shown[75:95, 75:95] == 255).all()
    assert (shown[40:60, 40:60] == 0).all()


def test_panels_lie_side_by_side():
    one, two = (grey_png(torch.ones(n, 2 * n), Window(0, 1)) for n in (20, 30))
    sheet = pixels(panels([("before", one), ("after", two)]))
    assert sheet.shape[1] > 40 + 60
    assert sheet.shape[0] > 30
    assert (sheet == 255).all(-1).sum() >= 20 * 40 + 30 * 60
