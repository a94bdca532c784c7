"""Every method of the scanner's chain on measured scans: a table, and a contact sheet of each family of chains.

    python benchmarks/chains.py FILE:AXES[:VARIABLE] ... --out DIR

A FILE holds fully sampled Cartesian data: .cfl, .npy or .mat (of which VARIABLE). AXES has one letter for each axis as
stored: c(oil), f(req), p(hase), s(lices, each for itself, the middle one is taken), and a dot for an axis of length 1;
capital F and P mean that the direction is stored as an image. BART's own order of a 2D scan is fp.c.

Each chain is compared with the same scan fully sampled, without completion, filters or corrections, combined as root
sum of squares, or with the chain's own sensitivities where unaliasing or component need them: NRMSE and signal (slope
of the regression on it) over the whole image, and the shift between the two along freq and phase in pixels. Sheets show
images and five times their differences.
"""

import argparse
from dataclasses import replace
from math import ceil, pi
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lucidmr.degrade.apply import acquire
from lucidmr.physics.fourier import IN_PLANE, central_band, to_image, to_kspace
from lucidmr.physics.gradients import WHOLE_BODY
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.sensitivities import walsh
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling, elliptical_radius
from lucidmr.reconstruct.chain import reconstruct
from lucidmr.reconstruct.distortion import DistortionCorrection
from lucidmr.reconstruct.normalize import image_based_gain
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense

Chains = dict[str, tuple[Sampling, Reconstruction]]
COLUMNS, TILE = 6, 240
MOST_PER_COIL = 0.75
"""Largest acceleration per coil that is tried."""


