"""The observer against its closed form; lesions land where they should."""

import pytest
import torch
from torch.nn import functional as F

from lucidmr.evaluate.lesions import detectability, false_lesions, per_area, signal_and_area, with_lesions
from lucidmr.evaluate.specimens import Specimen, received
from lucidmr.physics.fourier import to_image
from lucidmr.physics.phantoms import Ellipse, image
from properties import seeded

SIDE = 24
BLOB = 0.8 * torch.exp(-((torch.arange(SIDE) - 11.5)[:, None] ** 2 + (torch.arange(SIDE) - 11.5) ** 2) / 8)


def white(realisations=24):
    return torch.randn(realisations, 12, SIDE, SIDE, generator=seeded())


def test_in_white_noise_detectability_is_the_length_of_the_lesion():
    noise = white()
    assert float(detectability(noise + BLOB, noise).mean()) == pytest.approx(float(BLOB.norm()), rel=0.05)


def test_an_invertible_filter_keeps_it():
    noise = white()
    taps = torch.tensor([0.2, 0.6, 0.2])

    def filtered(squares):
        padded = F.pad(squares.reshape(-1, 1, SIDE, SIDE), (1, 1, 1, 1), mode="circular")
        return F.conv2d(F.conv2d(padded, taps.reshape(1, 1, 3, 1)), taps.reshape(1, 1, 1, 3)).reshape(squares.shape)

    before = detectability(noise + BLOB, noise)
    after = detectability(filtered(noise + BLOB), filtered(noise))
    assert float((after / before).mean()) == pytest.approx(1.0, abs=0.03)


def test_signal_and_area_of_a_flat_disc():
    noise = white(4)
    disc = (torch.hypot(torch.arange(SIDE)[:, None] - 11.5, torch.arange(SIDE) - 11.5) <= 4).float()
    signal, area = signal_and_area(noise + disc, noise, 3.0)
    torch.testing.assert_close(signal, torch.ones(12), atol=1e-4, rtol=1e-4)
    assert area.tolist() == [float(disc.sum())] * 12


def test_a_lesion_in_the_raw_signal_shows_in_the_image():
    body = image([Ellipse((0.0, 0.0), (0.4, 0.4))], 64, 64).real.float()[None]
    specimen = Specimen("disc", received(body, 4, seeded(), "disc"), (5.0, 2.0, 2.0))
    ill = with_lesions(specimen, [(0.125, -0.0625)], 12.0, 0.5)
    combined = [(one.scan.maps.conj() * to_image(one.scan.kspace)).sum(0) for one in (specimen, ill)]
    power = specimen.scan.maps.abs().square().sum(0)
    added = ((combined[1].abs() - combined[0].abs()) / power)[0]
    assert float(added[40, 28]) == pytest.approx(0.5, abs=0.08)
    assert float(added[15, 40].abs()) < 0.02


def test_what_is_not_there_is_counted():
    error = 0.01 * torch.randn(64, 64, generator=seeded())
    body = torch.ones(64, 64, dtype=torch.bool)
    assert false_lesions(error, body, (2.0, 2.0), 0.3) == 0
    error[30:34, 30:34] += 1.0
    assert false_lesions(error, body, (2.0, 2.0), 0.3) == 1
    assert false_lesions(error, body, (2.0, 2.0), 0.3, sign=-1) == 0
    assert false_lesions(-error, body, (2.0, 2.0), 0.3, sign=-1) == 1
    assert per_area(2.0, body, (1.0, 1.0)) == pytest.approx(2 / 0.4096)
