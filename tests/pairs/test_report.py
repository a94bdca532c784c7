"""The page on stored pairs: complete, self-contained, harmless, whatever the files hold."""

import json
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import h5py
import pytest
from PIL import Image

from lucidmr.corpus.corpus import Corpus
from lucidmr.errors import LucidError
from lucidmr.pairs.distributions import DEGRADATIONS, RECONSTRUCTIONS
from lucidmr.pairs.report import write_report
from lucidmr.pairs.source import CorpusPairs
from lucidmr.pairs.write import path_of, paths_in, write_pairs
from lucidmr.scale import Workers
from mixed_corpus import mixed_corpus

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus(mixed_corpus(tmp_path_factory.mktemp("corpus")))


@pytest.fixture
def folder(corpus, tmp_path) -> Path:
    list(write_pairs(CorpusPairs(corpus), range(6), tmp_path / "pairs", Workers(1)))
    return tmp_path / "pairs"


def change_record(path: Path, **values) -> None:
    with h5py.File(path, "a") as file:
        record = json.loads(file.attrs["record"])
        file.attrs["record"] = json.dumps({name: value for name, value in {**record, **values}.items() if value != ""})


def pictures(html: str) -> list[bytes]:
    return [b64decode(found) for found in re.findall(r'src="data:image/png;base64,([^"]+)"', html)]


def test_every_pair_is_shown_with_what_was_drawn(folder, tmp_path) -> None:
    assert write_report(paths_in(folder), tmp_path / "report.html") == []
    html = (tmp_path / "report.html").read_text()
    assert "6 pairs" in html
    assert len(pictures(html)) == 3 * 6
    assert all(Image.open(BytesIO(picture)).width > 16 for picture in pictures(html))
    always = {"Noise of the input", "k_max of the target", "Window", "Stored integers"}
    titles = set(re.findall(r"<figcaption>([^<]+)</figcaption>", html))
    assert always <= titles <= {each.title for each in (*DEGRADATIONS, *RECONSTRUCTIONS)}


def test_the_page_needs_nothing_from_elsewhere(folder, tmp_path) -> None:
    change_record(path_of(folder, 0), source=HOSTILE)
    write_report(paths_in(folder), tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]


@pytest.mark.parametrize("count", [1, 32, 33, 100])
def test_examples_are_spread_evenly(folder, tmp_path, count) -> None:
    (first,) = {path_of(folder, 0)}
    write_report([first] * count, tmp_path / "report.html")
    assert len(pictures((tmp_path / "report.html").read_text())) == 3 * min(count, 32)


def test_damaged_files_are_listed_and_passed_over(folder, tmp_path) -> None:
    path_of(folder, 0).write_bytes(b"nothing")
    with h5py.File(path_of(folder, 1), "a") as file:
        del file["target"]
    change_record(path_of(folder, 2), degradation="")
    change_record(path_of(folder, 3), reconstruction={"matrix": 3})
    refused = write_report(paths_in(folder), tmp_path / "report.html")
    assert sorted(line.split(":")[0] for line in refused) == [str(path_of(folder, index)) for index in range(4)]
    assert all("is damaged or no pair" in line and "\n" not in line for line in refused)
    html = (tmp_path / "report.html").read_text()
    assert len(pictures(html)) == 3 * 2


def test_nothing_to_show_is_an_error(folder, tmp_path) -> None:
    with pytest.raises(LucidError, match="holds no pairs"):
        paths_in(tmp_path)
    for path in paths_in(folder):
        path.write_bytes(b"nothing")
    with pytest.raises(LucidError, match="no pair can be read"):
        write_report(paths_in(folder), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
