"""Have a DICOM viewer's library draw an image of every series, as the scanner made it and enhanced.

    python benchmarks/rendering.py FOLDER... --out SHEET.png [--noise-reduction 2]

One image from the middle of one series of every folder, drawn by dcmtk (dcmj2pnm, Debian package dcmtk) with the window
that each file names, or from the smallest to the largest value of the source if it names none. The sheet shows pairs:
before, after. Checked on a common grid: what is bright stays as bright (mean grey within 15 %), and both show the same
(correlation above 0.9). What dcmtk cannot draw as it comes from the scanner is shown enhanced alone. Exits with 1 if a
check fails.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from lucidmr import Enhancement
from lucidmr.dicom.files import find_files
from lucidmr.dicom.pixels import stored_values
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.dicom.values import numbers
from lucidmr.enhance.pipeline import enhance, middle_image
from lucidmr.network.weights import Model, load_model

_BRIGHT = 64
_SIDE = 192
_LINE = 14
_PAIRS_ACROSS = 5


class Pair(NamedTuple):
    """An image as it was drawn before and after; nothing where it cannot be drawn."""

    name: str
    before: Image.Image | None
    after: Image.Image | None

    def faults(self) -> list[str]:
        """What is wrong with them."""
        if self.before is None or self.after is None:
            return ["not drawn"] * (self.after is None)
        before, after = (np.asarray(image.resize(self.before.size), float) for image in (self.before, self.after))
        bright = before >= _BRIGHT
        change = float(after[bright].mean() / before[bright].mean()) - 1.0 if bright.any() else 0.0
        alike = float(np.corrcoef(before.ravel(), after.ravel())[0, 1])
        print(f"{self.name}: brightness {100 * change:+.1f} %, correlation {alike:.4f}", flush=True)
        return ["brightness"] * (abs(change) > 0.15) + ["contents"] * (not alike > 0.9)


def main() -> None:
    """Draw every pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noise-reduction", type=float, default=2.0)
    options = parser.parse_args()
    model, wanted = load_model(), Enhancement(noise_reduction=options.noise_reduction)
    pairs, failed = [], []
    for name, series in (found for folder in options.folders for found in _series(folder)):
        pairs.append(_pair(name, series, wanted, model))
        if faults := pairs[-1].faults():
            failed.append(f"{name}: {', '.join(faults)}")
    _sheet(pairs).save(options.out)
    print(f"{len(pairs)} series drawn, {len(failed)} failed", *failed, sep="\n")
    sys.exit(1 if failed else 0)


def _series(folder: Path) -> Iterator[tuple[str, ImageSeries]]:
    """The file in the middle of one series of every folder that holds files, by itself."""
    for place in sorted({path.parent for path in find_files(folder)}):
        for series in read_series(place).series[:1]:
            (alone,) = read_series(series.path(middle_image(len(series)))).series
            yield "/".join(place.relative_to(folder.parent).parts[-3:]), alone


def _pair(name: str, series: ImageSeries, wanted: Enhancement, model: Model) -> Pair:
    done, middle = enhance(series, wanted, model=model), middle_image(len(series))
    # The other frames of the file only need to be there.
    images = (done.image(index) if index == middle else done.original(index) for index in range(len(series)))
    frame = series.frames[middle].index + 1 if series.enhanced else 1
    with tempfile.TemporaryDirectory() as home:
        (file,) = series.write(images, Path(home) / "out", done.provenance, overwrite=False)
        before, after = (
            _drawn(path, frame, _window(series, middle), Path(home) / "a.png") for path in (series.paths[0], file)
        )
    return Pair(name, before, after)


def _window(series: ImageSeries, index: int) -> list[str]:
    """Options of dcmj2pnm; 3.6.7 looks for neither windows nor slopes in functional groups."""
    if numbers(series.header(index), "WindowWidth"):
        return ["+Wi", "1"]
    frame = series.frames[index]
    image = stored_values(series.path(index), frame.index) if series.enhanced else series.image(index)
    low, high = float(image.min()), float(image.max())
    return ["+Ww", f"{(low + high) / 2}", f"{max(high - low, 1.0)}"]


def _drawn(path: Path, frame: int, window: list[str], picture: Path) -> Image.Image | None:
    picture.unlink(missing_ok=True)
    command = ["dcmj2pnm", "+on", "+F", str(frame), *window, str(path), str(picture)]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode or not picture.exists():
        print(f"{path.name}: {' '.join(run.stderr.split())[:200]}", flush=True)
        return None
    with Image.open(picture) as drawn:
        return drawn.convert("L")


def _sheet(pairs: list[Pair]) -> Image.Image:
    """All pairs, row after row."""
    down = -(-len(pairs) // _PAIRS_ACROSS)
    sheet = Image.new("L", (_PAIRS_ACROSS * (2 * _SIDE + 8), down * (_SIDE + _LINE)), 40)
    draw = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        left, top = number % _PAIRS_ACROSS * (2 * _SIDE + 8), number // _PAIRS_ACROSS * (_SIDE + _LINE)
        draw.text((left + 2, top + 1), pair.name[-60:], fill=255)
        for place, image in enumerate((pair.before, pair.after)):
            if image is not None:
                sheet.paste(ImageOps.contain(image, (_SIDE, _SIDE)), (left + place * _SIDE, top + _LINE))
    return sheet


if __name__ == "__main__":
    main()
