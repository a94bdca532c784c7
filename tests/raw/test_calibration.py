"""Calibration scans of their own: from the file through the corpus to the pair."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lucidmr.corpus.add import Adding, add_all, find_sources
from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.split import Split
from lucidmr.degrade.apply import acquire
from lucidmr.pairs.source import CorpusPairs
from lucidmr.physics.fourier import central_band, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.calibration import whole_block
from lucidmr.raw.ismrmrd import CALIBRATION
from lucidmr.raw.measurement import Measurement
from lucidmr.raw.prepare import Preparation, prepare
from lucidmr.raw.read import read_raw
from lucidmr.reconstruct.chain import reconstruct
from lucidmr.reconstruct.settings import Grappa, Reconstruction, Sense, Unaliasing
from lucidmr.scale import Workers
from measurements import covariance, measurement
from properties import seeded
from raw_files import ismrmrd_xml, readouts, write_ismrmrd

N = 96
PATTERN = UniformUndersampling(2.0, calibration=(1, 24), integrated=False)
SAMPLING = Sampling(AxisSampling(N), AxisSampling(N), undersampling=PATTERN)


def block(kspace: Tensor, freq: int = 48, phase: int = 24) -> Tensor:
    """The central samples, as a calibration scan of its own: another gain, and noise of its own."""
    rows, columns = (slice(*central_band(N, wanted)) for wanted in (freq, phase))
    lines = kspace[..., rows, columns]
    return 0.3 * (lines + complex_noise(tuple(lines.shape), 1.0, seeded(8)))


def undersampled(whole: Measurement) -> Measurement:
    mask = sampling_mask(SAMPLING)
    return replace(whole, kspace=whole.kspace * mask, acquired=whole.acquired & mask, calibration=block(whole.kspace))


def test_the_block_is_where_every_scan_has_every_sample() -> None:
    lines = torch.ones(2, 3, 1, 32, 24) + 0j
    assert whole_block(lines).shape == (2, 3, 1, 32, 24)
    lines[1, :, :, :, :3] = 0.0
    lines[..., 25:, :] = 0.0
    assert whole_block(lines).shape == (2, 3, 1, 18, 19)
    lines[0, 0, 0, 16, 12] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        whole_block(lines)
    with pytest.raises(ValueError, match="readouts have 8 samples"):
        whole_block(torch.ones(1, 2, 1, 8, 24) + 0j)


@pytest.mark.parametrize("method", [Grappa(), Sense()])
def test_lines_are_mixed_as_the_coils_are_and_unalias_them(method: Unaliasing) -> None:
    """A quarter of the coils, correlated noise: what is unfolded with them is as good as with lines of the scan."""
    whole = measurement((1, N, N), 8, psi=covariance(8), snr=100.0)
    (scan,) = prepare(undersampled(whole), Preparation(most_coils=6)).scans
    assert scan.sampling is not None
    assert scan.sampling.undersampling == PATTERN
    assert scan.calibration is not None
    assert scan.calibration.shape == (6, 1, 48, 24)
    mixture = torch.linalg.lstsq(block(whole.kspace[0]).flatten(1).mT, scan.calibration.flatten(1).mT).solution.mT
    truth = torch.einsum("nc,cxyz->nxyz", mixture, whole.kspace[0])
    how = Reconstruction((1, N, N), unaliasing=method, sensitivities="espirit", combination="sensitivity_weighted")
    own, integrated = (
        reconstruct(acquire(kspace, SAMPLING, lines), how)[0]
        for kspace, lines in ((scan.kspace, scan.calibration), (truth, None))
    )
    expected = to_image(truth).norm(dim=0)[0]
    body = expected > 0.3 * expected.max()
    errors = [float((image - expected)[body].norm() / expected[body].norm()) for image in (own, integrated)]
    assert errors[0] < 1.2 * errors[1] < 0.15


def test_a_file_with_a_calibration_scan_becomes_pairs(tmp_path) -> None:
    whole = measurement((1, N, N), 6, scans=2, snr=60.0)
    given = undersampled(whole)
    lines = [*readouts(given.kspace), *readouts(block(whole.kspace, N), CALIBRATION)]
    header = ismrmrd_xml((1, N, N), encoding={"parallelImaging": {"calibrationMode": "separate"}})
    path = write_ismrmrd(tmp_path / "scan.h5", lines, header)
    (outcome,) = add_all(find_sources([path], tmp_path / "corpus"), Adding(tmp_path / "corpus"), Workers())
    assert outcome.remarks[0] == f"{path}: flagged, sampling: undersampled by 2, with a calibration scan"
    corpus = Corpus(tmp_path / "corpus", Split(0.0, 0.0))
    for prepared, stored in zip(prepare(read_raw(path)).scans, corpus.scans("train"), strict=True):
        assert prepared.calibration is not None
        assert stored.calibration is not None
        assert torch.equal(stored.calibration, prepared.calibration)
    for index in range(6):
        pair = CorpusPairs(corpus, seed=1).pair(index)
        assert torch.isfinite(pair.input).all()
        assert pair.provenance["degradation"]["input"]["undersampling"]["integrated"] is False


def test_a_calibration_of_another_field_of_view_is_passed_over(tmp_path) -> None:
    given = undersampled(measurement((1, N, N), 6, snr=60.0))
    assert given.calibration is not None
    lines = [
        *readouts(given.kspace),
        *readouts(given.calibration, CALIBRATION, encoding_space_ref=1),
    ]
    one, other = (ismrmrd_xml((1, n, n)) for n in (N, N // 2))
    second = other[other.index("<encoding>") : other.index("</ismrmrdHeader>")]
    path = write_ismrmrd(tmp_path / "scan.h5", lines, one.replace("</ismrmrdHeader>", second + "</ismrmrdHeader>"))
    assert read_raw(path).calibration is None


def test_a_useless_calibration_scan_is_flagged_and_the_rest_stays() -> None:
    given = undersampled(measurement((1, N, N), 4))
    assert given.calibration is not None
    found = prepare(replace(given, calibration=given.calibration[..., :8, :]))
    assert any("the calibration scan is of no use" in verdict.reason for verdict in found.verdicts)
    assert [scan.calibration for scan in found.scans] == [None]
