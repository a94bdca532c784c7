"""Read Siemens raw data (twix, .dat) of software VB, VD and VE through twixtools (extra ``siemens``)."""

from collections.abc import Iterable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from struct import unpack
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.raw.lines import Counter, Fetch, Grid, Lines, Sorted, calibration_of, select_lines, sort_lines
from lucidmr.raw.measurement import Facts, Measurement
from lucidmr.raw.ramp import Trapezoid
from lucidmr.raw.selection import Selection

Scan = dict[str, Any]
"""A measurement as twixtools gives it: its header and its data blocks."""

# Bits of a block's evaluation mask.
NOISE: Final = 1 << 25
CALIBRATION: Final = 1 << 22
CALIBRATION_AND_IMAGING: Final = 1 << 23
REVERSED: Final = 1 << 24
_LEFT_OUT: Final = sum(1 << bit for bit in (0, 1, 2, 5, 14, 15, 21, 38, 39, 44, 51, 60))
"""End of acquisition, feedback, synchronous data, phase stabilization and correction, references of simultaneous
slices, prospective correction, dummies."""
_INTEGRATED: Final = (2, 128)
"""Reference scan modes whose calibration lines are part of the image's k-space."""
_THREE_DIMENSIONAL: Final = 4
_CARTESIAN: Final = 1
_NO_REGRIDDING: Final = 1
_TRAPEZOID: Final = 2
_NOISE_HZ_PER_SAMPLE: Final = 130.0
_NOISE_BANDWIDTH: Final = 0.793
"""Of the noise scan: its readout bandwidth, and the share of the receiver's band that its filter leaves
(siemens_to_ismrmrd)."""
_MOST_MEASUREMENTS: Final = 64


def read_twix(path: Path, selection: Selection) -> Measurement:
    """Read the last measurement of a file, with the noise scan of those before it.

    Args:
        path: The file.
        selection: What to take of it.

    Raises:
        LucidError: The file is damaged, what is selected is not in it, or twixtools is missing.
    """
    try:
        import twixtools
    except ImportError as error:
        raise LucidError(f"{path}: reading Siemens raw data needs twixtools; pip install 'lucidmr[siemens]'") from error
    _check_extent(path)
    # It prints its warnings.
    with redirect_stdout(StringIO()):
        scans = twixtools.read_twix(
            str(path), parse_pmu=False, parse_geometry=False, verbose=False, keep_syncdata=False
        )
    return _measurement(scans, selection, path)


def _check_extent(path: Path) -> None:
    """Refuse a file that is shorter than its table of measurements says, or no twix file at all."""
    stored = path.stat().st_size
    with path.open("rb") as file:
        first, count = unpack("<II", file.read(8))
        if first >= 10000:  # software VB: the length of the header
            if first > stored:
                raise LucidError(f"{path}: is no Siemens raw data or cut off; replace the file")
            return
        if not 1 <= count <= _MOST_MEASUREMENTS:
            raise LucidError(f"{path}: is no Siemens raw data or damaged; replace the file")
        entries = [unpack("<IIQQ128x", file.read(152)) for _ in range(count)]
    if any(start + length > stored for _, _, start, length in entries):
        raise LucidError(f"{path}: is cut off: it has {stored} bytes, fewer than its header says; copy it again")


