"""Sensitivities estimated from data of an array whose sensitivities are known."""

from functools import cache

import pytest
import torch
from torch import Tensor

from lucidmr.physics import sensitivities
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, image
from lucidmr.physics.sensitivities import espirit, espirit_eigenmaps, inati, low_resolution, walsh
from properties import assert_linear, random_complex, seeded

N_COILS = 6
PLANE = (1, 48, 40)
VOLUME = (12, 24, 20)
LINES = {PLANE: (1, 20, 20), VOLUME: (8, 12, 12)}
KERNEL = {PLANE: 6, VOLUME: 4}


@cache
def scan(matrix: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """k-space of an array around the head phantom, its true maps, and where the body is.

    The object has pixels half as large as the image's, so it is no inverse crime; in 3D it shrinks towards both ends.
    """
    n_slice, n_freq, n_phase = matrix
    fine = image(anatomy_phantom(), 2 * n_freq, 2 * n_phase).reshape(1, 2 * n_freq, 2 * n_phase)
    if n_slice > 1:
        radius = torch.hypot(torch.linspace(-1, 1, 2 * n_freq)[:, None], torch.linspace(-1, 1, 2 * n_phase))
        fine = torch.stack([fine[0] * (radius < 0.3 * (min(i, n_slice - 1 - i) - 1)) for i in range(n_slice)])
    kspace = to_kspace(loop_array_maps(N_COILS, (n_slice, 2 * n_freq, 2 * n_phase), seeded(2)) * fine)
    body = fine[:, ::2, ::2].abs() > 0.1 * fine.abs().max()
    return resize_kspace(kspace, matrix), loop_array_maps(N_COILS, matrix, seeded(2)), body


def calibration(matrix: tuple[int, int, int]) -> Tensor:
    """The centre of its k-space."""
    return resize_kspace(scan(matrix)[0], LINES[matrix])


def by_espirit(data: Tensor) -> Tensor:
    matrix = PLANE if data.shape[-3] == 1 else VOLUME
    return espirit(data, matrix, KERNEL[matrix], crop=0.0)


def by_walsh(data: Tensor) -> Tensor:
    return walsh(low_resolution(data, PLANE if data.shape[-3] == 1 else VOLUME), 3)


def by_inati(data: Tensor) -> Tensor:
    return inati(low_resolution(data, PLANE if data.shape[-3] == 1 else VOLUME), 3)


METHODS = (by_espirit, by_walsh, by_inati)
every_method = pytest.mark.parametrize("method", METHODS)


def power(maps: Tensor) -> Tensor:
    return maps.abs().square().sum(-4)


def difference(maps: Tensor, truth: Tensor, where: Tensor) -> float:
    """Relative difference inside a region; the phase that all coils share is no coil's, so it is taken out."""
    found, wanted = maps[:, where], truth[:, where]
    return float((found - wanted * torch.sgn((wanted.conj() * found).sum(0))).norm() / wanted.norm())


@pytest.mark.parametrize(
    ("method", "matrix", "bound"),
    [
        (by_espirit, PLANE, 0.01),
        (by_espirit, VOLUME, 0.02),
        # A low resolution mixes what neighbours see, most where the volume has few pixels.
        (by_walsh, PLANE, 0.04),
        (by_walsh, VOLUME, 0.1),
        (by_inati, PLANE, 0.04),
        (by_inati, VOLUME, 0.1),
    ],
)
def test_an_arrays_maps_are_found(method, matrix, bound, device) -> None:
    _, truth, body = scan(matrix)
    maps = method(calibration(matrix).to(device))
    assert maps.device.type == device.type
    assert difference(maps.cpu(), truth, body) < bound


@pytest.mark.parametrize("lines", [(1, 20, 20), (1, 19, 24), (1, 48, 15), (1, 24, 24)])
@pytest.mark.parametrize("matrix", [PLANE, (1, 33, 64)])
def test_espirit_at_odd_and_even_sizes(lines, matrix) -> None:
    kspace, _, _ = scan(PLANE)
    truth = loop_array_maps(N_COILS, matrix, seeded(2))
    body = image(anatomy_phantom(), *matrix[1:]).reshape(matrix).abs() > 0.1
    assert difference(espirit(resize_kspace(kspace, lines), matrix), truth, body) < 0.02


@every_method
def test_the_root_sum_of_squares_is_one(method) -> None:
    torch.testing.assert_close(power(method(calibration(PLANE))), torch.ones(PLANE))


def test_espirit_crops_the_background() -> None:
    _, _, body = scan(PLANE)
    maps, eigenvalues = espirit_eigenmaps(calibration(PLANE), PLANE)
    kept = power(espirit(calibration(PLANE), PLANE, crop=0.9))
    assert float(eigenvalues.min()) >= 0.0
    assert float(eigenvalues.max()) < 1.0 + 1e-5
    assert float(eigenvalues[body].min()) > 0.99
    torch.testing.assert_close(kept, (eigenvalues >= 0.9).float())
    assert float(kept[body].min()) > 0.99
    assert float(kept[0, :2, :2].max()) == 0.0
    torch.testing.assert_close(power(maps), torch.ones(PLANE))


def test_espirit_maps_do_not_change_with_the_matrix() -> None:
    fine = espirit(calibration(PLANE), (1, 96, 80))
    torch.testing.assert_close(fine[..., ::2, ::2], espirit(calibration(PLANE), PLANE), atol=1e-4, rtol=1e-4)


def test_espirit_needs_no_more_than_24_lines() -> None:
    kspace, _, _ = scan(PLANE)
    assert torch.equal(espirit(kspace, PLANE), espirit(kspace[..., 12:36, 8:32], PLANE))


@every_method
@pytest.mark.parametrize("matrix", [PLANE, VOLUME])
def test_a_batch_is_its_members(method, matrix) -> None:
    lines = calibration(matrix)
    members = [lines, random_complex(*lines.shape, seed=1) * 1e-3 + lines, 1e3 * lines.flip(-4)]
    together = method(torch.stack(members)[None])
    torch.testing.assert_close(together, torch.stack([method(member) for member in members])[None], atol=1e-4, rtol=0)


@every_method
@pytest.mark.parametrize("scale", [1e-20, 1e15, 3e-3 - 4e-3j])
def test_the_scale_of_the_data_does_not_matter(method, scale) -> None:
    """Where there is signal; elsewhere the maps are those of rounding errors."""
    body = scan(PLANE)[2]
    scaled, unscaled = method(scale * calibration(PLANE)), method(calibration(PLANE))
    torch.testing.assert_close(scaled[:, body], unscaled[:, body], atol=1e-5, rtol=0)


@every_method
def test_mixing_the_coils_mixes_the_maps(method) -> None:
    """White noise stays white under a unitary mix, so to the mathematics its outputs are coils as good as any."""
    mix = torch.linalg.qr(random_complex(N_COILS, N_COILS, seed=4)).Q
    mixed = method(torch.einsum("dc,csfp->dsfp", mix, calibration(PLANE)))
    expected = torch.einsum("dc,csfp->dsfp", mix, method(calibration(PLANE)))
    body = scan(PLANE)[2]
    common = torch.sgn((expected.conj() * mixed)[:, body].sum())
    torch.testing.assert_close(mixed[:, body], common * expected[:, body], atol=1e-4, rtol=0)


@every_method
def test_maps_are_smooth_over_the_body(method) -> None:
    """As the truth's; a phase relative to one coil would jump where that coil sees nothing."""
    _, truth, body = scan(PLANE)
    both = body[..., 1:] & body[..., :-1]
    steps = [
        (maps[..., 1:] - maps[..., :-1]).abs().square().sum(-4).sqrt()[both]
        for maps in (method(calibration(PLANE)), truth)
    ]
    assert float(steps[0].max()) < 2 * float(steps[1].max())


@every_method
@pytest.mark.parametrize("seed", range(3))
def test_noise_changes_little(method, seed) -> None:
    """Noise per pixel of 2 % of white matter."""
    _, truth, body = scan(PLANE)
    noise = complex_noise((N_COILS, *LINES[PLANE]), 0.02 * 0.75, seeded(seed))
    noisy = calibration(PLANE) + noise * (LINES[PLANE][1] * LINES[PLANE][2] / (PLANE[1] * PLANE[2])) ** 0.5
    assert difference(method(noisy), truth, body) < 0.06


@every_method
@pytest.mark.parametrize("dead", [None, 0, 1])
def test_noise_does_not_turn_the_maps(method, dead) -> None:
    """Neither does a dead coil: no phase is taken out here."""
    body, lines = scan(PLANE)[2], calibration(PLANE).clone()
    if dead is not None:
        lines[dead] = 0.0
    first, second = (method(lines + complex_noise((N_COILS, *LINES[PLANE]), 0.005, seeded(s)))[:, body] for s in (1, 2))
    assert float((first - second).norm() / first.norm()) < 0.05


@every_method
def test_nothing_measured_gives_no_maps(method) -> None:
    assert torch.equal(
        method(torch.zeros(N_COILS, 1, 20, 20, dtype=torch.complex64)), torch.zeros(N_COILS, *PLANE) + 0j
    )


@every_method
def test_a_single_coil_sees_everything(method) -> None:
    torch.testing.assert_close(method(calibration(PLANE)[:1]), torch.ones(1, *PLANE) + 0j)


def test_walsh_is_the_main_eigenvector_of_the_local_covariance() -> None:
    images = random_complex(4, 3, 7, 6)
    maps = walsh(images, (3, 5, 3))
    for s, f, p in ((0, 0, 0), (1, 3, 2), (2, 6, 5), (1, 6, 0)):
        local = images[:, max(s - 1, 0) : s + 2, max(f - 2, 0) : f + 3, max(p - 1, 0) : p + 2].flatten(1)
        vector = torch.linalg.eigh(local @ local.mH).eigenvectors[:, -1]
        assert float(torch.vdot(vector, maps[:, s, f, p]).abs()) == pytest.approx(1.0, abs=1e-5)


def test_inati_agrees_with_walsh() -> None:
    images = to_image(scan(PLANE)[0])
    assert difference(inati(images), walsh(images), scan(PLANE)[2]) < 0.02


@pytest.mark.parametrize("method", [espirit, walsh])
def test_memory_is_bounded_without_changing_the_maps(method, monkeypatch) -> None:
    arguments = (calibration(PLANE), PLANE) if method is espirit else (to_image(scan(PLANE)[0]),)
    whole = method(*arguments)
    monkeypatch.setitem(sensitivities._CHUNK_BYTES, "cpu", 8 * N_COILS**2 * PLANE[2] * 5)
    torch.testing.assert_close(method(*arguments), whole, atol=1e-4, rtol=0)


def test_low_resolution_keeps_the_signal_and_does_not_ring() -> None:
    edge = torch.zeros(1, 1, 96, 64, dtype=torch.complex64)
    edge[..., 24:72, 16:48] = 2.0
    lines = resize_kspace(to_kspace(edge), (1, 24, 24))
    smooth = low_resolution(lines, (1, 96, 64)).real
    assert float(smooth[0, 0, 48, 32]) == pytest.approx(2.0, rel=0.02)
    assert float(smooth.max()) < 2.04 < float(to_image(resize_kspace(lines, (1, 96, 64))).real.max())
    assert float(smooth.min()) > -0.04
    assert_linear(lambda data: low_resolution(data, (4, 20, 9)), 2, 3, 8, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": (1, 7, 7)}, "kernel is 1 x 7 x 7; it must not exceed the calibration region of 1 x 6 x 20"),
        ({"kernel": 8}, "kernel is 1 x 8 x 8; it must not exceed the calibration region of 1 x 6 x 20"),
        ({"kernel": (2, 3, 3)}, "kernel is 2 x 3 x 3; it must not exceed"),
        ({"kernel": 0}, "kernel is 1 x 0 x 0; every size must be at least 1"),
        ({"matrix": (1, 0, 8)}, "matrix is 1 x 0 x 8; every size must be at least 1"),
        ({"threshold": 1.0}, "threshold is 1; it must be at least 0 and below 1"),
        ({"crop": 1.5}, "crop is 1.5; it must lie between 0 and 1"),
        ({"crop": float("nan")}, "crop is nan"),
    ],
)
def test_espirit_says_what_it_cannot_do(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        espirit(**{"calibration": random_complex(2, 1, 6, 20), "matrix": (1, 8, 8), **arguments})


@pytest.mark.parametrize("method", [walsh, inati])
@pytest.mark.parametrize(
    ("window", "message"),
    [
        (4, "window is 1 x 4 x 4; every size must be odd"),
        ((0, 3, 3), "window is 0 x 3 x 3; every size must be at least 1"),
    ],
)
def test_windows_must_have_a_middle(method, window, message) -> None:
    with pytest.raises(ValueError, match=message):
        method(random_complex(2, 1, 8, 8), window)


def test_inati_needs_an_iteration() -> None:
    with pytest.raises(ValueError, match="iterations is 0; it must be at least 1"):
        inati(random_complex(2, 1, 8, 8), iterations=0)


@every_method
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_data_must_be_finite(method, value) -> None:
    data = random_complex(2, 1, 20, 20)
    data[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match=r"(calibration|images) holds [0-9]+ values that are not finite; all must be"):
        method(data)
