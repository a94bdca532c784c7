"""The correction against closed forms that were distorted exactly, and its noise against brute force."""

import json
from dataclasses import replace
from math import prod

import pytest
import torch

from lucidmr.physics.gradients import HEAD, WHOLE_BODY, GradientCoil, displacement, displacement_gradient
from lucidmr.reconstruct.distortion import (
    DistortionCorrection,
    correct_distortion,
    cubic_weights,
    draw_distortion,
    noise_sd_map,
    resample,
    resampling,
)
from properties import assert_linear, noise_sd, random_complex, seeded

OBLIQUE = (
    (0.0, 0.28, 0.96),
    (0.6, -0.768, 0.224),
    (0.8, 0.576, -0.168),
)
PLANE = DistortionCorrection(WHOLE_BODY, (5.0, 360.0, 320.0), centre_mm=(10.0, -15.0, 60.0), orientation=OBLIQUE)
VOLUME = replace(PLANE, field_of_view_mm=(160.0, 360.0, 320.0), dimensions=3)
CASES = [(PLANE, (1, 96, 80)), (VOLUME, (20, 64, 56)), (replace(VOLUME, dimensions=2), (20, 64, 56))]
NAMES = ["2D", "3D", "2D of partitions"]


def pixel_centres(how, matrix):
    """Positions in the image's own axes (slice, freq, phase), mm from its centre."""
    axes = [(torch.arange(n) - n // 2) * (fov / n) for n, fov in zip(matrix, how.field_of_view_mm, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).double()


def blobs(points, width=18.0):
    """A smooth object in closed form: Gaussians on a lattice."""
    lattice = torch.cartesian_prod(*(torch.arange(-120.0, 121.0, 60.0, dtype=torch.float64),) * 2)
    profiles = [torch.exp(-((points[..., 1:] - middle) / width).square().sum(-1) / 2) for middle in lattice]
    return sum(profiles) * torch.exp(-(points[..., 0] / 40.0).square() / 2)


def acquired(how, matrix):
    """What the scanner shows of the blobs, undiluted or diluted as the correction will undo it."""
    axes = torch.tensor(how.orientation, dtype=torch.float64)
    active = axes * (torch.arange(3) >= 3 - how.dimensions)[:, None]
    centre = torch.tensor(how.centre_mm, dtype=torch.float64)
    shown = pixel_centres(how, matrix)
    true = shown.clone()
    for _ in range(20):
        true = shown - displacement(how.coil, centre + true @ axes) @ active.T
    signal = blobs(true)
    if how.intensity:
        gradient = active @ displacement_gradient(how.coil, centre + true @ axes) @ axes.T
        signal = signal / torch.linalg.det(torch.eye(3).double() + gradient)
    return signal.float()


@pytest.mark.parametrize(("how", "matrix"), CASES, ids=NAMES)
@pytest.mark.parametrize("intensity", [True, False])
def test_the_corrected_image_is_the_undistorted_one(how, matrix, intensity, device):
    how = replace(how, intensity=intensity)
    truth, distorted = blobs(pixel_centres(how, matrix)).float(), acquired(how, matrix)
    corrected = correct_distortion(distorted.to(device), how).cpu()
    inside = (slice(2, -2) if matrix[0] > 1 else slice(None), slice(6, -6), slice(6, -6))
    assert (distorted - truth)[inside].abs().max() > 0.1
    assert (corrected - truth)[inside].abs().max() < 0.004


def test_the_signal_is_read_where_the_scanner_shows_it():
    """The third order of z is negative: at 150 mm from the isocentre along z signal appears 3 pixels too far in."""
    coil = replace(WHOLE_BODY, z=tuple(term for term in WHOLE_BODY.z if term.order == 3))
    shift = -0.08 * 250.0 * 0.6**3
    how = DistortionCorrection(
        coil, (5.0, 401 * -shift / 3, 10.0), orientation=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
    )
    pixel = how.field_of_view_mm[1] / 401
    image = torch.zeros(1, 401, 1)
    image[0, 200 + round(150.0 / pixel) - 3] = 1.0
    corrected = correct_distortion(image, replace(how, field_of_view_mm=(5.0, 401 * pixel, 10.0)))
    assert abs(int(corrected[0, :, 0].argmax()) - 200 - 150.0 / pixel) <= 0.5


@pytest.mark.parametrize(("how", "matrix"), CASES, ids=NAMES)
def test_linear_coils_leave_every_value(how, matrix, device):
    how = replace(how, coil=GradientCoil())
    image = random_complex(2, *matrix).to(device)
    assert torch.equal(correct_distortion(image, how), image)
    assert torch.equal(noise_sd_map(how, matrix, device).cpu(), torch.ones(matrix))


@pytest.mark.parametrize(("how", "matrix"), CASES, ids=NAMES)
def test_linear(how, matrix):
    assert_linear(lambda image: correct_distortion(image, how), *matrix)


def test_a_batch_is_its_images():
    how, matrix = VOLUME, (8, 24, 20)
    images = random_complex(2, 3, *matrix)
    each = torch.stack([correct_distortion(image, how) for image in images.flatten(0, 1)]).reshape(images.shape)
    torch.testing.assert_close(correct_distortion(images, how), each)
    torch.testing.assert_close(correct_distortion(images.real, how), each.real)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_noise_map_is_the_norm_of_the_rows_of_the_operator(dimensions, device):
    how, matrix = replace(VOLUME, dimensions=dimensions), (6, 16, 14)
    units = torch.eye(prod(matrix), device=device).reshape(-1, *matrix)
    norms = correct_distortion(units, how).square().sum(0).sqrt()
    torch.testing.assert_close(noise_sd_map(how, matrix, device), norms, atol=1e-5, rtol=1e-5)
    assert norms.max() / norms[norms > 0.1].min() > 1.3


def test_noise_map_is_the_measured_noise():
    matrix = (1, 48, 40)
    map_ = noise_sd_map(PLANE, matrix)
    noise = correct_distortion(random_complex(1500, *matrix), PLANE)
    inside = map_ > 0.1
    assert noise_sd(noise[:, inside] / map_[inside]) == pytest.approx(1.0, rel=0.002)
    measured = torch.view_as_real(noise).square().mean((0, -1)).sqrt()
    torch.testing.assert_close(measured[inside], map_[inside], rtol=0.09, atol=0.0)
    assert (measured / map_)[inside].log().square().mean().sqrt() < 0.02


def test_signal_from_outside_the_field_of_view_is_0():
    """Towards the windings, along x, the field exceeds the linear one: signal moves outwards, by 9 mm at the edge."""
    how = DistortionCorrection(HEAD, (5.0, 60.0, 300.0), intensity=False)
    corrected = correct_distortion(torch.ones(1, 24, 120), how)
    assert corrected[0, 12, 60] == 1.0
    assert not corrected[0, 12, [0, -1]].any()


def test_differentiable():
    how, matrix = VOLUME, (6, 12, 10)
    image, weight = random_complex(*matrix, seed=1).requires_grad_(), random_complex(*matrix, seed=2)
    plan = resampling(how, matrix)
    torch.vdot(weight.flatten(), resample(image, plan).flatten()).real.backward()
    probe = random_complex(*matrix, seed=3)
    expected = torch.vdot(weight.flatten(), resample(probe, plan).flatten()).real
    torch.testing.assert_close(torch.vdot(image.grad.flatten(), probe.flatten()).real, expected, atol=1e-3, rtol=1e-4)


def test_cubic_weights_reproduce_quadratics():
    t = torch.rand(1, 50, generator=seeded(), dtype=torch.float64)
    taps = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.float64)[:, None]
    for power in range(3):
        torch.testing.assert_close((cubic_weights(t) * taps**power).sum(-2), t**power)


def test_drawn_corrections_survive_json_and_keep_the_image_whole():
    for seed in range(40):
        matrix = (1, 32, 24) if seed % 2 else (8, 32, 24)
        how = draw_distortion(matrix, seeded(seed))
        assert how == draw_distortion(matrix, seeded(seed))
        assert DistortionCorrection.from_json(json.loads(json.dumps(how.to_json()))) == how
        assert 150.0 <= how.field_of_view_mm[1] <= 450.0
        assert how.dimensions == 2 or matrix[0] > 1
        gain = torch.cat([piece.gain for piece in resampling(how, matrix)])
        assert 0.2 < gain.min() <= gain.max() < 3.0


def test_drawn_planes_are_of_every_kind():
    normals = torch.tensor([draw_distortion((1, 32, 32), seeded(seed)).orientation[0] for seed in range(60)])
    assert set(normals.abs().argmax(-1).tolist()) == {0, 1, 2}
    assert ((normals.abs().amax(-1) < 0.999).float().mean() - 0.5).abs() < 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field_of_view_mm": (5.0, 0.0, 300.0)}, "field_of_view_mm is .*; each must lie between 0 and 2000"),
        ({"centre_mm": (0.0, 0.0, float("nan"))}, "centre_mm is .*nan.*; it must be finite"),
        (
            {"orientation": ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))},
            "orientation is .* three orthogonal unit vectors",
        ),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PLANE, **change)


def test_bad_images_are_named():
    with pytest.raises(ValueError, match="dimensions is 3 and the image has one partition"):
        correct_distortion(torch.zeros(1, 8, 8), replace(PLANE, dimensions=3))
    with pytest.raises(ValueError, match="image holds values that are not finite"):
        correct_distortion(torch.full((1, 8, 8), float("nan")), PLANE)
