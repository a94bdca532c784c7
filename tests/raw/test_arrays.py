"""Plain arrays: NumPy, MATLAB and BART files with named axes."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from bart import write_cfl
from lucidmr.errors import LucidError
from lucidmr.physics.fourier import to_image
from lucidmr.raw.read import read_raw
from lucidmr.raw.selection import EVERYTHING, Selection
from raw_files import close, slices, volume, write_matlab_hdf5, write_ra

AXES = "phase,freq,scan,coil"


def failure(path: Path, selection: Selection = EVERYTHING) -> str:
    with pytest.raises(LucidError) as caught:
        read_raw(path, selection)
    message = str(caught.value)
    assert message.startswith(str(path.parent))
    assert "\n" not in message
    return message


def barts(kspace: torch.Tensor) -> np.ndarray:
    """In BART's order of dimensions."""
    array = kspace.numpy().transpose(3, 4, 2, 1, 0)
    return array.reshape(*array.shape[:4], *[1] * 9, array.shape[4])


def write(path: Path, kspace: torch.Tensor) -> Path:
    """2D k-space with the axes of :data:`AXES`, in the format of the path's name."""
    array = np.ascontiguousarray(kspace[:, :, 0].numpy().transpose(3, 2, 0, 1))
    match path.name:
        case "a.npy":
            np.save(path, array)
        case "a.npz":
            np.savez_compressed(path, raw=array, other=np.zeros(3))
        case "v5.mat":
            scipy.io.savemat(path, {"raw": array, "mask": np.ones((4, 4))}, do_compression=True)
        case "v6.mat":
            scipy.io.savemat(path, {"raw": array})
        case "v73.mat":
            write_matlab_hdf5(path, raw=array)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "v5.mat", "v6.mat", "v73.mat"])
def test_round_trip_with_named_axes(tmp_path: Path, name: str) -> None:
    kspace = slices()
    path = write(tmp_path / name, kspace)
    found = read_raw(path, Selection(axes=AXES))
    close(found.kspace, kspace)
    assert found.acquired.all()
    assert found.source == f"{name}[axes={AXES}]"
    close(read_raw(path, Selection(axes=AXES, slices=(1,))).kspace, kspace[1:2])
    close(
        read_raw(path, Selection(axes=AXES.replace("scan", "slice"))).kspace, kspace[:, :, 0].permute(1, 0, 2, 3)[None]
    )
    assert "its shape" not in failure(path)
    assert "(20, 24, 3, 2); name its axes in that order" in failure(path)
    assert "has no scan 7; there are 3" in failure(path, Selection(axes=AXES, slices=(7,)))


@pytest.mark.parametrize("kspace", [slices(), volume()], ids=["2D", "3D"])
@pytest.mark.parametrize("kind", ["cfl", "hdr", "ra"])
def test_round_trip_in_barts_order(tmp_path: Path, kind: str, kspace: torch.Tensor) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "ra":
        write_ra(path, barts(kspace))
    else:
        write_cfl(path, barts(kspace))
    close(read_raw(path).kspace, kspace)


@pytest.mark.parametrize("kind", ["cfl", "ra"])
def test_barts_order_can_be_overruled(tmp_path: Path, kind: str) -> None:
    kspace = slices(1)
    path = tmp_path / f"a.{kind}"
    array = kspace[0, :, 0].numpy().transpose(1, 2, 0)[None, ..., None]
    (write_ra if kind == "ra" else write_cfl)(path, array)
    assert "leaves no image" in failure(path)
    close(read_raw(path, Selection(axes="slice,freq,phase,coil")).kspace, kspace)


def test_two_axes_need_no_names_and_images_become_kspace(tmp_path: Path) -> None:
    kspace = slices(1, coils=1)
    path = tmp_path / "a.npy"
    np.save(path, to_image(kspace)[0, 0, 0].numpy().astype(np.complex128))
    found = read_raw(path, Selection(domain="image"))
    close(found.kspace, kspace)
    assert found.acquired.all()


def test_structures_averages_and_contrasts(tmp_path: Path) -> None:
    """Averages that measured different lines count where they did."""
    kspace = slices(1)[0, 0, 0]
    both = torch.stack([kspace * 2, kspace * 4])
    both[0, :, :5] = 0
    both[:, :, 7] = 0
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"scan": {"raw": torch.stack([both, 3 * both], -1).numpy(), "TE": 2.0}})
    selection = Selection(variable="scan.raw", axes="average,freq,phase,contrast", contrast=1)
    expected = 9 * kspace
    expected[:, :5] = 12 * kspace[:, :5]
    expected[:, 7] = 0
    found = read_raw(path, selection)
    close(found.kspace[0, 0, 0], expected)
    assert torch.equal(found.acquired[0, 0], expected != 0)
    write_matlab_hdf5(path, scan__raw=torch.stack([both, 3 * both], -1).numpy())
    close(read_raw(path, selection).kspace[0, 0, 0], expected)
    everything = Selection(axes="average,freq,phase,contrast", averages=1)
    close(read_raw(path, everything).kspace[:, 0, 0], torch.stack([both[1], 3 * both[1]]))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("coil,freq", "name its axes in that order"),
        ("coil,readout,phase", "axes names 'readout'; the names are average"),
        ("coil,coil,phase", "must name freq and phase, and each axis once"),
        ("coil,slice,phase", "must name freq and phase, and each axis once"),
    ],
)
def test_axes_that_do_not_fit_are_told(tmp_path: Path, axes: str, message: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 8, 8), np.complex64))
    assert message in failure(path, Selection(axes=axes))


