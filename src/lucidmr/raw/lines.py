"""Sort readouts onto the Cartesian grid: what the readers of scanner formats share.

Scanners store one readout after the other, each with counters that say where in k-space it belongs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Bool, Complex
from numpy.typing import NDArray
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.raw.files import check_size
from lucidmr.raw.ramp import Trapezoid, onto_grid
from lucidmr.raw.readout import crop_readout
from lucidmr.raw.selection import Selection

Counter = NDArray[np.int64]
Fetch = Callable[[Counter], Complex[Tensor, "line coil sample"]]
"""Reads the readouts of the given numbers."""

SCAN_COUNTERS: Final = ("repetition", "contrast", "phase", "set", "slice")
"""Readouts that differ in one of these counters belong to different scans; the "phase" is that of a heart."""
_BLOCK: Final = 256


@dataclass(frozen=True)
class Lines:
    """Where readouts belong, one entry each.

    Attributes:
        number: In the file.
        phase: Position along phase encoding relative to DC.
        slice: Position along the slice encoding of a 3D measurement relative to DC.
        scan: One column per counter of :data:`SCAN_COUNTERS`.
        average: Which average.
        reversed: Whether the samples come in reversed order.
    """

    number: Counter
    phase: Counter
    slice: Counter
    scan: Counter
    average: Counter
    reversed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def alternating(self) -> bool:
        """Whether some were read in one direction and some in the other."""
        return bool(self.reversed.any() and not self.reversed.all())

    def where(self, chosen: NDArray[Any]) -> "Lines":
        """Some of them, by index or mask."""
        columns = (self.number, self.phase, self.slice, self.scan, self.average, self.reversed)
        return Lines(*(column[chosen] for column in columns))


@dataclass(frozen=True)
class Grid:
    """The Cartesian grid of one encoding.

    Attributes:
        matrix: (slice, freq, phase) samples, freq oversampled; enlarged where readouts lie beyond.
        samples: Samples along freq once oversampling is removed.
        centre: The sample of every readout that lies at DC, in the order they were measured.
        ramp: The readout gradient where it was sampled on its ramps.
    """

    matrix: tuple[int, int, int]
    samples: int
    centre: int
    ramp: Trapezoid | None = None


def select_lines(lines: Lines, selection: Selection, path: Path) -> Lines:
    """Readouts of the averages, contrast, repetition and slices selected.

    Raises:
        LucidError: There are none.
    """
    wanted: list[tuple[str, Counter, tuple[int, ...] | None]] = [
        ("averages", lines.average, None if isinstance(selection.averages, str) else (selection.averages,)),
        ("repetition", lines.scan[:, 0], None if selection.repetition is None else (selection.repetition,)),
        ("contrast", lines.scan[:, 1], None if selection.contrast is None else (selection.contrast,)),
        ("slices", lines.scan[:, 4], selection.slices),
    ]
    chosen = np.ones(len(lines), dtype=bool)
    for name, counter, numbers in wanted:
        if numbers is None:
            continue
        if absent := sorted(set(numbers) - set(counter.tolist())):
            raise LucidError(f"{path}: has no {name} {absent[0]}; there are {_listed(counter)}: select among these")
        chosen &= np.isin(counter, numbers)
    if not chosen.any():
        raise LucidError(f"{path}: has no readouts of that selection; select less at once")
    return lines.where(chosen)


def _listed(counter: Counter) -> str:
    found = np.unique(counter)
    return ", ".join(map(str, found.tolist())) if len(found) < 8 else f"{found[0]} to {found[-1]}"


@dataclass(frozen=True)
class Sorted:
    """Readouts on their grid.

    Attributes:
        kspace: Mean of the readouts that fall on the same line, 0 where there is none.
        acquired: Where there is one.
        scans: The counters of each scan.
        averages: How many readouts a line usually is the mean of.
    """

    kspace: Complex[Tensor, "scan coil slice freq phase"]
    acquired: Bool[Tensor, "scan slice freq phase"]
    scans: Counter
    averages: float


def sort_lines(lines: Lines, fetch: Fetch, grid: Grid, path: Path) -> Sorted:
    """Put readouts where they belong and remove readout oversampling.

    Args:
        lines: Where they belong.
        fetch: Reads them.
        grid: Onto which grid.
        path: The file, for messages.

    Raises:
        LucidError: The grid is far larger than what was acquired, or readouts do not fit.
    """
    scans, scan = np.unique(lines.scan, axis=0, return_inverse=True)
    at_slice, n_slice = _placed(lines.slice, grid.matrix[0])
    at_phase, n_phase = _placed(lines.phase, grid.matrix[2])
    where = [torch.from_numpy(index.reshape(-1)) for index in (scan, at_slice, at_phase)]
    n_coils, length = fetch(lines.number[:1]).shape[1:]
    plane = len(scans) * n_slice * n_phase
    check_size(path, plane * n_coils * max(grid.matrix[1], grid.samples) * 8, len(lines) * n_coils * length * 8)
    # Readouts are added up where each is one contiguous run of memory, coil by coil.
    sums = torch.zeros(len(scans), n_slice, n_phase, n_coils, grid.samples, dtype=torch.complex64)
    counts = torch.zeros(len(scans), n_slice, n_phase, grid.samples)
    regrid = None if grid.ramp is None else onto_grid(grid.ramp.positions(grid.matrix[1]))
    for start in range(0, len(lines), _BLOCK):
        block = slice(start, start + _BLOCK)
        rows, acquired = _rows(fetch(lines.number[block]), lines.reversed[block], grid, path)
        rows = rows if regrid is None else rows @ regrid.T
        rows, acquired = crop_readout(rows, acquired, grid.samples, -1)
        rows = rows * acquired[:, None]
        index = tuple(axis[block] for axis in where)
        sums.index_put_(index, rows, accumulate=True)
        counts.index_put_(index, acquired.float(), accumulate=True)
    sums /= counts.clamp_min(1.0).unsqueeze(-2)
    acquired = counts > 0
    return Sorted(
        sums.permute(0, 3, 1, 4, 2).contiguous(),
        acquired.transpose(-1, -2).contiguous(),
        scans,
        float(counts[acquired].median()),
    )


def _placed(position: Counter, width: int) -> tuple[Counter, int]:
    """Indices of positions relative to DC, and the width of the axis that they need.

    Positions that exactly fill the width do so, also where the header's centre is a line off.
    """
    low, high = int(position.min()), int(position.max())
    if high - low + 1 == width and abs(low + width // 2) <= 1:
        return position - low, width
    width = max(width, -2 * low, 2 * high + 1)
    return position + width // 2, width


def _rows(
    samples: Complex[Tensor, "line coil sample"], is_reversed: NDArray[np.bool_], grid: Grid, path: Path
) -> tuple[Complex[Tensor, "line coil freq"], Bool[Tensor, "line freq"]]:
    """Readouts on the grid's freq axis, with oversampling, and where they are."""
    n_lines, n_coils, length = samples.shape
    width = grid.matrix[1]
    start = 0 if length == width else width // 2 - grid.centre
    if start < 0 or start + length > width:
        raise LucidError(
            f"{path}: has readouts of {length} samples with sample {grid.centre} at the centre of k-space, which do not"
            f" fit its matrix of {width}; replace the file"
        )
    rows = samples.new_zeros(n_lines, n_coils, width)
    rows[..., start : start + length] = samples
    acquired = torch.zeros(n_lines, width, dtype=torch.bool)
    acquired[:, start : start + length] = True
    flipped = torch.from_numpy(is_reversed)
    # Both directions sample a readout gradient symmetrically about its middle, so DC stays where it is.
    rows[flipped] = rows[flipped].flip(-1)
    acquired[flipped] = acquired[flipped].flip(-1)
    return rows, acquired


def calibration_of(scans: Counter, calibration: Sorted, path: Path) -> Complex[Tensor, "scan coil s f p"]:
    """The calibration lines of each scan: those of its slice, and of its contrast and repetition where there are.

    Raises:
        LucidError: A slice has none.
    """
    chosen = []
    for scan in scans:
        same = (calibration.scans == scan).astype(int)
        if not same[:, 4].any():
            raise LucidError(f"{path}: has calibration lines, but none of slice {scan[4]}; leave that slice out")
        chosen.append(int((same.sum(1) + len(SCAN_COUNTERS) * same[:, 4]).argmax()))
    return calibration.kspace[chosen]