def _measurement(scans: list[Scan], selection: Selection, path: Path) -> Measurement:
    header = scans[-1]["hdr"]
    _check_trajectory(header, path)
    blocks = scans[-1]["mdb"]
    masks = np.array([int(block.mdh.EvalInfoMask) for block in blocks], dtype=np.uint64)
    usable = masks & np.uint64(_LEFT_OUT | NOISE) == 0
    is_calibration = _is_separate(masks, usable, header)
    imaging = np.flatnonzero(usable & ~is_calibration)
    if not len(imaging):
        raise LucidError(f"{path}: holds no imaging data in its last measurement; name the file of the scan itself")
    lines = select_lines(_lines(blocks, masks, imaging), selection, path)
    fetch = _fetch(blocks, path)
    found = sort_lines(lines, fetch, _grid(header, blocks[lines.number[0]].mdh), path)
    noise = _noise(scans, found.kspace.shape[1], header)
    return Measurement(
        found.kspace,
        found.acquired,
        noise=None if noise is None else noise / found.averages**0.5,
        calibration=_calibration(header, blocks, masks, np.flatnonzero(usable & is_calibration), found, path),
        alternating=lines.alternating,
        field_of_view_mm=_field_of_view(header),
        facts=_facts(header),
        source=selection.source(path.name),
    )


def _value(header: Any, *keys: str | int) -> Any:
    """A value of the nested header; ``None`` where there is none."""
    for key in keys:
        if isinstance(key, int):
            header = header[key] if isinstance(header, list) and len(header) > key else None
        else:
            header = header.get(key) if isinstance(header, dict) else None
    return None if header == "" else header


def _check_trajectory(header: Scan, path: Path) -> None:
    trajectory = _value(header, "MeasYaps", "sKSpace", "ucTrajectory")
    if trajectory not in (None, _CARTESIAN):
        raise LucidError(f"{path}: has a trajectory of type {trajectory}; only Cartesian k-space (type 1) can be read")
    regridding = _value(header, "Meas", "alRegridMode", 0)
    if regridding not in (None, _NO_REGRIDDING, _TRAPEZOID):
        raise LucidError(
            f"{path}: has a readout gradient of type {regridding}; only constant and trapezoidal ones are read"
        )


def _is_separate(masks: Any, usable: Any, header: Scan) -> Any:
    """Blocks of a calibration scan of its own; integrated calibration lines are part of the image's k-space."""
    both = masks & np.uint64(CALIBRATION_AND_IMAGING) > 0
    only = (masks & np.uint64(CALIBRATION) > 0) & ~both
    mode = _value(header, "MeasYaps", "sPat", "ucRefScanMode")
    integrated = mode in _INTEGRATED or (mode is None and (both & usable).any())
    return np.zeros_like(only) if integrated else only


def _lines(blocks: list[Any], masks: Any, number: Counter) -> Lines:
    mdhs = [blocks[index].mdh for index in number]
    counters = [mdh.Counter for mdh in mdhs]
    return Lines(
        number=number,
        phase=_column(int(c.Lin) - int(mdh.CenterLin) for c, mdh in zip(counters, mdhs, strict=True)),
        slice=_column(int(c.Par) - int(mdh.CenterPar) for c, mdh in zip(counters, mdhs, strict=True)),
        scan=np.array([(c.Rep, c.Eco, c.Phs, c.Set, c.Sli) for c in counters], dtype=np.int64),
        average=_column(int(c.Ave) for c in counters),
        reversed=masks[number] & np.uint64(REVERSED) > 0,
    )


def _column(numbers: Iterable[int]) -> Counter:
    return np.fromiter(numbers, dtype=np.int64)


def _fetch(blocks: list[Any], path: Path) -> Fetch:
    def fetch(number: Counter) -> Complex[Tensor, "line coil sample"]:
        samples = [blocks[index].data for index in number]
        if len({one.shape for one in samples}) > 1:
            raise LucidError(f"{path}: has readouts of different size; select fewer of them, one contrast for example")
        return torch.from_numpy(np.stack(samples))

    return fetch


def _grid(header: Scan, mdh: Any) -> Grid:
    kspace = _value(header, "MeasYaps", "sKSpace") or {}
    is_3d = kspace.get("ucDimension") == _THREE_DIMENSIONAL
    length, centre = int(mdh.SamplesInScan), int(mdh.CenterCol)
    width = _readout_width(length, centre)
    matrix = (kspace.get("lPartitions", 1) if is_3d else 1, width, kspace["lPhaseEncodingLines"])
    return Grid(matrix, round(width / _oversampling(header)), centre, _ramp(header))


