"""Every raw and complex data set of a data folder: read, judged, reconstructed, and one pair simulated from it.

    python benchmarks/data_sets.py DATA OUT

Writes ``table.md`` and ``sheet.png`` into OUT: a row of pictures for each data set with its image and, side by side,
input and target of a pair. What a file does not tell of itself stands in the list below.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lucidmr.corpus.thumbnail import of_image
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import simulate_pair
from lucidmr.physics.fourier import to_image
from lucidmr.raw.prepare import Prepared, prepare
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import EVERYTHING, Selection

TILE = 96
COMPLEX_IMAGES = "freq,phase,scan,coil,contrast"


@dataclass(frozen=True)
class DataSet:
    """Files of one kind: pattern below the data folder, what they are, and what they do not tell themselves."""

    pattern: str
    content: str
    selection: Selection = EVERYTHING


SETS = (
    DataSet("train/raw/larson_knee.mat", "knee, coronal, fat suppressed"),
    DataSet("train/raw/larson_se_t1_sag.mat", "brain, sagittal T1"),
    DataSet("evaluate/raw/espirit-matlab_full.cfl", "brain T1", Selection(axes="slice,freq,phase,coil")),
    DataSet("evaluate/raw/auto-espirit_brain_clean.cfl", "the same, denoised", Selection(axes="freq,phase,coil")),
    DataSet("evaluate/raw/sigpy-tutorial_*.npy", "the same, 12 % of it", Selection(axes="coil,freq,phase")),
    DataSet("evaluate/raw/ugmpi_4h_GE.mat", "brain T1, images", Selection(axes="freq,phase,coil", domain="image")),
    DataSet("evaluate/raw/mchiew_*.mat", "brain", Selection(axes="freq,phase,scan,coil")),
    DataSet("evaluate/raw/twixtools_*.dat", "phantom"),
    DataSet("evaluate/raw/pulseq/*.dat", "phantom"),
    DataSet("evaluate/lowfield/*/*/*.mat", "brain at 0.055 T", Selection(axes="freq,phase,scan")),
    DataSet("evaluate/complex/siat_complex/*.mat", "brain T2, images", Selection(domain="image")),
    DataSet(
        "evaluate/complex/kellman/*.mat",
        "heart, thorax; echoes, images",
        Selection(axes=COMPLEX_IMAGES, variable="data.images", domain="image"),
    ),
    DataSet(
        "evaluate/complex/fatwater/*.mat",
        "trunk; echoes, images",
        Selection(axes=COMPLEX_IMAGES, variable="imDataParams.images", domain="image"),
    ),
)


def row(data: Path, path: Path, one: DataSet) -> tuple[str, list[Tensor]]:
    """A row of the table and the pictures of a file."""
    name = str(path.relative_to(data))
    try:
        found = prepare(read_raw(path, one.selection))
    except LucidError as error:
        return f"| {name} | {one.content} | | | | {str(error).removeprefix(f'{path}: ')} |", []
    flags = "; ".join(dict.fromkeys(f"{verdict.check}: {verdict.reason}" for verdict in found.verdicts))
    if not found.scans:
        return f"| {name} | {one.content} | | {found.coils} | | refused: {flags} |", []
    first = found.scans[0]
    matrix = " x ".join(map(str, first.matrix[1:] if first.matrix[0] == 1 else first.matrix))
    ratio = f"{first.signal / first.noise_sd:.0f}" if first.noise_sd else "no noise"
    kept = f"{found.coils} ({first.n_coils})"
    return f"| {name} | {one.content} | {len(found.scans)} of {matrix} | {kept} | {ratio} | {flags} |", pictures(found)


def pictures(found: Prepared) -> list[Tensor]:
    """The middle scan's image, then input and target of one pair."""
    scan = found.scans[len(found.scans) // 2]
    pair = simulate_pair(scan, DegradationRanges(), torch.Generator().manual_seed(0))
    image = to_image(scan.kspace).norm(dim=0)
    return [plane[len(plane) // 2] for plane in (image, pair.input, pair.target)]


def draw_sheet(rows: list[tuple[str, list[Tensor]]], path: Path) -> None:
    """A row of tiles for every file, three files side by side."""
    width, height = 3 * (TILE + 4), TILE + 18
    sheet = Image.new("L", (3 * width, -(-len(rows) // 3) * height))
    brush = ImageDraw.Draw(sheet)
    for number, (name, images) in enumerate(rows):
        left, top = number % 3 * width, number // 3 * height
        brush.text((left + 4, top + 2), name, fill=255)
        for place, image in enumerate(images):
            tile = Image.fromarray(of_image(image.float()).numpy())
            tile.thumbnail((TILE, TILE))
            sheet.paste(tile, (left + place * (TILE + 4), top + 16))
    sheet.save(path)


def main() -> None:
    """Look at every data set that is there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = ["| file | what it is | scans | coils (kept) | signal to noise | findings |", "|---|---|---|---|---|---|"]
    shown = []
    for one in SETS:
        for path in sorted(options.data.glob(one.pattern)):
            line, images = row(options.data, path, one)
            lines.append(line)
            print(line, flush=True)
            shown.append((path.name, images))
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    draw_sheet(shown, options.out / "sheet.png")


if __name__ == "__main__":
    main()
