"""The demo and the example script, start to end."""

import runpy
import sys
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from lucidmr import cli
from lucidmr.enhance import prepare

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def coarser_grid(monkeypatch):
    """The demo's stored matrix: a tenth of the time."""
    monkeypatch.setattr(prepare, "SIDE_2D", 320)


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lucidmr", "demo", str(tmp_path / "demo")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    assert "noise reduction measured" in capsys.readouterr().out
    for name in ("before", "after", "difference"):
        with Image.open(tmp_path / "demo" / f"{name}.png") as picture:
            assert picture.size == (320, 320)
    assert "</html>" in (tmp_path / "demo" / "report.html").read_text()
    written = [pydicom.dcmread(path) for path in sorted((tmp_path / "demo" / "enhanced").iterdir())]
    assert [header.ImageType[0] for header in written] == ["DERIVED"] * 4


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_example(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script))
    assert "noise reduction measured" in capsys.readouterr().out
