"""Compressed sensing against BART and SigPy: same data, maps, regularization and number of iterations."""

import pytest
import torch

from bart import bart, from_bart, needs_bart, to_bart
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.solvers import total_variation
from lucidmr.physics.undersampling import RandomUndersampling
from lucidmr.physics.wavelets import wavelet_transform
from lucidmr.reconstruct.compressed_sensing import compressed_sensing
from properties import random_complex, seeded

N, COILS, ITERATIONS = 128, 8, 30
WEIGHTS = [5e-4, 2e-3, 1e-2]
PRIORS = {"wavelet": "W:3:0", "total_variation": "T:3:0"}


def scan(n_slice=1, n=N, factor=4.0):
    """An anatomy-like head (in 3D the same in every partition of the middle half), maps, noisy random samples, mask."""
    pattern = RandomUndersampling(factor, (max(1, n_slice // 4), 16))
    mask = sampling_mask(Sampling(AxisSampling(n), AxisSampling(n), AxisSampling(n_slice), undersampling=pattern))
    middle = (torch.arange(n_slice) - n_slice // 2).abs() <= n_slice // 4
    truth = image(anatomy_phantom(), n, n) * middle[:, None, None]
    maps = loop_array_maps(COILS, (n_slice, n, n), seeded(1))
    clean = to_kspace(maps * truth)
    return truth, maps, (clean + 0.01 * random_complex(*clean.shape)) * mask, mask


def peak(kspace, maps):
    """max|E* y|, the unit of the regularization; BART's and SigPy's is that of the data."""
    return float((maps.conj() * to_image(kspace)).sum(0).abs().max())


def objective(found, kspace, maps, mask, prior, weight):
    penalty = wavelet_transform(found).abs() if prior == "wavelet" else total_variation(found)
    residual = mask * to_kspace(maps * found) - kspace
    return float(residual.norm() ** 2 / 2 + weight * peak(kspace, maps) * penalty.sum())


def error(found, truth):
    return float((found - truth).norm() / truth.norm())


def compare_results(compare, oracle, label, ours, theirs):
    """Each of ours and theirs is (objective, error)."""
    for measure, value, reference, bound in zip(("objective", "error"), ours, theirs, (0.01, 0.02), strict=True):
        compare("compressed sensing", oracle, f"{measure} / theirs - 1, {label}", value / reference - 1, bound)


def bart_pics(kspace, maps, regularization, weight, iterations=ITERATIONS):
    """Without BART's own scaling of the data (-w 1)."""
    command = f"pics -S -w1 -i{iterations} -R {regularization}:{weight * peak(kspace, maps)}"
    return from_bart(bart(command, to_bart(kspace), to_bart(maps)))[0]


@needs_bart
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_bart(compare, prior, weight):
    truth, maps, kspace, mask = scan()
    ours = compressed_sensing(kspace, maps, mask, prior, weight, ITERATIONS)
    theirs = bart_pics(kspace, maps, PRIORS[prior], weight)
    results = ((objective(found, kspace, maps, mask, prior, weight), error(found, truth)) for found in (ours, theirs))
    compare_results(compare, "BART pics", f"{prior} {weight:g}", *results)


@needs_bart
def test_bart_converges_to_the_same_total_variation_image(compare):
    """Nearly: its last thousands of iterations change nothing, with an objective 1 % above ours."""
    truth, maps, kspace, mask = scan(n=64, factor=2.5)
    ours = compressed_sensing(kspace, maps, mask, "total_variation", 5e-3, 300)
    theirs = bart_pics(kspace, maps, "T:3:0", 5e-3, 1000)
    compare("compressed sensing", "BART pics", "converged total variation, NRMSE", error(ours, theirs), 0.03)
    assert error(ours, truth) < 0.2


@needs_bart
def test_bart_in_three_dimensions(compare):
    truth, maps, kspace, mask = scan(32, 48, 5.0)
    ours = compressed_sensing(kspace, maps, mask, "wavelet", 2e-3, ITERATIONS)
    theirs = bart_pics(kspace, maps, "W:7:0", 2e-3)
    excess = error(ours, truth) / error(theirs, truth) - 1
    compare("compressed sensing", "BART pics", "error / theirs - 1, wavelet 3D", excess, 0.02)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(("prior", "name"), [("wavelet", "L1WaveletRecon"), ("total_variation", "TotalVariationRecon")])
def test_sigpy(compare, prior, name):
    app = pytest.importorskip("sigpy.mri.app")
    truth, maps, kspace, mask = scan()
    weight = 2e-3
    ours = compressed_sensing(kspace, maps, mask, prior, weight, ITERATIONS)
    run = getattr(app, name)(
        kspace[:, 0].numpy(), maps[:, 0].numpy(), weight * peak(kspace, maps), max_iter=ITERATIONS, show_pbar=False
    ).run()
    theirs = torch.from_numpy(run)[None]
    results = ((objective(found, kspace, maps, mask, prior, weight), error(found, truth)) for found in (ours, theirs))
    compare_results(compare, "SigPy", prior, *results)
