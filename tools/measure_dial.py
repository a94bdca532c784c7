"""Measure what one answer of a network gives, and write it on its card: python tools/measure_dial.py WEIGHTS.

Images are calibrated one by one; this is for those that cannot be, as they show no noise or no homogeneous tissue.
It is measured on phantoms of several levels of noise, a few minutes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import tyro

from lucidmr.console import say
from lucidmr.dicom.series import ImageSeries
from lucidmr.enhance.pipeline import EnhancedSeries, enhance
from lucidmr.evaluate.simulated import phantom_scan, phantom_scan_3d, phantom_series
from lucidmr.files import whole_file
from lucidmr.network.weights import load_model
from lucidmr.physics.phantoms import anatomy_phantom, anatomy_phantom_3d

_SHARES: Final = tuple(round(0.1 * step, 1) for step in range(13))
_NOISE: Final = (0.01, 0.02, 0.04, 0.08, 0.16)
_MATRIX: Final = (256, 192)
_MATRIX_3D: Final = (16, 96, 80)
_PHANTOMS: Final = 3


@dataclass(frozen=True)
class MeasureDial:
    """Measure the noise dial of a network on phantoms, for its card."""

    weights: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="WEIGHTS")]
    """The network (.safetensors) with its card beside it, which is written anew."""
    matrix: tuple[int, int] = _MATRIX
    """Samples of the phantoms of 2D networks along freq and phase."""
    phantoms: int = _PHANTOMS
    """Phantoms of each level of noise."""

    def run(self) -> None:
        """Measure and write."""
        model = load_model(self.weights)
        levels, factors = [], []
        for noise in _NOISE:
            with TemporaryDirectory() as scratch:
                volumes = model.network.settings.slices > 1
                made = [self._series(volumes, noise, number, Path(scratch)) for number in range(self.phantoms)]
                found = [enhance(series, model=model) for series in made]
                levels.append(median(_level(one) for one in found))
                responses = [one.response(len(one) // 2) for one in found]
                factors.append([median(one.noise_reduction(share) for one in responses) for share in _SHARES])
            say(f"noise {levels[-1]:.4f}: noise reduction {factors[-1][0]:.2f} to {max(factors[-1]):.2f}")
        dial = {"noise": levels, "shares": _SHARES, "factors": factors, "measured_on": "phantoms"}
        card = {**model.card, "dial": dial}
        with whole_file(self.weights.with_suffix(".json")) as part:
            part.write_text(json.dumps(card, indent=2) + "\n")

    def _series(self, volumes: bool, noise: float, number: int, scratch: Path) -> ImageSeries:
        if volumes:
            scans = [phantom_scan_3d(anatomy_phantom_3d(), _MATRIX_3D, noise, number)]
        else:
            scans = [phantom_scan(anatomy_phantom(0.2 * number - 0.2), self.matrix, noise, number)]
        return phantom_series(scans, scratch / str(number))


def _level(series: EnhancedSeries) -> float:
    return series.noise(len(series) // 2).sd / series.standardization.scale


if __name__ == "__main__":
    tyro.cli(MeasureDial).run()
