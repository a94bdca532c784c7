"""ESPIRiT against SigPy and BART, on a simulated scan, a simulated volume and a measured one."""

import os
import warnings
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bart import bart, from_bart, needs_bart, read_cfl, to_bart
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.sensitivities import espirit_eigenmaps
from properties import seeded

N_COILS, SIDE, LINES = 8, 96, 24
THRESHOLD = 0.02


@cache
def simulated(n_slice: int, side: int) -> Tensor:
    """k-space of the head phantom, a cylinder of it in 3D, from pixels of half the size; noise of 1 %."""
    fine = image(anatomy_phantom(), 2 * side, 2 * side).reshape(1, 2 * side, 2 * side)
    inside = (torch.arange(n_slice) - n_slice // 2).abs() <= n_slice // 3
    maps = loop_array_maps(N_COILS, (n_slice, 2 * side, 2 * side), seeded(3))
    kspace = resize_kspace(to_kspace(maps * fine * inside[:, None, None]), (n_slice, side, side))
    return kspace + complex_noise(tuple(kspace.shape), 0.01, seeded(4))


@cache
def measured() -> Tensor:
    """A head measured with eight coils."""
    if not (place := os.environ.get("LUCIDMR_DATA")):
        pytest.skip("LUCIDMR_DATA does not name the development data folder")
    raw = read_cfl(Path(place) / "evaluate" / "raw" / "espirit-matlab_full")
    return from_bart(raw.transpose(1, 2, 0, 3))


def ours(kspace: Tensor, lines: tuple[int, int, int], kernel: int) -> tuple[Tensor, Tensor]:
    """All maps, and where there is enough signal for them to mean something."""
    matrix = (kspace.shape[-3], kspace.shape[-2], kspace.shape[-1])
    maps, _ = espirit_eigenmaps(resize_kspace(kspace, lines), matrix, kernel, THRESHOLD)
    signal = to_image(kspace).abs().square().sum(-4).sqrt()
    return maps, signal > 0.1 * signal.max()


def difference(maps: Tensor, oracle: Tensor, where: Tensor) -> float:
    """The 95th percentile of |difference| over the pixels of a region, each pixel's common phase taken out.

    The other pixels are those at the rim whose second eigenvalue comes close to the first: BART's iteration stops
    before it has told the two apart.
    """
    found, wanted = maps[:, where], oracle[:, where]
    return float(percentile(found - wanted * torch.sgn((wanted.conj() * found).sum(0))))


def percentile(differences: Tensor) -> Tensor:
    return differences.abs().square().sum(0).sqrt().quantile(0.95)


def by_sigpy(kspace: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """SigPy's maps and eigenvalues; it calibrates on a cube, and sees a single partition as a 2D scan."""
    pytest.importorskip("sigpy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sigpy.mri.app import EspiritCalib

        squeezed = kspace.squeeze(-3).numpy()
        settings = {"calib_width": LINES, "thresh": THRESHOLD, "kernel_width": kernel, "crop": 0.0}
        maps, values = EspiritCalib(squeezed, **settings, output_eigenvalue=True, show_pbar=False).run()
    return torch.from_numpy(maps).reshape(kspace.shape), torch.from_numpy(values.squeeze()).reshape(kspace.shape[1:])


def by_bart(kspace: Tensor, lines: tuple[int, int, int], kernel: int) -> Tensor:
    """BART's maps. Its threshold is one of squared singular values."""
    n_slice, n_freq, n_phase = lines
    k_slice = kernel if n_slice > 1 else 1
    region = f"-r{n_freq}:{n_phase}:{n_slice} -k{kernel}:{kernel}:{k_slice}"
    return from_bart(bart(f"ecalib -m1 -c0 -t{THRESHOLD**2:g} {region}", to_bart(kspace)))


@pytest.mark.parametrize("source", ["simulated", "measured"])
def test_espirit_against_sigpy(source, compare) -> None:
    kspace = simulated(1, SIDE) if source == "simulated" else measured()
    maps, body = ours(kspace, (1, LINES, LINES), 6)
    oracle, _ = by_sigpy(kspace, 6)
    compare("ESPIRiT 2D", "SigPy", f"{source}: difference of maps", difference(maps, oracle, body), 1e-5)


def test_espirit_eigenvalues_against_sigpy(compare) -> None:
    kspace = simulated(1, SIDE)
    _, values = espirit_eigenmaps(resize_kspace(kspace, (1, LINES, LINES)), (1, SIDE, SIDE), 6, THRESHOLD)
    _, oracle = by_sigpy(kspace, 6)
    compare("ESPIRiT 2D", "SigPy", "largest difference of eigenvalues", float((values - oracle).abs().max()), 2e-3)


@needs_bart
@pytest.mark.parametrize("source", ["simulated", "measured"])
def test_espirit_against_bart(source, compare) -> None:
    kspace = simulated(1, SIDE) if source == "simulated" else measured()
    maps, body = ours(kspace, (1, LINES, LINES), 6)
    oracle = by_bart(kspace, (1, LINES, LINES), 6)
    compare("ESPIRiT 2D", "BART", f"{source}: difference of maps", difference(maps, oracle, body), 5e-3)
    # Both take the phase relative to the combination of coils with the most energy, up to one constant.
    found, wanted = maps[:, body], oracle[:, body]
    aligned = found - wanted * torch.sgn((wanted.conj() * found).sum())
    compare("ESPIRiT 2D", "BART", f"{source}: difference, phase included", float(percentile(aligned)), 5e-3)


@needs_bart
def test_espirit_in_3d_against_bart(compare) -> None:
    kspace, lines = simulated(20, 40), (12, 16, 16)
    maps, body = ours(kspace, lines, 4)
    oracle = by_bart(kspace, lines, 4)
    compare("ESPIRiT 3D", "BART", "simulated: difference of maps", difference(maps, oracle, body), 3e-2)
