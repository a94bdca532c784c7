"""What was drawn for a stored pair, and how to say it."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from lucidmr.degrade.draw import Degradation
from lucidmr.physics.sampling import AxisSampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense

Direction = Literal["freq", "phase", "slice"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("freq", "phase", "slice")


@dataclass(frozen=True)
class Drawn:
    """One pair's draw.

    Attributes:
        index: Number of the pair.
        source: Its scan.
        matrix: (slice, freq, phase) samples of the scan.
        degradation: What was done to it.
        reconstruction: How input and target were reconstructed.
        noise_reduction: The pair's factor.
    """

    index: int
    source: str
    matrix: tuple[int, int, int]
    degradation: Degradation
    reconstruction: Reconstruction
    noise_reduction: float

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Drawn":
        """From a stored pair's record."""
        n_slice, n_freq, n_phase = record["matrix"]
        return cls(
            record["index"],
            record["source"],
            (n_slice, n_freq, n_phase),
            Degradation.from_json(record["degradation"]),
            Reconstruction.from_json(record["reconstruction"]),
            record["noise_reduction"],
        )

    def axes(self, direction: Direction) -> tuple[AxisSampling, AxisSampling]:
        """The target's and the input's sampling of a direction."""
        return getattr(self.degradation.target, direction), getattr(self.degradation.input, direction)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that were encoded: slice in 3D alone."""
        return DIRECTIONS if self.degradation.target.slice.width > 1 else DIRECTIONS[:2]

    def kept(self, direction: Direction) -> tuple[float, float]:
        """k_max of target and input over the scan's own."""
        samples = dict(zip(("slice", "freq", "phase"), self.matrix, strict=True))[direction]
        wanted, given = self.axes(direction)
        return wanted.width / samples, given.width / samples

    def gain(self, direction: Direction) -> float:
        """Target k_max over input k_max."""
        wanted, given = self.axes(direction)
        return wanted.width / given.width

    def partial(self, direction: Direction) -> bool:
        """Whether the input is partial Fourier along a direction."""
        return self.axes(direction)[1].fraction < 1.0

    def restored(self, direction: Direction) -> bool:
        """Whether the target has more of a direction's partial Fourier than the input."""
        wanted, given = self.axes(direction)
        return wanted.fraction > given.fraction

    @property
    def uniform(self) -> UniformUndersampling | None:
        """The input's uniform undersampling."""
        found = self.degradation.input.undersampling
        return found if isinstance(found, UniformUndersampling) else None

    @property
    def random(self) -> RandomUndersampling | None:
        """The input's random undersampling."""
        found = self.degradation.input.undersampling
        return found if isinstance(found, RandomUndersampling) else None


def unaliasing(how: Reconstruction) -> str:
    """The method that undid the undersampling."""
    match how.unaliasing:
        case Grappa():
            return "GRAPPA"
        case Sense():
            return "SENSE"
        case CompressedSensing(prior=prior):
            return f"compressed sensing, {words(prior)}"
        case None:
            return "none"


def words(name: str) -> str:
    """A setting's value as it is read."""
    return name.replace("_", " ")


def caption(pair: Drawn) -> str:
    """What was drawn for a pair, in one line."""
    return "; ".join([*_sampling_words(pair), *_reconstruction_words(pair.reconstruction)])


def _sampling_words(pair: Drawn) -> list[str]:
    given, wanted = pair.degradation.input, pair.degradation.target
    said = [f"noise {100 * pair.degradation.noise:.1f} %", f"noise reduction {pair.noise_reduction:.2f}"]
    said += [f"gain {name} {pair.gain(name):.2f}" for name in pair.directions if pair.gain(name) > 1.0]
    for name in pair.directions:
        if pair.partial(name):
            left = "" if pair.restored(name) else ", left"
            said.append(f"partial Fourier {name} {8 * pair.axes(name)[1].fraction:.1f}/8{left}")
    if given.corner_cut:
        said.append(f"corner cut {given.corner_cut:.2f}" + ("" if wanted.corner_cut < given.corner_cut else ", left"))
    if pair.uniform is not None:
        said.append(f"R {pair.uniform.phase:g} x {pair.uniform.slice:g}")
    if pair.random is not None:
        said.append(f"random R {pair.random.factor:.1f}")
    if given.undersampling is not None and wanted.undersampling is not None:
        said[-1] += ", left"
    return said


def _reconstruction_words(how: Reconstruction) -> list[str]:
    said = [] if how.unaliasing is None else [unaliasing(how)]
    if how.window != "none":
        said.append(f"{how.window} {how.window_strength:.2f}")
    said.append(words(how.combination))
    if how.component != "magnitude":
        said.append(how.component)
    if how.normalization != "none":
        said.append(f"normalized, {words(how.normalization)}")
    if how.distortion is not None:
        said.append("distortion corrected")
    return said
