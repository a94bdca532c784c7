"""Raw files and corpora made on the fly."""

from pathlib import Path

import numpy as np

from lucidmr.corpus.add import Adding
from lucidmr.raw.selection import Selection
from measurements import measurement

AXES = "scan,coil,freq,phase"


def raw_file(path: Path, scans: int = 2, coils: int = 3, snr: float = 30.0, size: int = 72) -> Path:
    """A NumPy file of a noisy 2D measurement."""
    kspace = measurement((1, size, size), coils, scans, snr).kspace[:, :, 0]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, kspace.numpy())
    return path


def adding(folder: Path, **settings) -> Adding:
    """How such files are added."""
    return Adding(folder, selection=Selection(axes=AXES), **settings)
