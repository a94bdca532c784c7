"""The noise gauge learns from simulated scans."""

from statistics import fmean

import pytest
import torch

from lucidmr.errors import LucidError
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.train import gauge
from lucidmr.train.gauge import GaugeSettings, Measured, measured, train_gauge
from noisy_head import phantom

TINY = GaugeSettings(pairs=6, epochs=1, workers=0)


def head() -> NativeSlices:
    return NativeSlices(phantom(96)[None], 0.001, 0.8, "head", is_volume=False)


def test_scans_are_simulated_from_the_seed_alone() -> None:
    once, again = (list(measured([head()], TINY)) for _ in range(2))
    assert 0 < len(once) <= 6
    for one, other in zip(once, again, strict=True):
        assert torch.equal(one.seen, other.seen)
        assert one.logarithm == other.logarithm
    assert len({one.logarithm for one in once}) == len(once)


def test_it_learns_levels_from_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """White noise of two levels."""
    generator = torch.Generator().manual_seed(3)
    levels = torch.tensor([-0.8, 0.8])[torch.randint(2, (160,), generator=generator)].tolist()
    examples = [
        Measured((torch.randn(2, 32, 32, generator=generator) * torch.tensor(level).exp()).half(), level)
        for level in levels
    ]
    monkeypatch.setattr(gauge, "measured", lambda *_: iter(examples))
    monkeypatch.setattr(gauge, "_SIDE", 32)
    losses: list[float] = []
    made = train_gauge([], GaugeSettings(epochs=12, learning_rate=5e-3), lambda _, loss: losses.append(loss))
    assert len(losses) == 120
    assert fmean(losses[-10:]) < 0.3 * fmean(losses[:5])
    assert not made.training
    told = [float(made(one.seen.float()[None], torch.ones(1, 1, 32, 32)).detach()) for one in examples[:20]]
    assert torch.tensor(told).sub(torch.tensor(levels[:20])).abs().mean() < 0.3


def test_training_ends_where_the_loss_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Measured(torch.full((2, 32, 32), float("nan")).half(), 0.0)
    monkeypatch.setattr(gauge, "measured", lambda *_: iter([bad] * 16))
    with pytest.raises(LucidError, match="not finite at step 0"):
        train_gauge([], TINY)


def test_nothing_to_learn_from_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "measured", lambda *_: iter([]))
    with pytest.raises(LucidError, match="nothing to learn from"):
        train_gauge([], TINY)
