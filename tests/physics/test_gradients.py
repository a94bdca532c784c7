"""The fields of gradient coils: against the definition of the harmonics, and folding nowhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import factorial, lpmv

from lucidmr.physics.gradients import (
    HEAD,
    WHOLE_BODY,
    GradientCoil,
    Harmonic,
    displacement,
    displacement_gradient,
    draw_gradient_coil,
    jacobian_determinant,
    least_jacobian,
)
from properties import seeded


def full_coil(top=6):
    """Every harmonic of every coil up to an order."""
    values = iter((0.02 * torch.randn(1000, generator=seeded(), dtype=torch.float64)).tolist())
    terms = [
        tuple(Harmonic(n, m, next(values), next(values)) for n in range(2, top + 1) for m in range(n + 1))
        for _ in range(3)
    ]
    return GradientCoil(*terms, reference_radius_mm=200.0, valid_radius_mm=240.0)


def points(n=200, radius=240.0):
    directions = torch.nn.functional.normalize(torch.randn(n, 3, generator=seeded(1), dtype=torch.float64), dim=-1)
    return directions * radius * torch.rand(n, 1, generator=seeded(2), dtype=torch.float64)


def test_displacement_is_the_sum_of_spherical_harmonics():
    coil, r = full_coil(), points().numpy()
    radius = np.linalg.norm(r, axis=1)
    theta, phi = np.arccos(r[:, 2] / radius), np.arctan2(r[:, 1], r[:, 0])
    expected = np.zeros_like(r)
    for axis, terms in enumerate((coil.x, coil.y, coil.z)):
        for n, m, a, b in terms:
            norm = np.sqrt((2 * n + 1) * factorial(n - m) / (2 * factorial(n + m))) if m else 1.0
            legendre = (-1) ** m * lpmv(m, n, np.cos(theta))
            expected[:, axis] += (radius / 200) ** n * norm * legendre * (a * np.cos(m * phi) + b * np.sin(m * phi))
    np.testing.assert_allclose(displacement(coil, torch.from_numpy(r)), 200.0 * expected, atol=1e-9)


@pytest.mark.parametrize("radius", [240.0, 600.0], ids=["inside", "and beyond the valid radius"])
def test_displacement_gradient_is_its_derivative(radius):
    coil, r, step = full_coil(), points(radius=radius), 1e-3
    steps = step * torch.eye(3, dtype=torch.float64)
    columns = [(displacement(coil, r + s) - displacement(coil, r - s)) / (2 * step) for s in steps]
    torch.testing.assert_close(displacement_gradient(coil, r), torch.stack(columns, -1), atol=1e-8, rtol=1e-6)


def test_a_term_by_hand():
    coil = GradientCoil(z=(Harmonic(3, 0, -0.1),))
    r = torch.tensor([[0.0, 0.0, 125.0], [125.0, 0.0, 125.0]])
    # z (z^2 - 1.5 (x^2 + y^2)) / r0^2 of the coefficient
    expected = torch.tensor([[0.0, 0.0, -0.1 * 125 / 4], [0.0, 0.0, 0.05 * 125 / 4]])
    torch.testing.assert_close(displacement(coil, r), expected)


def test_far_beyond_the_valid_radius_the_displacement_is_that_at_a_fifth_more():
    direction = torch.nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5]), dim=0)
    unbounded = replace(WHOLE_BODY, valid_radius_mm=1000.0)
    torch.testing.assert_close(displacement(WHOLE_BODY, 900.0 * direction), displacement(unbounded, 300.0 * direction))


def test_the_continuation_is_smooth():
    direction = torch.nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), dim=0)
    r = torch.linspace(240.0, 260.0, 201, dtype=torch.float64)[:, None] * direction
    assert jacobian_determinant(WHOLE_BODY, r).diff().abs().max() < 1e-3


def test_linear_coils_displace_nothing(device):
    r = points().float().to(device)
    assert not displacement(GradientCoil(), r).any()
    assert (jacobian_determinant(GradientCoil(), r) == 1).all()


def test_fields_are_the_same_on_every_device(device):
    r = points().float()
    torch.testing.assert_close(displacement(HEAD, r.to(device)).cpu(), displacement(HEAD, r), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", ["whole_body", "head"])
def test_drawn_coils_deviate_as_real_ones_do_and_fold_nowhere(kind):
    directions = torch.nn.functional.normalize(torch.randn(300, 3, generator=seeded()), dim=-1)
    largest = []
    for seed in range(60):
        coil = draw_gradient_coil(seeded(seed), kind)
        assert least_jacobian(coil) > 0.25
        largest.append([float(displacement(coil, r * directions).norm(dim=-1).max()) for r in (100.0, 200.0, 250.0)])
    low, high = torch.tensor(largest).aminmax(dim=0)
    bounds = {"whole_body": ((0.3, 2.5), (3, 16), (7, 30)), "head": ((1.5, 7), (8, 36), (9, 40))}[kind]
    for smallest, most, (least, limit) in zip(low, high, bounds, strict=True):
        assert least < smallest < most < limit


def test_draws_follow_the_seed():
    assert draw_gradient_coil(seeded(3)) == draw_gradient_coil(seeded(3)) != draw_gradient_coil(seeded(4))


@pytest.mark.parametrize("coil", [WHOLE_BODY, HEAD])
def test_shipped_coils_fold_nowhere_and_survive_json(coil):
    assert least_jacobian(coil) > 0.4
    assert GradientCoil.from_json(json.loads(json.dumps(coil.to_json()))) == coil


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": (Harmonic(1, 0, 0.1),)}, r"x has a term \(1, 0\); the order must lie between 2 and 20"),
        ({"y": (Harmonic(3, 4, 0.1),)}, r"y has a term \(3, 4\)"),
        ({"z": (Harmonic(3, 0, float("nan")),)}, r"z has a term \(3, 0\) that is not finite"),
        ({"z": (Harmonic(3, 0, 0.1), Harmonic(3, 0, 0.2))}, "z gives an order and degree twice"),
        ({"reference_radius_mm": 0.25}, "reference_radius_mm is 0.25; it must lie between 10 and 2000"),
    ],
)
def test_bad_coils_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientCoil(**arguments)
