"""GRAPPA against pygrappa, SENSE against BART and SigPy, on the analytic head with noise."""

import warnings
from functools import cache

import numpy as np
import pytest
import torch

from bart import bart, from_bart, needs_bart, to_bart
from lucidmr.physics.fourier import central_band, to_image
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.combine import sensitivity_weighted
from lucidmr.reconstruct.grappa import grappa, grappa_weights
from lucidmr.reconstruct.sense import sense
from parallel_scans import full_scan, nrmse
from properties import random_complex

MATRIX = (1, 96, 84)
LAMBDA = 0.01


@cache
def noisy_scan(acceleration, noise=0.005):
    """(truth, maps, undersampled k-space, mask, fully sampled k-space)."""
    image, maps, full = full_scan(8, MATRIX)
    full = full + noise * image.abs().max() * random_complex(*full.shape)
    plane = UniformUndersampling(phase=acceleration).pattern(torch.ones(1, MATRIX[2], dtype=torch.bool))
    mask = plane[:, None, :].expand(MATRIX)
    return image, maps, full * mask, mask, full


def noisy_lattice(acceleration):
    """(truth, maps, lattice samples alone, fully sampled k-space): both are to use these and nothing else."""
    truth, maps, kspace, _, full = noisy_scan(acceleration)
    return truth, maps, kspace * UniformUndersampling(phase=acceleration).lattice(1, MATRIX[2])[:, None, :], full


def our_grappa(kspace, calibration, acceleration):
    undersampling = UniformUndersampling(phase=acceleration)
    mask = undersampling.lattice(1, MATRIX[2])[:, None, :].expand(MATRIX)
    return grappa(kspace, mask, grappa_weights(calibration, undersampling, (1, 5, 4), LAMBDA))


def their_grappa(module, kspace, calibration, acceleration):
    """pygrappa with a window that holds the four lattice lines nearest to each gap."""
    with warnings.catch_warnings(action="ignore"):
        solve = getattr(pytest.importorskip("pygrappa"), module)
        found = solve(
            kspace[:, 0].numpy(),
            calibration[:, 0].numpy(),
            kernel_size=(5, 4 * int(acceleration) - 1),
            coil_axis=0,
            lamda=LAMBDA * frobenius_ratio(calibration, acceleration),
        )
    return torch.from_numpy(np.ascontiguousarray(found).astype(np.complex64))[:, None]


def frobenius_ratio(calibration, acceleration):
    """pygrappa's lambda multiplies |G| / n (Frobenius norm) of its n sources, ours trace(G) / n."""
    step = int(acceleration)
    windows = calibration[:, 0].unfold(1, 5, 1).unfold(2, 3 * step + 1, 1)[..., ::step]
    sources = windows.permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1)
    gram = sources.mH @ sources
    return float(gram.diagonal().real.sum() / gram.norm())


@pytest.mark.parametrize("module", ["grappa", "mdgrappa"])
@pytest.mark.parametrize("acceleration", [2.0, 3.0])
@pytest.mark.parametrize("lines", [24, MATRIX[2]])
def test_grappa(compare, module, acceleration, lines):
    """Same window, same lambda, same equations: pygrappa fits beyond the calibration lines too, to zeros.

    At the rim of the matrix it has kernels of fewer sources, which is most of the difference.
    """
    truth, maps, kspace, full = noisy_lattice(acceleration)
    calibration = full[..., slice(*central_band(MATRIX[2], lines))]
    theirs = their_grappa(module, kspace, calibration, acceleration)
    margin = 2 * int(acceleration) - 1
    padded = torch.nn.functional.pad(calibration, (margin, margin, 2, 2))
    ours, plain = (our_grappa(kspace, block, acceleration) for block in (padded, calibration))
    errors = [nrmse(sensitivity_weighted(to_image(filled), maps), truth) for filled in (ours, theirs, plain)]
    row, what = ("GRAPPA", f"pygrappa.{module}"), f"R={acceleration:g}, {lines} lines"
    compare(*row, f"{what}: k-space difference", nrmse(ours, theirs), 0.03)
    compare(*row, f"{what}: NRMSE, |ratio - 1|", abs(errors[0] / errors[1] - 1), 0.02)
    compare(*row, f"{what}: NRMSE without zeros, ratio - 1", errors[2] / errors[1] - 1, 0.1)


@needs_bart
@pytest.mark.parametrize("acceleration", [2.0, 2.5, 3.0])
def test_sense_bart(compare, acceleration):
    _, maps, kspace, _, _ = noisy_scan(acceleration)
    pics = bart(f"pics -S -l2 -r{LAMBDA} -i100 -w1", to_bart(kspace), to_bart(maps))
    theirs = from_bart(pics)[0]
    check_sense(compare, "BART pics", acceleration, theirs)


@pytest.mark.parametrize("acceleration", [2.0, 2.5, 3.0])
def test_sense_sigpy(compare, acceleration):
    with warnings.catch_warnings(action="ignore"):
        app = pytest.importorskip("sigpy.mri.app")
        _, maps, kspace, mask, _ = noisy_scan(acceleration)
        weights = mask[0].numpy().astype(np.float32)
        data, coils = kspace[:, 0].numpy(), maps[:, 0].numpy()
        found = app.SenseRecon(data, coils, LAMBDA, weights, max_iter=100, show_pbar=False).run()
    check_sense(compare, "SigPy SenseRecon", acceleration, torch.from_numpy(np.ascontiguousarray(found))[None])


def check_sense(compare, oracle, acceleration, theirs):
    truth, maps, kspace, mask, _ = noisy_scan(acceleration)
    ours = sense(kspace, maps, mask, LAMBDA, 100, 1e-6)
    compare("SENSE", oracle, f"R={acceleration:g}: relative difference", nrmse(ours, theirs), 1e-3)
    errors = [nrmse(image, truth) for image in (ours, theirs)]
    compare("SENSE", oracle, f"R={acceleration:g}: NRMSE to truth, |ratio - 1|", abs(errors[0] / errors[1] - 1), 0.02)
