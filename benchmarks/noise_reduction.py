"""The noise-reduction factor of simulated pairs: predicted, and measured over replicas of all noise.

    python benchmarks/noise_reduction.py [--replicas N] [--only TEXT]

A phantom of 120 x 120 samples and 8 coils goes through the whole chain once per replica, calibration included, with a
noisy target; measured is the median over the phantom of Var(e_y) / Cov(e_y, e_t) per pixel. Beside it R g^2 by the
analytic geometry factor, where calibration lines are no part of the image. Prints a table in Markdown.
"""

import argparse
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lucidmr.degrade.apply import acquire
from lucidmr.degrade.draw import Degradation
from lucidmr.pairs.simulate import reconstruct_pair
from lucidmr.physics.analytic import kspace
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.sensitivities import espirit
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.distortion import draw_distortion
from lucidmr.reconstruct.g_factor import grappa_g_factor, sense_g_factor
from lucidmr.reconstruct.grappa import grappa_weights
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense

N = 120
MATRIX = (1, N, N)
ALL = AxisSampling(N)
FULL = Sampling(ALL, ALL)
PLAIN = Reconstruction(MATRIX, levels=65535, headroom=1.3)
PARTIAL = Sampling(ALL, AxisSampling(N, 0.75))


@dataclass(frozen=True)
class Family:
    """One row of the table."""

    name: str
    input: Sampling
    how: Reconstruction
    asked: float
    target: Sampling = FULL
    tolerance: float = 0.05


def uniform(factor: float, integrated: bool) -> Sampling:
    """Every factor-th line along phase, 24 calibration lines."""
    return Sampling(ALL, ALL, undersampling=UniformUndersampling(factor, calibration=(1, 24), integrated=integrated))


def families() -> list[Family]:
    """Every family of combinations; a factor of 1 asked leaves what the sampling alone gives."""
    rows = [
        Family("noise only, asked 2", FULL, PLAIN, 2.0),
        Family("noise only, asked 4", FULL, PLAIN, 4.0),
        Family("noise only, sensitivity weighted", FULL, replace(PLAIN, combination="sensitivity_weighted"), 2.0),
        Family("k_max freq and phase", Sampling(AxisSampling(88), AxisSampling(64)), PLAIN, 2.0),
    ]
    for name in ("hann", "hamming", "tukey", "fermi", "gaussian", "kaiser"):
        how = replace(PLAIN, window=name, window_strength=0.7, matrix=(1, 180, 200))
        narrow = Sampling(AxisSampling(100), AxisSampling(72))
        rows.append(Family(f"filter {name}, k_max, zero-filled", narrow, how, 2.0))
    radial = replace(PLAIN, window="hamming", window_strength=0.7, window_shape="radial")
    rows.append(Family("filter hamming radial, k_max", Sampling(ALL, AxisSampling(80)), radial, 2.0))
    for factor in (2.0, 3.0):
        for integrated in (True, False):
            lines = "integrated" if integrated else "separate"
            for method in (Grappa(), Sense()):
                name = f"{type(method).__name__.upper()} {factor:g}, {lines} lines"
                rows.append(Family(name, uniform(factor, integrated), replace(PLAIN, unaliasing=method), 1.0))
    rows += [
        Family("SENSE 2.5", uniform(2.5, True), replace(PLAIN, unaliasing=Sense()), 1.0),
        Family("GRAPPA 2 and noise, asked 5", uniform(2.0, True), replace(PLAIN, unaliasing=Grappa()), 5.0),
        Family(
            "GRAPPA 2 in both, asked 3",
            uniform(2.0, True),
            replace(PLAIN, unaliasing=Grappa()),
            3.0,
            target=uniform(2.0, True),
        ),
    ]
    for method in ("zero_fill", "homodyne", "pocs", "conjugate"):
        how = replace(PLAIN, partial_fourier=PartialFourierMethods(phase=method))
        rows.append(Family(f"partial Fourier 6/8 {method}", PARTIAL, how, 2.0))
        rows.append(Family(f"partial Fourier 6/8 {method} in both", PARTIAL, how, 2.0, target=PARTIAL))
    distorted = replace(PLAIN, distortion=draw_distortion(MATRIX, torch.Generator().manual_seed(3)))
    rows.append(Family("distortion correction", FULL, distorted, 2.0))
    for prior in ("wavelet", "total_variation"):
        for factor in (2.0, 4.0):
            sampling = Sampling(ALL, ALL, undersampling=RandomUndersampling(factor, (1, 20), seed=5))
            how = replace(PLAIN, unaliasing=CompressedSensing(prior))
            rows.append(Family(f"compressed sensing {prior} {factor:g}", sampling, how, 1.0, tolerance=0.15))
    everything = replace(
        PLAIN,
        unaliasing=Grappa(),
        partial_fourier=PartialFourierMethods(phase="pocs"),
        window="tukey",
        window_strength=0.5,
        matrix=(1, 160, 160),
        combination="phase_sum",
        normalization="image_based",
        normalization_strength=0.7,
        distortion=distorted.distortion,
    )
    mixed = Sampling(
        AxisSampling(112), AxisSampling(96, 0.75), undersampling=UniformUndersampling(2.0, calibration=(1, 24))
    )
    return [*rows, Family("all at once, asked 5", mixed, everything, 5.0)]


