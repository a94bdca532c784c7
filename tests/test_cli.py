"""The command line on good and bad input: what is printed, the exit status, and that originals stay as they are."""

import json
import math
import shutil
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np
import pydicom
import pytest
import torch
from pydicom.data import get_testdata_file

from lucidmr import cli, device
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.enhance import calibrate, prepare
from lucidmr.network.weights import adapted, save_weights
from mixed_corpus import mixed_corpus

SIDE = 64


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    monkeypatch.setattr(prepare, "SIDE_2D", 96)
    monkeypatch.setattr(prepare, "SIDE_3D", 96)
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)
    monkeypatch.setattr(calibrate, "MOST_BESIDE", math.inf)  # the tiny network takes edges for noise
    monkeypatch.setattr(calibrate, "MOST_RISE", math.inf)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; gives exit status, standard output, and the lines of standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lucidmr", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return stopped.value.code, printed.out, printed.err.splitlines()

    return run


@pytest.fixture
def lucidmr(run, tiny_weights):
    """Run a command; enhancing is done with tiny weights."""
    return lambda *words: run(*words, *(["--weights", tiny_weights] if words[0] == "enhance" else []))


@pytest.fixture(scope="session")
def tiny_weights_3d(tiny_model, tmp_path_factory):
    """The tiny network's weights for stacks of three slices."""
    network = adapted(tiny_model.network, replace(tiny_model.network.settings, slices=3))
    path = tmp_path_factory.mktemp("weights") / "volumes.safetensors"
    save_weights(network, {"name": "volumes", "version": "0"}, path)
    return path


@pytest.fixture
def source(tmp_path):
    """A series of three noisy discs."""
    return write_series(tmp_path / "in")


def write_series(folder, **fields):
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    disc = 1000.0 * (np.hypot(rows, columns) < 0.4 * SIDE)
    images = [np.clip(disc + rng.normal(0, 20, disc.shape), 0, 4095).astype(np.float32) for _ in range(3)]
    create_series(images, folder, Protocol(**fields))
    return folder


def content(folder):
    return {path: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def outputs(folder):
    return sorted(folder.rglob("*.dcm"))


def test_enhance_writes_a_series_and_leaves_the_source(lucidmr, source, tmp_path):
    before = content(source)
    status, out, err = lucidmr("enhance", source, tmp_path / "out", "--noise-reduction", "1.2")
    assert (status, err) == (0, [])
    assert "3 images" in out
    assert content(source) == before
    assert [pydicom.dcmread(path).Rows for path in outputs(tmp_path / "out")] == [96, 96, 96]


def test_report_is_one_html_file_without_the_patient(lucidmr, source, tmp_path):
    status, _, _ = lucidmr("enhance", source, tmp_path / "out", "--report")
    page = (tmp_path / "out" / "report.html").read_text()
    assert status == 0
    assert "</html>" in page
    assert "Phantom^Lucid" not in page


def test_series_reconstructed_with_deep_learning_are_processed_only_when_asked(lucidmr, source, tmp_path):
    write_series(tmp_path / "in" / "dl", identity="dl", number=2, description="t2 Deep Resolve")
    status, _, err = lucidmr("enhance", tmp_path / "in", tmp_path / "out", "--noise-reduction", "1.2")
    assert status == 0
    assert len(outputs(tmp_path / "out")) == 3
    (line,) = err
    assert line.startswith("lucidmr: passed over: series 2 (t2 Deep Resolve): reconstructed with deep learning")
    assert line.endswith("add --include-dl to process it all the same")
    words = ("--noise-reduction", "1.2", "--include-dl")
    status, _, err = lucidmr("enhance", tmp_path / "in", tmp_path / "all", *words)
    assert status == 0
    assert len(outputs(tmp_path / "all")) == 6
    assert "warning: reconstructed with deep learning by the scanner already" in err[0]


def test_compressed_output(lucidmr, source, tmp_path):
    status, _, _ = lucidmr("enhance", source, tmp_path / "out", "--noise-reduction", "1.2", "--compress")
    assert status == 0
    for path in outputs(tmp_path / "out"):
        written = pydicom.dcmread(path)
        assert written.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
        assert written.pixel_array.shape == (96, 96)


def test_gain_sets_both_directions_and_one_direction_goes_first():
    def asked(**options):
        return cli.Enhance(Path("a"), Path("b"), **options).enhancement

    assert asked(gain=1.5).gains[:2] == (1.5, 1.5)
    assert asked(gain=1.5, gain_phase=1.0).gains[:2] == (1.5, 1.0)
    assert asked(gain_freq=2.0).gains[:2] == (2.0, 1.0)
    assert asked(gain=1.5).gains.slice == 1.0
    assert asked(gain_slice=1.5).gains == (1.0, 1.0, 1.5)
    assert asked(restore_partial_fourier=False).restore_partial_fourier is False


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--noise-reduction", "0.5"),
        ("--noise-reduction", "9"),
        ("--noise-reduction", "nan"),
        ("--gain", "0.9"),
        ("--gain", "3.5"),
        ("--gain-freq", "0"),
        ("--gain-phase", "inf"),
        ("--gain-phase", "-1"),
        ("--gain-slice", "4"),
    ],
)
def test_values_out_of_range_are_refused_before_anything_is_read(lucidmr, tmp_path, option, value):
    status, _, err = lucidmr("enhance", tmp_path / "nowhere", tmp_path / "out", f"{option}={value}")
    assert status == 2
    assert len(err) == 1
    assert "must lie between 1 and" in err[0]
    assert option.strip("-").split("-")[0] in err[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["enhance", "inspect"])
