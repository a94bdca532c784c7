import json

import pytest

from lucidmr.dicom.header import facts
from lucidmr.dicom.inspect import collection_dict, facts_dict, rows
from lucidmr.dicom.series import read_series


@pytest.fixture
def collection(make, tmp_path):
    make(partial_fourier=True, matrix=(24, 12))
    (tmp_path / "in" / "notes.txt").write_text("hello")
    return read_series(tmp_path)


def test_rows_say_value_unit_source_and_confidence(collection):
    found = {row.name: row for row in rows(facts(collection.series[0]))}
    row = found["partial Fourier phase"]
    assert (row.value, row.unit, row.confidence) == ("0.75", "", "inferred")
    assert row.source.startswith("(0018,0022) ScanOptions PFP")
    assert (found["field strength"].value, found["field strength"].unit) == ("1.5", "T")
    assert (found["matrix slice"].value, found["matrix slice"].unit) == ("unknown", "")
    assert found["three dimensional"].value == "no"
    assert "phase FOV" in found


def test_dictionaries_survive_json(collection):
    found = json.loads(json.dumps({"facts": facts_dict(facts(collection.series[0])), **collection_dict(collection)}))
    told = {"value": 12.0, "source": "(0018,1310) AcquisitionMatrix", "confidence": "exact"}
    other = {"value": 12.0, "source": "(0018,0093) PercentSampling of the freq matrix", "confidence": "inferred"}
    assert found["facts"]["matrix_phase"] == {**told, "unit": "samples", "disputed": False, "others": [other]}
    assert found["series"][0]["stacks"] == [4]
    assert found["refused"][0]["reason"] == "not a DICOM file"


def test_what_contradicts_is_shown(make, edit, tmp_path):
    for file in make(matrix=(24, 12)):
        edit(file, lambda dataset: setattr(dataset, "PercentSampling", "75"))
    told = facts(read_series(tmp_path).series[0])
    row = next(row for row in rows(told) if row.name == "matrix phase")
    assert [(other.value, other.confidence) for other in row.others] == [("18", "inferred")]
    assert facts_dict(told)["matrix_phase"]["disputed"]
    assert [row.name for row in rows(told) if row.others] == ["matrix phase"]
