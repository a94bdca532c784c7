"""The report: complete, self-contained, harmless whatever the header says, never half-written."""

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import pytest
import torch
from PIL import Image

from lucidmr.drawing.charts import ticks
from lucidmr.errors import LucidError
from lucidmr.evaluate.figures import detail_spot
from lucidmr.evaluate.report import Fact, ReportData, ReportSlice, SeriesReport, render, write_report

HOSTILE = """</style></script><script>alert('x')</script><img src=x onerror=alert(1)>" onload="alert(2)"""


def picture(seed: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 128), indexing="ij")
    body = 400.0 * (torch.hypot(y, x) < 0.8) + 300.0 * (torch.hypot(y - 0.3, x) < 0.2)
    return body + 10 * torch.randn(96, 128, generator=torch.Generator().manual_seed(seed))


def series(title: str = "t1_mprage") -> SeriesReport:
    slices = tuple(
        ReportSlice(f"slice {n}", picture(n), picture(n) / 2 + picture(9) / 2, torch.full((96, 128), 1.9))
        for n in (1, 2)
    )
    return SeriesReport(
        title,
        "GE, 3 T",
        slices,
        (0.9, 0.45),
        2.0,
        1.94,
        1.61,
        (("Gain along phase", "1.6"),),
        (Fact("Matrix, phase", "192", "(0018,1310)", "exact"), Fact("Elliptical", "unknown", "-", "unknown")),
        ("Partial Fourier is unknown.",),
    )


def report(*sections: SeriesReport) -> ReportData:
    return ReportData(sections, "lucidmr 0.1.0", "lucid-base 1", "sha256:abc", "2026-11-22")


class Elements(HTMLParser):
    """Every element with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_it_shows_everything_it_was_given():
    html = render(report(series()))
    for text in ("t1_mprage", "GE, 3 T", "2.00&times;", "1.94&times;", "1.61&times;", "slice 2", "Gain along phase"):
        assert text in html
    for text in ("Matrix, phase", "(0018,1310)", "mark exact", "mark unknown", "Partial Fourier is unknown."):
        assert text in html
    for text in ("lucidmr 0.1.0", "lucid-base 1", "sha256:abc", "2026-11-22", "Not a medical device"):
        assert text in html


def test_it_needs_nothing_from_outside():
    html = render(report(series()))
    for _, attributes in Elements(html).found:
        for name in ("src", "href", "srcset", "data"):
            assert re.match(r"data:image/png;base64,|#series-", attributes.get(name) or "#series-")
    assert "://" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_its_pictures_are_pictures():
    sources = [attributes["src"] for tag, attributes in Elements(render(report(series()))).found if tag == "img"]
    assert len(sources) >= 13
    for source in sources:
        Image.open(BytesIO(b64decode(source.partition(",")[2]))).verify()


def test_hostile_text_stays_text():
    text = HOSTILE
    hostile = replace(
        series(text),
        subtitle=text,
        slices=(replace(series().slices[0], label=text),),
        settings=((text, text),),
        facts=(Fact(text, text, text, "exact"),),
        warnings=(text,),
    )
    data = ReportData((hostile, hostile), text, text, text, text)
    harmless = replace(data, series=(series(), series()), software="", model="", weights_hash="", created="")
    elements = Elements(render(data)).found
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert not any(name.startswith("on") for _, attributes in elements for name in attributes)
    kinds = {tag for tag, _ in elements}
    assert kinds == {tag for tag, _ in Elements(render(harmless)).found}


def test_pixels_that_are_not_square_keep_their_proportions():
    assert f"aspect-ratio:{128 * 0.45:g}/{96 * 0.9:g}" in render(report(series()))


def test_several_series_get_a_section_and_an_entry_each():
    html = render(report(series("one"), series("two")))
    assert html.count("<section") == 2
    assert 'href="#series-1"' in html


def test_what_was_not_measured_says_so():
    bare = SeriesReport("bare", "", (), (1.0, 1.0), 2.0)
    assert render(report(bare)).count("not measured") == 2
    assert "not measured" in render(report(replace(bare, noise_homogeneous=float("nan"))))


def test_flat_images_do_not_trouble_it():
    flat = torch.zeros(40, 40)
    html = render(report(replace(series(), slices=(ReportSlice("0", flat, flat, flat),))))
    assert "NaN" not in html
    assert "nan" not in html.split("<main>")[1].replace("data:image", "").split("<svg")[1].split("</svg>")[0]


def test_it_is_written_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(report(series()), path)
    assert path.read_text(encoding="utf-8") == render(report(series()))
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lucidmr.evaluate.report.render", fail)
    with pytest.raises(LucidError, match="No space left"):
        write_report(report(series()), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(LucidError, match=r"cannot be written"):
        write_report(report(series()), tmp_path / "nowhere" / "report.html")


def test_the_detail_is_found_inside_the_image():
    image = torch.ones(100, 200)
    image[60:80, 120:150] += torch.arange(30) % 7
    spot = detail_spot(image)
    assert spot.top <= 70 <= spot.top + spot.height
    assert spot.left <= 135 <= spot.left + spot.width
    assert spot.top + spot.height <= 100
    assert spot.left + spot.width <= 200


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 4127.0), (0.001, 0.0042), (99.0, 101.0)])
def test_ticks_are_few_and_round(low, high):
    marks = ticks(low, high)
    assert 3 <= len(marks) <= 11
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
