"""Charts: where things are drawn, that every value counts once, and that names do no harm."""

import re
from xml.etree.ElementTree import Element, fromstring

import pytest

from lucidmr.drawing.charts import bars, curve, histogram, log_ticks
from lucidmr.drawing.page import page

SVG = "{http://www.w3.org/2000/svg}"


def lines(svg: str) -> list[list[tuple[float, float]]]:
    drawn = fromstring(svg).iter(f"{SVG}polyline")
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in line.get("points", "").split())] for line in drawn]


def words(svg: str) -> list[str]:
    return [element.text or "" for element in fromstring(svg).iter(f"{SVG}text")]


def inside(svg: str) -> bool:
    root = fromstring(svg)
    width, height = map(float, root.get("viewBox", "").split()[2:])
    return all(0 <= x <= width and 0 <= y <= height for line in lines(svg) for x, y in line)


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [0.5, 1.0, 4.0, 8.0], list(map(float, range(1, 200)))])
def test_a_histogram_of_any_values_stays_on_the_paper(values, is_log) -> None:
    svg = histogram({"": values}, "value", is_log)
    assert inside(svg)
    assert f"{len(values)} pairs" in words(svg)


def test_the_highest_step_is_where_most_values_are() -> None:
    (line,) = lines(histogram({"": [0.0, 9.0, 9.1, 9.2, 10.0]}, "value"))
    highest = min(line, key=lambda point: point[1])
    assert highest[0] > 0.8 * max(x for x, _ in line)


def test_series_have_their_own_lines_and_empty_ones_none() -> None:
    svg = histogram({"freq": [1.0, 2.0], "phase": [3.0], "slice": []}, "value")
    assert len(lines(svg)) == 2
    assert {"freq (2)", "phase (1)"} <= set(words(svg))
    assert histogram({"slice": []}, "value") == ""
    assert bars({}, "nothing") == ""


def test_bars_are_as_long_as_their_counts() -> None:
    svg = bars({"most": 30, "some": 10}, "choice")
    rows = [bar for bar in fromstring(svg).iter(f"{SVG}rect") if bar.get("rx")]
    widths = [float(row.get("width", "")) for row in rows]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.2)
    assert {"30 (75%)", "10 (25%)"} <= set(words(svg))


def test_a_curve_rises_with_its_values() -> None:
    (line,) = lines(curve([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], "pairs", "MiB"))
    assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)


@pytest.mark.parametrize(("low", "high"), [(1.0, 8.0), (0.6, 15.0), (1.1, 3.0), (90.0, 110.0)])
def test_logarithmic_ticks_lie_inside(low, high) -> None:
    marks = log_ticks(low, high)
    assert len(marks) > 2
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)


def test_names_are_escaped() -> None:
    hostile = '<script>alert("x")</script>'
    for shown in (bars({hostile: 1}, hostile), histogram({hostile: [1.0]}, hostile), page(hostile, "")):
        assert "<script" not in shown
        assert "&lt;script" in shown
    assert isinstance(fromstring(bars({hostile: 1}, hostile)), Element)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page("title", bars({"a": 1}, "b")))
