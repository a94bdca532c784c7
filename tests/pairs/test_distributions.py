"""What is drawn is what docs/simulation.md states: hundreds of draws, nothing reconstructed."""

from collections import Counter

import pytest

from lucidmr.degrade.draw import draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs.distributions import DEGRADATIONS, RECONSTRUCTIONS, Choices, Values
from lucidmr.pairs.drawn import Drawn, caption
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.draw import draw_reconstruction
from properties import seeded

DRAWS = 800
MATRICES = {"2D": (1, 256, 256), "3D": (96, 160, 192)}
RANGES = DegradationRanges()


def drawn(matrix: tuple[int, int, int], coils: int = 24) -> list[Drawn]:
    generator, pairs = seeded(sum(matrix)), []
    measured = Sampling(AxisSampling(matrix[1]), AxisSampling(matrix[2]), AxisSampling(matrix[0]))
    for index in range(DRAWS):
        degradation = draw_degradation(RANGES, measured, coils, 0.0, generator)
        how = draw_reconstruction(degradation, matrix, index % 2 == 0, generator)
        pairs.append(Drawn(index, "phantom", matrix, degradation, how, degradation.noise_reduction))
    return pairs


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[Drawn]]:
    return {name: drawn(matrix) for name, matrix in MATRICES.items()}


