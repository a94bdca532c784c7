"""Noise covariances: from a noise scan, and from data alone."""

import pytest
import torch

from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.raw.noise_estimate import estimate_noise, level, noise_covariance
from measurements import covariance, measurement, noise_of, phantom

WHOLE = torch.ones(1, 1, 128, 128, dtype=torch.bool)


@pytest.mark.parametrize("coils", [1, 4, 16])
def test_a_noise_scan_gives_its_covariance(coils) -> None:
    psi = covariance(coils)
    found = noise_covariance(noise_of(psi, 20_000))
    assert float((found - psi).norm() / psi.norm()) < 0.05
    torch.testing.assert_close(found, found.mH)


@pytest.mark.parametrize("coils", [1, 8])
@pytest.mark.parametrize("snr", [10.0, 30.0, 100.0])
def test_the_level_is_found_without_a_noise_scan(coils, snr) -> None:
    given = measurement((1, 128, 128), coils, snr=snr, psi=covariance(coils))
    found = estimate_noise(given.kspace, given.acquired)
    assert level(found.covariance) == pytest.approx(1.0, rel=0.1)
    assert found.background == pytest.approx(1.0, rel=0.1)


def test_the_covariance_is_found_without_a_noise_scan() -> None:
    psi = covariance(4)
    given = measurement((1, 128, 128), 4, scans=4, psi=psi)
    found = estimate_noise(given.kspace, given.acquired).covariance
    assert float((found - psi).norm() / psi.norm()) < 0.06


def test_partial_fourier_changes_no_level() -> None:
    given = measurement((1, 128, 128), 4)
    mask = given.acquired.clone()
    mask[..., :40] = False
    found = estimate_noise(given.kspace * mask[:, None], mask)
    assert level(found.covariance) == pytest.approx(1.0, rel=0.1)


def test_the_witnesses_agree_on_noise_alone_and_not_on_filtered_edges() -> None:
    noise = noise_of(covariance(2), 128 * 128).reshape(1, 2, 1, 128, 128)
    assert estimate_noise(noise, WHOLE).agrees
    filtered = noise * torch.hann_window(130, periodic=False)[1:-1]
    assert not estimate_noise(filtered, WHOLE).agrees
    assert not estimate_noise(noise, WHOLE, folded=True).agrees


def test_a_field_of_view_without_background_is_told_by_the_edge() -> None:
    samples = phantom((1, 128, 128), 2, snr=5.0)
    everywhere = torch.fft.fftshift(samples) + noise_of(covariance(2), 128 * 128).reshape(1, 2, 1, 128, 128)
    found = estimate_noise(everywhere, WHOLE)
    assert level(found.covariance) <= found.edge


def test_the_quiet_ends_of_a_filtered_readout_do_not_set_the_level() -> None:
    """Receivers' filters fall off at both ends of an oversampled readout."""
    given = measurement((1, 128, 128), 2, snr=8.0)
    images = to_image(given.kspace)
    for end in (slice(0, 12), slice(116, 128)):
        images[..., end, :] *= 0.4
    found = estimate_noise(to_kspace(images), WHOLE)
    assert found.background < 0.6
    assert not found.agrees
    assert level(found.covariance) == pytest.approx(1.0, rel=0.1)


def test_a_masked_background_is_no_noise() -> None:
    """Scanners that set the air to zero leave tiles without anything; those say nothing."""
    given = measurement((1, 128, 128), 2)
    images = torch.fft.ifft2(given.kspace)
    images[..., :16, :] = 0.0
    found = estimate_noise(torch.fft.fft2(images), WHOLE)
    assert level(found.covariance) > 0.0


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(4, 10, dtype=torch.complex64), "samples has 10 of each of 4 coils"),
        (torch.full((1, 64), float("nan"), dtype=torch.complex64), "not finite"),
    ],
)
def test_too_little_noise_is_refused(samples, message) -> None:
    with pytest.raises(ValueError, match=message):
        noise_covariance(samples)


def test_nothing_acquired_is_refused() -> None:
    with pytest.raises(ValueError, match="whole tiles"):
        estimate_noise(torch.zeros(1, 2, 1, 128, 128, dtype=torch.complex64), ~WHOLE)
