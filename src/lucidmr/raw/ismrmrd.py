"""Read ISMRM Raw Data (ISMRMRD, MRD) in HDF5.

Source: Inati et al., Magn. Reson. Med. 77:411, 2017, and https://ismrmrd.readthedocs.io. A group holds an XML header
and the acquisitions: for each a header of its own (counters, flags) and samples coil by coil.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from jaxtyping import Complex
from numpy.typing import NDArray
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.raw.hdf5 import check_dataset, read_dataset
from lucidmr.raw.ismrmrd_header import Encoding, Header, parse_header
from lucidmr.raw.lines import (
    SCAN_COUNTERS,
    Counter,
    Fetch,
    Grid,
    Lines,
    Sorted,
    calibration_of,
    select_lines,
    sort_lines,
)
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.selection import Selection

Heads = NDArray[Any]
"""Records of the acquisitions' headers."""

NOISE: Final = 19
CALIBRATION: Final = 20
CALIBRATION_AND_IMAGING: Final = 21
REVERSE: Final = 22
_LEFT_OUT: Final = (23, 24, 26, 27, 28, 29, 30, 31)
"""Navigator, phase correction, feedback, dummy, surface coil correction and phase stabilization."""


def groups(file: h5py.File) -> list[str]:
    """Names of the groups that hold ISMRMRD acquisitions."""
    return [name for name, node in file.items() if isinstance(node, h5py.Group) and {"xml", "data"} <= set(node)]


def read_ismrmrd(path: Path, selection: Selection) -> Measurement:
    """Read the images' k-space of the first encoding, with noise and calibration scans of any.

    Args:
        path: The file.
        selection: What to take of it; ``variable`` names the group where there are several.

    Raises:
        LucidError: The file is damaged, or what is selected is not in it.
    """
    with h5py.File(path) as file:
        group = file[_group(file, selection, path)]
        header = parse_header(read_dataset(group["xml"]).reshape(-1)[0], path)
        check_dataset(group["data"])
        heads: Heads = group["data"].fields("head")[()]
        if not len(heads):
            raise LucidError(f"{path}: holds no acquisitions; replace the file")
        return _measurement(heads, _Reader(group["data"], heads, path), header, selection, path)


def _group(file: h5py.File, selection: Selection, path: Path) -> str:
    names = groups(file)
    name = selection.variable or (names[0] if len(names) == 1 else None)
    if name not in names:
        raise LucidError(f"{path}: holds the groups {', '.join(names)}; name one of them as variable")
    return str(name)


class _Reader:
    """Reads the samples of acquisitions by their numbers."""

    def __init__(self, data: h5py.Dataset, heads: Heads, path: Path) -> None:
        self.samples = data.fields("data")
        self.heads = heads
        self.path = path

    def __call__(self, number: Counter) -> Complex[Tensor, "line coil sample"]:
        heads = self.heads[number]
        coils, length = int(heads["active_channels"][0]), int(heads["number_of_samples"][0])
        if not coils or not length:
            raise LucidError(f"{self.path}: has acquisitions without coils or samples; replace the file")
        first = int(number.min())
        lines = self.samples[first : int(number.max()) + 1]
        flat = [lines[index] for index in number - first]
        if any(line.dtype != np.float32 or line.size != 2 * coils * length for line in flat):
            raise LucidError(f"{self.path}: has acquisitions with other than {coils} x {length} samples; mend the file")
        samples = np.stack(flat).view(np.complex64).reshape(len(flat), coils, length)
        return torch.from_numpy(samples[..., _used(heads[0])].copy())


def _used(head: Any) -> slice:
    """Samples that are not marked to be discarded."""
    return slice(int(head["discard_pre"]), int(head["number_of_samples"]) - int(head["discard_post"]))


def _measurement(heads: Heads, fetch: Fetch, header: Header, selection: Selection, path: Path) -> Measurement:
    is_noise = _flag(heads, NOISE)
    usable = ~is_noise & ~np.any([_flag(heads, flag) for flag in _LEFT_OUT], axis=0)
    space = heads["encoding_space_ref"]
    if int(space.max()) >= len(header.encodings):
        raise LucidError(
            f"{path}: has acquisitions of encoding {space.max()}, which its header lacks; replace the file"
        )
    is_calibration = _is_separate(heads, usable, header.encodings[0])
    imaging = np.flatnonzero(usable & ~is_calibration & (space == 0))
    if not len(imaging):
        raise LucidError(f"{path}: holds no imaging data, only calibration or noise; name the file of the scan itself")
    encoding = header.encodings[0]
    lines = select_lines(_lines(heads, imaging, encoding), selection, path)
    _check_alike(heads[lines.number], path)
    head = heads[lines.number[0]]
    found = sort_lines(lines, fetch, _grid(head, encoding, encoding.matrix), path)
    noise = _noise(heads, np.flatnonzero(is_noise), fetch, head, header.noise_bandwidth)
    return Measurement(
        found.kspace,
        found.acquired,
        noise=None if noise is None else noise / found.averages**0.5,
        calibration=_calibration(heads, np.flatnonzero(usable & is_calibration), fetch, header, found, path),
        alternating=lines.alternating,
        field_of_view_mm=encoding.cropped_mm,
        facts=header.facts,
        source=selection.source(path.name),
    )


