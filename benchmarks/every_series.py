"""Enhance every MR series below a folder and check what a derived series must keep.

    python benchmarks/every_series.py FOLDER OUT [--noise-reduction 2] [--json FILE] [--most 400] [--files 12]

Checked per series: as many images as the source; outer corners within 0.01 mm; mean inside the body within 1 %; finite
pixels; source files byte for byte as before; no dciodvfy error that the source did not have (first and last file);
no dcentvfy error across the series; dcm2niix and highdicom place the volumes where they place the source's. A program
that is not installed is not asked. What is passed over is listed with its reason. Exits with 1 if a check fails.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from validity import entity_errors, new_errors, volumes

from lucidmr import Enhancement, LucidError
from lucidmr.dicom.derived import derived_folder_name
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.enhance.pipeline import enhance
from lucidmr.network.weights import Model, load_model
from lucidmr.physics.body import body_mask


def main() -> None:
    """Check every series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--noise-reduction", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--files", type=int, default=10_000, help="take no more files of a folder than this")
    parser.add_argument("--most", type=int, default=10_000, help="pass over series with more images than this")
    options = parser.parse_args()
    model, wanted = load_model(), Enhancement(noise_reduction=options.noise_reduction)
    rows: list[dict[str, Any]] = []
    for place in _places(options.folder):
        try:
            found = read_series(_some(place, options.files))
        except LucidError as error:
            print(f"{place}: {error}")
            continue
        name = place.relative_to(options.folder)
        for refusal in found.refused:
            rows.append({"series": f"{name}/{refusal.label}", "files": len(refusal.paths), "reason": refusal.reason})
            print(f"{name}/{refusal.label}: passed over, {len(refusal.paths)} files: {refusal.reason}", flush=True)
        for series in found.series:
            if len(series) > options.most:
                continue
            rows.append({"series": f"{name}/{series.label}", **check(series, wanted, model, options.out)})
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    failed = [row for row in rows if row.get("failed")]
    passed = sum("images" in row for row in rows) - len(failed)
    print(f"{passed} series passed, {len(failed)} failed, {sum('reason' in row for row in rows)} passed over")
    sys.exit(1 if failed else 0)


def _places(folder: Path) -> list[Path]:
    """Folders that hold files, each read by itself, so that one line names one place."""
    return sorted({path.parent for path in folder.rglob("*") if path.is_file()})


def _some(place: Path, most: int) -> Path:
    """The folder, or one with links to its first files."""
    files = sorted(path for path in place.iterdir() if path.is_file())
    if len(files) <= most:
        return place
    few = Path(tempfile.mkdtemp())
    for file in files[:most]:
        (few / file.name).symlink_to(file.resolve())
    return few


def check(series: ImageSeries, wanted: Enhancement, model: Model, out: Path) -> dict[str, Any]:
    """Enhance one series, write it, read it back and compare."""
    before = [_digest(path) for path in series.paths]
    began = time.perf_counter()
    enhanced = enhance(series, wanted, model=model)
    folder = out / derived_folder_name(series, enhanced.provenance)
    files = enhanced.save(folder, overwrite=True)
    seconds = time.perf_counter() - began
    written = read_series_of(files)
    faults = []
    if len(files) != len(series.paths) or written["images"] != read_series_of(series.paths)["images"]:
        faults.append("number of images")
    pairs = _pairs(series.paths, files)
    shift = max(_corner_shift(source, result) for source, result in pairs)
    if shift > 0.01:
        faults.append("corners")
    change = _mean_change(enhanced, series)
    if abs(change) > 0.01:
        faults.append("mean in the body")
    if not written["finite"]:
        faults.append("pixels that are not finite")
    if before != [_digest(path) for path in series.paths]:
        faults.append("source changed")
    new = _new_errors(pairs)
    if new:
        faults.append("dciodvfy")
    if _installed("dcentvfy") and entity_errors(files):
        faults.append("dcentvfy")
    apart = _apart(series.paths, files)
    if apart is not None and not apart < 0.05:
        faults.append("dcm2niix")
    if not _readable(files) and _readable(series.paths):
        faults.append("highdicom")
    measured = enhanced.measured
    shutil.rmtree(folder)
    return {
        "images": len(series),
        "matrix": f"{series.rows}x{series.columns}",
        "corner_mm": round(shift, 5),
        "mean_change_percent": round(100 * change, 3),
        "new_errors": new,
        "dcm2niix_mm": None if apart is None else round(apart, 4),
        "noise_reduction": round(measured.homogeneous, 2) if measured else None,
        "seconds": round(seconds, 1),
        "failed": faults,
    }


