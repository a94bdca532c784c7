"""Pairs from a corpus: decided by seed and number, from whatever was measured."""

from dataclasses import replace

import pytest
import torch

from lucidmr.corpus.corpus import Corpus
from lucidmr.degrade.draw import Degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import TargetKind, TrainingPair, simulate_pair
from lucidmr.pairs.source import CorpusPairs, item_generator, stack_of
from lucidmr.physics.sampling import Sampling, sampling_mask
from lucidmr.reconstruct.settings import Reconstruction
from mixed_corpus import ACCELERATED, PARTIAL, left_out, mixed_corpus
from properties import seeded
from scans import disc_scan


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus(mixed_corpus(tmp_path_factory.mktemp("corpus")))


def assert_same(one: TrainingPair, other: TrainingPair) -> None:
    assert torch.equal(one.input, other.input)
    assert torch.equal(one.target, other.target)
    assert (one.grid, one.context, one.rescale) == (other.grid, other.context, other.rescale)


@pytest.mark.parametrize("sampling", [PARTIAL, ACCELERATED], ids=["partial Fourier", "accelerated"])
@pytest.mark.parametrize("target", ["low_variance", "noisy"])
def test_what_a_scan_left_out_is_in_neither_image(sampling: Sampling, target: TargetKind) -> None:
    """What lies in the gaps of k-space does not matter, and none of it is drawn as acquired."""
    scan = disc_scan(coils=4, noise_sd=0.01)
    measured = replace(left_out(scan, sampling), maps=None)
    gap = ~sampling_mask(sampling)
    filled = replace(measured, kspace=torch.where(gap, 5.0 + 0.0j, measured.kspace))
    ranges = DegradationRanges(base_fraction=(1.0, 1.0), gain_probability=0.0)
    for seed in range(6):
        pair, same = (simulate_pair(raw, ranges, seeded(seed), target) for raw in (measured, filled))
        assert_same(pair, same)
        drawn = Degradation.from_json(pair.provenance["degradation"])
        for found in (drawn.input, drawn.target):
            assert not bool((sampling_mask(found) & gap).any())


def test_an_accelerated_scan_always_keeps_its_calibration_lines() -> None:
    scan = replace(left_out(disc_scan(coils=4, noise_sd=0.01), ACCELERATED), maps=None)
    ranges = DegradationRanges(gain_probability=0.9, gain=(2.0, 3.0), partial_fourier_probability=0.9)
    for seed in range(20):
        pair = simulate_pair(scan, ranges, seeded(seed))
        assert torch.isfinite(pair.input).all()


def test_a_pair_depends_on_seed_and_number_alone(corpus) -> None:
    one, other = CorpusPairs(corpus, seed=3), CorpusPairs(Corpus(corpus.folder), seed=3)
    one.pair(0)
    for index in (4, 2):
        assert_same(one.pair(index), other.pair(index))
    assert one.pair(1).provenance != CorpusPairs(corpus, seed=4).pair(1).provenance


def test_every_kind_of_measurement_has_its_turn(corpus) -> None:
    pairs = CorpusPairs(corpus)
    found = {pairs.pair(index).provenance["entry"] for index in range(30)}
    assert found == set(corpus.entries)


def test_a_stack_is_adjacent_slices_of_one_volume_with_the_middle_one_as_target(corpus) -> None:
    pairs = CorpusPairs(corpus, slices=7)
    for index in range(3):
        pair = pairs.pair(index)
        assert (pair.input.shape[0], pair.target.shape[0]) == (7, 1)
        assert pair.input.shape[1:] == pair.target.shape[1:]
        assert pair.provenance["entry"] == f"{3:064x}"
        how = Reconstruction.from_json(pair.provenance["reconstruction"])
        assert 0 <= pair.provenance["first_slice"] <= how.matrix[0] - 7


def test_the_middle_slice_is_the_target() -> None:
    whole = simulate_pair(disc_scan(), DegradationRanges(), seeded())
    numbered = torch.arange(9.0)[:, None, None].expand(9, 4, 4)
    chosen = {"first_slice": 2, "slices": 5}
    pair = stack_of(replace(whole, input=numbered, target=numbered + 100.0, provenance=chosen))
    assert pair.input[:, 0, 0].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert pair.target[:, 0, 0].tolist() == [104.0]


def test_no_two_seeds_share_items() -> None:
    drawn = {float(torch.rand(1, generator=item_generator(seed, index))) for seed in range(3) for index in range(50)}
    assert len(drawn) == 150


def test_settings_that_make_no_sense_are_named(corpus) -> None:
    with pytest.raises(ValueError, match="slices is 2; it must be odd"):
        CorpusPairs(corpus, slices=2)
    with pytest.raises(ValueError, match="seed is -1"):
        CorpusPairs(corpus, seed=-1)
    with pytest.raises(LucidError, match="no measurement of 3D scans with 99 slices in split 'train'"):
        CorpusPairs(corpus, slices=99).pair(0)
    with pytest.raises(LucidError, match="no measurement in split 'test'"):
        CorpusPairs(corpus, split="test").pair(0)