def main() -> None:
    """Run all chains on all scans."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", metavar="FILE:AXES[:VARIABLE]")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.scans:
        kspace = whitened(read(*name.split(":")))
        print(f"{name}: {' x '.join(map(str, kspace.shape))} (coil, slice, freq, phase)")
        for family, chains in families(kspace).items():
            tiles = [tile(title, *compared(kspace, *chain)) for title, chain in chains.items()]
            sheet(tiles).save(options.out / f"{Path(name.split(':')[0]).stem}-{family}.png")


def read(file: str, axes: str, variable: str = "") -> Tensor:
    """k-space (coil, slice, freq, phase) as stored."""
    stored = torch.from_numpy(np.ascontiguousarray(stored_array(Path(file), variable))).to(torch.complex64)
    if stored.ndim != len(axes):
        raise SystemExit(f"{file} holds an array of {tuple(stored.shape)}; {axes!r} is not one letter for each axis")
    images = [axis - 4 for axis, letter in enumerate("csFP") if letter in axes]
    axes = axes.lower()
    kept = [axis for axis, letter in enumerate(axes) if letter != "."]
    squeezed = stored.squeeze([axis for axis, letter in enumerate(axes) if letter == "."])
    order = [[axes[axis] for axis in kept].index(letter) for letter in "csfp" if letter in axes]
    kspace = squeezed.permute(order)
    if "s" in axes:
        kspace = kspace[..., kspace.shape[-3] // 2, :, :]
    scan = kspace.reshape(-1, 1, *kspace.shape[-2:])
    return to_kspace(scan, tuple(images)) if images else scan


def stored_array(file: Path, variable: str) -> np.ndarray:
    """The array of a file, axes as they are."""
    match file.suffix:
        case ".npy":
            return np.load(file)
        case ".cfl":
            sizes = [int(size) for size in file.with_suffix(".hdr").read_text().splitlines()[1].split()]
            return np.fromfile(file, np.complex64).reshape(sizes, order="F")
        case ".mat" if h5py.is_hdf5(file):
            with h5py.File(file) as opened:
                array = opened[variable][()]
            return array["real"] + 1j * array["imag"]
        case ".mat":
            return scipy.io.loadmat(file)[variable]
    raise SystemExit(f"{file} is none of .cfl, .npy and .mat")


def whitened(kspace: Tensor) -> Tensor:
    """Coils decorrelated by what they hold in the corners of k-space, and the brightest pixel made about 1."""
    corners = kspace[:, 0, elliptical_radius(*kspace.shape[-2:]) > 1.0]
    covariance = corners @ corners.mH / corners.shape[1]
    mixed = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), kspace.flatten(1), upper=False)
    return mixed.reshape(kspace.shape) / to_image(mixed.reshape(kspace.shape)).norm(dim=0).max()


def families(kspace: Tensor) -> dict[str, Chains]:
    """The chains that the coils of a scan allow."""
    matrix, coils = tuple(kspace.shape[1:]), kspace.shape[0]
    plain = Reconstruction(matrix, levels=65535)
    all_families = {
        "parallel": parallel(matrix, plain),
        "compressed": compressed(matrix, plain),
        "partial": partial(matrix, plain),
        "windows": windows(matrix, plain),
        "matrix": matrices(matrix, plain),
        "image": images(matrix, plain),
        "mixtures": mixtures(matrix, plain),
    }
    return {
        name: {title: chain for title, chain in chains.items() if factor(chain[0]) <= max(1.0, MOST_PER_COIL * coils)}
        for name, chains in all_families.items()
        if coils > 1 or name not in ("parallel", "compressed")
    }


def factor(sampling: Sampling) -> float:
    """Nominal acceleration."""
    return sampling.undersampling.factor if sampling.undersampling else 1.0


def sampled(matrix: tuple[int, int, int], freq: float = 1.0, phase: float = 1.0, early: bool = True) -> Sampling:
    """Partial Fourier fractions of a matrix."""
    return Sampling(AxisSampling(matrix[1], freq, early), AxisSampling(matrix[2], phase, early))


def parallel(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """GRAPPA and SENSE, calibration lines inside the scan and apart from it."""
    chains: Chains = {}
    for r in (2.0, 3.0):
        for integrated in (True, False):
            lines = UniformUndersampling(r, calibration=(1, 24), integrated=integrated)
            title = f"GRAPPA {r:g}{'' if integrated else ' separate'}"
            chains[title] = replace(sampled(matrix), undersampling=lines), replace(plain, unaliasing=Grappa())
    for r in (2.0, 2.5, 3.0):
        for method in ("espirit", "walsh", "inati"):
            lines = replace(sampled(matrix), undersampling=UniformUndersampling(r, calibration=(1, 24)))
            chains[f"SENSE {r:g} {method}"] = lines, replace(plain, unaliasing=Sense(), sensitivities=method)
    for r in (2.0, 3.0):
        lines = replace(sampled(matrix), undersampling=UniformUndersampling(r, calibration=(1, 24), integrated=False))
        chains[f"SENSE {r:g} closed form"] = lines, replace(plain, unaliasing=Sense())
    return chains


def compressed(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """Random lines with both priors."""
    chains: Chains = {}
    for r in (2.0, 4.0):
        lines = replace(sampled(matrix), undersampling=RandomUndersampling(r, (1, 16), seed=1))
        for prior in ("wavelet", "total_variation"):
            chains[f"{prior} {r:g}"] = lines, replace(plain, unaliasing=CompressedSensing(prior))
    return chains


def partial(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """Every completion of either direction, and of both."""
    chains: Chains = {}
    for eighths in (5, 6):
        for method in ("zero_fill", "homodyne", "pocs", "conjugate"):
            for where in ("freq", "phase"):
                cut = sampled(matrix, **{where: eighths / 8}, early=where == "freq")
                how = replace(plain, partial_fourier=PartialFourierMethods(**{where: method}))
                chains[f"{where} {eighths}/8 {method}"] = cut, how
    for method in ("homodyne", "pocs"):
        how = replace(plain, partial_fourier=PartialFourierMethods(method, method))
        chains[f"both 6/8 {method}"] = sampled(matrix, 0.75, 0.75), how
    return chains


def windows(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """Every window in both shapes."""
    return {
        f"{name} {shape}": (sampled(matrix), replace(plain, window=name, window_strength=0.7, window_shape=shape))
        for name in ("hann", "hamming", "tukey", "fermi", "gaussian", "kaiser")
        for shape in ("separable", "radial")
    }


def matrices(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """Acquired on fewer samples, even and odd, and zero-filled to even and odd matrices."""
    _, n, m = matrix
    acquired = ((n, m), (n - 1, m - 1), (n // 2 | 1, m // 2), (n // 2, m // 2 | 1))
    shown = ((n, m), (int(1.37 * n) | 1, int(1.37 * m) & ~1), (2 * n - 1, 2 * m - 1))
    return {
        f"{a}x{b} to {c}x{d}": (Sampling(AxisSampling(a), AxisSampling(b)), replace(plain, matrix=(1, c, d)))
        for a, b in acquired
        for c, d in shown
    }


def images(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """What happens to images: combination, component, normalization, distortion, storage."""
    weighted = replace(plain, combination="sensitivity_weighted")
    distortion = DistortionCorrection(WHOLE_BODY, (5.0, 300.0, 300.0 * matrix[2] / matrix[1]), (0.0, 10.0, 40.0))
    ways = {
        "root sum of squares": plain,
        "phase sum": replace(plain, combination="phase_sum"),
        **{f"weighted {method}": replace(weighted, sensitivities=method) for method in ("espirit", "walsh", "inati")},
        **{kind: replace(weighted, component=kind) for kind in ("phase", "real", "imaginary")},
        "prescan": replace(plain, normalization="prescan", normalization_strength=1.0),
        "image based": replace(plain, normalization="image_based", normalization_strength=1.0),
        "distortion": replace(plain, distortion=distortion),
        "12 bit": replace(plain, levels=4095),
        "12 bit, clipped": replace(plain, levels=4095, headroom=0.6),
    }
    return {title: (sampled(matrix), how) for title, how in ways.items()}


def mixtures(matrix: tuple[int, int, int], plain: Reconstruction) -> Chains:
    """Everything at once, on odd matrices."""
    _, n, m = matrix
    fewer = (1, int(0.9 * n) | 1, int(0.85 * m) | 1)
    finer = (1, int(1.3 * n) | 1, int(1.3 * m) & ~1)
    distortion = DistortionCorrection(WHOLE_BODY, (5.0, 300.0, 300.0 * m / n), (0.0, 10.0, 40.0))
    busy = replace(
        plain,
        matrix=finer,
        window="tukey",
        window_strength=0.5,
        normalization="image_based",
        normalization_strength=0.6,
        levels=4095,
    )
    uniform = UniformUndersampling(2.0, calibration=(1, 24))
    grappa = replace(busy, unaliasing=Grappa(), partial_fourier=PartialFourierMethods("zero_fill", "pocs"))
    sense = replace(busy, unaliasing=Sense(), partial_fourier=PartialFourierMethods("conjugate", "homodyne"))
    sparse = replace(busy, unaliasing=CompressedSensing(), partial_fourier=PartialFourierMethods("homodyne"))
    return {
        "GRAPPA, POCS": (replace(sampled(fewer, 1.0, 0.75), undersampling=uniform), grappa),
        "GRAPPA, weighted, distortion": (
            replace(sampled(fewer, 0.8, 0.75, early=False), undersampling=replace(uniform, integrated=False)),
            replace(grappa, combination="sensitivity_weighted", distortion=distortion),
        ),
        "SENSE, homodyne": (replace(sampled(fewer, 0.8, 0.75), undersampling=uniform), sense),
        "SENSE 2.5 walsh, radial": (
            replace(sampled(fewer, 1.0, 0.8, early=False), undersampling=replace(uniform, phase=2.5)),
            replace(sense, sensitivities="walsh", window_shape="radial", distortion=distortion),
        ),
        "wavelets, homodyne": (
            replace(sampled(fewer, 0.75), undersampling=RandomUndersampling(2.5, (1, 16), seed=2)),
            sparse,
        ),
        "homodyne both, phase sum": (
            sampled(fewer, 0.75, 0.75),
            replace(busy, combination="phase_sum", partial_fourier=PartialFourierMethods("homodyne", "homodyne")),
        ),
    }


def compared(kspace: Tensor, sampling: Sampling, how: Reconstruction) -> tuple[Tensor, Tensor]:
    """The image of a chain and the plain one of all samples, (freq, phase) each."""
    everything = sampled(tuple(kspace.shape[1:]))
    weighted = how.combines_early or how.component != "magnitude"
    combination = "sensitivity_weighted" if weighted else "root_sum_of_squares"
    plain = Reconstruction(
        how.matrix, None, how.sensitivities, combination=combination, component=how.component, levels=65535
    )
    found, truth = (
        reconstruct(acquire(kspace, what), scenario, array_profile(kspace))[0]
        for what, scenario in ((sampling, how), (everything, plain))
    )
    return found, truth


def array_profile(kspace: Tensor) -> Tensor:
    """The array's sensitivities with a shading that is not known of a measured scan: as the image itself suggests."""
    coils = to_image(kspace)
    return walsh(coils) / image_based_gain(coils.norm(dim=0), 1.0)


