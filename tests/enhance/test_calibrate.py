from itertools import pairwise

import pytest
import torch

from lucidmr.enhance.calibrate import (
    AGAIN,
    MOST_BESIDE,
    MOST_PASSES,
    MOST_REMOVAL,
    MOST_RISE,
    Behaviour,
    Calibrator,
    DialMap,
    nominal,
    pooled,
    response_of,
    within_reach,
)
from lucidmr.enhance.risk import Risk
from lucidmr.errors import LucidError


def response(captured, detail=0.0, left=1.0, seed=0):
    """A network that predicts the share ``captured`` of the noise that is left, and whose details amplify it."""
    generator = torch.Generator().manual_seed(seed)
    given = 0.01 * torch.randn(1, 96, 96, generator=generator)
    everywhere = torch.ones_like(given, dtype=torch.bool)
    return response_of(given, (1 + detail) * left * given, captured * left * given, everywhere)


def no_more_than(structured):
    """The risk beside structure when all predicted noise is removed."""
    return Risk(1.0, structured - 1.0, 0.0)


def once(found, structured=0.5):
    """The first pass takes noise alone; the network takes anatomy when it is asked again."""
    removed = found.kept - 2 * found.shared + found.noise
    nothing_more = found._replace(kept=removed, shared=0 * removed, noise=0 * removed)

    def start(_sparing):
        asked = iter([Behaviour(found, Risk(1.0, -0.5, 0.0), no_more_than(structured))])
        return lambda _: next(asked, Behaviour(nothing_more, Risk(0.5, 10.0, 0.0), Risk(0.5, 0.0, 0.0)))

    return start


def again_and_again(captured, structured=0.5, risks=(), told=None):
    """A network that takes its share of what is left each time; what it is told is noted.

    Where it spares structure the first pass takes half as much. ``risks`` are those of homogeneous tissue pass by pass,
    that pass's noise removed.
    """

    def start(sparing):
        left, before, after = 1.0, 1.0, iter(risks)

        def ask(times):
            nonlocal left, before
            if told is not None:
                told.append((sparing, times))
            share = 0.5 * captured if sparing and left == 1.0 else captured
            risk = next(after, 0.5)
            beside = no_more_than(0.5 if sparing else structured)
            found = Behaviour(response(share, left=left), Risk(before, risk - before, 0.0), beside)
            left, before = left * (1.0 - share), risk
            return found

        return ask

    return start


def calibrated(start, wanted):
    return Calibrator(start)(wanted)


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
    removal = calibrated(once(found), wanted).removal
    # Noise after is 1 - removal * captured of the noise before.
    if wanted <= 1 + 0.9 * (found.noise_reduction(best_share(captured)) - 1):
        assert removal == pytest.approx((1 - 1 / wanted) / captured, rel=0.01)
        assert calibrated(once(found), wanted).expected == pytest.approx(wanted, rel=0.02)
    else:
        assert 0.85 * wanted < calibrated(once(found), wanted).expected < wanted or removal == pytest.approx(
            MOST_REMOVAL, rel=0.1
        )


def test_noise_that_sharpening_adds_is_removed_too():
    found = response(1.0, detail=0.5)
    removal = calibrated(once(found), 1.8).removal
    assert removal == pytest.approx(1.5 - 1.0 / 1.8, rel=0.02)
    assert found.noise_reduction(removal) == pytest.approx(1.8, rel=0.02)


def test_out_of_reach_gives_the_most_that_can_be_had():
    found = response(0.3)
    assert calibrated(once(found), 4.0).removal == pytest.approx(MOST_REMOVAL, rel=0.05)
    # A prediction that has nothing to do with the noise only adds noise: the best is to remove none of it.
    draws = torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(9))
    useless = response_of(draws[0], draws[0], draws[1], torch.ones(1, 96, 96, dtype=torch.bool))
    assert calibrated(once(useless), 2.0).removal < 0.1


# Half of what is left, 1.2 times of it in the last pass: 1 / 0.4 = 2.5, 5, 10, 20, 40.
@pytest.mark.parametrize(("wanted", "passes"), [(1.2, 1), (2.1, 1), (2.4, 1), (3.0, 2), (4.0, 2), (4.9, 2), (8.0, 3)])
def test_no_more_passes_are_made_than_need_be(wanted, passes):
    found = calibrated(again_and_again(0.5), wanted)
    assert len(found.told) == passes
    assert found.expected == pytest.approx(wanted, rel=0.01)
    # Passes before the last leave half each.
    left = 0.5 ** (passes - 1)
    assert found.removal == pytest.approx((left - 1 / wanted) / (0.5 * left), abs=0.01)


def test_the_network_is_told_several_times_the_noise_that_is_left():
    told = []
    calibrated(again_and_again(0.5, told=told), 16.0)
    assert told[0] == (False, 1.0)
    assert [times for _, times in told[1:]] == pytest.approx(
        [AGAIN / 2**number for number in range(1, len(told))], rel=1e-3
    )


def test_passes_come_to_an_end():
    found = calibrated(again_and_again(0.3), 200.0)
    assert len(found.told) == MOST_PASSES
    assert found.expected == pytest.approx(1 / (0.7 ** (MOST_PASSES - 1) * (1 - 0.3 * MOST_REMOVAL)), rel=0.02)


def test_passes_are_made_once_and_give_the_same_whatever_was_wanted_before():
    told = []
    kept = Calibrator(again_and_again(0.5, structured=2.0, told=told))
    for wanted in (8.0, 1.2, 3.0, 200.0):
        assert kept(wanted) == calibrated(again_and_again(0.5, structured=2.0), wanted)
    # The first one twice, as it is to spare structure.
    assert len(told) == 1 + MOST_PASSES


