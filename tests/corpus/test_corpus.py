"""Reading a corpus: lazily, by subject, and what is said of damage."""

import re
from dataclasses import replace

import h5py
import pytest
import torch

from corpora import adding, raw_file
from lucidmr import files
from lucidmr.corpus.add import add_all, find_sources
from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import Card, read_entry, write_scans
from lucidmr.corpus.report import render
from lucidmr.corpus.split import SPLITS, Split
from lucidmr.corpus.summary import lines, summary
from lucidmr.errors import LucidError
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.measurement import Facts
from lucidmr.raw.quality import Verdict
from lucidmr.raw.scan import RawScan
from lucidmr.scale import Workers
from properties import random_complex

PICTURE = torch.zeros(4, 4, dtype=torch.uint8)


def card(**known) -> Card:
    return Card("a", "somebody", scans=2, matrix=(1, 8, 8), coils=3, virtual_coils=2, noise_sd=1.0, snr=9.0, **known)


def scans(sampling: Sampling | None = None, facts: Facts | None = None) -> list[RawScan]:
    return [
        RawScan(random_complex(2, 1, 8, 8, seed=seed), 1.0, 9.0, None, f"a[{seed}]", sampling, facts or Facts())
        for seed in range(2)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus of twelve subjects with two scans each, and one measurement that was refused."""
    home = tmp_path_factory.mktemp("corpus")
    for number in range(12):
        write_scans(home / f"{number:064x}.h5", replace(card(), subject=f"s{number}"), scans(), (), PICTURE)
    refused = (Verdict("signal", "there is nothing but noise", True),)
    write_scans(home / f"{99:064x}.h5", Card("<b>weak</b>", "s"), [], refused, PICTURE)
    return home


def test_scans_come_back_to_the_last_bit(tmp_path) -> None:
    pattern = UniformUndersampling(2.0, calibration=(1, 4))
    sampling = Sampling(AxisSampling(8, 0.75), AxisSampling(8), undersampling=pattern)
    facts = Facts("Maker", "One", 3.0, "knee", "tse")
    given = scans(sampling, facts)
    write_scans(tmp_path / "1a.h5", card(sampling=sampling, facts=facts), given, (), PICTURE)
    for index, scan in enumerate(given):
        found = Corpus(tmp_path).scan(("1a", index))
        assert torch.equal(found.kspace, scan.kspace)
        assert replace(found, kspace=scan.kspace) == scan


def test_every_scan_is_in_exactly_one_split_with_its_subject(folder) -> None:
    corpus = Corpus(folder, Split(0.3, 0.3))
    places = {name: corpus.places(name) for name in SPLITS}
    assert sum(map(len, places.values())) == 24
    subjects = [{corpus.entries[name].card.subject for name, _ in found} for found in places.values()]
    assert not any(one & other for one in subjects for other in subjects if one is not other)
    assert len(list(corpus.scans("train"))) == len(places["train"])


def test_one_scan_is_read_without_the_rest(folder, monkeypatch) -> None:
    read: list[object] = []
    original = h5py.Dataset.__getitem__

    def watched(self, key, *more):
        read.append((self.name, key))
        return original(self, key, *more)

    corpus = Corpus(folder)
    place = corpus.places("train")[1]
    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    corpus.scan(place)
    assert read == [("/signal", place[1]), ("/kspace", place[1])]
    with h5py.File(corpus.entries[place[0]].path) as file:
        assert file["kspace"].chunks == (1, 2, 1, 8, 8)


def test_the_summary_counts(folder) -> None:
    found = summary(Corpus(folder))
    assert (found["measurements"], found["scans"], found["subjects"], found["refused"]) == (12, 24, 12, 1)
    assert sum(size["scans"] for size in found["splits"].values()) == 24
    assert (found["matrix"], found["coils"], found["snr"]) == ({"8 x 8": 24}, {"3": 24}, {"under 10": 24})
    assert found["findings"] == {"signal": 1}
    assert "refused: 1 measurements" in lines(found)


def test_the_report_stands_alone_and_trusts_no_name(folder) -> None:
    page = render(Corpus(folder))
    assert not re.search(r"https?://|<script|<b>", page)
    assert "&lt;b&gt;weak&lt;/b&gt;" in page
    assert page.count("<img") == 13
    assert "nothing but noise" in page


def damage_cut(path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def damage_text(path) -> None:
    path.write_text("not HDF5")


def damage_format(path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["lucidmr_format"] = 99


def damage_scans(path) -> None:
    with h5py.File(path, "a") as file:
        del file["kspace"]


@pytest.mark.parametrize("damage", [damage_cut, damage_text, damage_format, damage_scans])
def test_a_damaged_file_is_named_in_one_line(tmp_path, damage) -> None:
    path = tmp_path / "ab.h5"
    write_scans(path, card(), scans(), (), PICTURE)
    damage(path)
    with pytest.raises(LucidError) as caught:
        summary(Corpus(tmp_path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_changed_samples_are_found_by_their_checksum(tmp_path) -> None:
    path = tmp_path / "ab.h5"
    write_scans(path, card(), scans(), (), PICTURE)
    with h5py.File(path) as file:
        at = file["kspace"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[at + 5] ^= 0xFF
    path.write_bytes(bytes(content))
    corpus = Corpus(tmp_path)
    corpus.scan(("ab", 0))
    with pytest.raises(LucidError, match="damaged"):
        corpus.scan(("ab", 1))


def test_a_damaged_entry_is_written_again(tmp_path) -> None:
    path, how = raw_file(tmp_path / "a.npy"), adding(tmp_path / "corpus")
    list(add_all(find_sources([path], how.folder), how, Workers()))
    (stored,) = how.folder.iterdir()
    damage_cut(stored)
    (outcome,) = add_all(find_sources([path], how.folder), how, Workers())
    assert outcome.added == 1
    assert read_entry(stored).card.scans == 2


def test_what_is_not_there_is_refused(folder, tmp_path) -> None:
    with pytest.raises(LucidError, match="no such folder"):
        summary(Corpus(tmp_path / "nothing"))
    corpus = Corpus(folder)
    with pytest.raises(ValueError, match="has no such entry"):
        corpus.scan(("0", 0))
    name, _ = corpus.places("train")[0]
    with pytest.raises(ValueError, match="index is 2; it must lie between 0 and 1"):
        corpus.scan((name, 2))


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "_flush", fail)
    with pytest.raises(LucidError, match="Input/output error"):
        write_scans(tmp_path / "ab.h5", card(), scans(), (), PICTURE)
    assert list(tmp_path.iterdir()) == []
