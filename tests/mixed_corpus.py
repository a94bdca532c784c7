"""A small corpus with one measurement of each kind, all of them in the training split."""

from dataclasses import replace
from pathlib import Path

import torch

from lucidmr.corpus.entry import Card, write_images, write_scans
from lucidmr.physics.analytic import image
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.raw.scan import RawScan
from measurements import phantom
from properties import seeded
from scans import DISC, disc_scan

PICTURE = torch.zeros(4, 4, dtype=torch.uint8)
PARTIAL = Sampling(AxisSampling(48), AxisSampling(48, 0.75))
ACCELERATED = Sampling(AxisSampling(48), AxisSampling(48), undersampling=UniformUndersampling(2.0, calibration=(1, 16)))


def mixed_corpus(folder: Path) -> Path:
    """Fully sampled, partial Fourier and accelerated 2D scans, a volume, and images."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, sampling in enumerate((None, PARTIAL, ACCELERATED)):
        scans = [
            replace(left_out(disc_scan(coils=4, noise_sd=0.01, seed=seed), sampling), maps=None) for seed in (0, 1)
        ]
        _put(folder, number, scans)
    samples = phantom((12, 24, 24), 2)[0]
    volume = RawScan(samples + complex_noise(tuple(samples.shape), 1.0, seeded(3)), 1.0, 30.0)
    _put(folder, 3, [volume])
    slices = NativeSlices(image([DISC], 64, 64).abs()[None].expand(2, -1, -1).contiguous(), 0.01, 1.0, "images")
    write_images(
        folder / f"{4:064x}.h5", Card("images", "a", kind="images", scans=2, matrix=(1, 64, 64)), slices, PICTURE
    )
    return folder


def left_out(scan: RawScan, sampling: Sampling | None) -> RawScan:
    """The scan as if it had been sampled so."""
    if sampling is None:
        return scan
    return replace(scan, kspace=scan.kspace * sampling_mask(sampling), sampling=sampling)


def _put(folder: Path, number: int, scans: list[RawScan]) -> None:
    first = scans[0]
    card = Card(
        f"measured {number}",
        "a",
        scans=len(scans),
        matrix=first.matrix,
        coils=first.n_coils,
        virtual_coils=first.n_coils,
        noise_sd=first.noise_sd,
        sampling=first.sampling,
    )
    write_scans(folder / f"{number:064x}.h5", card, scans, (), PICTURE)
