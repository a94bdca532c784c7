"""Asks other DICOM software what is wrong with a file or a series: dicom3tools, dcm2niix.

A scanner's own files have errors, so only those that a derived file adds count.
"""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ONLY_ORIGINAL = re.compile(r"present when condition unsatisfied.*Module=<(MRPulseSequence|BulkMotion\w*)>")
"""Scanners' own derived multi-frame images keep these attributes too: readers need them (MRAcquisitionType)."""


def new_errors(source: Path, derived: Path) -> list[str]:
    """The errors of a derived file that its source does not have."""
    return sorted(_errors(derived) - _errors(source))


def entity_errors(paths: Sequence[Path]) -> list[str]:
    """What the files of a series contradict each other in (dcentvfy)."""
    run = _run("dcentvfy", *map(str, paths))
    return [line for line in run.splitlines() if line.startswith("Error")]


def volumes(paths: Sequence[Path]) -> list[NDArray[np.float64]]:
    """Where dcm2niix puts the volumes of a series, in the order of their names.

    Returns:
        The outer corners next to the origin, 4 x 3, in mm: first, end of each axis.
    """
    import nibabel

    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as converted:
        for index, path in enumerate(paths):
            (Path(source) / f"{index:05d}.dcm").symlink_to(path.resolve())
        _run("dcm2niix", "-b", "n", "-f", "%p_%e_%j", "-o", converted, source)
        images = [nibabel.load(path) for path in sorted(Path(converted).glob("*.nii*"))]
        return [_corners(image.shape, image.affine) for image in images]


def _corners(shape: Sequence[int], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.array([*shape, 1][:3], float)
    corners = np.vstack([np.zeros(3), np.diag(sides)]) - 0.5
    return corners @ affine[:3, :3].T + affine[:3, 3]


def _errors(path: Path) -> set[str]:
    """The errors dciodvfy finds, without those that merely quote an odd UID of the source (it must be referenced)."""
    lines = {line for line in _run("dciodvfy", str(path)).splitlines() if line.startswith("Error")}
    return {line for line in lines if not _ONLY_ORIGINAL.search(line) and "Referenced SOP Instance UID" not in line}


def _run(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return run.stdout + run.stderr
