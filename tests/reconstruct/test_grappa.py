from functools import cache

import pytest
import torch

from lucidmr.physics.fourier import central_band, to_image, to_kspace
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.combine import sensitivity_weighted
from lucidmr.reconstruct.grappa import grappa, grappa_weights, missing_offsets, source_steps
from parallel_scans import array_maps, full_scan, nrmse
from properties import assert_linear, random_complex

FLAT, SLAB = (1, 64, 60), (16, 24, 32)
LATTICES = [
    UniformUndersampling(phase=2.0),
    UniformUndersampling(phase=3.0),
    UniformUndersampling(phase=4.0),
    UniformUndersampling(phase=2.0, slice=2.0),
    UniformUndersampling(phase=2.0, slice=2.0, shift=1),
    UniformUndersampling(phase=2.0, slice=3.0, shift=1),
    UniformUndersampling(phase=2.0, slice=3.0, shift=2),
    UniformUndersampling(phase=1.0, slice=2.0),
]
name = "R{0.slice:g}x{0.phase:g}shift{0.shift}".format
scan = cache(full_scan)


def acquire(full, undersampling):
    """(undersampled k-space, its mask, calibration lines)."""
    n_slice, n_freq, n_phase = full.shape[-3:]
    plane = undersampling.pattern(torch.ones(n_slice, n_phase, dtype=torch.bool))
    mask = plane[:, None, :].expand(n_slice, n_freq, n_phase)
    rows, columns = (
        slice(*central_band(n, lines)) for n, lines in zip((n_slice, n_phase), undersampling.calibration, strict=True)
    )
    return full * mask, mask, full[..., rows, :, columns]


def kernel_for(matrix):
    return (1, 5, 4) if matrix[0] == 1 else (2, 3, 2)


@pytest.mark.parametrize("undersampling", LATTICES, ids=name)
@pytest.mark.parametrize("kernel", [(1, 5, 4), (3, 5, 2), (2, 3, 3)])
def test_sources_are_lattice_samples_and_the_nearest_of_their_line(undersampling, kernel):
    lattice = undersampling.lattice(41, 61)
    for offset in missing_offsets(undersampling):
        steps = source_steps(offset, undersampling, kernel)
        assert len(set(steps)) == kernel[0] * kernel[2]
        gap = (20 + offset[0], 30 + offset[1])
        assert not lattice[gap]
        assert all(lattice[gap[0] + s, gap[1] + p] for s, p in steps)
        assert len({p for _, p in steps}) == kernel[2]
        farthest = max(abs(s) for s, _ in steps)
        assert farthest <= undersampling.slice * (kernel[0] + 1) / 2