@pytest.mark.parametrize(("wanted", "accepted"), [(4.0, 3.0), (200.0, 3.0), (3.4, 2.4)])
def test_the_dial_stops_where_more_anatomy_goes_than_who_asks_accepts(wanted, accepted):
    rise = accepted * MOST_RISE
    start = again_and_again(0.4, risks=(0.5, 0.5 + 0.4 * rise, 0.5 + 1.3 * rise))
    found = calibrated(start, wanted)
    if wanted == 200.0:
        assert len(found.told) == 3
        # Of the third pass so much that the risk comes to what is allowed above the least: two thirds of it.
        assert found.removal == pytest.approx(2 / 3, rel=0.01)
    # 1.67, 2.78 and 0.36 (1 - 2 / 3 0.4), nine tenths of it exactly.
    assert found.expected == pytest.approx(within_reach(wanted, 1 / (0.36 * (1 - 0.8 / 3))), rel=0.01)


def test_who_asks_for_more_accepts_more():
    start = again_and_again(0.5, risks=(0.5, 0.5 + 2.0 * MOST_RISE))
    # At 2.2 the first pass is enough; at 2.6 a rise of 1.6 is accepted, at 3 twice that of 2 and so all of the second.
    assert len(calibrated(start, 2.2).told) == 1
    assert calibrated(start, 2.6).expected == pytest.approx(2.6, rel=0.01)
    assert calibrated(start, 3.0).expected == pytest.approx(3.0, rel=0.01)
    kept = Calibrator(start)
    assert [kept(wanted) for wanted in (4.0, 2.2, 3.0)] == [calibrated(start, wanted) for wanted in (4.0, 2.2, 3.0)]


def test_a_first_pass_that_takes_more_anatomy_than_noise_stops_short():
    told = []
    found = calibrated(again_and_again(0.5, risks=(1.0 + 2 * MOST_RISE,), told=told), 2.0)
    assert found.removal == pytest.approx(0.5, rel=0.01)
    assert told == [(False, 1.0)]
    assert calibrated(again_and_again(0.5, risks=(1.0 + MOST_RISE,)), 2.0).expected == pytest.approx(2.0, rel=0.01)


def test_asking_for_more_never_gives_less_over_passes():
    asked = [1.0 + 0.1 * step for step in range(60)]
    for structured in (0.5, 2.0):
        got = [calibrated(again_and_again(0.5, structured=structured), wanted).expected for wanted in asked]
        assert all(more >= 0.998 * less for less, more in pairwise(got))


def test_where_anatomy_is_taken_for_noise_the_first_pass_is_made_anew_and_spares_structure():
    told = []
    found = calibrated(again_and_again(0.5, structured=2.0, told=told), 2.5)
    assert found.sparing
    assert told == [(False, 1.0), (True, 1.0), (True, pytest.approx(AGAIN * 0.75, rel=1e-3))]
    assert found.told == tuple(times for _, times in told[1:])
    assert found.expected == pytest.approx(2.5, rel=0.01)
    assert found.removal == pytest.approx((0.75 - 1 / 2.5) / (0.5 * 0.75), abs=0.01)
    assert not calibrated(again_and_again(0.5, structured=MOST_BESIDE), 2.5).sparing


def test_nominal_is_that_of_a_perfect_network():
    assert nominal(4.0).removal == pytest.approx(0.75)
    assert nominal(1.0).removal == 0.0


def test_an_image_without_body_cannot_be_calibrated_on():
    assert calibrated(once(no_response()), 2.0) is None


MAP = DialMap((0.01, 0.04), (0.0, 0.5, 1.0), ((1.0, 1.2, 1.1), (1.0, 2.0, 4.0)))
"""Of faint noise half is found, and by half of it; of strong noise three quarters."""


@pytest.mark.parametrize(
    ("wanted", "noise", "share"),
    [(1.0, 0.04, 0.0), (1.5, 0.04, 0.25), (3.0, 0.04, 0.75), (8.0, 0.5, 1.0), (1.1, 0.01, 0.25), (2.0, 0.0, 0.5)],
)
def test_the_map_on_the_card_is_inverted(wanted, noise, share):
    assert MAP.share(wanted, noise) == pytest.approx(share)


def test_between_levels_of_noise_the_map_is_interpolated():
    assert MAP.share(1.6, 0.02) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "damaged",
    [{}, {"noise": 1, "shares": [0.0], "factors": [[1.0]]}, {"noise": [1.0], "shares": [0.0, 1.0], "factors": [[1.0]]}],
)
def test_a_damaged_map_is_named(damaged):
    with pytest.raises(LucidError, match="the card's 'dial'"):
        DialMap.from_json(damaged)


@pytest.mark.parametrize("reach", [1.0, 1.5, 2.5])
def test_asking_for_more_never_gives_less(reach):
    got = [within_reach(wanted, reach) for wanted in (1.0, 1.2, 1.5, 2.0, 3.0, 4.0)]
    assert got == sorted(got)
    assert max(got) <= reach
    if reach > 1:
        assert len(set(got)) == len(got)
        assert within_reach(1.0, reach) == 1.0


def test_images_set_the_dial_together():
    risks = [Risk(1.0, -0.2 * seed, 0.1) for seed in range(3)]
    alone = [
        Behaviour(response(captured, seed=seed), risk, Risk(seed, 0.0, 0.0))
        for seed, (captured, risk) in enumerate(zip((0.9, 0.75, 0.6), risks, strict=True))
    ]
    removals = [calibrated(once(found.response), 1.8).removal for found in alone]
    together = pooled(alone)
    assert min(removals) < calibrated(once(together.response), 1.8).removal < max(removals)
    assert together.homogeneous == pytest.approx(risks[1])
    assert together.structured == pytest.approx((1.0, 0.0, 0.0))
