"""The distributions of what was drawn: every degradation and every choice of reconstruction."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from lucidmr.drawing import charts
from lucidmr.pairs.drawn import Drawn, unaliasing, words

_Found = Iterable[tuple[str, float]]
_MOST_BARS: Final = 16


class Values(NamedTuple):
    """A distribution.

    Attributes:
        title: Its title.
        unit: What the values are.
        of: (series, value) of a pair, none where it has no such value.
        is_log: Whether the values are drawn log-uniformly.
    """

    title: str
    unit: str
    of: Callable[[Drawn], _Found]
    is_log: bool = False

    def chart(self, pairs: Sequence[Drawn]) -> str:
        """An SVG, or nothing where no pair has a value."""
        series: dict[str, list[float]] = {}
        for pair in pairs:
            for name, value in self.of(pair):
                series.setdefault(name, []).append(value)
        return charts.histogram(dict(sorted(series.items())), self.unit, self.is_log)


class Choices(NamedTuple):
    """A count.

    Attributes:
        title: Its title.
        of: What a pair chose, nothing where it had no choice.
    """

    title: str
    of: Callable[[Drawn], Iterable[str]]

    def chart(self, pairs: Sequence[Drawn]) -> str:
        """An SVG, or nothing where no pair had the choice."""
        counts = Counter(name for pair in pairs for name in self.of(pair))
        return charts.bars(dict(counts.most_common(_MOST_BARS)), self.title)


def _kept(pair: Drawn, which: int) -> _Found:
    return [(name, pair.kept(name)[which]) for name in pair.directions]


def _gain(pair: Drawn) -> _Found:
    return [(name, pair.gain(name)) for name in pair.directions if pair.gain(name) > 1.0]


def _partial(pair: Drawn) -> _Found:
    return [(name, 8.0 * pair.axes(name)[1].fraction) for name in pair.directions if pair.partial(name)]


def _partial_use(pair: Drawn) -> Iterable[str]:
    return [f"{name}: {_use(pair.restored(name))}" for name in pair.directions if pair.partial(name)]


def _partial_method(pair: Drawn) -> Iterable[str]:
    methods = pair.reconstruction.partial_fourier
    return [words(getattr(methods, name)) for name in pair.directions if pair.partial(name)]


def _use(is_restored: bool) -> str:
    return "to restore" if is_restored else "to leave"


def _corner_cut(pair: Drawn) -> _Found:
    cut = pair.degradation.input.corner_cut
    return [("", cut)] if cut else []


def _random(pair: Drawn) -> _Found:
    return [] if pair.random is None else [("", pair.random.factor)]


def _calibration(pair: Drawn) -> _Found:
    pattern = pair.degradation.input.undersampling
    lines = {} if pattern is None else dict(zip(("slice", "phase"), pattern.calibration, strict=True))
    return [(name, float(count)) for name, count in lines.items() if name in pair.directions]


def _calibration_use(pair: Drawn) -> Iterable[str]:
    return [] if pair.uniform is None else ["in the scan" if pair.uniform.integrated else "a scan of their own"]


def _undersampling(pair: Drawn) -> Iterable[str]:
    found, kept = pair.degradation.input.undersampling, pair.degradation.target.undersampling
    if found is None:
        return ["none"]
    return [f"{'random' if pair.uniform is None else 'uniform'}, {_use(kept is None)}"]


def _uniform(pair: Drawn) -> Iterable[str]:
    if pair.uniform is None:
        return []
    shift = f", shift {pair.uniform.shift}" if pair.uniform.shift else ""
    return [f"{pair.uniform.phase:g} x {pair.uniform.slice:g}{shift}"]


def _window_strength(pair: Drawn) -> _Found:
    how = pair.reconstruction
    return [] if how.window == "none" else [(how.window_shape, how.window_strength)]


def _interpolation(pair: Drawn) -> _Found:
    if pair.matrix is not None:
        for name, samples, pixels in zip(
            ("slice", "freq", "phase"), pair.matrix, pair.reconstruction.matrix, strict=True
        ):
            if name in pair.directions and pixels > samples:
                yield name, pixels / samples


def _normalization(pair: Drawn) -> Iterable[str]:
    return [words(pair.reconstruction.normalization)]


def _sensitivities(pair: Drawn) -> Iterable[str]:
    how = pair.reconstruction
    return [how.sensitivities] if how.needs_sensitivities else []


DEGRADATIONS: Final[tuple[Values | Choices, ...]] = (
    Values("Noise of the input", "% of the tissue signal", lambda p: [("", 100.0 * p.degradation.noise)], True),
    Values("Signal to noise of the input", "tissue signal over noise", lambda p: [("", 1 / p.degradation.noise)], True),
    Values("Noise-reduction factor", "factor", lambda p: [("", p.noise_reduction)], True),
    Values("k_max of the target", "share of the scan's", lambda p: _kept(p, 0)),
    Values("k_max of the input", "share of the scan's", lambda p: _kept(p, 1)),
    Values("Gain, where there is one", "target k_max over input k_max", _gain, True),
    Values("Partial Fourier, where there is some", "eighths of the input's k-space", _partial),
    Choices("Partial Fourier", _partial_use),
    Values("Corner cut (3D), where there is one", "1 = the whole ellipse", _corner_cut),
    Choices("Undersampling", _undersampling),
    Choices("Uniform factors, phase x slice", _uniform),
    Values("Random factor", "samples over samples acquired", _random, True),
    Values("Calibration lines", "lines", _calibration),
    Choices("Calibration lines of uniform patterns", _calibration_use),
)
RECONSTRUCTIONS: Final[tuple[Values | Choices, ...]] = (
    Choices("Unaliasing", lambda p: [unaliasing(p.reconstruction)]),
    Choices("Sensitivities, where a step needs them", _sensitivities),
    Choices("Partial Fourier, where there is some", _partial_method),
    Choices("Window", lambda p: [p.reconstruction.window]),
    Values("Strength of the window", "0 = none, 1 = full", _window_strength),
    Values("Interpolation, where there is some", "pixels over samples", _interpolation),
    Choices("Combination", lambda p: [words(p.reconstruction.combination)]),
    Choices("Component", lambda p: [p.reconstruction.component]),
    Choices("Normalization", _normalization),
    Choices("Distortion correction", lambda p: ["none" if p.reconstruction.distortion is None else "corrected"]),
    Choices("Stored integers", lambda p: [f"{(p.reconstruction.levels + 1).bit_length() - 1} bit"]),
    Values("Headroom", "stored maximum over the image's", lambda p: [("", p.reconstruction.headroom)]),
)