def values(pairs: list[Drawn], title: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for pair in pairs:
        for name, value in chart(title, Values).of(pair):
            found.setdefault(name, []).append(value)
    return found


def choices(pairs: list[Drawn], title: str) -> Counter[str]:
    return Counter(name for pair in pairs for name in chart(title, Choices).of(pair))


def chart(title: str, kind: type) -> Values | Choices:
    return next(each for each in (*DEGRADATIONS, *RECONSTRUCTIONS) if each.title == title and isinstance(each, kind))


def covers(found: list[float], low: float, high: float, slack: float = 0.01) -> bool:
    """Nothing outside, both ends nearly reached, the middle half neither empty nor all there is."""
    width = high - low
    inner = sum(low + width / 4 < value < high - width / 4 for value in found) / len(found)
    inside = low - slack <= min(found) and max(found) <= high + slack
    return inside and min(found) < low + 0.12 * width and max(found) > high - 0.12 * width and 0.1 < inner < 0.9


def share(count: int, of: int = DRAWS) -> pytest.approx:
    """A share, within four standard deviations of a count."""
    return pytest.approx(count / of, abs=4 * (0.25 / of) ** 0.5)


@pytest.mark.parametrize("kind", MATRICES)
def test_noise_and_its_factor(pairs, kind) -> None:
    (noise,) = values(pairs[kind], "Noise of the input").values()
    assert covers(noise, 0.6, 15.0)
    assert sum(value < 3.0 for value in noise) / DRAWS == pytest.approx(0.5, abs=0.08), "log-uniform"
    (factors,) = values(pairs[kind], "Noise-reduction factor").values()
    assert covers(factors, 1.0, 8.0)
    assert share(factors.count(1.0)) == 0.1


@pytest.mark.parametrize("kind", MATRICES)
def test_k_max_and_gains(pairs, kind) -> None:
    directions = {"freq", "phase", "slice"} if kind == "3D" else {"freq", "phase"}
    base, gains = values(pairs[kind], "k_max of the target"), values(pairs[kind], "Gain, where there is one")
    assert set(base) == set(gains) == directions
    for name in directions:
        assert covers(base[name], 0.6, 1.0)
        assert covers(gains[name], 1.1, 3.0, slack=0.15)
        assert share(len(gains[name])) == 0.35


@pytest.mark.parametrize("kind", MATRICES)
def test_partial_fourier(pairs, kind) -> None:
    found, use = values(pairs[kind], "Partial Fourier, where there is some"), choices(pairs[kind], "Partial Fourier")
    for name, often in {"phase": 0.3, "freq": 0.15, "slice": 0.15}.items():
        if name in found:
            assert covers(found[name], 4.0, 7.6)
            assert share(len(found[name])) == often
            assert share(use[f"{name}: to restore"], len(found[name])) == 0.6
    assert ("slice" in found) == (kind == "3D")


def test_corner_cut(pairs) -> None:
    assert values(pairs["2D"], "Corner cut (3D), where there is one") == {}
    (cuts,) = values(pairs["3D"], "Corner cut (3D), where there is one").values()
    assert share(len(cuts)) == 0.3
    assert share(cuts.count(1.0), len(cuts)) == 0.6
    assert covers([cut for cut in cuts if cut < 1.0], 0.2, 1.0)


@pytest.mark.parametrize("kind", MATRICES)
def test_undersampling(pairs, kind) -> None:
    use = choices(pairs[kind], "Undersampling")
    assert share(use["uniform, to restore"] + use["uniform, to leave"]) == 0.35
    assert share(use["random, to restore"] + use["random, to leave"]) == 0.15
    assert share(use["uniform, to restore"], use["uniform, to restore"] + use["uniform, to leave"]) == 0.6
    (factors,) = values(pairs[kind], "Random factor").values()
    # A single partition has few lines beside the calibration block, which limits the factor.
    assert covers(factors, 2.0, 8.0) if kind == "3D" else covers(factors, 2.0, 7.0, slack=1.0)
    assert share(choices(pairs[kind], "Calibration lines of uniform patterns")["a scan of their own"], 280) == 0.3


@pytest.mark.parametrize("kind", MATRICES)
def test_uniform_factors(pairs, kind) -> None:
    patterns = [pair.uniform for pair in pairs[kind] if pair.uniform]
    along_slice = {1.0, 2.0, 3.0} if kind == "3D" else {1.0}
    assert {pattern.phase for pattern in patterns} - {1.0} == {2.0, 2.5, 3.0, 4.0, 5.0, 6.0}
    assert {pattern.slice for pattern in patterns} == along_slice
    assert {pattern.shift for pattern in patterns} == ({0, 1, 2} if kind == "3D" else {0})
    lines = values(pairs[kind], "Calibration lines")["phase"]
    assert covers(lines, 16.0, 32.0, slack=8.0), "up to 8 fewer where a small matrix has no room"


@pytest.mark.parametrize("kind", MATRICES)
def test_reconstruction(pairs, kind) -> None:
    found = {each.title: choices(pairs[kind], each.title) for each in RECONSTRUCTIONS if isinstance(each, Choices)}
    assert set(found["Unaliasing"]) == {
        "none",
        "GRAPPA",
        "SENSE",
        "compressed sensing, wavelet",
        "compressed sensing, total variation",
    }
    assert set(found["Sensitivities, where a step needs them"]) == {"known", "espirit", "walsh", "inati"}
    assert set(found["Partial Fourier, where there is some"]) == {"zero fill", "homodyne", "pocs", "conjugate"}
    assert set(found["Window"]) == {"none", "hann", "hamming", "tukey", "fermi", "gaussian", "kaiser"}
    assert set(found["Combination"]) == {"root sum of squares", "sensitivity weighted", "phase sum"}
    assert set(found["Component"]) == {"magnitude", "real"}
    assert set(found["Normalization"]) == {"none", "prescan", "image based"}
    assert share(found["Window"]["none"]) == 1 / 3
    assert share(found["Stored integers"]["12 bit"]) == 0.75
    assert share(found["Distortion correction"]["corrected"]) == 0.25
    zoom = values(pairs[kind], "Interpolation, where there is some")["freq"]
    assert share(len(zoom)) == 0.5
    assert max(zoom) < (2.01 if kind == "2D" else 1.41)


@pytest.mark.parametrize("kind", MATRICES)
def test_captions_tell_what_was_drawn(pairs, kind) -> None:
    for pair in pairs[kind][:100]:
        said = caption(pair)
        assert ("random R" in said) == (pair.random is not None)
        assert ("partial Fourier phase" in said) == pair.partial("phase")
        assert said.startswith(f"noise {100 * pair.degradation.noise:.1f} %; noise reduction")
