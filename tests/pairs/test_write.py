"""Pairs on disk and once more: the same bits, whoever writes them and however often one is killed."""

import json
from hashlib import sha256
from pathlib import Path

import h5py
import pytest
import torch

from lucidmr.context import CONTEXT_FIELDS
from lucidmr.corpus.corpus import Corpus
from lucidmr.errors import LucidError
from lucidmr.pairs.replay import replay
from lucidmr.pairs.source import CorpusPairs
from lucidmr.pairs.write import Outcome, path_of, read_pair, read_record, record_of, write_pair, write_pairs
from lucidmr.scale import Workers
from mixed_corpus import mixed_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus(mixed_corpus(tmp_path_factory.mktemp("corpus")))


def written(pairs: CorpusPairs, folder: Path, count: int = 6, workers: int = 1) -> list[Outcome]:
    return list(write_pairs(pairs, range(count), folder, Workers(workers)))


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("slices", [1, 7])
def test_what_is_read_is_what_was_simulated_to_the_last_bit(corpus, tmp_path, slices) -> None:
    pairs = CorpusPairs(corpus, seed=1, slices=slices)
    for index in range(6):
        pair = pairs.pair(index)
        write_pair(tmp_path / "pair.h5", pair)
        found = read_pair(tmp_path / "pair.h5")
        assert torch.equal(found.input, pair.input)
        assert torch.equal(found.target, pair.target)
        assert record_of(found) == json.loads(json.dumps(record_of(pair)))
        assert found.context == pair.context


@pytest.mark.parametrize("target", ["low_variance", "noisy"])
def test_the_record_alone_replays_the_pair(corpus, tmp_path, target) -> None:
    written(CorpusPairs(corpus, seed=2, target=target), tmp_path)
    written(CorpusPairs(corpus, seed=2, target=target, slices=3), tmp_path / "stacks", 2)
    for path in sorted(tmp_path.rglob("0*.h5")):
        found, again = read_pair(path), replay(read_record(path), Corpus(corpus.folder))
        assert torch.equal(found.input, again.input)
        assert torch.equal(found.target, again.target)
        assert record_of(found) == record_of(again)


def test_the_file_tells_everything_without_this_package(corpus, tmp_path) -> None:
    written(CorpusPairs(corpus), tmp_path, 1)
    with h5py.File(path_of(tmp_path, 0)) as file:
        record = json.loads(file.attrs["record"])
        assert file["input"].dtype == file["target"].dtype == "uint16"
        assert file["context"].shape == (len(CONTEXT_FIELDS),)
    assert record["entry"] in corpus.entries
    assert {"seed", "index", "scan", "first_slice", "degradation", "reconstruction", "version", "grid"} <= set(record)


def test_the_number_of_workers_changes_no_byte(corpus, tmp_path) -> None:
    pairs = CorpusPairs(corpus)
    for workers in (1, 2):
        made = written(pairs, tmp_path / str(workers), workers=workers)
        assert made == [Outcome(index, made=True) for index in range(6)]
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_what_is_there_is_kept_and_the_rest_is_made(corpus, tmp_path) -> None:
    pairs = CorpusPairs(corpus)
    written(pairs, tmp_path, 3)
    before = path_of(tmp_path, 1).stat().st_mtime_ns
    path_of(tmp_path, 2).unlink()
    assert [outcome.made for outcome in written(pairs, tmp_path, 4)] == [False, False, True, True]
    assert path_of(tmp_path, 1).stat().st_mtime_ns == before


def test_a_folder_holds_pairs_of_one_kind(corpus, tmp_path) -> None:
    written(CorpusPairs(corpus), tmp_path, 1)
    with pytest.raises(LucidError, match="holds pairs with another seed and target; choose another folder"):
        written(CorpusPairs(corpus, seed=1, target="noisy"), tmp_path, 1)


def test_a_damaged_measurement_fails_its_own_pairs_alone(tmp_path) -> None:
    pairs = CorpusPairs(Corpus(mixed_corpus(tmp_path / "corpus")))
    damaged = pairs.entries[3]
    damaged.path.write_bytes(b"gone")
    failed = [outcome for outcome in written(pairs, tmp_path / "out", 12) if outcome.failed]
    assert 0 < len(failed) < 12
    assert all(str(damaged.path) in outcome.failed for outcome in failed)
    assert len(list((tmp_path / "out").rglob("0*.h5"))) == 12 - len(failed)


def test_a_file_that_is_no_pair_is_said_in_one_line(tmp_path) -> None:
    (tmp_path / "a.h5").write_bytes(b"no")
    with pytest.raises(LucidError, match="is damaged or no pair"):
        read_pair(tmp_path / "a.h5")
    (tmp_path / "file").write_text("")
    with pytest.raises(LucidError, match="choose another folder"):
        list(write_pairs(CorpusPairs(Corpus(tmp_path)), [0], tmp_path / "file" / "out", Workers()))


def test_a_replay_needs_its_measurement(corpus, tmp_path) -> None:
    record = record_of(CorpusPairs(corpus).pair(0))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LucidError, match="does not hold"):
        replay(record, Corpus(tmp_path / "empty"))
    with pytest.raises(LucidError, match="context schema"):
        replay({**record, "context_schema": 99}, corpus)