def _new_errors(pairs: list[tuple[Path, Path]]) -> list[str]:
    ends = (pairs[0], pairs[-1]) if _installed("dciodvfy") else ()
    return sorted({line for source, result in ends for line in new_errors(source, result)})


def _apart(sources: Sequence[Path], files: Sequence[Path]) -> float | None:
    """Largest distance in mm between the corners of volumes that dcm2niix makes of a source and of what came of it."""
    if not _installed("dcm2niix"):
        return None
    before, after = volumes(sources), volumes(files)
    if not before:
        return None  # not even the source can be converted
    if len(before) != len(after):
        return float("inf")
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


def _readable(files: Sequence[Path]) -> bool:
    """Whether highdicom reads every file, where it is installed; some it refuses as they come from the scanner."""
    try:
        import highdicom
    except ImportError:
        return True
    try:
        return all(highdicom.imread(path).get_frames() is not None for path in files)
    except (ValueError, AttributeError, TypeError, KeyError, RuntimeError) as error:
        print(f"highdicom: {error}")
        return False


def _installed(program: str) -> bool:
    return shutil.which(program) is not None


def read_series_of(files: Sequence[Path]) -> dict[str, Any]:
    """Count and check the pixels that were written."""
    images, finite = 0, True
    for path in files:
        pixels = pydicom.dcmread(path).pixel_array
        images += pixels.shape[0] if pixels.ndim == 3 else 1
        finite &= bool(np.isfinite(pixels).all())
    return {"images": images, "finite": finite}


def _pairs(sources: tuple[Path, ...], files: list[Path]) -> list[tuple[Path, Path]]:
    """Each result with the file that its header names as its source."""
    if len(files) == 1:
        return [(sources[0], files[0])]
    by_uid = {pydicom.dcmread(path, stop_before_pixels=True, force=True).SOPInstanceUID: path for path in sources}
    return [(by_uid[_source_uid(path)], path) for path in files]


def _source_uid(path: Path) -> str:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if "SourceImageSequence" not in header:
        header = header.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    return str(header.SourceImageSequence[0].ReferencedSOPInstanceUID)


def _mean_change(enhanced: Any, series: ImageSeries) -> float:
    """Relative change of the mean inside the body of the middle image."""
    index = len(series) // 2
    before, after = (torch.from_numpy(which(index)) for which in (enhanced.original, enhanced.image))
    body = body_mask(before[None])[0]
    return float(after[body].mean() / before[body].mean() - 1.0) if bool(body.any()) else 0.0


def _corner_shift(source: Path, result: Path) -> float:
    """Largest distance in mm between outer corners, over all frames; 0 where the header has no position."""
    pairs = zip(_planes(source), _planes(result), strict=True)
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0)


def _planes(path: Path) -> list[np.ndarray]:
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    return [_corners(header.Rows, header.Columns, *plane) for plane in _geometries(header)]


def _geometries(header: pydicom.Dataset) -> list[tuple[Any, Any, Any]]:
    if "PerFrameFunctionalGroupsSequence" not in header:
        names = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        return [tuple(header[name].value for name in names)] if all(name in header for name in names) else []
    shared = header.get("SharedFunctionalGroupsSequence", [pydicom.Dataset()])[0]

    def macro(frame: pydicom.Dataset, name: str) -> pydicom.Dataset:
        found: pydicom.Dataset = (frame if name in frame else shared)[name][0]
        return found

    places = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    return [
        (
            macro(frame, "PlanePositionSequence").ImagePositionPatient,
            macro(frame, "PlaneOrientationSequence").ImageOrientationPatient,
            macro(frame, "PixelMeasuresSequence").PixelSpacing,
        )
        for frame in header.PerFrameFunctionalGroupsSequence
        if all(place in frame or place in shared for place in places)
    ]


def _corners(rows: int, columns: int, position: Any, orientation: Any, spacing: Any) -> np.ndarray:
    origin, axes = np.array(position, float), np.array(orientation, float).reshape(2, 3)
    return np.array(
        [
            origin + axes[0] * (column - 0.5) * float(spacing[1]) + axes[1] * (row - 0.5) * float(spacing[0])
            for row in (0, rows)
            for column in (0, columns)
        ]
    )


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
