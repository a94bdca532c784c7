"""Measure the released network on DICOM series: the noise dial, do no harm, and edge sharpness per direction.

    python benchmarks/quality.py FOLDER [FOLDER ...] [--json FILE]

Per series: noise reduction measured by the probe (homogeneous tissue, whole body) at several requests, beside the
linear blend of input and fully denoised image; mean absolute change when nothing is asked; relative edge sharpness at
gains 1 and 1.5 along each direction with 95 % intervals.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lucidmr import Enhancement, LucidError
from lucidmr.dicom.series import ImageSeries, read_series
from lucidmr.enhance.calibrate import nominal
from lucidmr.enhance.pipeline import EnhancedSeries, enhance
from lucidmr.enhance.probe import body_mask
from lucidmr.evaluate.fidelity import harm
from lucidmr.evaluate.sharpness import Direction, edge_sharpness
from lucidmr.network.weights import PACKAGED, Model, load_model

REQUESTS = (1.0, 1.5, 2.0, 3.0)
DIRECTIONS: tuple[Direction, ...] = ("freq", "phase")


def main() -> None:
    """Measure every series below the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--weights", type=Path, default=PACKAGED)
    parser.add_argument("--slices", type=int, default=4, help="slices for sharpness")
    options = parser.parse_args()
    model = load_model(options.weights)
    results = []
    for folder in options.folders:
        for series in read_series(folder).series:
            try:
                results.append(measure(series, model, options.slices))
            except LucidError as error:
                print(f"{series.label}: {error}", flush=True)
                continue
            _show(f"{folder.name}/{series.label}", results[-1])
            results[-1]["series"] = f"{folder.name}/{series.label}"
            if options.json:
                options.json.write_text(json.dumps(results, indent=1))


def measure(series: ImageSeries, model: Model, n_slices: int) -> dict[str, Any]:
    """All figures of one series."""
    found: dict[str, Any] = {"dial": {}}
    fully = enhance(series, Enhancement(noise_reduction=8.0), model=model)
    for wanted in REQUESTS:
        enhanced = enhance(series, Enhancement(noise_reduction=wanted), model=model)
        blended = replace(fully, fixed=nominal(wanted), dials={})
        entry = {"removal": round(enhanced.dial(len(series) // 2).calibration.removal, 3)}
        for name, which in (("calibrated", enhanced), ("blend", blended)):
            if which.measured is not None:
                entry |= {name: round(which.measured.homogeneous, 3), f"{name}_body": round(which.measured.body, 3)}
        found["dial"][wanted] = entry
    untouched = enhance(series, Enhancement(noise_reduction=1.0, restore_partial_fourier=False), model=model)
    quiet = enhance(series, Enhancement(noise_reduction=2.0, restore_partial_fourier=False), model=model)
    before, after, noisy = (
        _stack(which, n_slices, name)
        for which, name in ((untouched, "original"), (untouched, "image"), (quiet, "image"))
    )
    found["harm"] = harm(before[0], after[0]).mean_change
    body = body_mask(before)
    found["signal_change"] = float(noisy[body].mean() / before[body].mean() - 1.0)
    found["sharpness"] = {
        name: _sharpness(before, _stack(enhance(series, asked, model=model), n_slices, "image"), quiet)
        for name, asked in {
            "gain 1": quiet.enhancement,
            "freq 1.5": replace(quiet.enhancement, gain_freq=1.5),
            "phase 1.5": replace(quiet.enhancement, gain_phase=1.5),
        }.items()
    }
    return found


def _stack(series: EnhancedSeries, count: int, name: str) -> Tensor:
    """Some images in (freq, phase) orientation."""
    indices = sorted({int(len(series) * (index + 0.5) / count) for index in range(count)})
    images = torch.stack([torch.from_numpy(getattr(series, name)(index)) for index in indices])
    return images.transpose(-1, -2) if series.standardization.transposed else images


def _sharpness(before: Tensor, after: Tensor, series: EnhancedSeries) -> dict[str, Any]:
    found = {}
    for direction in DIRECTIONS:
        extent = 2.0 ** getattr(series.context, f"extent_{direction}")
        result = edge_sharpness(before, after, direction, torch.Generator().manual_seed(0), 1.0 / extent)
        found[direction] = {
            "edges": result.edges,
            "sharpness": [round(value, 3) for value in result.sharpness],
            "rise": round(result.rise.value, 3),
            "overshoot_before": round(result.overshoot_before.value, 2),
            "overshoot_after": round(result.overshoot_after.value, 2),
        }
    return found


def _show(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}: harm {100 * found['harm']:.3f} %, signal change {100 * found['signal_change']:+.2f} %")
    for wanted, entry in found["dial"].items():
        if "calibrated" in entry:
            print(
                f"  request {wanted}: homogeneous {entry['calibrated']:.2f} (body {entry['calibrated_body']:.2f}), "
                f"linear blend {entry['blend']:.2f} ({entry['blend_body']:.2f}), removal {entry['removal']:.2f}"
            )
    for asked, directions in found["sharpness"].items():
        parts = [
            f"{direction} {entry['sharpness'][0]:.2f} [{entry['sharpness'][1]:.2f}, {entry['sharpness'][2]:.2f}] "
            f"rise {entry['rise']:.2f} overshoot {entry['overshoot_before']:.1f} to {entry['overshoot_after']:.1f} % "
            f"({entry['edges']} edges)"
            for direction, entry in directions.items()
        ]
        print(f"  {asked}: " + "; ".join(parts), flush=True)


if __name__ == "__main__":
    main()
