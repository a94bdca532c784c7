"""The stream of training examples."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from math import log2
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from lucidmr.context import CONTEXT_FIELDS, Context
from lucidmr.corpus.corpus import Corpus
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import NetworkSettings
from lucidmr.pairs.simulate import TargetKind
from lucidmr.pairs.source import CorpusPairs, stack_of
from lucidmr.pairs.write import path_of, read_pair, record_of, write_pairs
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.scale import Workers
from lucidmr.train import squares
from lucidmr.train.settings import TrainSettings
from lucidmr.train.share import Share
from lucidmr.train.stream import Example, PairStream, batches, gather, gather_slices, names_of
from mixed_corpus import mixed_corpus
from properties import seeded

SETTINGS = TrainSettings(
    slices_per_step=2, crops_per_slice=3, crop=32, workers=0, network=NetworkSettings((4, 6), hidden=4)
)


def volume(count: int, signal: float = 1.0, side: int = 64, name: str = "a") -> NativeSlices:
    """Slices that are all different."""
    images = signal * (0.8 + 0.2 * torch.rand(count, side, side, generator=seeded(count)))
    return NativeSlices(images, 0.0, signal, name)


def stream(settings: TrainSettings = SETTINGS, length: int = 20, synthetic: float = 0.0) -> PairStream:
    return PairStream([volume(4)], replace(settings, synthetic_share=synthetic), length)


def assert_same(one: Example, other: Example) -> None:
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


def test_examples_are_squares_with_their_context() -> None:
    given_, target, context = stream()[0]
    assert given_.shape == target.shape == (3, 1, 32, 32)
    assert context.shape == (3, len(CONTEXT_FIELDS))
    assert torch.isfinite(given_).all()
    assert torch.isfinite(target).all()
    assert {tuple(row) for row in context.tolist()} == {tuple(context[0].tolist())}  # squares of one slice
    Context.from_vector(tuple(context[0].tolist()))
    assert not torch.equal(given_[0], given_[1])


def test_an_example_depends_on_the_seed_and_its_number_alone() -> None:
    one, other = stream(), stream(length=7)
    one[3]  # the order of access does not matter
    assert_same(one[5], other[5])
    assert len({float(one[index][0].sum()) for index in range(8)}) == 8
    assert not torch.equal(one[5][0], stream(replace(SETTINGS, seed=1))[5][0])


def test_a_resumed_stream_goes_on_where_it_stopped() -> None:
    whole = list(batches(stream(length=8), 0))
    rest = list(batches(stream(length=8), 4))
    assert (len(whole), len(rest)) == (4, 2)
    assert whole[0][0].shape == (6, 1, 32, 32)
    for one, other in zip(whole[2:], rest, strict=True):
        assert_same(one, other)


SPREAD = replace(SETTINGS, spread=3)


def test_squares_are_spread_over_steps() -> None:
    """Of the six squares of a step two are of its own slices, two of those before, two of those before these."""
    together = list(batches(stream(length=12), 0))
    mixed = list(batches(stream(SPREAD, length=12), 0))
    assert [len(example[0]) for example in mixed] == [2, 4, 6, 6, 6, 6]
    for step in range(2, 6):
        for age in range(3):
            for given_, whole in zip(mixed[step], together[step - age], strict=True):
                assert torch.equal(given_[2 * age : 2 * age + 2], whole[age::3])


@pytest.mark.parametrize("step", [0, 1, 2, 4])
def test_spread_squares_are_the_same_after_a_stop_in_parts_and_from_workers(step: int) -> None:
    whole = list(batches(stream(SPREAD, length=12), 0))
    for settings in (SPREAD, replace(SPREAD, workers=1)):
        rest = list(batches(stream(settings, length=12), 2 * step))
        assert len(rest) == 6 - step
        for one, other in zip(whole[step:], rest, strict=True):
            assert_same(one, other)
    parts = list(batches(stream(SPREAD, length=12), 2 * step, Share(accumulate=2)))
    assert len(parts) == 2 * (6 - step)
    for number, one in enumerate(whole[step:]):
        rows = torch.cat([part[0] for part in parts[2 * number : 2 * number + 2]])
        assert sorted(rows.sum((1, 2, 3)).tolist()) == sorted(one[0].sum((1, 2, 3)).tolist())


def test_workers_do_not_change_the_examples() -> None:
    one = list(batches(stream(length=4), 0))
    other = list(batches(stream(replace(SETTINGS, workers=1), length=4), 0))
    for a, b in zip(one, other, strict=True):
        assert_same(a, b)


def test_the_end_is_the_end() -> None:
    assert len(stream(length=5)) == 5
    with pytest.raises(IndexError):
        stream(length=5)[5]


def test_without_sources_all_is_synthetic() -> None:
    made = PairStream([], SETTINGS, 4)
    assert_same(made[1], PairStream([], SETTINGS, 4)[1])
    given_, target, _ = made[1]
    assert float(given_.std()) > 0.01
    assert not torch.equal(given_, target)


def test_the_synthetic_share_decides_what_is_drawn() -> None:
    for share in (0.0, 0.5, 1.0):
        made = PairStream([volume(1)], replace(SETTINGS, synthetic_share=share), 12)
        names = {made.pair(index).provenance["source"] for index in range(12)}
        assert names == {0.0: {"a[0]"}, 0.5: {"a[0]", "synthetic"}, 1.0: {"synthetic"}}[share]


def test_volumes_are_chosen_by_the_root_of_their_slices() -> None:
    made = PairStream([volume(1, name="one"), volume(9, name="nine")], replace(SETTINGS, synthetic_share=0.0), 4)
    drawn = [made._drawn(made.sources, seeded(seed)).source for seed in range(300)]
    assert drawn.count("one[0]") / 300 == pytest.approx(0.25, abs=0.1)
    assert set(drawn) == {"one[0]", *(f"nine[{index}]" for index in range(9))}


def test_clean_volumes_are_preferred() -> None:
    noisy, clean = (replace(volume(4, name=name), noise_sd=sd) for name, sd in (("noisy", 10.0), ("clean", 2.0)))
    made = PairStream([noisy, clean], replace(SETTINGS, synthetic_share=0.0), 4)
    drawn = [made._drawn(made.sources, seeded(seed)).source for seed in range(300)]
    assert sum(name.startswith("clean") for name in drawn) / 300 == pytest.approx(5 / 6, abs=0.1)


def test_the_network_is_told_the_noise_and_now_and_then_not() -> None:
    made = stream(length=60, synthetic=1.0)
    told = [Context.from_vector(tuple(made[index][2][0].tolist())) for index in range(60)]
    both = [(context.noise, log2(made.pair(index).noise)) for index, context in enumerate(told) if context.noise]
    assert 0.75 < len(both) / 60 < 1.0
    assert torch.corrcoef(torch.tensor(both).T)[0, 1] > 0.7  # the scale of the squares varies, too


def test_the_network_is_told_the_true_noise_give_or_take_a_fifth() -> None:
    for synthetic in (0.0, 1.0):
        made = stream(length=30, synthetic=synthetic)
        ratios = []
        for index in range(30):
            pair = made.pair(index)
            _, context = squares.squares(pair, SETTINGS, seeded(index))
            _, scale = squares.intensity_range(pair.input, squares._ENOUGH)
            if not context.noise_unknown and pair.noise:
                ratios.append((2.0**context.noise - 1.0) / 100.0 / (pair.noise / scale))
        # The scale of the squares varies by a quarter, what is told by a fifth.
        assert float(torch.tensor(ratios).log().std()) == pytest.approx(0.32, abs=0.12)
        assert float(torch.tensor(ratios).log().mean()) == pytest.approx(0.0, abs=0.2)


def test_the_units_of_the_source_do_not_matter() -> None:
    """Twice the values are twice the noise and the same squares."""
    settings = replace(SETTINGS, synthetic_share=0.0)
    one, other = (PairStream([volume(2, signal)], settings, 3)[2] for signal in (1.0, 512.0))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-3)


def test_where_nothing_is_asked_input_and_target_are_the_same() -> None:
    nothing = DegradationRanges(
        gain_probability=0.0, partial_fourier_probability=0.0, leave_noise_probability=1.0, noise=(0.05, 0.05)
    )
    given_, target, context = stream(replace(SETTINGS, ranges=nothing))[0]
    torch.testing.assert_close(given_, target, atol=2e-3, rtol=0)
    described = Context.from_vector(tuple(context[0].tolist()))
    assert described.noise_reduction == described.gain_freq == described.gain_phase == described.restore_phase == 0.0


def test_squares_show_tissue_on_the_standardized_scale() -> None:
    images = torch.zeros(1, 64, 64)
    images[0, 24:40, 24:40] = 300.0
    made = PairStream([NativeSlices(images, 0.0, 300.0, "small")], replace(SETTINGS, synthetic_share=0.0), 12)
    brightest = torch.stack([made[index][1].amax((1, 2, 3)) for index in range(12)])
    assert float((brightest > 0.5).float().mean()) > 0.8  # a peak of noise is taken for tissue now and then
    assert float(brightest.max()) < 3.0


def test_grids_that_are_smaller_than_a_square_are_continued() -> None:
    settings = replace(SETTINGS, crop=256, crops_per_slice=1, synthetic_share=0.0)
    given_, _, _ = PairStream([volume(1)], settings, 30)[3]
    assert given_.shape == (1, 1, 256, 256)
    assert torch.isfinite(given_).all()


def write_volume(path: Path, side: int, value: float) -> None:
    voxels = np.full((side, side, 3), value, np.float32)
    voxels[: side // 8] = 0.0
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 4, 1])), path)


def test_slices_are_gathered_from_every_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_volume(tmp_path / name / f"{name}.nii", 80, 100.0)
    write_volume(tmp_path / "a" / "air.nii", 80, 0.0)
    found = gather_slices([tmp_path / "a", tmp_path / "b"])
    assert [slices.source for slices in found] == ["a.nii", "b.nii"]
    assert [len(slices.images) for slices in found] == [3, 3]


def test_folders_without_anything_to_learn_from_are_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "small.nii", 40, 100.0)
    with pytest.raises(LucidError, match=re.escape(f"{tmp_path}: no volume with tissue on a matrix of at least 64")):
        gather_slices([tmp_path])


@pytest.mark.parametrize("target", ["low_variance", "noisy"])
def test_a_stream_from_a_corpus_is_what_simulate_writes(tmp_path: Path, target: TargetKind) -> None:
    settings = replace(SETTINGS, seed=5, target=target, synthetic_share=0.0)
    sources = gather([mixed_corpus(tmp_path / "corpus")], settings)
    made = PairStream(sources, settings, 6)
    simulated = CorpusPairs(Corpus(tmp_path / "corpus"), seed=5, target=target)
    list(write_pairs(simulated, range(6), tmp_path / "out", Workers()))
    for index in range(6):
        streamed, stored = stack_of(made.pair(index)), read_pair(path_of(tmp_path / "out", index))
        assert torch.equal(streamed.input, stored.input)
        assert torch.equal(streamed.target, stored.target)
        assert json.loads(json.dumps(record_of(streamed))) == record_of(stored)
    assert names_of(sources) == ["images", *(f"measured {number}" for number in range(4))]


def test_workers_do_not_change_the_examples_of_a_corpus(tmp_path: Path) -> None:
    sources = gather([mixed_corpus(tmp_path)], SETTINGS)
    one, other = (list(batches(PairStream(sources, replace(SETTINGS, workers=workers), 4), 0)) for workers in (0, 2))
    for a, b in zip(one, other, strict=True):
        assert_same(a, b)


def test_a_corpus_is_named_alone(tmp_path: Path) -> None:
    corpus = mixed_corpus(tmp_path / "corpus")
    with pytest.raises(LucidError, match="is a corpus; name it alone"):
        gather([tmp_path, corpus], SETTINGS)


def test_a_corpus_and_synthetic_anatomy_take_turns(tmp_path: Path) -> None:
    """What is not synthetic is the same pair, whatever the share."""
    sources = gather([mixed_corpus(tmp_path)], SETTINGS)
    made, pure = (PairStream(sources, replace(SETTINGS, synthetic_share=share), 12) for share in (0.5, 0.0))
    drawn = [made.pair(index) for index in range(12)]
    synthetic = [pair.provenance["source"] == "synthetic" for pair in drawn]
    assert 2 <= sum(synthetic) <= 10
    first = synthetic.index(False)
    assert torch.equal(drawn[first].input, pure.pair(first).input)


STACKS = replace(SETTINGS, network=NetworkSettings((4, 6), hidden=4, slices=7), crops_per_slice=5, synthetic_share=0.0)


def thick(name: str = "v", is_volume: bool = True) -> NativeSlices:
    """Twenty slices near each other."""
    return NativeSlices(0.8 + 0.2 * torch.rand(20, 64, 64, generator=seeded(1)), 0.0, 1.0, name, is_volume)


def test_a_3d_network_sees_stacks_and_learns_the_middle_slice() -> None:
    for share in (0.0, 1.0):
        made = PairStream([thick()], replace(STACKS, synthetic_share=share), 3)
        given_, target, context = made[1]
        assert given_.shape == (5, 7, 32, 32)
        assert target.shape == (5, 1, 32, 32)
        assert context.shape == (5, len(CONTEXT_FIELDS))
        assert torch.isfinite(given_).all()
        assert_same(made[1], PairStream([thick()], replace(STACKS, synthetic_share=share), 3)[1])
        likeness = [float((given_[:, index] - target[:, 0]).abs().mean()) for index in range(7)]
        assert min(likeness) == likeness[3]


def test_workers_do_not_change_stacks() -> None:
    one, other = (list(batches(PairStream([thick()], replace(STACKS, workers=workers), 2), 0)) for workers in (0, 1))
    for a, b in zip(one, other, strict=True):
        assert_same(a, b)


def test_slices_far_from_each_other_are_no_volume(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", 80, 100.0)
    with pytest.raises(LucidError, match="and slices at most 2 mm apart; nothing to learn from"):
        gather([tmp_path], STACKS)


def test_a_corpus_without_3d_scans_is_named(tmp_path: Path) -> None:
    folder = mixed_corpus(tmp_path)
    (folder / f"{3:064x}.h5").unlink()  # the volume
    with pytest.raises(LucidError, match="no measurement of 3D scans with 7 slices in split 'train'"):
        names_of(gather([folder], STACKS))


def test_a_split_without_measurements_is_named(tmp_path: Path) -> None:
    pairs = CorpusPairs(Corpus(mixed_corpus(tmp_path)), split="validation")
    with pytest.raises(LucidError, match="no measurement in split 'validation'; add more to it"):
        pairs.pair(0)


def test_without_augmentation_volumes_are_shown_as_they_are() -> None:
    matrices = {
        augment: {
            PairStream([volume(1, side=96)], replace(SETTINGS, synthetic_share=0.0, augment=augment), 8)
            ._drawn([volume(1, side=96)], seeded(seed))
            .matrix
            for seed in range(8)
        }
        for augment in (False, True)
    }
    assert matrices[False] == {(1, 96, 96)}
    assert len(matrices[True]) > 2


def test_an_error_in_a_worker_ends_the_program(tmp_path) -> None:
    """Workers ignore SIGTERM, by which the interpreter would end them before it waits for them.

    Of many workers, the first is known to be dead while others still are to be ended.
    """
    script = tmp_path / "fails.py"
    script.write_text(
        "from lucidmr.train.settings import TrainSettings\n"
        "from lucidmr.train.stream import PairStream, batches\n"
        "class Broken(PairStream):\n"
        "    def pair(self, index):\n"
        "        raise ValueError('broken pair')\n"
        "if __name__ == '__main__':\n"
        "    for batch in batches(Broken([], TrainSettings(workers=12), 80), 0):\n"
        "        pass\n"
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "broken pair" in ended.stderr
