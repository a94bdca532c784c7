import pytest
import torch

from lucidmr.enhance.respond import WINDOW, Asking, windows_on
from lucidmr.enhance.risk import ORIGINAL, WEAKER
from lucidmr.physics.image_noise import homogeneity, homogeneous_mask, local_mean
from noisy_head import phantom


def covered(mask):
    found = torch.zeros_like(mask)
    for window in windows_on(mask):
        found[window] = True
    return found


def disc(shape, centre, radius):
    rows, columns = (torch.arange(side) for side in shape)
    return torch.hypot((rows - centre[0])[:, None].float(), (columns - centre[1]).float()) < radius


@pytest.mark.parametrize("shape", [(1024, 1024), (768, 600), (1000, 300), (200, 200), (40, 900)])
def test_windows_hold_half_of_the_image_at_most_or_are_one(shape):
    windows = windows_on(torch.ones(shape, dtype=torch.bool))
    sizes = {(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in windows}
    assert sizes == {(min(WINDOW, shape[0]), min(WINDOW, shape[1]))}
    assert len(windows) == 1 or len(windows) * WINDOW**2 <= 0.5 * shape[0] * shape[1]
    assert all(rows.stop <= shape[0] and columns.stop <= shape[1] for rows, columns in windows)


def test_windows_lie_where_the_mask_is():
    shape = (1024, 1024)
    apart = disc(shape, (1000, 1010), 60) | disc(shape, (120, 700), 100)
    assert bool((apart <= covered(apart)).all())
    assert len(windows_on(apart)) == 2
    assert windows_on(torch.zeros(shape, dtype=torch.bool)) == []


def network(share, structure=0.0):
    """Takes a share of what differs from a local mean for noise; ``structure`` more beside edges."""

    def parts(stacks, _):
        image = stacks[:, :1]
        noise = share * (image - torch.nn.functional.avg_pool2d(image, 15, 1, 7, count_include_pad=False))
        return torch.cat([noise * (1.0 + structure), 0.5 * image], 1)

    return parts


def no_details(parts):
    return 0.0 * parts[:, 1]


def asking_about(ask, images, stacks, share=0.0, details=no_details):
    """With this share of the images insignificant."""
    return Asking(ask, details, images, stacks, lambda: [share * image for image in images])


def given_and_noisy(side=600, draws=1):
    image = phantom(side)[None]
    first, *extra = 0.02 * torch.randn(1 + draws, *image.shape, generator=torch.Generator().manual_seed(3))
    images = with_noise(image + first, extra)
    return images, images


def with_noise(image, extra):
    """The image, and the same with each draw of extra noise and with weaker noise."""
    return [image, *(image + one for one in (*extra, WEAKER * extra[0]))]


def test_behaviour_is_that_of_the_network():
    found = asking_about(network(0.6), *given_and_noisy()).start(False)(1.0)
    # A local mean over 225 pixels leaves all but the finest noise to the difference: 1 / (1 - 0.6).
    assert found.response.noise_reduction(1.0) == pytest.approx(2.5, rel=0.02)
    assert found.response.noise_reduction(0.0) == pytest.approx(1.0, abs=1e-4)
    # A part 0.6 of all noise goes, 0.4 of it stays: 0.16 of its power.
    assert found.homogeneous(1.0) == pytest.approx(0.16, abs=0.05)
    # The phantom's edges differ from a local mean.
    assert found.structured(1.0) > 2.0


@pytest.mark.parametrize("weaker", [1.0, 0.5, 0.1])
def test_how_much_of_the_noise_is_the_images_own(weaker):
    image = torch.ones(1, 256, 256) * disc((256, 256), (128, 128), 100)
    first, extra = 0.02 * torch.randn(2, *image.shape, generator=torch.Generator().manual_seed(3))
    noisy = image + weaker * first
    images = with_noise(noisy, [extra])
    found = asking_about(network(0.6), images, images).answer()
    assert found.shown == pytest.approx(weaker, rel=0.05)
    # A network that does not answer noise at all tells nothing.
    assert asking_about(network(0.0), images, images).answer().shown == float("inf")


def test_a_second_pass_goes_on_where_the_first_ended(monkeypatch):
    told = []
    image = given_and_noisy()[0][0]
    everywhere = homogeneity(image)
    monkeypatch.setattr("lucidmr.enhance.respond.homogeneity", lambda _: everywhere)

    def listening(stacks, times):
        told.append(times)
        return network(0.6)(stacks, times)

    asking = asking_about(listening, *given_and_noisy()).start(False)
    first, second = (asking(times).response for times in (1.0, 2.0))
    assert told == [1.0, 2.0]
    assert second.noise_reduction(0.0) == pytest.approx(first.noise_reduction(1.0), rel=1e-3)
    # Of what the first leaves another 0.6 goes where tissue looks homogeneous; all is measured against the noise that
    # was added, as powers of neighbourhoods.
    left = local_mean((1.0 - 0.6 * everywhere).square()).sqrt()[homogeneous_mask(image)].median()
    assert second.noise_reduction(1.0) == pytest.approx(2.5 / float(left), rel=0.05)


def test_the_first_pass_may_spare_structure():
    asking = asking_about(network(0.6), *given_and_noisy())
    everywhere, sparing = asking.start(False)(1.0), asking.start(True)(1.0)
    assert sparing.structured(1.0) < 1.0 < everywhere.structured(1.0)
    assert 1.5 < sparing.response.noise_reduction(1.0) < everywhere.response.noise_reduction(1.0)
    # Starting anew forgets what was before.
    assert asking.start(False)(1.0).homogeneous == everywhere.homogeneous


def test_what_is_insignificant_goes_with_the_first_pass_and_not_with_an_answer():
    asking = asking_about(network(0.0), *given_and_noisy(), share=0.5)
    assert asking.start(False)(1.0).response.noise_reduction(1.0) == pytest.approx(2.0, rel=1e-3)
    assert asking.answer().response.noise_reduction(1.0) == pytest.approx(1.0, rel=1e-3)


def test_more_draws_of_noise_tell_more_surely():
    def reads(seed, draws):
        image, generator = phantom(64)[None], torch.Generator().manual_seed(seed)
        extra = 0.02 * torch.randn(draws, *image.shape, generator=generator)
        images = with_noise(image, extra)
        return asking_about(network(0.6), images, images).start(False)(1.0).response.noise_reduction(0.97)

    once, often = (torch.tensor([reads(seed, draws) for seed in range(12)]) for draws in (1, 8))
    assert float(often.std()) < 0.7 * float(once.std())
    images, stacks = given_and_noisy(draws=3)
    assert len(asking_about(network(0.6), images, stacks).start(False)(1.0).response.given) == len(
        asking_about(network(0.6), images[:2], stacks[:2]).start(False)(1.0).response.given
    )


def test_slices_around_stay_as_they_are():
    asked = []

    def middle_only(stacks, _):
        asked.append(stacks)
        return network(0.6)(stacks[:, 1:2], 1.0)

    images, _ = given_and_noisy()
    stacks = [image.expand(3, -1, -1) for image in images]
    asking = asking_about(middle_only, images, stacks).start(False)
    asking(1.0), asking(1.0)
    assert torch.equal(asked[0][:, ::2], asked[1][:, ::2])
    assert not torch.equal(asked[0][:, 1], asked[1][:, 1])


def test_details_carry_noise_along():
    found = asking_about(network(0.6), *given_and_noisy(), details=lambda parts: parts[:, 1]).start(False)(1.0)
    assert found.response.noise_reduction(0.0) == pytest.approx(1 / 1.5, rel=0.01)


def test_windows_tell_what_the_whole_image_tells(monkeypatch):
    on_windows = asking_about(network(0.6), *given_and_noisy(1024)).start(False)(1.0)
    monkeypatch.setattr("lucidmr.enhance.respond.WINDOW", 1024)
    whole = asking_about(network(0.6), *given_and_noisy(1024)).start(False)(1.0)
    assert len(on_windows.response.given) < len(whole.response.given)
    for share in (0.5, 1.0):
        assert on_windows.response.noise_reduction(share) == pytest.approx(
            whole.response.noise_reduction(share), rel=0.02
        )


def test_an_image_without_body_shows_nothing():
    empty = torch.zeros(1, 300, 300)
    found = asking_about(network(0.6), (empty, empty), (empty, empty)).start(False)(1.0)
    assert len(found.response.given) == 0
    assert found.structured == ORIGINAL
