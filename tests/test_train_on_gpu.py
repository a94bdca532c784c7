"""The recipe for a computer that files are carried to and from, rehearsed with a tiny network."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

import train_on_gpu
from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.split import Split
from lucidmr.network.weights import load_model
from mixed_corpus import mixed_corpus

TINY = """
import torch
from lucidmr.cli import main
from lucidmr.network.ce_unet import NetworkSettings
NetworkSettings.__init__.__defaults__ = ((4, 6), 2, "decoder", 4, 1, "gated")
main()
"""
"""``lucidmr`` with another default network."""


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the script; gives exit status, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["train_on_gpu.py", *map(str, words)])
        status = train_on_gpu.main()
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return run


def give_to(entry: Path, split: str) -> None:
    """Make a measurement another subject's, of another split."""
    subject = next(name for name in map(str, range(1000)) if Split().of(name) == split)
    with h5py.File(entry, "r+") as file:
        file.attrs["card"] = json.dumps({**json.loads(file.attrs["card"]), "subject": subject})


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """2D and 3D measurements to train with, one to judge by, one to test with."""
    folder = mixed_corpus(tmp_path / "corpus")
    entries = sorted(folder.glob("*.h5"))
    give_to(entries[1], "validation")
    give_to(entries[2], "test")
    return folder


def test_the_recipe_from_a_corpus_to_weights(
    tmp_path: Path, corpus: Path, recipe: Callable[..., tuple[int, str, str]]
) -> None:
    pieces, out = tmp_path / "pieces", tmp_path / "out"
    status, said, _ = recipe("pack", corpus, pieces, "--piece-mb", "0.05")
    assert (status, said.split(" in ")[0]) == (0, "4 measurements")
    assert max(piece.stat().st_size for piece in pieces.iterdir()) == 50_000
    (tmp_path / "tiny.py").write_text(TINY)
    train = ("train", pieces, out, "--minutes", "0.02", "--launcher", f"{sys.executable} {tmp_path / 'tiny.py'}")
    train = (*train, "--slices-per-step", "1", "--validation-pairs", "1", "--workers", "0")
    status, said, _ = recipe(*train, "--this-call", "0.0001")
    assert (status, said) == (75, "not done yet: give the same command again\n")
    status, said, complaints = recipe(*train)
    assert status == 0, complaints
    assert said.splitlines()[-1] == f"done: {out / 'shards'}"
    assert len(Corpus(out / "corpus").entries) == 4  # what is for testing stayed at home
    results = json.loads((out / "shards" / "results.json").read_text())
    assert results["2d"]["validation"]["pairs"] == 1
    assert results["3d"]["validation"] is None  # the only volume is trained with
    for kind, slices in (("2d", 1), ("3d", 7)):
        name = f"lucidmr-{kind}.safetensors"
        assert recipe("join", out / "shards" / name, tmp_path / "joined" / name)[0] == 0
        model = load_model(tmp_path / "joined" / name)
        assert model.network.settings.slices == slices
        assert model.sha256 == load_model(out / kind / "weights.safetensors").sha256
    assert model.card["started_from"]["sha256"] == load_model(out / "2d" / "weights.safetensors").sha256


def test_damaged_and_missing_pieces_are_named(
    tmp_path: Path, corpus: Path, recipe: Callable[..., tuple[int, str, str]]
) -> None:
    pieces = tmp_path / "pieces"
    recipe("pack", corpus, pieces, "--piece-mb", "0.05")
    (pieces / "corpus.tar.001").write_bytes(b"other")
    status, _, complaints = recipe("train", pieces, tmp_path / "out", "--minutes", "1")
    assert status == 2
    assert complaints == f"lucidmr: error: {pieces / 'corpus.tar.001'}: is missing or damaged; carry it once more\n"
    assert not (tmp_path / "out" / "corpus").exists()
