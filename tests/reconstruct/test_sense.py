from functools import cache

import pytest
import torch

from lucidmr.physics.fourier import to_kspace
from lucidmr.physics.undersampling import UniformUndersampling, calibration_block
from lucidmr.reconstruct.sense import sense, sense_lattice
from parallel_scans import full_scan, nrmse
from properties import assert_linear, random_complex

FLAT, SLAB = (1, 48, 60), (12, 16, 24)
LATTICES = [
    (UniformUndersampling(phase=2.0), FLAT),
    (UniformUndersampling(phase=3.0), FLAT),
    (UniformUndersampling(phase=4.0), FLAT),
    (UniformUndersampling(phase=2.0, slice=2.0), SLAB),
    (UniformUndersampling(phase=2.0, slice=2.0, shift=1), SLAB),
    (UniformUndersampling(phase=2.0, slice=3.0, shift=1), SLAB),
    (UniformUndersampling(phase=2.0, slice=3.0, shift=2), SLAB),
    (UniformUndersampling(phase=1.0, slice=2.0), SLAB),
]
NAMES = [f"R{lattice.slice:g}x{lattice.phase:g}shift{lattice.shift}" for lattice, _ in LATTICES]
scan = cache(full_scan)


def lattice_mask(undersampling, matrix):
    return undersampling.lattice(matrix[0], matrix[2])[:, None, :].expand(matrix)


@pytest.mark.parametrize(("undersampling", "matrix"), LATTICES, ids=NAMES)
def test_the_closed_form_unfolds_exactly(device, undersampling, matrix):
    image, maps, full = (array.to(device) for array in scan(16, matrix))
    assert nrmse(sense_lattice(full, maps, undersampling, 0.0), image) < 5e-3


@pytest.mark.parametrize(("undersampling", "matrix"), LATTICES, ids=NAMES)
def test_iterations_converge_to_the_closed_form(device, undersampling, matrix):
    """Of noise, regularized, so that every mode counts."""
    _, maps, full = (array.to(device) for array in scan(12, matrix))
    kspace = random_complex(*full.shape).to(device)
    closed = sense_lattice(kspace, maps, undersampling, 0.01)
    iterated = sense(kspace, maps, lattice_mask(undersampling, matrix).to(device), 0.01, 200, 1e-6)
    assert nrmse(iterated, closed) < 1e-4


def dense_solution(kspace, maps, mask, regularization):
    """The definition, as one matrix: unit images through the forward model."""
    n = mask.numel()
    units = torch.eye(n, dtype=torch.complex64).reshape(n, 1, *mask.shape)
    forward = (to_kspace(units * maps) * mask).flatten(1).T
    normal = forward.mH @ forward + regularization * torch.eye(n)
    return torch.linalg.solve(normal, forward.mH @ (kspace * mask).flatten()).reshape(mask.shape)


@pytest.mark.parametrize("matrix", [(1, 7, 9), (1, 6, 10), (3, 4, 8), (4, 5, 7)])
def test_is_the_minimum_of_its_definition_for_any_mask(matrix):
    """Odd and even sizes, random lines."""
    _, maps, full = scan(6, matrix)
    lines = torch.rand(matrix[0], 1, matrix[2], generator=torch.Generator().manual_seed(1)) < 0.6
    mask, kspace = lines.expand(matrix), random_complex(*full.shape)
    found = sense(kspace, maps, mask, 0.05, 300, 1e-7)
    torch.testing.assert_close(found, dense_solution(kspace, maps, mask, 0.05), atol=1e-4, rtol=1e-3)


def test_a_factor_that_is_not_whole():
    undersampling = UniformUndersampling(phase=2.5)
    image, maps, full = scan(12, FLAT)
    mask = lattice_mask(undersampling, FLAT)
    assert nrmse(sense(full * mask, maps, mask, 1e-5, 60), image) < 0.01


def test_integrated_calibration_lines_help():
    undersampling = UniformUndersampling(phase=4.0)
    image, maps, full = scan(8, FLAT)
    noisy = full + 0.005 * image.abs().max() * random_complex(*full.shape)
    lattice = lattice_mask(undersampling, FLAT)
    more = lattice | calibration_block((1, FLAT[2]), (1, 24))[:, None, :]
    assert nrmse(sense(noisy, maps, more), image) < nrmse(sense(noisy, maps, lattice), image)
    torch.testing.assert_close(
        sense_lattice(noisy * more, maps, undersampling), sense_lattice(noisy * lattice, maps, undersampling)
    )


def test_the_readout_is_not_unfolded():
    """An asymmetric echo stays zero-filled: transforming along freq commutes with SENSE."""
    _, maps, full = scan(8, FLAT)
    flat_maps = maps[:, :, :1, :].expand_as(maps)
    mask = lattice_mask(UniformUndersampling(phase=2.0), FLAT) & (torch.arange(FLAT[1]) >= 12)[:, None]
    spectrum = to_kspace(sense(full, flat_maps, mask, 1e-3), (-2,))
    assert spectrum[:, :12].abs().max() < 1e-4 * spectrum.abs().max()


