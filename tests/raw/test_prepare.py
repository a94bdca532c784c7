"""The quality gate, and what is ready to simulate from."""

from dataclasses import replace

import pytest
import torch

from lucidmr.physics.fourier import to_image
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.spectrum import typical_signal
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.raw.measurement import Facts, Measurement
from lucidmr.raw.noise_estimate import noise_covariance
from lucidmr.raw.prepare import Preparation, prepare
from measurements import covariance, measurement, noise_of, phantom

FULL = AxisSampling(96)


def checks(verdicts, refused: bool) -> set[str]:
    return {verdict.check for verdict in verdicts if verdict.refused == refused}


def refusals(given: Measurement) -> set[str]:
    return checks(prepare(given).verdicts, refused=True)


def edited(given: Measurement, change) -> Measurement:
    """The measurement with its samples changed in place by a function."""
    kspace = given.kspace.clone()
    change(kspace)
    return replace(given, kspace=kspace)


def test_good_data_pass_as_they_are() -> None:
    given = measurement(scans=3, facts=Facts(vendor="Maker"))
    found = prepare(given)
    assert not checks(found.verdicts, refused=True)
    assert [scan.source for scan in found.scans] == ["phantom[0]", "phantom[1]", "phantom[2]"]
    for scan in found.scans:
        assert scan.sampling is None
        assert scan.facts.vendor == "Maker"
        assert scan.noise_sd == 1.0
        assert scan.signal == pytest.approx(30.0, rel=0.15)


@pytest.mark.parametrize("gain", [1e-7, 1.0, 1e5])
def test_noise_is_white_and_of_level_one(gain) -> None:
    """With a noise scan: the same mixture whitens the noise and the data, whatever the receivers' gain."""
    psi = covariance(4)
    noise = noise_of(psi, 1 << 14, seed=3)
    given = measurement((1, 128, 128), 4, psi=psi)
    given = replace(given, kspace=gain * given.kspace, noise=gain * noise)
    scan = prepare(given, Preparation(energy=1.0)).scans[0]
    measured, made = (kspace.flatten(1) for kspace in (given.kspace[0], scan.kspace))
    mixture = torch.linalg.lstsq(measured.mT, made.mT).solution.mT
    fresh = mixture @ (gain * noise_of(psi, 1 << 16, seed=9))
    assert float((noise_covariance(fresh) - torch.eye(4)).abs().max()) < 0.05


def test_a_noise_scan_of_another_bandwidth_is_found_out() -> None:
    given = measurement((1, 128, 128), 4, snr=10.0)
    wide = replace(given, noise=2.0 * noise_of(torch.eye(4) + 0j, 1 << 14))
    found = prepare(wide)
    assert "noise" in checks(found.verdicts, refused=False)
    assert found.scans[0].signal == pytest.approx(prepare(given).scans[0].signal, rel=0.05)


def test_a_useless_noise_scan_is_flagged_and_passed_over() -> None:
    given = replace(measurement(), noise=torch.ones(4, 3, dtype=torch.complex64))
    found = prepare(given)
    assert len(found.scans) == 1
    assert any("noise scan is of no use" in verdict.reason for verdict in found.verdicts)


def test_echo_planar_data_are_flagged() -> None:
    flagged = [verdict for verdict in prepare(replace(measurement(), alternating=True)).verdicts if not verdict.refused]
    assert any("ghosts may remain" in verdict.reason for verdict in flagged)


def test_a_broken_coil_is_left_out() -> None:
    psi = torch.eye(6) + 0j
    psi[2, 2] = 25.0
    given = replace(measurement(coils=6, psi=psi), noise=noise_of(psi, 1 << 14))
    found = prepare(given, Preparation(energy=1.0))
    assert found.scans[0].n_coils == 5
    assert any(v.check == "coils" and "coil 2" in v.reason for v in found.verdicts)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(FULL, AxisSampling(96, 0.75)),
        Sampling(AxisSampling(96, 0.7), FULL),
        Sampling(FULL, AxisSampling(95), undersampling=UniformUndersampling(2.0, calibration=(1, 23))),
    ],
)
def test_what_was_not_acquired_is_described(sampling) -> None:
    found = prepare(measurement(sampling=sampling, matrix=sampling.matrix))
    assert len(found.scans) == 1
    assert found.scans[0].sampling is not None
    assert found.scans[0].signal == pytest.approx(30.0, rel=0.25)
    undersampled = sampling.undersampling is not None
    assert ("sampling" in checks(found.verdicts, refused=False)) == undersampled