def _readout_width(length: int, centre: int) -> int:
    """Samples of the whole readout, of which an asymmetric echo omits some on one side."""
    return length if centre == length // 2 else max(2 * centre, 2 * (length - centre))


def _ramp(header: Scan) -> Trapezoid | None:
    """The readout gradient where samples were taken on its ramps."""
    if _value(header, "Meas", "alRegridMode", 0) in (None, _NO_REGRIDDING):
        return None
    names = ("alRegridRampupTime", "alRegridFlattopTime", "alRegridRampdownTime", "alRegridDelaySamplesTime")
    times = [float(_value(header, "Meas", name, 0)) for name in (*names, "aflRegridADCDuration")]
    return Trapezoid(*times)


def _oversampling(header: Scan) -> float:
    return float(_value(header, "Dicom", "flReadoutOSFactor") or 2.0)


def _noise(scans: list[Scan], n_coils: int, header: Scan) -> Complex[Tensor, "coil sample"] | None:
    """Samples of the last noise scan, scaled to the bandwidth of an image's readout: noise power goes with it."""
    for scan in reversed(scans):
        blocks = [block for block in scan["mdb"] if int(block.mdh.EvalInfoMask) & NOISE]
        samples = [block.data for block in blocks if block.mdh.UsedChannels == n_coils]
        if samples:
            dwell = float(_value(header, "MeasYaps", "sRXSPEC", "alDwellTime", 0) or 0.0) * 1e-9
            noise_dwell = 1.0 / (_NOISE_HZ_PER_SAMPLE * samples[0].shape[1])
            scale = (noise_dwell / (dwell * _NOISE_BANDWIDTH)) ** 0.5 if dwell > 0.0 else 1.0
            return torch.from_numpy(np.concatenate(samples, axis=1)) * scale
    return None


def _calibration(
    header: Scan, blocks: list[Any], masks: Any, number: Counter, imaging: Sorted, path: Path
) -> Complex[Tensor, "scan coil slice_line freq_line phase_line"] | None:
    if not len(number):
        return None
    mdh = blocks[number[0]].mdh
    length, centre = int(mdh.SamplesInScan), int(mdh.CenterCol)
    width = _readout_width(length, centre)
    grid = Grid((1, width, 1), round(width / _oversampling(header)), centre)
    found = sort_lines(_lines(blocks, masks, number), _fetch(blocks, path), grid, path)
    return calibration_of(imaging.scans, found, path)


def _field_of_view(header: Scan) -> tuple[float, float, float] | None:
    """(slice, freq, phase) of the encoded grid: with phase and slice oversampling, without that of the readout."""
    first = _value(header, "MeasYaps", "sSliceArray", "asSlice", 0)
    kspace = _value(header, "MeasYaps", "sKSpace") or {}
    sizes = [_value(first, name) for name in ("dThickness", "dReadoutFOV", "dPhaseFOV")]
    if any(size is None for size in sizes):
        return None
    across, along, phase = (float(size) for size in sizes)
    is_3d = kspace.get("ucDimension") == _THREE_DIMENSIONAL
    slices = 1.0 + float(kspace.get("dSliceOversamplingForDialog", 0.0)) if is_3d else 1.0
    return across * slices, along, phase * (1.0 + float(kspace.get("dPhaseOversamplingForDialog", 0.0)))


def _facts(header: Scan) -> Facts:
    field_strength = _value(header, "Dicom", "flMagneticFieldStrength")
    return Facts(
        vendor=_value(header, "Dicom", "Manufacturer"),
        model=_value(header, "Dicom", "ManufacturersModelName"),
        field_strength=None if field_strength is None else float(field_strength),
        anatomy=_value(header, "Dicom", "tBodyPartExamined"),
        protocol=_value(header, "MeasYaps", "tProtocolName"),
        subject=_value(header, "Config", "PatientID"),
    )
