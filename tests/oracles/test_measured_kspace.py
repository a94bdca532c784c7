"""The chain on a measured head against whole reconstructions of others, from the same samples.

Each implementation calibrates and estimates sensitivities by itself. What counts is how far the image is from that of
all samples: ours may be as much as 2 % farther.
"""

import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bart import bart, from_bart, needs_bart, read_cfl, to_bart
from lucidmr.degrade.apply import acquire
from lucidmr.physics.fourier import to_image
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.reconstruct.chain import reconstruct
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense, Unaliasing

pytestmark = pytest.mark.data
LINES, LAMBDA, WEIGHT = 24, 1e-3, 2e-3
"""Calibration lines, and the weights of Tikhonov and wavelets that are the scenario's own."""


@cache
def measured() -> Tensor:
    """k-space (coil, slice, freq, phase) of a head measured with eight coils, fully sampled."""
    if not (place := os.environ.get("LUCIDMR_DATA")):
        pytest.skip("LUCIDMR_DATA does not name the development data folder")
    return from_bart(read_cfl(Path(place) / "evaluate" / "raw" / "espirit-matlab_full").transpose(1, 2, 0, 3))


def magnitude(coils: Tensor) -> Tensor:
    return coils.norm(dim=0)


def error(image: Tensor) -> float:
    """NRMSE of a magnitude image over the head."""
    truth = magnitude(to_image(measured()))
    head = truth > 0.05 * truth.max()
    return float((image.abs() - truth)[head].norm() / truth[head].norm())


def sampling(undersampling=None, fraction: float = 1.0) -> Sampling:
    n_freq, n_phase = measured().shape[-2:]
    return Sampling(AxisSampling(n_freq), AxisSampling(n_phase, fraction, early=False), undersampling=undersampling)


def ours(which: Sampling, unaliasing: Unaliasing | None = None, **settings) -> float:
    how = Reconstruction(which.matrix, unaliasing, levels=65535, **settings)
    return error(reconstruct(acquire(measured(), which), how))


def check(compare, method: str, oracle: str, what: str, mine: float, theirs: float) -> None:
    compare(method, oracle, f"measured head, {what}: NRMSE / theirs - 1", mine / theirs - 1.0, 0.02)


def lattice(acceleration: float, integrated: bool = True) -> UniformUndersampling:
    return UniformUndersampling(acceleration, calibration=(1, LINES), integrated=integrated)


@pytest.mark.parametrize("acceleration", [2.0, 3.0])
def test_grappa_against_pygrappa(compare, acceleration) -> None:
    """Windows that hold the four lattice lines nearest to each gap, pygrappa's own lambda."""
    which = sampling(lattice(acceleration, integrated=False))
    acquired = acquire(measured(), which)
    with warnings.catch_warnings(action="ignore"):
        mdgrappa = pytest.importorskip("pygrappa").mdgrappa
        data, lines = (array[:, 0].numpy() for array in (acquired.kspace, acquired.calibration))
        filled = mdgrappa(data, lines, kernel_size=(5, 4 * int(acceleration) - 1), coil_axis=0)
    theirs = magnitude(to_image(torch.from_numpy(np.ascontiguousarray(filled).astype(np.complex64))[:, None]))
    check(compare, "GRAPPA", "pygrappa", f"R={acceleration:g}", ours(which, Grappa()), error(theirs))


@cache
def bart_maps(which: Sampling) -> np.ndarray:
    return bart(f"ecalib -m1 -r{LINES}:{LINES}:1", to_bart(acquire(measured(), which).kspace))


def bart_pics(which: Sampling, options: str) -> float:
    kspace = to_bart(acquire(measured(), which).kspace)
    return error(from_bart(bart(f"pics -S -w1 {options}", kspace, bart_maps(which)))[0])


def peak(kspace: Tensor, maps: Tensor) -> float:
    """max|E* y|, the unit of our regularization; the others' is that of the data."""
    return float((maps.conj() * to_image(kspace)).sum(0).abs().max())


@needs_bart
@pytest.mark.parametrize("acceleration", [2.0, 3.0])
def test_sense_against_bart(compare, acceleration) -> None:
    which = sampling(lattice(acceleration))
    theirs = bart_pics(which, f"-l2 -r{LAMBDA} -i30")
    check(compare, "SENSE", "BART pics", f"R={acceleration:g}", ours(which, Sense()), theirs)


@needs_bart
def test_wavelets_against_bart(compare) -> None:
    which = sampling(RandomUndersampling(4.0, (1, LINES)))
    weight = WEIGHT * peak(acquire(measured(), which).kspace, from_bart(bart_maps(which)))
    theirs = bart_pics(which, f"-i30 -R W:3:0:{weight}")
    check(compare, "compressed sensing", "BART pics", "wavelet R=4", ours(which, CompressedSensing()), theirs)


def sigpy_app(name: str, which: Sampling, weight: float) -> float:
    with warnings.catch_warnings(action="ignore"):
        app = pytest.importorskip("sigpy.mri.app")
        kspace = acquire(measured(), which).kspace
        data = kspace[:, 0].numpy()
        maps = app.EspiritCalib(data, calib_width=LINES, show_pbar=False).run()
        weight *= peak(kspace, torch.from_numpy(maps)[:, None]) if name == "L1WaveletRecon" else 1.0
        found = getattr(app, name)(data, maps, weight, max_iter=30, show_pbar=False).run()
    return error(torch.from_numpy(np.ascontiguousarray(found))[None])


@pytest.mark.parametrize("acceleration", [2.0, 3.0])
def test_sense_against_sigpy(compare, acceleration) -> None:
    which = sampling(lattice(acceleration))
    theirs = sigpy_app("SenseRecon", which, LAMBDA)
    check(compare, "SENSE", "SigPy", f"R={acceleration:g}", ours(which, Sense()), theirs)


def test_wavelets_against_sigpy(compare) -> None:
    which = sampling(RandomUndersampling(4.0, (1, LINES)))
    theirs = sigpy_app("L1WaveletRecon", which, WEIGHT)
    check(compare, "compressed sensing", "SigPy", "wavelet R=4", ours(which, CompressedSensing()), theirs)


@needs_bart
@pytest.mark.parametrize(("axis", "name"), [(0, "freq"), (1, "phase")])
def test_homodyne_against_bart(compare, axis, name) -> None:
    widths = measured().shape[-2:]
    bands = [AxisSampling(n, 0.75 if index == axis else 1.0, early=False) for index, n in enumerate(widths)]
    which = Sampling(*bands)
    fraction = bands[axis].samples / widths[axis]
    kspace = to_bart(acquire(measured(), which).kspace)
    theirs = error(magnitude(from_bart(bart(f"homodyne {axis} {fraction}", kspace))))
    mine = ours(which, partial_fourier=PartialFourierMethods("homodyne", "homodyne"))
    check(compare, "homodyne", "BART", f"6/8 along {name}", mine, theirs)