def test_missing_input(lucidmr, tmp_path, command):
    words = [command, tmp_path / "nowhere"] + ([tmp_path / "out"] if command == "enhance" else [])
    status, _, err = lucidmr(*words)
    assert status == 2
    assert len(err) == 1
    assert "nowhere: there is no such file or folder" in err[0]


@pytest.mark.parametrize("command", ["enhance", "inspect"])
def test_empty_folder(lucidmr, tmp_path, command):
    (tmp_path / "empty").mkdir()
    words = [command, tmp_path / "empty"] + ([tmp_path / "out"] if command == "enhance" else [])
    status, _, err = lucidmr(*words)
    assert status == 2
    assert "holds no files" in err[0]


def test_truncated_file_is_named_and_the_rest_goes_on(lucidmr, source, tmp_path):
    damaged = write_series(tmp_path / "more", number=2, identity="other") / "IM_0002.dcm"
    shutil.copytree(tmp_path / "more", source / "more")
    target = source / "more" / damaged.name
    target.write_bytes(target.read_bytes()[:-1000])
    status, _, err = lucidmr("enhance", source, tmp_path / "out")
    assert status == 1
    assert any("truncated pixel data in IM_0002.dcm" in line for line in err)
    assert len(outputs(tmp_path / "out")) == 5


def test_foreign_files_among_dicom_are_named_and_passed_over(lucidmr, source, tmp_path):
    (source / "notes.txt").write_text("hello")
    for name in ("CT_small.dcm", "SC_rgb_rle.dcm"):
        shutil.copy(get_testdata_file(name, download=False), source / name)
    status, _, err = lucidmr("enhance", source, tmp_path / "out")
    assert status == 0
    assert len(outputs(tmp_path / "out")) == 3
    said = "\n".join(err)
    assert "notes.txt" in said
    assert "CT" in said
    assert said.count("passed over") == 3