def test_nothing_where_the_maps_are_nothing():
    _, maps, full = scan(8, FLAT)
    maps = maps * (torch.arange(FLAT[2]) > 10)
    undersampling = UniformUndersampling(phase=2.0)
    for image in (sense_lattice(full, maps, undersampling, 0.0), sense(full, maps, lattice_mask(undersampling, FLAT))):
        assert not image[..., :11].any()
        assert torch.isfinite(torch.view_as_real(image)).all()


def test_linear():
    _, maps, full = scan(6, FLAT)
    undersampling = UniformUndersampling(phase=2.0)
    mask = lattice_mask(undersampling, FLAT)
    assert_linear(lambda kspace: sense_lattice(kspace, maps, undersampling), *full.shape)
    assert_linear(lambda kspace: sense(kspace, maps, mask, 0.1, 100, 1e-7), *full.shape)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_equivariant_to_scale(scale):
    _, maps, full = scan(6, FLAT)
    undersampling = UniformUndersampling(phase=3.0)
    mask = lattice_mask(undersampling, FLAT)
    for method in (lambda y: sense_lattice(y, maps, undersampling), lambda y: sense(y, maps, mask)):
        torch.testing.assert_close(method(full * scale) / scale, method(full), atol=1e-4, rtol=1e-3)


def test_batches_and_a_mask_for_each_item():
    scans = [scan(6, FLAT, seed) for seed in (0, 1)]
    maps, full = torch.stack([s[1] for s in scans]), torch.stack([s[2] for s in scans])
    masks = torch.stack([lattice_mask(UniformUndersampling(phase=float(r)), FLAT) for r in (2, 3)])
    together = sense(full * masks.unsqueeze(1), maps, masks)
    for index, (_, one_maps, one) in enumerate(scans):
        alone = sense(one * masks[index], one_maps, masks[index])
        torch.testing.assert_close(together[index], alone, atol=1e-4, rtol=1e-3)
    shared = sense_lattice(full, maps[0], UniformUndersampling(phase=2.0))
    torch.testing.assert_close(shared[0], sense_lattice(full[0], maps[0], UniformUndersampling(phase=2.0)))


def test_differentiable():
    _, maps, full = scan(6, SLAB)
    undersampling = UniformUndersampling(phase=2.0)
    kspace = full.clone().requires_grad_()
    mask = lattice_mask(undersampling, SLAB)
    (sense(kspace, maps, mask) + sense_lattice(kspace, maps, undersampling)).abs().sum().backward()
    assert kspace.grad is not None
    assert kspace.grad[:, mask].abs().max() > 0


def test_what_partial_fourier_leaves_out_is_not_to_be_unfolded():
    _, maps, full = scan(3, FLAT)
    mask = lattice_mask(UniformUndersampling(phase=2.0), FLAT).clone()
    mask[..., 34:] = False  # one line of 3.5 over the whole matrix, one of 2 where lines are
    assert torch.isfinite(sense(full * mask, maps, mask).abs()).all()


def test_bad_input():
    _, maps, full = scan(3, FLAT)
    mask = torch.ones(FLAT, dtype=torch.bool)
    broken = full.clone()
    broken[0, 0, 0, 0] = complex("inf")
    four = lattice_mask(UniformUndersampling(phase=4.0), FLAT)
    cases = [
        (lambda: sense(broken, maps, mask), "kspace has values that are not finite"),
        (lambda: sense(full, maps * float("nan"), mask), "maps has values that are not finite"),
        (lambda: sense(full, maps, mask, -1.0), "regularization is -1; it must be finite and not negative"),
        (lambda: sense(full, maps, mask, iterations=0), "iterations is 0"),
        (lambda: sense(full, maps, four), r"mask keeps one line of 3\.8; .* one per coil, of 3"),
        (lambda: sense_lattice(full, maps, UniformUndersampling(phase=4.0)), "acceleration is 4; .* the 3 coils"),
        (lambda: sense_lattice(full, maps, UniformUndersampling(phase=2.5)), "needs whole factors"),
        (lambda: sense_lattice(full, maps, UniformUndersampling(phase=7.0)), "matrix is 1 x 60 .* multiple of 1 x 7"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_matrix_without_whole_caipirinha_cells():
    maps = random_complex(8, 4, 3, 6)
    with pytest.raises(ValueError, match=r"matrix is 4 x 6 \(slice x phase\); it must be a multiple of 2 x 4"):
        sense_lattice(maps, maps, UniformUndersampling(phase=2.0, slice=2.0, shift=1))


def test_maps_of_another_matrix():
    _, maps, full = scan(3, FLAT)
    unchecked = getattr(sense, "__wrapped__", sense)  # without the run-time check of types
    with pytest.raises(ValueError, match=r"maps are 3 x 1 x 48 x 59 .*; they must be 3 x 1 x 48 x 60 as kspace"):
        unchecked(full, maps[..., :-1], torch.ones(FLAT, dtype=torch.bool))
