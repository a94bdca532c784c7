"""Sidecars that a volume of a BIDS data set inherits."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from lucidmr.dicom.header import acquisition, facts
from lucidmr.dicom.provenance import Provenance
from lucidmr.nifti.find import read_sources
from lucidmr.nifti.inheritance import applying
from lucidmr.nifti.series import read_nifti_series

DONE = Provenance(model="base", version="0.1.0", weights="0123abcd", settings="noise reduction 2")
NAME = "sub-01_ses-2_task-rest_run-1_bold"


@pytest.fixture
def root(tmp_path):
    """A data set of one volume, with sidecars at every level; the word of each is where it lies."""
    for name in ("bold", "task-rest_bold", "task-nback_bold", "T1w", "sub-01/sub-01_bold", "sub-01/sub-02_bold",
                 "sub-01/ses-2/func/sub-01_ses-2_run-1_bold", f"sub-01/ses-2/func/{NAME}"):  # fmt: skip
        tell(tmp_path / "data" / f"{name}.json", {name: True, "SeriesDescription": name})
    tell(tmp_path / "data" / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    tell(tmp_path / "bold.json", {"outside": True})
    nibabel.save(nibabel.Nifti1Image(np.full((8, 9, 3), 5, np.int16), np.eye(4)), volume_of(tmp_path / "data"))
    return tmp_path / "data"


def tell(path, words):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(words))


def volume_of(root):
    return root / "sub-01" / "ses-2" / "func" / f"{NAME}.nii.gz"


def test_what_lies_nearer_overrides_what_lies_further(root):
    series = read_nifti_series(volume_of(root))
    names = ["bold", "task-rest_bold", "sub-01/sub-01_bold", "sub-01/ses-2/func/sub-01_ses-2_run-1_bold",
             f"sub-01/ses-2/func/{NAME}"]  # fmt: skip
    assert [name for name in series.sidecar if name != "SeriesDescription"] == names
    assert series.description == names[-1]
    assert series.warnings == ()


def test_without_a_data_set_only_the_file_beside_counts(root):
    (root / "dataset_description.json").unlink()
    assert applying(volume_of(root), ".json") == [volume_of(root).with_name(f"{NAME}.json")]


def test_what_is_inherited_counts_and_is_written(root, tmp_path):
    volume_of(root).with_name(f"{NAME}.json").unlink()
    tell(root / "task-rest_bold.json", {"PartialFourier": 0.75, "PhaseEncodingDirection": "j"})
    series = read_nifti_series(volume_of(root))
    assert acquisition(facts(series)).partial_fourier.phase == 0.75
    files = series.write((series.image(index) for index in range(3)), tmp_path / "out", DONE, overwrite=False)
    assert [file.name for file in files] == [f"{NAME}.nii.gz", f"{NAME}.json"]
    assert json.loads(files[1].read_text())["PartialFourier"] == 0.75


def test_gradients_are_inherited_under_the_name_of_the_volume(root, tmp_path):
    (root / "bold.bval").write_text("0")
    (root / "sub-01" / "sub-01_bold.bval").write_text("0 1000")
    series = read_nifti_series(volume_of(root))
    files = series.write((series.image(index) for index in range(3)), tmp_path / "out", DONE, overwrite=False)
    assert files[-1].name == f"{NAME}.bval"
    assert files[-1].read_text() == "0 1000"


def test_a_damaged_file_above_is_passed_over(root):
    (root / "bold.json").write_text("{")
    series = read_nifti_series(volume_of(root))
    assert series.description.endswith(NAME)
    assert [line.split(" cannot")[0] for line in series.warnings] == ["the sidecar bold.json"]


@pytest.mark.parametrize("place", [".", "sub-01", "sub-01/ses-2/func"])
def test_inherited_files_are_not_taken_for_something_else(root, monkeypatch, place):
    monkeypatch.chdir(root / place)
    found = read_sources(Path())
    assert found.series[0].description.endswith(NAME)
    foreign = {path.name for refusal in found.refused for path in refusal.paths}
    assert not foreign & {"bold.json", "task-rest_bold.json", "sub-01_bold.json", f"{NAME}.json"}
