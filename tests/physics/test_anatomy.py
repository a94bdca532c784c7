"""Random anatomy: reproducible, and not limited by the raster that it is drawn on."""

import pytest
import torch

from lucidmr.physics.anatomy import random_anatomy
from lucidmr.physics.fourier import to_kspace
from properties import seeded

MATRICES = [(1, 96, 80), (16, 64, 72)]


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_seed_decides(matrix: tuple[int, int, int]) -> None:
    one, same, other = (random_anatomy(matrix, seeded(seed)) for seed in (3, 3, 4))
    assert one.shape == matrix
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("matrix", MATRICES)
def test_signals_are_those_of_tissue_in_air(matrix: tuple[int, int, int]) -> None:
    for seed in range(4):
        image = random_anatomy(matrix, seeded(seed))
        assert torch.isfinite(image).all()
        assert 0.3 < float(image.amax()) < 2.2  # textures and Gibbs ringing reach beyond the signals drawn
        assert float((image.abs() < 0.05).float().mean()) > 0.1


def test_kspace_reaches_the_rim_of_the_matrix() -> None:
    """Edges have energy at all frequencies: it falls off with the frequency, not at the raster's end."""
    shares = []
    for seed in range(6):
        power = to_kspace(random_anatomy((1, 128, 128), seeded(seed)).to(torch.complex64)).abs().square()[0]
        rim, inner = power[[1, 2, -2, -1]].mean(), power[[20, 21, -21, -20]].mean()
        shares.append(float(rim / inner))
    assert sorted(shares)[3] > 0.02
    assert max(shares) < 2.0


def test_bodies_are_all_different() -> None:
    images = torch.stack([random_anatomy((1, 64, 64), seeded(seed))[0].flatten() for seed in range(12)])
    likeness = torch.corrcoef(images).triu(1)
    assert float(likeness.amax()) < 0.95