def test_an_ellipse_is_described() -> None:
    sampling = Sampling(AxisSampling(64), AxisSampling(64), AxisSampling(24), 1.0)
    scan = prepare(measurement((24, 64, 64), 4, sampling=sampling)).scans[0]
    assert scan.sampling == sampling


def test_zero_padding_is_cropped() -> None:
    given = measurement((1, 96, 96), 4)

    def pad(kspace) -> None:
        kspace[..., :10] = 0.0
        kspace[..., 87:] = 0.0

    found = prepare(edited(given, pad))
    assert found.scans[0].matrix == (1, 96, 77)
    assert found.scans[0].sampling is None
    assert "empty readouts" in checks(found.verdicts, refused=False)
    image = to_image(found.scans[0].kspace).norm(dim=0)
    assert typical_signal(image) == pytest.approx(30.0, rel=0.25)


@pytest.mark.parametrize("snr", [20.0, 100.0])
@pytest.mark.parametrize("coils", [1, 4])
def test_clean_data_have_no_spikes(coils, snr) -> None:
    assert "spikes" not in refusals(measurement(coils=coils, scans=4, snr=snr))


@pytest.mark.parametrize("factor", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("coils", [1, 4])
def test_undersampled_data_have_no_spikes(coils, factor) -> None:
    """Nothing next to DC was acquired."""
    sampling = Sampling(FULL, FULL, undersampling=UniformUndersampling(factor, calibration=(1, 1)))
    assert "spikes" not in refusals(measurement(coils=coils, scans=4, sampling=sampling))


def test_a_spike_is_refused_and_the_other_scans_stay() -> None:
    given = measurement(scans=3)

    def spark(kspace) -> None:
        kspace[1, :, 0, 20, 70] += 2000.0

    found = prepare(edited(given, spark))
    assert [(v.check, v.scan) for v in found.verdicts if v.refused] == [("spikes", 1)]
    assert len(found.scans) == 2


def test_a_spike_spread_along_its_readout_is_refused() -> None:
    given = measurement()
    sinc = 2000.0 * torch.sinc((torch.arange(96) - 20.5) / 2)

    def spark(kspace) -> None:
        kspace[0, :, 0, :, 70] += sinc

    assert "spikes" in refusals(edited(given, spark))


def test_clipping_is_refused() -> None:
    def clip(kspace) -> None:
        parts = torch.view_as_real(kspace)
        limit = 0.2 * float(parts.abs().max())
        parts.clamp_(-limit, limit)

    assert refusals(edited(measurement(), clip)) == {"clipping"}


def test_noise_alone_is_refused() -> None:
    for coils in (1, 8, 32):
        noise = noise_of(torch.eye(coils) + 0j, 96 * 96).reshape(1, coils, 1, 96, 96)
        given = Measurement(noise, torch.ones(1, 1, 96, 96, dtype=torch.bool))
        assert refusals(given) == {"signal"}


def test_too_little_signal_is_refused() -> None:
    found = prepare(measurement(snr=8.0), Preparation(least_snr=12.0))
    assert not found.scans
    assert "below 12" in found.verdicts[-1].reason


def test_random_undersampling_is_refused() -> None:
    sampling = Sampling(FULL, FULL, undersampling=RandomUndersampling(2.0, (1, 12)))
    found = prepare(measurement(sampling=sampling))
    assert not found.scans
    assert len(found.verdicts) == 1


def test_a_scan_sampled_unlike_the_others_is_refused() -> None:
    def cut_short(kspace) -> None:
        kspace[2, ..., :20] = 0.0

    found = prepare(edited(measurement(scans=3), cut_short))
    assert len(found.scans) == 2
    assert ("sampling", 2) in [(v.check, v.scan) for v in found.verdicts if v.refused]


def test_nothing_at_all_is_refused() -> None:
    empty = Measurement(torch.zeros(1, 2, 1, 64, 64) + 0j, torch.ones(1, 1, 64, 64, dtype=torch.bool))
    assert refusals(empty) == {"sampling"}


def test_images_without_noise_are_flagged() -> None:
    kspace = phantom((1, 64, 64), 2)
    flat = torch.zeros_like(kspace)
    flat[..., 31:34, 31:34] = kspace[..., 31:34, 31:34]
    found = prepare(Measurement(flat + 1e-9, torch.ones(1, 1, 64, 64, dtype=torch.bool)))
    assert any(verdict.reason == "there is none" for verdict in found.verdicts)


@pytest.mark.parametrize(("name", "value"), [("energy", 0.0), ("energy", 1.5), ("most_coils", 0), ("least_snr", -1.0)])
def test_settings_out_of_range_are_refused(name, value) -> None:
    with pytest.raises(ValueError, match=f"{name} is "):
        Preparation(**{name: value})
