"""Judging a network on its way."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lucidmr.context import CONTEXT_FIELDS
from lucidmr.errors import LucidError
from lucidmr.pairs.source import CorpusPairs
from lucidmr.train.stream import gather
from lucidmr.train.validate import Examples, held_back, judge, simulate_examples
from mixed_corpus import mixed_corpus
from properties import seeded
from tiny_training import CPU, SETTINGS, squares


class Remover(torch.nn.Module):
    """Removes a share of the difference to what it knows to be the truth."""

    def __init__(self, examples: Examples, share: float) -> None:
        super().__init__()
        self.truth, self.share = examples.targets, share

    def forward(self, given: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        middle = given[:, given.shape[1] // 2, None]
        return middle + self.share * (self.truth - middle)


def examples(slices: int = 1) -> Examples:
    targets = torch.rand(5, 1, 16, 16, generator=seeded())
    noise = 0.1 * torch.randn(5, slices, 16, 16, generator=seeded(1))
    return Examples(targets + noise, targets, torch.zeros(5, len(CONTEXT_FIELDS)))


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize(("share", "gain"), [(0.0, 0.0), (0.5, 6.02), (0.9, 20.0)])
def test_half_of_the_error_is_six_decibels_and_half_of_the_loss(slices: int, share: float, gain: float) -> None:
    made = examples(slices)
    settings = replace(SETTINGS, precision="fp32", loss_floor=0.0)
    judgement, picture = judge(Remover(made, share), made, settings, CPU)
    assert judgement.psnr_gain == pytest.approx(gain, abs=0.06)
    assert judgement.loss == pytest.approx(1.0 - share, abs=1e-4)
    assert judgement.pairs == 5
    assert picture.shape == (4 * 16, 4 * 16)
    assert float(picture[:, 48:].mean()) == pytest.approx((1.0 - share) * float(picture_of_nothing(made)), abs=0.02)


def picture_of_nothing(made: Examples) -> torch.Tensor:
    """Mean of the differences where nothing is done."""
    return judge(Remover(made, 0.0), made, replace(SETTINGS, precision="fp32"), CPU)[1][:, 48:].mean()


def test_the_pairs_are_the_same_every_time_whoever_makes_them() -> None:
    """Two processes have the pairs of one; the run's own seed does not matter."""
    settings = replace(SETTINGS, validation_pairs=4)
    whole = simulate_examples(squares(), settings, CPU)
    halves = [
        simulate_examples(squares(), replace(settings, seed=3), replace(CPU, rank=rank, count=2)) for rank in (0, 1)
    ]
    assert len(whole.inputs) == 4
    for rank, half in enumerate(halves):
        assert torch.equal(half.inputs, whole.inputs[rank::2])
        assert torch.equal(half.targets, whole.targets[rank::2])


def test_a_corpus_judges_by_its_own_split(tmp_path: Path) -> None:
    sources = gather([mixed_corpus(tmp_path)], SETTINGS)
    assert isinstance(sources, CorpusPairs)
    everything = replace(sources, corpus=replace(sources.corpus, split=replace(sources.corpus.split, validation=0.9)))
    found, missing = held_back(everything, (), SETTINGS)
    assert missing is None
    assert isinstance(found, CorpusPairs)
    assert found.split == "validation"


def test_an_empty_split_is_a_remark_unless_it_was_asked_for(tmp_path: Path) -> None:
    folder = mixed_corpus(tmp_path)
    found, missing = held_back(gather([folder], SETTINGS), (), SETTINGS)
    assert found is None
    assert missing is not None
    assert "in split 'validation'" in missing
    with pytest.raises(LucidError, match="in split 'validation'"):
        held_back(squares(), (folder,), SETTINGS)


def test_volumes_are_named_for_it(tmp_path: Path) -> None:
    assert held_back(squares(), (), SETTINGS) == (
        None,
        "no volumes to judge by; name others than these with --validate",
    )
    with pytest.raises(LucidError, match="nothing to learn from"):
        held_back(squares(), (tmp_path,), SETTINGS)