def test_nothing_but_foreign_files_fails(lucidmr, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm", download=False), tmp_path / "in")
    status, _, err = lucidmr("enhance", tmp_path / "in", tmp_path / "out")
    assert status == 2
    assert "no MR magnitude series" in err[-1]


def test_existing_output_is_refused_unless_allowed(lucidmr, source, tmp_path):
    assert lucidmr("enhance", source, tmp_path / "out")[0] == 0
    first = content(tmp_path / "out")
    status, _, err = lucidmr("enhance", source, tmp_path / "out")
    assert status == 2
    assert "--overwrite" in err[0]
    assert content(tmp_path / "out") == first
    assert lucidmr("enhance", source, tmp_path / "out", "--overwrite")[0] == 0
    assert content(tmp_path / "out").keys() == first.keys()


def test_output_that_is_a_file(lucidmr, source, tmp_path):
    (tmp_path / "out").write_text("mine")
    status, _, err = lucidmr("enhance", source, tmp_path / "out", "--overwrite")
    assert (status, (tmp_path / "out").read_text()) == (2, "mine")
    assert "is a file" in err[0]


def test_output_that_cannot_be_written(lucidmr, source):
    status, _, err = lucidmr("enhance", source, "/proc/lucidmr/out")
    assert status == 2
    assert len(err) == 1
    assert "cannot be written" in err[0]


@pytest.mark.parametrize("inside", [".", "enhanced"])
def test_output_in_the_source_is_refused(lucidmr, source, inside):
    before = content(source)
    status, _, err = lucidmr("enhance", source, source / inside, "--overwrite")
    assert status == 2
    assert "source" in err[0]
    assert content(source) == before


def test_3d_weights_are_for_3d_series(lucidmr, source, tmp_path, tiny_weights_3d):
    write_series(source / "volume", number=2, identity="volume", three_dimensional=True)
    options = ("--weights", tiny_weights_3d, "--gain-slice", "1.5", "--noise-reduction", "1.2")
    status, _, err = lucidmr("enhance", source, tmp_path / "both", *options)
    assert status == 0
    assert len(err) == 1
    assert "series 1 (T2 TSE tra): warning: a gain along slice needs a 3D acquisition: it was ignored" in err[0]
    found = {pydicom.dcmread(path).SeriesNumber: pydicom.dcmread(path) for path in outputs(tmp_path / "both")}
    assert "model tiny 0" in found[1001].DerivationDescription
    assert "gain along slice" not in found[1001].DerivationDescription
    assert "model volumes 0" in found[1002].DerivationDescription
    assert "gain along slice 1.5" in found[1002].DerivationDescription


def test_3d_weights_alone_refuse_2d_series_and_the_rest_goes_on(run, source, tmp_path, tiny_weights_3d):
    write_series(source / "volume", number=2, identity="volume", three_dimensional=True)
    options = ("--weights", tiny_weights_3d, "--noise-reduction", "1.2")
    status, out, err = run("enhance", source, tmp_path / "out", *options)
    assert status == 1
    assert len(err) == 1
    assert (
        "series 1 (T2 TSE tra): is a 2D acquisition without adjoining slices, the weights volumes 0 need at least 3"
        in err[0]
    )
    assert out.startswith("series 2 (T2 TSE tra): 3 images")


def test_a_volume_with_a_gap_is_enhanced_slice_by_slice(lucidmr, tmp_path, tiny_weights_3d):
    volume = write_series(tmp_path / "in", three_dimensional=True)
    last = sorted(volume.iterdir())[-1]
    dataset = pydicom.dcmread(last)
    dataset.ImagePositionPatient = ["0", "0", str(float(dataset.ImagePositionPatient[2]) + 5.5)]
    dataset.save_as(last)
    options = ("--weights", tiny_weights_3d, "--noise-reduction", "1.2")
    status, _, _ = lucidmr("enhance", volume, tmp_path / "out", *options)
    assert status == 0
    assert "model tiny 0" in pydicom.dcmread(outputs(tmp_path / "out")[0]).DerivationDescription


def test_broken_weights_are_one_line(run, source, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"no")
    status, _, err = run("enhance", source, tmp_path / "out", "--weights", tmp_path / "w.safetensors")
    assert (status, len(err)) == (2, 1)


def test_inspect_as_json(lucidmr, source):
    status, out, _ = lucidmr("inspect", source, "--json")
    found = json.loads(out)
    assert status == 0
    facts = found["series"][0]["facts"]
    assert facts["matrix_freq"]["value"] == SIDE
    assert facts["matrix_freq"]["confidence"] == "exact"
    assert "AcquisitionMatrix" in facts["matrix_freq"]["source"]
    assert found["series"][0]["context"]["extent_freq"] == pytest.approx(np.log2(64 / 96))


def test_inspect_for_people_shows_facts_and_what_was_passed_over(lucidmr, source):
    (source / "notes.txt").write_text("hello")
    status, out, _ = lucidmr("inspect", source)
    assert status == 0
    assert "matrix freq" in out
    assert "passed over: notes.txt" in out


def test_train_without_data_is_one_line(lucidmr, tmp_path):
    status, _, err = lucidmr("train", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert status == 2
    assert "no such folder" in err[0]


@pytest.mark.parametrize(
    ("option", "value"), [("--learning-rate", "0"), ("--synthetic-share", "2"), ("--gain-probability", "-0.5")]
)
def test_train_with_settings_out_of_range_is_one_line(lucidmr, tmp_path, option, value):
    status, _, err = lucidmr("train", tmp_path, "--out", tmp_path / "run", option, value)
    assert (status, len(err)) == (2, 1)
    assert f"{option} is" in err[0]


def test_train_draws_as_it_is_told(lucidmr, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("lucidmr.train.stream.gather", lambda _, settings: drawn.append(settings) or [])
    monkeypatch.setattr("lucidmr.train.loop.train", lambda *_, **__: None)
    lucidmr("train", tmp_path, "--out", tmp_path / "run", "--synthetic-share", "0.25", "--gain-probability", "0.75")
    assert (drawn[0].synthetic_share, drawn[0].ranges.gain_probability) == (0.25, 0.75)


def test_simulate_makes_pairs_and_goes_on(lucidmr, tmp_path):
    corpus = mixed_corpus(tmp_path / "corpus")
    status, out, err = lucidmr("simulate", corpus, tmp_path / "out", "--pairs", "2")
    assert (status, err) == (0, [])
    assert "2 pairs made, 0 there already, 0 failed" in out
    _, out, _ = lucidmr("simulate", corpus, tmp_path / "out", "--pairs", "3")
    assert "1 pairs made, 2 there already, 0 failed" in out


def test_simulate_replays_a_pair_to_the_last_bit(lucidmr, tmp_path):
    corpus = mixed_corpus(tmp_path / "corpus")
    lucidmr("simulate", corpus, tmp_path / "out", "--pairs", "1")
    (path,) = (tmp_path / "out").rglob("0*.h5")
    status, out, err = lucidmr("simulate", corpus, tmp_path / "again", "--replay", path)
    assert (status, err) == (0, [])
    assert "the same to the last bit" in out
    assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    status, _, err = lucidmr("simulate", corpus, path.parent, "--replay", path)
    assert (status, len(err)) == (2, 1)


def test_simulate_with_a_damaged_measurement_makes_the_other_pairs(lucidmr, tmp_path):
    corpus = mixed_corpus(tmp_path / "corpus")
    with h5py.File(corpus / f"{3:064x}.h5", "a") as file:
        del file["signal"]
    status, out, err = lucidmr("simulate", corpus, tmp_path / "out", "--pairs", "8")
    assert status == 1
    assert f"{len(err)} failed" in out
    assert all("is damaged" in line for line in err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pairs", "0"], "--pairs is 0; it must be at least 1"),
        (["--slices", "2"], "--slices is 2; it must be odd"),
        (["--workers", "0"], "--workers is 0; it must be at least 1"),
        (["--split", "test"], "no measurement in split 'test'"),
        (["--replay", "nowhere.h5"], "nowhere.h5: is damaged or no pair"),
    ],
)
def test_simulate_says_what_is_wrong_in_one_line(lucidmr, tmp_path, words, said):
    status, _, err = lucidmr("simulate", mixed_corpus(tmp_path / "corpus"), tmp_path / "out", *words)
    assert (status, len(err)) == (2, 1)
    assert said in err[0]
    status, _, err = lucidmr("simulate", tmp_path / "nowhere", tmp_path / "out")
    assert (status, len(err)) == (2, 1)


def test_simulate_reports_on_the_pairs_that_are_there(lucidmr, tmp_path):
    corpus, page = mixed_corpus(tmp_path / "corpus"), tmp_path / "report.html"
    assert lucidmr("simulate", corpus, tmp_path / "out", "--report", page)[0] == 2
    lucidmr("simulate", corpus, tmp_path / "out", "--pairs", "3")
    status, out, err = lucidmr("simulate", corpus, tmp_path / "out", "--report", page)
    assert (status, err) == (0, [])
    assert "report of 3 pairs, 0 passed over" in out
    (tmp_path / "out" / "000000" / "000000001.h5").write_bytes(b"nothing")
    status, out, err = lucidmr("simulate", corpus, tmp_path / "out", "--report", page)
    assert (status, len(err)) == (1, 1)
    assert "000000001.h5: is damaged or no pair" in err[0]
    assert "report of 2 pairs, 1 passed over" in out


def test_train_takes_a_corpus(lucidmr, tmp_path):
    corpus = mixed_corpus(tmp_path / "corpus")
    settings = ("--minutes", "0.001", "--workers", "0", "--slices-per-step", "1", "--threads", "1", "--device", "cpu")
    status, out, _ = lucidmr("train", corpus, "--out", tmp_path / "run", *settings)
    assert status == 0
    assert "5 volumes" in out
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert "measured 3" in card["volumes"]


def test_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lucidmr", "--version"])
    cli.main()
    assert capsys.readouterr().out.startswith("lucidmr 0.")
