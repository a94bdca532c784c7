"""Write raw data in the formats of scanners and toolboxes, as small as they can be."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.physics.fourier import FREQ, central_band, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import EVERYTHING, Selection
from properties import seeded
from scans import disc_scan


def failure(path: Path, selection: Selection = EVERYTHING) -> str:
    """What is said of a file that cannot be read: one line that begins with its name."""
    with pytest.raises(LucidError) as caught:
        read_raw(path, selection)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def close(first: Tensor, second: Tensor) -> None:
    """Equal to float rounding."""
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5 * float(second.abs().max()))


FACTS = {
    "acquisitionSystemInformation": {
        "systemVendor": "Maker",
        "systemModel": "One",
        "systemFieldStrength_T": 1.5,
        "relativeReceiverNoiseBandwidth": 0.8,
    },
    "subjectInformation": {"patientID": "subject-7"},
    "studyInformation": {"bodyPartExamined": "KNEE"},
    "measurementInformation": {"protocolName": "T1 sag"},
}


def slices(n: int = 3, coils: int = 2, matrix: tuple[int, int] = (24, 20)) -> Tensor:
    """k-space (scan, coil, slice, freq, phase) of 2D slices of a disc, none like the other."""
    disc = disc_scan(matrix, coils).kspace
    return torch.stack(
        [disc * (index + 1) + complex_noise(tuple(disc.shape), 0.05, seeded(index)) for index in range(n)]
    )


def volume(coils: int = 2, matrix: tuple[int, int, int] = (6, 24, 20)) -> Tensor:
    """k-space (scan, coil, slice, freq, phase) of one 3D volume."""
    return complex_noise((1, coils, *matrix), 1.0, seeded(5))


def oversampled(kspace: Tensor, factor: int = 2) -> Tensor:
    """The same object measured over a longer field of view along freq, with nothing in what is added."""
    image = to_image(kspace, (FREQ,))
    n = kspace.shape[FREQ]
    start, stop = central_band(factor * n, n)
    return to_kspace(torch.nn.functional.pad(image, (0, 0, start, factor * n - stop)), (FREQ,))


COUNTERS = (
    "kspace_encode_step_1",
    "kspace_encode_step_2",
    "average",
    "slice",
    "contrast",
    "phase",
    "repetition",
    "set",
)
_INDEX = np.dtype([(name, "<u2") for name in (*COUNTERS, "segment")] + [("user", "<u2", (8,))])
_HEAD = np.dtype(
    [
        ("version", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("scan_counter", "<u4"),
        ("number_of_samples", "<u2"),
        ("available_channels", "<u2"),
        ("active_channels", "<u2"),
        ("discard_pre", "<u2"),
        ("discard_post", "<u2"),
        ("center_sample", "<u2"),
        ("encoding_space_ref", "<u2"),
        ("trajectory_dimensions", "<u2"),
        ("sample_time_us", "<f4"),
        ("idx", _INDEX),
    ]
)
_ACQUISITION = np.dtype([("head", _HEAD), ("traj", h5py.vlen_dtype("<f4")), ("data", h5py.vlen_dtype("<f4"))])


@dataclass(frozen=True)
class Acquisition:
    """One readout: (coil, sample) samples, flags by their numbers, and entries of its header or its counters."""

    samples: Tensor
    flags: tuple[int, ...] = ()
    entries: dict[str, float] | None = None


def readouts(kspace: Tensor, *flags: int, **entries: float) -> Iterator[Acquisition]:
    """Every line of (scan, coil, slice, freq, phase) that holds something, scan by scan."""
    n_scan, _, n_slice, n_freq, n_phase = kspace.shape
    for scan in range(n_scan):
        for partition in range(n_slice):
            for line in range(n_phase):
                samples = kspace[scan, :, partition, :, line]
                if samples.abs().sum() > 0:
                    where = {"slice": scan, "kspace_encode_step_2": partition, "kspace_encode_step_1": line}
                    defaults = {"center_sample": n_freq // 2, "sample_time_us": 5.0}
                    yield Acquisition(samples, flags, {**defaults, **where, **entries})


def write_ismrmrd(path: Path, acquisitions: list[Acquisition], xml: str | None) -> Path:
    records = np.zeros(len(acquisitions), _ACQUISITION)
    for record, acquisition in zip(records, acquisitions, strict=True):
        head = record["head"]
        head["active_channels"], head["number_of_samples"] = acquisition.samples.shape
        head["flags"] = sum(1 << (flag - 1) for flag in acquisition.flags)
        for name, value in (acquisition.entries or {}).items():
            (head["idx"] if name in COUNTERS else head)[name] = value
        record["data"] = torch.view_as_real(acquisition.samples.contiguous()).flatten().numpy()
        record["traj"] = np.zeros(0, np.float32)
    with h5py.File(path, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("data", data=records, maxshape=(None,), chunks=(16,))
        if xml is not None:
            group.create_dataset("xml", data=np.array([xml.encode()], dtype=h5py.special_dtype(vlen=bytes)))
    return path


def ismrmrd_xml(matrix: tuple[int, ...], factor: int = 1, encoding: dict | None = None, encodings: int = 1) -> str:
    """A header for a (slice, freq, phase) matrix measured with readout oversampling; pixels of 2 x 2 x 3 mm."""
    n_slice, n_freq, n_phase = matrix[-3:]
    described = {
        "trajectory": "cartesian",
        "encodedSpace": _space(n_freq * factor, n_phase, n_slice),
        "reconSpace": _space(n_freq, n_phase, n_slice),
        **(encoding or {}),
    }
    content = _xml(FACTS) + encodings * _xml({"encoding": described})
    return f'<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">{content}</ismrmrdHeader>'


def _space(x: int, y: int, z: int) -> dict:
    return {"matrixSize": {"x": x, "y": y, "z": z}, "fieldOfView_mm": {"x": 2.0 * x, "y": 2.0 * y, "z": 3.0 * z}}


def _xml(node: dict | object) -> str:
    if not isinstance(node, dict):
        return str(node)
    return "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in node.items())


def write_fastmri(path: Path, kspace: Tensor, xml: str | None, mask: Tensor | None = None) -> Path:
    """(scan, coil, freq, phase) or (scan, freq, phase) k-space."""
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace.numpy()
        if xml is not None:
            file["ismrmrd_header"] = xml.encode()
        if mask is not None:
            file["mask"] = mask.numpy()
        file.attrs.update({"patient_id": "subject-9", "acquisition": "CORPD_FBK"})
    return path


def write_ra(path: Path, array: np.ndarray, kind: int = 4, sizes: tuple[int, ...] | None = None) -> Path:
    sizes = sizes or array.shape
    n_bytes = int(np.prod(sizes, dtype=object)) * array.dtype.itemsize % 2**64
    header = struct.pack(f"<8s5Q{len(sizes)}Q", b"rawarray", 0, kind, array.dtype.itemsize, n_bytes, len(sizes), *sizes)
    path.write_bytes(header + array.ravel(order="F").tobytes())
    return path


def write_matlab_hdf5(path: Path, **arrays: np.ndarray) -> Path:
    """As MATLAB 7.3 does: axes reversed, complex numbers in pairs."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            pairs = np.empty(array.T.shape, [("real", array.real.dtype), ("imag", array.real.dtype)])
            pairs["real"], pairs["imag"] = array.T.real, array.T.imag
            file[name.replace("__", "/")] = pairs
            file[name.replace("__", "/")].attrs["MATLAB_class"] = np.bytes_("single")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    return path