def _flag(heads: Heads, number: int) -> NDArray[np.bool_]:
    return np.asarray(heads["flags"] & np.uint64(1 << number - 1) > 0)


def _is_separate(heads: Heads, usable: NDArray[np.bool_], encoding: Encoding) -> NDArray[np.bool_]:
    """Acquisitions of a calibration scan of its own; integrated calibration lines are part of the image's k-space."""
    both = _flag(heads, CALIBRATION_AND_IMAGING)
    only = _flag(heads, CALIBRATION) & ~both
    integrated = encoding.calibration == "embedded" or (not encoding.calibration and (both & usable).any())
    return only & (heads["encoding_space_ref"] > 0) if integrated else only


def _lines(heads: Heads, number: Counter, encoding: Encoding) -> Lines:
    index = heads["idx"][number]
    scan = [index[name].astype(np.int64) for name in SCAN_COUNTERS]
    return Lines(
        number=number,
        phase=index["kspace_encode_step_1"].astype(np.int64) - encoding.centre[1],
        slice=index["kspace_encode_step_2"].astype(np.int64) - encoding.centre[0],
        scan=np.stack(scan, axis=1),
        average=index["average"].astype(np.int64),
        reversed=_flag(heads[number], REVERSE),
    )


def _check_alike(heads: Heads, path: Path) -> None:
    for name in ("number_of_samples", "active_channels", "center_sample", "discard_pre", "discard_post"):
        if len(found := np.unique(heads[name])) > 1:
            raise LucidError(f"{path}: has readouts of different {name} ({found[0]}, {found[1]}); select fewer of them")


def _grid(head: Any, encoding: Encoding, matrix: tuple[int, int, int]) -> Grid:
    return Grid(
        matrix, encoding.samples(matrix[1]), int(head["center_sample"]) - int(head["discard_pre"]), encoding.ramp
    )


def _noise(
    heads: Heads, number: Counter, fetch: Fetch, head: Any, bandwidth: float
) -> Complex[Tensor, "coil sample"] | None:
    """Samples of the noise scan, scaled to the bandwidth of an image's readout.

    Noise power goes with the bandwidth, that is with 1 / dwell time; the receiver's filter takes the edges off that of
    the noise scan (Hansen and Kellman, J. Magn. Reson. Imaging 42:556, 2015).
    """
    number = number[heads["active_channels"][number] == head["active_channels"]]
    if not len(number):
        return None
    samples = torch.cat([fetch(number[index : index + 1])[0] for index in range(len(number))], dim=-1)
    dwell, noise_dwell = float(head["sample_time_us"]), float(heads["sample_time_us"][number[0]])
    known = dwell > 0.0 and noise_dwell > 0.0
    return samples * (noise_dwell / (dwell * bandwidth)) ** 0.5 if known and bandwidth > 0.0 else samples


def _calibration(
    heads: Heads, number: Counter, fetch: Fetch, header: Header, imaging: Sorted, path: Path
) -> Complex[Tensor, "scan coil slice_line freq_line phase_line"] | None:
    if not len(number):
        return None
    encoding = header.encodings[int(heads["encoding_space_ref"][number[0]])]
    if not encoding.covers_what(header.encodings[0]):
        return None
    head = heads[number[0]]
    _check_alike(heads[number], path)
    if head["active_channels"] != imaging.kspace.shape[1]:
        raise LucidError(f"{path}: calibrates {head['active_channels']} coils and images {imaging.kspace.shape[1]}")
    used = _used(head)
    length, centre = used.stop - used.start, int(head["center_sample"]) - used.start
    lines = _lines(heads, number, encoding)
    lines = replace(lines, phase=_about_dc(lines.phase), slice=_about_dc(lines.slice))
    grid = _grid(head, encoding, (1, max(2 * centre, 2 * (length - centre) - 1), 1))
    return calibration_of(imaging.scans, sort_lines(lines, fetch, grid, path), path)


def _about_dc(position: Counter) -> Counter:
    """Positions about DC: a calibration scan that counts its lines from 0 does not use the image's centre."""
    low, high = int(position.min()), int(position.max())
    return position if low <= 0 <= high else position - (low + high + 1) // 2