@pytest.mark.parametrize("undersampling", LATTICES, ids=name)
def test_every_gap_is_filled_by_the_kernel_of_its_offset(undersampling):
    """k-space of one plane wave per coil: every source predicts the gap exactly, up to a phase the fit must find."""
    matrix = (12, 8, 24) if undersampling.slice > 1 else (1, 8, 24)
    positions = torch.meshgrid(*(torch.arange(n) - n // 2 for n in matrix), indexing="ij")
    wave = torch.exp(1j * (0.3 * positions[0] + 0.7 * positions[2] + 2 * torch.pi / 8 * positions[1]))
    full = wave * torch.arange(1, 9)[:, None, None, None]
    full = full.to(torch.complex64)
    kspace, mask, _ = acquire(full, undersampling)
    filled = grappa(kspace, mask, grappa_weights(full, undersampling, kernel_for(matrix), 1e-9))
    margin = 0 if matrix[0] == 1 else 4
    inside = (..., slice(margin, matrix[0] - margin), slice(None), slice(8, -8))
    torch.testing.assert_close(filled[inside], full[inside], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("undersampling", "matrix", "kernel", "bound"),
    [
        (UniformUndersampling(phase=2.0), FLAT, (1, 5, 4), 0.02),
        (UniformUndersampling(phase=3.0), FLAT, (1, 5, 4), 0.05),
        (UniformUndersampling(phase=2.0, slice=2.0, calibration=(12, 16)), SLAB, (3, 3, 4), 0.08),
        (UniformUndersampling(phase=2.0, slice=2.0, shift=1, calibration=(12, 16)), SLAB, (2, 3, 4), 0.08),
    ],
    ids=["R2", "R3", "R2x2", "CAIPI2x2"],
)
def test_unfolds_the_head(device, undersampling, matrix, kernel, bound):
    image, maps, full = scan(12, matrix)
    kspace, mask, calibration = (array.to(device) for array in acquire(full, undersampling))
    filled = grappa(kspace, mask, grappa_weights(calibration, undersampling, kernel, 1e-4))
    found = sensitivity_weighted(to_image(filled).cpu(), maps)
    folded = sensitivity_weighted(to_image(kspace).cpu(), maps)
    assert nrmse(found, image) < bound
    assert nrmse(found, image) < nrmse(folded, image) / 2.5


def test_acquired_samples_stay_also_off_the_lattice():
    undersampling = UniformUndersampling(phase=3.0)
    _, _, full = scan(8, FLAT)
    kspace, mask, calibration = acquire(full, undersampling)
    filled = grappa(kspace, mask, grappa_weights(calibration, undersampling))
    assert torch.equal(filled[mask.expand_as(filled)], kspace[mask.expand_as(kspace)])
    lattice = undersampling.lattice(1, FLAT[2])
    assert (mask[:, 0] & ~lattice).any()


def test_calibration_lines_of_the_image_are_no_sources():
    undersampling = UniformUndersampling(phase=2.0)
    _, _, full = scan(8, FLAT)
    kspace, mask, calibration = acquire(full, undersampling)
    weights = grappa_weights(calibration, undersampling)
    bare = undersampling.lattice(1, FLAT[2])[:, None, :].expand(FLAT)
    gaps = ~mask
    with_lines, without = grappa(kspace, mask, weights), grappa(kspace * bare, bare, weights)
    torch.testing.assert_close(with_lines * gaps, without * gaps)


def test_nothing_to_do_without_acceleration():
    undersampling = UniformUndersampling(phase=1.0)
    _, _, full = scan(4, FLAT)
    kspace, mask, calibration = acquire(full, undersampling)
    assert torch.equal(grappa(kspace, mask, grappa_weights(calibration, undersampling)), full)


def test_filling_is_linear():
    undersampling = UniformUndersampling(phase=2.0)
    _, _, full = scan(4, FLAT)
    _, mask, calibration = acquire(full, undersampling)
    weights = grappa_weights(calibration, undersampling)
    assert_linear(lambda kspace: grappa(kspace * mask, mask, weights), *full.shape)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_weights_do_not_depend_on_the_scale(scale):
    _, _, full = scan(4, FLAT)
    _, _, calibration = acquire(full, LATTICES[0])
    one, other = (grappa_weights(lines, LATTICES[0]).kernels for lines in (calibration, calibration * scale))
    torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-3)


def test_each_batch_item_has_its_own_weights():
    undersampling = UniformUndersampling(phase=2.0)
    scans = [acquire(full_scan(6, FLAT, seed)[2], undersampling) for seed in (1, 2)]
    kspace, calibration = torch.stack([s[0] for s in scans]), torch.stack([s[2] for s in scans])
    mask = scans[0][1]
    together = grappa(kspace, mask, grappa_weights(calibration, undersampling))
    for index, (one, _, lines) in enumerate(scans):
        alone = grappa(one, mask, grappa_weights(lines, undersampling))
        torch.testing.assert_close(together[index], alone, atol=1e-4, rtol=1e-3)


def test_regularization_shrinks_the_weights():
    _, _, full = scan(8, FLAT)
    _, _, calibration = acquire(full, LATTICES[1])
    norms = [
        float(grappa_weights(calibration, LATTICES[1], regularization=float(r)).kernels.norm())
        for r in (0.0, 1e-3, 1.0)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_no_signal_gives_no_weights():
    weights = grappa_weights(torch.zeros(4, 1, 32, 24, dtype=torch.complex64), LATTICES[0])
    assert not weights.kernels.any()


def test_beyond_partial_fourier_the_missing_side_counts_as_zero():
    undersampling = UniformUndersampling(phase=2.0)
    _, _, full = scan(8, FLAT)
    kspace, mask, calibration = acquire(full, undersampling)
    kept = torch.arange(FLAT[2]) >= 16
    weights = grappa_weights(calibration, undersampling)
    partial, whole = grappa(kspace * kept, mask & kept, weights), grappa(kspace, mask, weights)
    torch.testing.assert_close(partial[..., 24:], whole[..., 24:])


def test_differentiable_in_the_data():
    undersampling = UniformUndersampling(phase=2.0)
    kspace, mask, calibration = acquire(to_kspace(array_maps(4, (1, 16, 24))), undersampling)
    kspace = kspace.requires_grad_()
    grappa(kspace, mask, grappa_weights(calibration, undersampling)).abs().square().sum().backward()
    assert kspace.grad is not None
    assert kspace.grad[mask.expand_as(kspace)].abs().max() > 0


@pytest.mark.parametrize(
    ("shape", "undersampling", "options", "message"),
    [
        (
            (4, 1, 32, 24),
            UniformUndersampling(phase=2.5),
            {},
            "undersampling is 1 x 2.5 .*; GRAPPA needs whole factors",
        ),
        ((4, 1, 32, 24), UniformUndersampling(phase=5.0), {}, "acceleration is 5; it must not exceed the 4 coils"),
        (
            (4, 1, 32, 6),
            UniformUndersampling(phase=2.0),
            {},
            "spans 1 x 5 x 7 samples .* must not exceed .* of 1 x 32 x 6",
        ),
        ((4, 1, 4, 24), UniformUndersampling(phase=2.0), {}, "spans 1 x 5 x 7 samples .* of 1 x 4 x 24"),
        ((4, 1, 32, 24), UniformUndersampling(phase=2.0), {"kernel": (3, 5, 4)}, "spans 3 x 5 x 7 .* of 1 x 32 x 24"),
        (
            (4, 1, 32, 24),
            UniformUndersampling(phase=2.0),
            {"kernel": (1, 4, 4)},
            "kernel is 1 x 4 x 4; .* odd along freq",
        ),
        ((4, 1, 32, 24), UniformUndersampling(phase=2.0), {"kernel": (1, 5, 0)}, "kernel is 1 x 5 x 0; .* at least 1"),
        ((4, 1, 32, 24), UniformUndersampling(phase=2.0), {"regularization": -1.0}, "regularization is -1; it must be"),
    ],
)
def test_bad_calibration(shape, undersampling, options, message):
    with pytest.raises(ValueError, match=message):
        grappa_weights(random_complex(*shape), undersampling, **options)


def test_bad_data():
    undersampling = UniformUndersampling(phase=2.0)
    calibration = random_complex(4, 1, 32, 24)
    weights, mask = grappa_weights(calibration, undersampling), torch.ones(1, 32, 24, dtype=torch.bool)
    with pytest.raises(ValueError, match="kspace has 3 coils; it must have the 4 of weights"):
        grappa(calibration[:3], mask, weights)
    calibration[1, 0, 3, 3] = complex("nan")
    with pytest.raises(ValueError, match="kspace has values that are not finite"):
        grappa(calibration, mask, weights)
    with pytest.raises(ValueError, match="calibration has values that are not finite"):
        grappa_weights(calibration, undersampling)
