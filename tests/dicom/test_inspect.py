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
    assert found["facts"]["matrix_phase"] == {
        "value": 12.0, "unit": "samples", "source": "(0018,1310) AcquisitionMatrix", "confidence": "exact"}  # fmt: skip
    assert found["series"][0]["stacks"] == [4]
    assert found["refused"][0]["reason"] == "not a DICOM file"
