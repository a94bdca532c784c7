import pytest
import torch

from lucidmr.enhance.calibrate import (
    MOST_REMOVAL,
    MOST_SPILL,
    calibrate,
    least_emphasis,
    nominal,
    pooled,
    response_of,
    spill,
    within_reach,
)
from lucidmr.physics.image_noise import tissue_of
from noisy_head import phantom


def response(captured, detail=0.0, seed=0):
    """A network that predicts the share ``captured`` of all noise, and whose details amplify noise by ``detail``."""
    generator = torch.Generator().manual_seed(seed)
    given = 0.01 * torch.randn(1, 96, 96, generator=generator)
    return response_of(given, (1 + detail) * given, captured * given, torch.ones_like(given, dtype=torch.bool))


def no_response():
    """Of an image without body."""
    nothing = torch.zeros(1, 64, 64)
    return response_of(nothing, nothing, nothing, nothing > 0)


def best_share(captured):
    """The share that removes all of the noise, or the most that may be removed."""
    return min(MOST_REMOVAL, 1 / captured)


@pytest.mark.parametrize("captured", [1.0, 0.8, 0.65])
@pytest.mark.parametrize("wanted", [1.2, 2.0, 4.0])
def test_removal_gives_the_wanted_noise_reduction(captured, wanted):
    found = response(captured)
    removal = calibrate(found, wanted).removal
    # Noise after is 1 - removal * captured of the noise before.
    if wanted <= 1 + 0.8 * (found.noise_reduction(best_share(captured)) - 1):
        assert removal == pytest.approx((1 - 1 / wanted) / captured, rel=0.01)
        assert calibrate(found, wanted).expected == pytest.approx(wanted, rel=0.02)
    else:
        assert 0.85 * wanted < calibrate(found, wanted).expected < wanted or removal == pytest.approx(
            MOST_REMOVAL, rel=0.1
        )


def test_noise_that_sharpening_adds_is_removed_too():
    found = response(1.0, detail=0.5)
    removal = calibrate(found, 1.8).removal
    assert removal == pytest.approx(1.5 - 1.0 / 1.8, rel=0.02)
    assert found.noise_reduction(removal) == pytest.approx(1.8, rel=0.02)


def test_out_of_reach_gives_the_most_that_can_be_had():
    found = response(0.3)
    assert calibrate(found, 4.0).removal == pytest.approx(MOST_REMOVAL, rel=0.05)
    # A prediction that has nothing to do with the noise only adds noise: the best is to remove none of it.
    draws = torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(9))
    useless = response_of(draws[0], draws[0], draws[1], torch.ones(1, 96, 96, dtype=torch.bool))
    assert calibrate(useless, 2.0).removal < 0.1


@pytest.mark.parametrize(("wanted", "expected"), [(1.5, 1.0), (2.0, 1.6), (3.0, 2.5), (8.0, 4.0)])
def test_the_network_is_told_of_no_more_noise_than_need_be(wanted, expected):
    captured = {1.0: 0.4, 1.6: 0.5, 2.5: 0.6, 4.0: 0.65}
    assert least_emphasis(lambda emphasis: (response(captured[emphasis]), 1.0), wanted) == expected


def test_where_more_told_gives_less_the_most_is_taken():
    captured = {1.0: 0.4, 1.6: 0.5, 2.5: 0.3, 4.0: 0.2}
    assert least_emphasis(lambda emphasis: (response(captured[emphasis]), 1.0), 8.0) == 1.6


def test_the_network_is_told_of_no_noise_that_makes_it_remove_anatomy():
    spilt = {1.0: 1.0, 1.6: 1.2, 2.5: 1.4, 4.0: 1.6}
    assert least_emphasis(lambda emphasis: (response(0.3 * emphasis), spilt[emphasis]), 8.0) == 1.6
    assert least_emphasis(lambda emphasis: (response(0.3 * emphasis), 2.0), 8.0) == 1.0


def test_where_anatomy_is_taken_for_noise_no_more_than_the_nominal_share_is_removed():
    assert calibrate(response(0.5), 2.0, spilt=1.0).removal > 0.9
    assert calibrate(response(0.5), 2.0, spilt=2.0).removal == pytest.approx(0.5, rel=0.02)


def test_spill_tells_noise_from_edges():
    image = phantom(128)
    noise = 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    edges = torch.stack(torch.gradient(image)).square().sum(0).sqrt()
    tissue = tissue_of(image)
    assert spill(noise, tissue) == pytest.approx(1.0, abs=0.1)
    assert spill(noise + edges, tissue) > MOST_SPILL
    assert spill(torch.zeros(64, 64), tissue_of(torch.zeros(64, 64))) == 0.0


def test_without_body_the_network_is_told_what_is_found():
    assert least_emphasis(lambda _: (no_response(), 0.0), 4.0) == 1.0


def test_nominal_is_that_of_a_perfect_network():
    assert nominal(4.0).removal == pytest.approx(0.75)
    assert nominal(1.0).removal == 0.0


def test_an_image_without_body_gets_the_nominal_setting():
    assert calibrate(no_response(), 2.0) == nominal(2.0)


@pytest.mark.parametrize("reach", [1.0, 1.5, 2.5])
def test_asking_for_more_never_gives_less(reach):
    got = [within_reach(wanted, reach) for wanted in (1.0, 1.2, 1.5, 2.0, 3.0, 4.0)]
    assert got == sorted(got)
    assert max(got) <= reach
    if reach > 1:
        assert len(set(got)) == len(got)
        assert within_reach(1.0, reach) == 1.0


def test_images_set_the_dial_together():
    alone = [response(captured, seed=seed) for seed, captured in enumerate((0.9, 0.75, 0.6))]
    removals = [calibrate(found, 1.8).removal for found in alone]
    assert min(removals) < calibrate(pooled(alone), 1.8).removal < max(removals)
    assert calibrate(pooled(alone[:1]), 1.8) == calibrate(alone[0], 1.8)