def shift(found: Tensor, truth: Tensor) -> list[float]:
    """Pixels along freq and phase by which one image lies off the other, from the phase of their low frequencies."""
    cross = to_kspace(found.to(torch.complex64), IN_PLANE) * to_kspace(truth.to(torch.complex64), IN_PLANE).conj()
    low = cross[*(slice(*central_band(n, n // 8)) for n in truth.shape)].sgn()
    turns = (low[1:] * low[:-1].conj()).sum(), (low[:, 1:] * low[:, :-1].conj()).sum()
    return [-float(turn.angle()) / (2 * pi) * size for turn, size in zip(turns, truth.shape, strict=True)]


def tile(title: str, found: Tensor, truth: Tensor) -> Image.Image:
    """Image above, difference below; prints the row of the table."""
    slope = float((found * truth).sum() / truth.square().sum())
    error = float((found - truth).norm() / truth.norm())
    along = shift(found, truth)
    print(f"{title:<32} NRMSE {error:7.4f}   signal {slope:6.3f}   shift {along[0]:6.2f} {along[1]:6.2f}")
    top = float(truth.abs().quantile(0.995))
    signed = float(truth.min()) < 0.0
    shown = (found / top + 1) / 2 if signed else found / top
    both = torch.cat([shown, 0.5 + 2.5 * (found - truth) / top], 0).clamp(0, 1)
    picture = Image.fromarray((255 * both).byte().numpy()).resize((TILE, ceil(TILE * both.shape[0] / both.shape[1])))
    framed = Image.new("L", (TILE + 4, picture.height + 28))
    framed.paste(picture, (0, 28))
    ImageDraw.Draw(framed).text((2, 2), f"{title}\n{error:.4f}", fill=255)
    return framed


def sheet(tiles: list[Image.Image]) -> Image.Image:
    """Tiles in rows."""
    width, height = tiles[0].width, max(one.height for one in tiles)
    page = Image.new("L", (width * min(COLUMNS, len(tiles)), height * ceil(len(tiles) / COLUMNS)))
    for index, one in enumerate(tiles):
        page.paste(one, (index % COLUMNS * width, index // COLUMNS * height))
    return page


if __name__ == "__main__":
    main()
