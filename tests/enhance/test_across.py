"""The gain along slice on planes across the slices: which detail is found, where it goes, and who is told."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pydicom
import pytest
import torch

from lucidmr import device
from lucidmr.context import Acquisition, Directions, Enhancement
from lucidmr.dicom.create import Protocol, create_series
from lucidmr.dicom.series import read_series
from lucidmr.enhance import prepare
from lucidmr.enhance.across import REACH, AcrossSlices, acts, as_planes
from lucidmr.enhance.pipeline import enhance
from lucidmr.evaluate.fidelity import psnr
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import Model, packaged_models
from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.image_noise import NoiseEstimate
from lucidmr.physics.phantoms import anatomy_phantom_3d, kspace_3d
from lucidmr.standardize import Standardization
from properties import seeded

SLICES, FREQ, PHASE = 16, 40, 24
HOW = Standardization(True, (FREQ, PHASE), (0, FREQ), (2, 22), (2 * FREQ, 2 * PHASE), 5.0, 10.0)
ASKED = Enhancement(gain_slice=2.0)
NOISE = NoiseEstimate(0.1, 1.0, 1.0)
VOLUME = Acquisition(Directions(float(FREQ), float(PHASE), float(SLICES)), three_dimensional=True)


class Detailed(CEUNet):
    """Finds a lot along freq, and along phase what ``detail`` makes of an image."""

    def __init__(self, detail):
        super().__init__(NetworkSettings(channels=(2, 2, 2), hidden=2))
        self.detail = detail
        self.told = []

    def parts(self, images, context):
        self.told.append(context)
        return torch.cat([torch.full_like(images, 7.0), torch.full_like(images, 9.0), self.detail(images)], 1)


def found(volume, detail, wanted=ASKED, acquisition=VOLUME):
    """The detail of every slice of a volume (slice, freq, phase), as an array in the source's orientation."""
    network = Detailed(detail)
    model = Model(network, {}, "")
    across = AcrossSlices(model, HOW, torch.device("cpu"), lambda index: volume[index].mT.numpy())
    stack = tuple(range(len(volume)))
    slices = [across(stack, place, acquisition, wanted, NOISE) for place in stack]
    return torch.cat(slices), network


