"""What gets into a corpus, whatever happens on the way."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import torch

from corpora import AXES, adding, raw_file
from lucidmr.corpus.add import Adding, Outcome, add_all, find_sources
from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.split import SPLITS
from lucidmr.dicom.create import create_series
from lucidmr.errors import LucidError
from lucidmr.files import remove_abandoned
from lucidmr.physics.analytic import Ellipse, kspace
from lucidmr.physics.fourier import IN_PLANE, to_image
from lucidmr.raw.prepare import Preparation
from lucidmr.raw.pseudo import PseudoRaw
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import Selection
from lucidmr.scale import Workers
from raw_files import Acquisition, ismrmrd_xml, readouts, slices, write_ismrmrd


def add(paths: list[Path], how: Adding, workers: Workers | None = None) -> list[Outcome]:
    return list(add_all(find_sources(paths, how.folder), how, workers or Workers()))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def disc(size: int = 96) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.0, 3.0, (size, size))
    body = to_image(kspace([Ellipse((0.0, 0.0), (0.4, 0.35))], size, size), IN_PLANE).abs().numpy()
    return np.abs(200.0 * body + noise).astype(np.float32)


def test_what_is_read_back_is_what_was_measured(tmp_path) -> None:
    path = raw_file(tmp_path / "a.npy")
    (outcome,) = add([path], adding(tmp_path / "corpus"))
    assert (outcome.added, outcome.refused) == (1, ())
    corpus = Corpus(tmp_path / "corpus")
    (found,) = corpus.entries.values()
    assert (found.card.scans, found.card.coils, found.card.noise_sd) == (2, 3, 1.0)
    given = read_raw(path, Selection(axes=AXES))
    for index in range(2):
        scan = corpus.scan((found.id, index))
        # One mixture of coils for all of it: the images are those of the file up to that.
        measured, kept = (samples.flatten(1) for samples in (given.kspace[index], scan.kspace))
        mixture = torch.linalg.lstsq(measured.mT, kept.mT).solution.mT
        torch.testing.assert_close(mixture @ measured, kept, atol=1e-2, rtol=1e-3)
        assert scan.signal == pytest.approx(found.card.snr, rel=0.2)


def test_the_same_is_never_stored_twice(tmp_path) -> None:
    path, how = raw_file(tmp_path / "a.npy"), adding(tmp_path / "corpus")
    add([path], how)
    before = {name: (how.folder / name).stat().st_mtime_ns for name in files(how.folder)}
    copy = tmp_path / "b.npy"
    copy.write_bytes(path.read_bytes())
    assert [(outcome.added, outcome.there) for outcome in add([path, copy], how)] == [(0, 1), (0, 1)]
    assert {name: (how.folder / name).stat().st_mtime_ns for name in files(how.folder)} == before
    other = adding(how.folder, preparation=Preparation(most_coils=2))
    assert add([path], other)[0].added == 1
    assert len(files(how.folder)) == 2


def test_a_refused_measurement_is_remembered_with_its_reason(tmp_path) -> None:
    path, how = raw_file(tmp_path / "weak.npy", snr=1.0), adding(tmp_path / "corpus")
    for _ in range(2):
        (outcome,) = add([path], how)
        assert (outcome.added, outcome.there) == (0, 0)
        assert "nothing of it can be used" in outcome.refused[0]
        assert "signal" in outcome.refused[0]
    corpus = Corpus(how.folder)
    assert [found.card.scans for found in corpus.entries.values()] == [0]
    assert corpus.places("train") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_fails_does_not_stop_the_others(tmp_path, workers) -> None:
    folder = tmp_path / "raw"
    raw_file(folder / "a.npy")
    raw_file(folder / "z.npy", scans=1)
    (folder / "broken.h5").write_bytes(h5_bytes(tmp_path)[:3000])
    (folder / "letter.mat").write_text("Dear colleague,\n")
    np.save(folder / "nan.npy", np.full((1, 2, 64, 64), np.nan, np.complex64))
    np.save(folder / "none.npy", np.zeros((1, 0, 64, 64), np.complex64))
    (folder / "README.md").write_text("about these data")
    outcomes = add([folder], adding(tmp_path / "corpus"), Workers(workers))
    assert sum(outcome.added for outcome in outcomes) == 2
    refused = {outcome.source.path.name: outcome.refused for outcome in outcomes if outcome.refused}
    assert set(refused) == {"broken.h5", "letter.mat", "nan.npy", "none.npy"}
    for name, lines in refused.items():
        assert len(lines) == 1
        assert "\n" not in lines[0]
        assert lines[0].startswith(f"{folder / name}: ")
    assert len(Corpus(tmp_path / "corpus").entries) == 2


def test_damaged_scanner_files_are_told_in_one_line_each(tmp_path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    kspace, xml = slices(1), ismrmrd_xml((1, 24, 20))
    good = list(readouts(kspace))
    short = Acquisition(good[0].samples[:, 4:], (), good[0].entries)
    write_ismrmrd(folder / "mixed.h5", [*good, short], xml)
    write_ismrmrd(folder / "no_header.h5", good, None)
    write_ismrmrd(folder / "wrong_header.h5", good, "<other/>")
    (folder / "sizes.hdr").write_text("# Dimensions\n24 20 1 2\n")
    (folder / "sizes.cfl").write_bytes(bytes(24 * 20 * 8))
    expected = {
        "mixed.h5": "different number_of_samples (20, 24)",
        "no_header.h5": "name the one with complex samples",
        "wrong_header.h5": "starts with 'other', not ismrmrdHeader",
        "sizes.cfl": "holds 3840 bytes of samples and its header asks for 7680",
    }
    outcomes = add([folder], Adding(tmp_path / "corpus"))
    assert {outcome.source.path.name for outcome in outcomes} == set(expected)
    for outcome in outcomes:
        (line,) = outcome.refused
        assert line.startswith(f"{outcome.source.path}: ")
        assert expected[outcome.source.path.name] in line
        assert "\n" not in line
    assert files(tmp_path / "corpus") == []


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_makes_the_same_corpus(tmp_path, cluster) -> None:
    folder = tmp_path / "raw"
    for number in range(4):
        raw_file(folder / f"{number}.npy", scans=1 + number % 2, size=64 + number)
    (folder / "letter.mat").write_text("Dear colleague,\n")
    alone, shared = adding(tmp_path / "alone"), adding(tmp_path / "shared")
    here, there = add([folder], alone), add([folder], shared, Workers(2, cluster))
    assert there == here
    assert files(shared.folder) == files(alone.folder)
    assert [outcome.there for outcome in add([folder], shared, Workers(2, cluster))] == [1, 1, 1, 1, 0]


def h5_bytes(folder: Path) -> bytes:
    with h5py.File(folder / "whole.h5", "w") as file:
        file["kspace"] = np.zeros((2, 4, 64, 64), np.complex64)
    return (folder / "whole.h5").read_bytes()


def test_image_volumes_become_scans_as_they_are_read(tmp_path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    nibabel.save(nibabel.Nifti1Image(np.stack([disc()] * 3, 2), np.diag([1.0, 1.0, 4.0, 1.0])), folder / "a.nii")
    create_series([disc()] * 2, folder / "series")
    outcomes = add([folder], Adding(tmp_path / "corpus"))
    assert [outcome.added for outcome in outcomes] == [1, 1]
    corpus = Corpus(tmp_path / "corpus")
    assert sorted(found.card.scans for found in corpus.entries.values()) == [2, 3]
    for found in corpus.entries.values():
        scan = corpus.scan((found.id, 1))
        assert scan.maps is not None
        assert torch.equal(corpus.scan((found.id, 1)).kspace, scan.kspace)
        drawn = corpus.scan((found.id, 1), PseudoRaw(1))
        assert drawn.kspace.shape != scan.kspace.shape or not torch.equal(drawn.kspace, scan.kspace)
    assert [outcome.there for outcome in add([folder], Adding(tmp_path / "corpus"))] == [1, 1]


def test_files_of_one_folder_are_one_subject_unless_said_otherwise(tmp_path) -> None:
    paths = [
        raw_file(tmp_path / "p1" / "a.npy"),
        raw_file(tmp_path / "p1" / "b.npy", 1),
        raw_file(tmp_path / "p2" / "c.npy", 3),
    ]

    def subjects(**settings) -> list[str]:
        folder = tmp_path / "-".join(["corpus", *settings.values()])
        add(paths, adding(folder, **settings))
        return [found.card.subject for found in Corpus(folder).entries.values()]

    assert len(set(subjects())) == 2
    assert len(set(subjects(subject_is="file"))) == 3


def test_a_corpus_in_its_own_source_folder_is_not_read(tmp_path) -> None:
    raw_file(tmp_path / "a.npy")
    for expected in ((1, 0), (0, 1)):
        (outcome,) = add([tmp_path], adding(tmp_path / "corpus"))
        assert (outcome.added, outcome.there) == expected


def test_a_dicom_header_names_scanner_and_subject(tmp_path) -> None:
    for name in ("one", "two"):
        create_series([disc() + len(name)] * 2, tmp_path / name / "series")
    add([tmp_path], Adding(tmp_path / "corpus"))
    (found, *_) = Corpus(tmp_path / "corpus").entries.values()
    assert found.card.facts.vendor is not None
    assert found.card.facts.subject is None
    assert len({other.card.subject for other in Corpus(tmp_path / "corpus").entries.values()}) == 1


def test_a_corpus_that_cannot_be_written_is_said_in_one_line(tmp_path, monkeypatch) -> None:
    path = raw_file(tmp_path / "a.npy")
    (tmp_path / "file").write_text("")
    with pytest.raises(LucidError, match="cannot be made"):
        add([path], adding(tmp_path / "file" / "corpus"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LucidError, match="No space left on device"):
        add([path], adding(tmp_path / "corpus"))
    assert files(tmp_path / "corpus") == []


def test_a_missing_source_is_said_before_anything_is_done(tmp_path) -> None:
    with pytest.raises(LucidError, match="no such file or folder"):
        find_sources([tmp_path / "nothing"], tmp_path)


def command(path: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "lucidmr", "corpus", "add", str(path), "--to", str(folder), "--axes", AXES]


def test_a_disk_that_fills_up_leaves_the_corpus_valid(tmp_path) -> None:
    """The limit on file sizes is met in the middle of a file, as the end of a disk is."""
    good, large = raw_file(tmp_path / "a.npy"), raw_file(tmp_path / "b.npy", scans=4, size=96)
    folder = tmp_path / "corpus"
    add([good], adding(folder))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    done = subprocess.run(command(large, folder), capture_output=True, text=True, preexec_fn=limit, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr
    assert [name for name in files(folder) if name.endswith(".part")] == []
    assert sum(len(Corpus(folder).places(name)) for name in SPLITS) == 2
    assert subprocess.run(command(large, folder), capture_output=True, timeout=120).returncode == 0
    assert len(Corpus(folder).entries) == 2


def add_in_a_process(path: Path, folder: Path, start) -> None:
    torch.set_num_threads(1)
    start.wait()
    add([path], adding(folder))


def test_two_processes_may_add_the_same_file(tmp_path) -> None:
    path, folder = raw_file(tmp_path / "a.npy", scans=4), tmp_path / "corpus"
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    both = [context.Process(target=add_in_a_process, args=(path, folder, start)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(files(folder)) == 1
    (found,) = Corpus(folder).entries.values()
    assert len(list(map(Corpus(folder).scan, [(found.id, index) for index in range(4)]))) == 4


def test_a_killed_process_leaves_a_valid_corpus_and_the_next_goes_on(tmp_path) -> None:
    raw = tmp_path / "raw"
    for number in range(30):
        raw_file(raw / f"{number:02d}.npy", scans=1 + number % 3, size=64 + number)
    folder = tmp_path / "corpus"
    process = subprocess.Popen(command(raw, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(folder.glob("*.h5")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    left = len(Corpus(folder).entries)
    assert left >= 1
    outcomes = add([raw], adding(folder))
    assert sum(outcome.there for outcome in outcomes) == left
    assert sum(outcome.added for outcome in outcomes) == 30 - left
    corpus = Corpus(folder)
    for found in corpus.entries.values():
        assert corpus.scan((found.id, found.card.scans - 1)).n_coils == found.card.virtual_coils


def test_what_killed_writers_left_is_removed_once_it_is_old(tmp_path) -> None:
    old, new = tmp_path / ".a.h5.1.part", tmp_path / ".a.h5.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    remove_abandoned(tmp_path)
    assert files(tmp_path) == [new.name]


def test_the_command_line_tells_what_it_did(tmp_path) -> None:
    raw_file(tmp_path / "raw" / "a.npy")
    (tmp_path / "raw" / "letter.mat").write_text("Dear colleague,\n")
    folder = tmp_path / "corpus"
    done = subprocess.run(command(tmp_path / "raw", folder), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "1 measurements added, 0 there already, 1 sources refused" in done.stdout
    assert done.stderr.count("\n") == 1
    shown = [sys.executable, "-m", "lucidmr", "corpus", "show", str(folder)]
    page = tmp_path / "report.html"
    done = subprocess.run([*shown, "--json", "--report", str(page)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scans"] == 2
    assert page.read_text().startswith("<!doctype html>")
    done = subprocess.run([*shown, "--test", "2"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "--test is 2" in done.stderr
