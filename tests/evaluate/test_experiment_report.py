"""Bars, report, numbers and their comparison."""

import json
from math import inf, nan

import pytest

from lucidmr.errors import LucidError
from lucidmr.evaluate.bars import bars_table
from lucidmr.evaluate.compare import compare
from lucidmr.evaluate.experiment_report import NUMBERS, PAGE, Evaluation, write_evaluation
from lucidmr.evaluate.finding import Figure, Finding, Table, shown
from lucidmr.evaluate.sharpness import Interval

FINDING = Finding(
    "noise",
    "Noise <dial>",
    "What was found.",
    (Table("Numbers", ("series", "value"), (("<script>", 1.23456), ("b", None), ("c", nan))),),
    (Figure("Picture", "How to read it.", '<img src="data:," alt="">'),),
    {"edges": Interval(1.5, 1.4, 1.6), "nothing": nan, "endless": inf},
    ("skipped: too dark",),
    {"dial": {"a": 4.0, "b": 12.0, "c": 5.0}, "sharpness freq": {"a": 1.2}},
)


def evaluation(*findings):
    return Evaluation(findings, {"lucidmr": "1"}, ("knee",), 0, ("passed over: a letter",))


def test_bars_are_met_or_missed():
    rows = {row[0]: row[1:] for row in bars_table([FINDING], 0).rows}
    dial = next(row for title, row in rows.items() if title.startswith("noise reduction against request"))
    assert dial == ("≤ 10", "≤ 5", "5.0 [4.0, 12.0]", "2 of 3", "aim reached")
    assert rows["edge sharpness at gain 2 along freq"][-1] == "missed"
    assert rows["edge sharpness at gain 2 along slice"][-1] == "not measured"


def test_the_page_says_all_and_loads_nothing(tmp_path):
    write_evaluation(evaluation(FINDING), tmp_path)
    page = (tmp_path / PAGE).read_text()
    for words in ("&lt;script&gt;", "Noise &lt;dial&gt;", "1.235", "skipped: too dark", "a letter", "knee"):
        assert words in page
    assert "<script" not in page
    assert "://" not in page


def test_numbers_are_json_without_nan(tmp_path):
    write_evaluation(evaluation(FINDING), tmp_path)
    found = json.loads((tmp_path / NUMBERS).read_text(), parse_constant=pytest.fail)
    values = found["experiments"]["noise"]["values"]
    assert values == {"edges": {"value": 1.5, "low": 1.4, "high": 1.6}, "nothing": None, "endless": None}
    assert found["bars"]["dial"]["series"] == {"a": 4.0, "b": 12.0, "c": 5.0}
    assert found["bars"]["dial"]["median"]["value"] == 5.0


def test_a_table_is_rectangular():
    with pytest.raises(ValueError, match="does not have 2 cells"):
        Table("Numbers", ("series", "value"), (("a",),))


def test_intervals_are_shown_to_be_read():
    assert shown(Interval(1.0, 0.5, 2.0)) == "1.00 [0.50, 2.00]"
    assert shown(Interval(nan, nan, nan)) is None


def test_differences_beyond_chance_are_marked(tmp_path):
    for name, value in (("a", 1.0), ("b", 1.5)):
        found = Finding("x", "X", values={"far": Interval(value, value - 0.1, value + 0.1),
                                          "near": Interval(value, value - 1, value + 1),
                                          "same": [1, 2], "alone": {name: 3}})  # fmt: skip
        (tmp_path / name).mkdir()
        write_evaluation(evaluation(found), tmp_path / name)
    found = {one.name.rpartition("values / ")[2]: one[1:] for one in compare(tmp_path / "a", tmp_path / "b" / NUMBERS)}
    assert found == {
        "far": (1.0, 1.5, True),
        "near": (1.0, 1.5, False),
        "alone / a": (3, None, False),
        "alone / b": (None, 3, False),
    }


@pytest.mark.parametrize("content", [None, "no JSON", "[]", "{}"])
def test_what_is_no_result_is_refused_in_one_line(content, tmp_path):
    file = tmp_path / NUMBERS
    if content is not None:
        file.write_text(content)
    with pytest.raises(LucidError, match=r"results\.json: "):
        compare(tmp_path, tmp_path)