def test_several_arrays_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, one=np.ones((8, 8), np.complex64), two=np.ones((9, 8), np.complex64))
    assert "holds one complex64 (8, 8), two complex64 (9, 8); name the one" in failure(path)
    assert read_raw(path, Selection(variable="two")).kspace.shape == (1, 1, 1, 9, 8)
    assert "name the one" in failure(path, Selection(variable="three"))
    np.save(tmp_path / "b.npy", np.ones((8, 8), np.complex64))
    assert "leave variable out" in failure(tmp_path / "b.npy", Selection(variable="one"))


@pytest.mark.parametrize(
    "array",
    [np.ones((8, 8)), np.ones((8, 8), np.int16), np.full((8, 8), "text"), np.ones((8, 8), [("a", "f4"), ("b", "f4")])],
    ids=["real", "integer", "text", "record"],
)
def test_unsupported_types_are_told(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    assert "complex numbers are needed" in failure(path)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    assert "cannot be read as NumPy" in failure(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_not_finite_are_told(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.npy"
    with np.errstate(all="ignore"):
        np.save(path, np.full((8, 8), value + 0j))
        assert "not finite" in failure(path)


@pytest.mark.parametrize("shape", [(0, 8, 8), (2, 0, 8), (2, 8, 1)])
def test_empty_axes_are_told(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones(shape, np.complex64))
    assert "leaves no image" in failure(path, Selection(axes="coil,freq,phase"))


def header(shape: str) -> bytes:
    text = f"{{'descr': '<c8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("shape", ["(1000000, 1000000)", "(-8, -8)", "(4611686018427387904, 8)"])
def test_numpy_headers_that_ask_for_more_than_is_there(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(header(shape) + bytes(512))
    assert failure(path)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("raw.npy", header(shape) + bytes(512))
    assert failure(path)


def test_bombs_are_told(tmp_path: Path) -> None:
    zeros = np.zeros((4096, 1024), np.complex64)
    np.savez_compressed(tmp_path / "a.npz", raw=zeros)
    assert "are there to fill them" in failure(tmp_path / "a.npz")
    scipy.io.savemat(tmp_path / "a.mat", {"raw": zeros}, do_compression=True)
    assert "are there to fill them" in failure(tmp_path / "a.mat")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "v5.mat", "v6.mat", "v73.mat"])
def test_truncated_files_are_told(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, slices())
    content = path.read_bytes()
    for share in (0.02, 0.4, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        assert failure(path, Selection(axes=AXES))


def test_cfl_that_does_not_fit_its_header_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.cfl"
    write_cfl(path, barts(slices()))
    content = path.read_bytes()
    path.write_bytes(content[:-8])
    assert f"holds {len(content) - 8} bytes of samples and its header asks for {len(content)}" in failure(path)
    path.write_bytes(b"")
    assert "is empty" in failure(path)
    path.write_bytes(content)
    for line in ("24 -20 2", "a text", "", "24 20.5"):
        path.with_suffix(".hdr").write_text(f"# Dimensions\n{line}\n")
        assert "has no line of dimensions, each a positive number" in failure(path)
    path.with_suffix(".hdr").write_text("# Dimensions\n99999999999999999999 9999999999\n")
    assert "its header asks for" in failure(path)
    path.with_suffix(".hdr").write_text("# Dimensions\n24 20 0 6\n")
    assert "its header asks for 0" in failure(path)
    path.with_suffix(".hdr").unlink()
    assert "no such file; .cfl and .hdr belong together" in failure(path)


def test_dimensions_that_kspace_does_not_have_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.cfl"
    write_cfl(path, np.ones((8, 8, 1, 2, 3), np.complex64))
    assert "has dimensions [8, 8, 1, 2, 3], more than BART's of k-space" in failure(path)


def test_damaged_rawarray_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.ra"
    array = np.ones((8, 8), np.complex64)
    content = write_ra(path, array).read_bytes()
    path.write_bytes(content[:-8])
    assert "holds 504 bytes of samples and its header asks for 512" in failure(path)
    path.write_bytes(content[:30])
    assert "cannot be read as RawArray" in failure(path)
    write_ra(path, array, sizes=(2**40, 2**40))
    assert "these differ" in failure(path)
    write_ra(path, array.real)
    assert "holds elements of type 4, 4 bytes" in failure(path)
    path.write_bytes(content[:40] + struct.pack("<Q", 10**9) + content[48:])
    assert "gives 1000000000 dimensions" in failure(path)