def second_difference(images):
    return 2 * images - images.roll(3, -1) - images.roll(-3, -1)


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    monkeypatch.setattr(device, "fast_precision", lambda device: torch.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_detail_along_slice_is_what_the_network_finds_along_phase(axis):
    changing = [1, 1, 1]
    changing[axis] = -1
    rough = torch.randn((SLICES, FREQ, PHASE)[axis], generator=seeded()).view(changing)
    details, _ = found(rough.expand(SLICES, FREQ, PHASE), second_difference)
    # At the ends of the volume the detail wraps around.
    inside = float(details[2:-2].abs().mean())
    assert inside > 0.01 if axis == 0 else inside < 1e-5


def test_detail_lies_on_its_slice():
    volume = torch.zeros(SLICES, FREQ, PHASE)
    volume[6] = 10.0
    details, _ = found(volume, lambda images: images)
    profile = details[:, 2 * FREQ // 2, 16]
    assert int(profile.argmax()) == 6
    assert torch.allclose(profile[4:6], profile[7:9].flip(0), atol=1e-4)
    # Standardized, without its mean over seven pixels, of which three are the slice's.
    assert float(profile[6]) == pytest.approx(1.0 - 3 / 7, abs=0.1)


def test_padding_is_left_out_and_the_grid_is_that_of_the_slices():
    details, network = found(torch.randn(SLICES, FREQ, PHASE, generator=seeded()), second_difference)
    assert details.shape == (SLICES, 2 * FREQ, 40)
    assert len(network.told) == 20


def test_the_stack_is_looked_at_once_and_forgotten_when_told():
    network, read = Detailed(second_difference), []

    def image(index):
        read.append(index)
        return np.zeros((PHASE, FREQ), np.uint16)

    across = AcrossSlices(Model(network, {}, ""), HOW, torch.device("cpu"), image)
    for place in (3, 4):
        across((0, 2, 4, 6, 8, 10, 12), place, VOLUME, ASKED, NOISE)
    assert read == [0, 2, 4, 6, 8, 10, 12]
    across.forget()
    across((0, 2, 4, 6, 8, 10, 12), 0, VOLUME, ASKED, NOISE)
    assert len(read) == 14


def test_slice_is_told_in_the_place_of_phase():
    scan = Acquisition(
        Directions(256.0, 192.0, 40.0),
        Directions(0.9, 0.75, 0.8),
        acceleration_phase=2.0,
        acceleration_slice=3.0,
        elliptical=True,
        three_dimensional=True,
    )
    told = as_planes(scan)
    assert told.matrix == (256.0, 40.0, None)
    assert told.partial_fourier == (0.9, 0.8, None)
    assert (told.acceleration_phase, told.acceleration_slice) == (3.0, 1.0)
    assert not told.three_dimensional
    assert not told.elliptical


@pytest.mark.parametrize(
    ("fraction", "wanted", "expected"),
    [
        (None, Enhancement(), False),
        (None, ASKED, True),
        (1.0, Enhancement(), False),
        (0.75, Enhancement(), True),
        (0.75, Enhancement(restore_partial_fourier=False), False),
    ],
)
def test_planes_are_looked_at_when_there_is_something_to_do(fraction, wanted, expected):
    assert acts(Acquisition(partial_fourier=Directions(slice=fraction)), wanted) == expected


MATRIX = (24, 64, 56)


def simulated(folder, share):
    """A head whose k-space along slice ends at a share of Nyquist, and its truth: (slice, freq, phase)."""
    kspace = kspace_3d(anatomy_phantom_3d(), MATRIX)
    kept = round(MATRIX[0] * share)
    start = (MATRIX[0] - kept) // 2
    cut = torch.zeros_like(kspace)
    cut[..., start : start + kept, :, :] = kspace[..., start : start + kept, :, :]
    truth, image = (to_image(each).real.reshape(MATRIX) for each in (kspace, cut))
    noise = to_image(to_kspace(torch.randn(MATRIX, generator=seeded()).to(torch.complex64))).real
    images = 1000.0 * (image + 0.005 * noise).clamp_min(0.0)
    protocol = Protocol(three_dimensional=True, slice_thickness=3.0, slice_spacing=3.0, slices_encoded=kept)
    create_series((each.numpy() for each in images), folder, protocol)
    return read_series(folder).series[0], 1000.0 * truth


@pytest.fixture(scope="module")
def released():
    return packaged_models()


@pytest.fixture
def halved(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "SIDE_3D", 128)
    return simulated(tmp_path / "in", 0.5)


def test_the_released_weights_bring_a_volume_closer_to_its_truth(halved, released):
    series, truth = halved
    quiet = Enhancement(noise_reduction=1.0, restore_partial_fourier=False)
    without, asked = (enhance(series, replace(quiet, gain_slice=gain), model=released) for gain in (1.0, 2.0))
    assert not asked.warnings
    reached = []
    for done in (without, asked):
        some = range(4, 20, 2)
        images = torch.stack([torch.from_numpy(done.image(index)) for index in some])
        reached.append(psnr(images, done.interpolated(truth[4:20:2])))
    assert reached[1] > reached[0] + 0.1


def test_single_slices_alone_suffice_and_are_named(halved, released, tmp_path):
    series, _ = halved
    single = min(released, key=lambda model: model.network.settings.slices)
    wanted = Enhancement(noise_reduction=1.0, gain_slice=2.0, restore_partial_fourier=False)
    plain, asked = (enhance(series, one, model=single) for one in (replace(wanted, gain_slice=1.0), wanted))
    assert not np.allclose(plain.image(9), asked.image(9), atol=1.0)
    assert asked.context == plain.context
    asked.save(tmp_path / "out")
    header = pydicom.dcmread(min((tmp_path / "out").iterdir()))
    assert "gain along slice 2" in header.DerivationDescription
    assert f"planes across the slices by {single.name}" in header.DerivationDescription
    assert plain.provenance.slices == 1
    assert asked.provenance.slices == 2 * REACH + 1


def test_the_images_do_not_depend_on_the_order_they_are_asked_in(halved, released):
    series, _ = halved
    done = enhance(series, Enhancement(1.0, gain_slice=2.0), model=released)
    first = list(islice(done.images(), 4))
    done.across.forget()
    assert np.array_equal(first[3], done.image(3))
