"""BART, the Berkeley Advanced Reconstruction Toolbox, as an oracle: called as a program, with its own files."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from torch import Tensor

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed (Debian package bart)")


def to_bart(kspace: Tensor) -> np.ndarray:
    """(coil, slice, freq, phase) to BART's order (readout, phase 1, phase 2, coil)."""
    return kspace.detach().cpu().numpy().transpose(2, 3, 1, 0)


def from_bart(array: np.ndarray) -> Tensor:
    """BART's (readout, phase 1, phase 2, coil) to (coil, slice, freq, phase); a missing coil axis counts as one."""
    full = array.reshape(array.shape + (1,) * (4 - array.ndim))
    return torch.from_numpy(np.ascontiguousarray(full.transpose(3, 2, 0, 1)))


def bart(command: str, *inputs: np.ndarray) -> np.ndarray:
    """Run ``bart COMMAND inputs... output`` and read the output; trailing axes of length 1 are dropped."""
    with TemporaryDirectory() as folder:
        names = [str(Path(folder) / f"in{index}") for index in range(len(inputs))]
        for name, array in zip(names, inputs, strict=True):
            write_cfl(Path(name), array)
        output = Path(folder) / "out"
        call = ["bart", *command.split(), *names, str(output)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(call)}: {done.stdout} {done.stderr}"
        return read_cfl(output)


def write_cfl(path: Path, array: np.ndarray) -> None:
    sizes = list(array.shape) + [1] * (16 - array.ndim)
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, sizes)) + "\n")
    array.astype(np.complex64).ravel(order="F").tofile(path.with_suffix(".cfl"))


def read_cfl(path: Path) -> np.ndarray:
    sizes = [int(size) for size in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    return np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(sizes, order="F")
