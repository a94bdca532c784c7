"""A bench of phantoms with the tiny network, on coarse grids."""

import pytest
import torch

from lucidmr import device
from lucidmr.enhance import prepare
from lucidmr.evaluate.bench import Bench, phantoms


@pytest.fixture(scope="session")
def phantom_data(tmp_path_factory):
    """The data of a quick evaluation, made once."""
    return phantoms(tmp_path_factory.mktemp("phantoms"), 0)


@pytest.fixture
def bench(phantom_data, tiny_model, tmp_path, monkeypatch):
    """What an experiment is given."""
    monkeypatch.setattr(prepare, "SIDE_2D", 112)
    monkeypatch.setattr(prepare, "SIDE_3D", 80)
    # The tiny network carries its image on a large offset, which bfloat16 cannot hold.
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)
    return Bench((tiny_model,), "cpu", True, 0, tmp_path, *phantom_data[:2])