def phantom() -> RawScan:
    """A noise-free scan of a head-like phantom."""
    generator = torch.Generator().manual_seed(1)
    maps = loop_array_maps(8, MATRIX, generator)
    image = to_image(kspace(anatomy_phantom(0.0), N, N), IN_PLANE) * smooth_phase(MATRIX, 0.4, generator)
    return RawScan(to_kspace(maps * image), 0.0, 1.0, maps, "phantom")


def measure(scan: RawScan, family: Family, replicas: int) -> tuple[float, float]:
    """Predicted and measured factor."""
    given, wanted, predicted = [], [], 0.0
    for seed in range(replicas):
        drawn = Degradation(family.target, family.input, 0.04, family.asked, seed)
        pair = reconstruct_pair(scan, drawn, family.how, "noisy")
        predicted += pair.noise_reduction / replicas
        given.append(pair.input)
        wanted.append(pair.target)
    return predicted, replica_factor(torch.stack(given), torch.stack(wanted))


def analytic(scan: RawScan, family: Family) -> str:
    """R g^2 with fixed sensitivities or weights: what noise in the samples alone does."""
    pattern, method = family.input.undersampling, family.how.unaliasing
    if not isinstance(pattern, UniformUndersampling) or pattern.integrated or family.asked > 1.0:
        return ""
    acquired = acquire(scan.kspace, family.input)
    if isinstance(method, Sense):
        maps = espirit(acquired.calibration, MATRIX)
        g = sense_g_factor(maps, pattern, method.regularization)
    else:
        weights = grappa_weights(acquired.calibration, pattern, method.kernel, method.regularization)
        g = grappa_g_factor(weights, to_image(scan.kspace))
    image = to_image(scan.kspace).abs().square().sum(0).sqrt()
    return f"{pattern.factor * float(g[foreground(image)].square().median()):.2f}"


def foreground(image: Tensor) -> Tensor:
    """The head without what is dark in it."""
    return image > 0.3 * image.flatten().quantile(0.99)


def replica_factor(given: Tensor, wanted: Tensor) -> float:
    """Median over the foreground of Var / Cov over replicas."""
    mean = given.mean(0)
    tissue = foreground(mean)
    noise, other = given - mean, wanted - wanted.mean(0)
    variance, covariance = (noise * noise).mean(0)[tissue], (noise * other).mean(0)[tissue]
    return float((variance / covariance).median())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replicas", type=int, default=200)
    parser.add_argument("--only", default="", help="families whose name holds this text")
    options = parser.parse_args()
    scan = phantom()
    print("| input and chain | R g² | predicted | measured | difference |\n|---|---|---|---|---|")
    for family in families():
        if options.only not in family.name:
            continue
        predicted, measured = measure(scan, family, options.replicas)
        difference = predicted / measured - 1
        late = "" if abs(difference) <= family.tolerance else " (!)"
        figures = f"{analytic(scan, family)} | {predicted:.2f} | {measured:.2f} | {difference:+.1%}{late}"
        print(f"| {family.name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
