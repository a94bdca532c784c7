"""The scenario of a conventional reconstruction: which method each step of the chain uses, and how."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from lucidmr.physics.windows import WindowName
from lucidmr.reconstruct.component import Component
from lucidmr.reconstruct.compressed_sensing import Prior
from lucidmr.reconstruct.distortion import DistortionCorrection
from lucidmr.reconstruct.filter import WindowShape
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods

Combination = Literal["root_sum_of_squares", "sensitivity_weighted", "phase_sum"]
SensitivityMethod = Literal["known", "espirit", "walsh", "inati"]
Normalization = Literal["none", "prescan", "image_based"]


@dataclass(frozen=True)
class Grappa:
    """Autocalibrating interpolation in k-space, coil by coil (:mod:`lucidmr.reconstruct.grappa`).

    Attributes:
        kernel: (slice, freq, phase) source samples.
        regularization: Tikhonov weight relative to the calibration data.
    """

    kernel: tuple[int, int, int] = (1, 5, 4)
    regularization: float = 1e-3


@dataclass(frozen=True)
class Sense:
    """Unfolding with sensitivities (:mod:`lucidmr.reconstruct.sense`): one combined image.

    Attributes:
        regularization: Tikhonov weight relative to sensitivities of unit root sum of squares.
        iterations: Of the conjugate gradients, where there is no closed form.
    """

    regularization: float = 1e-3
    iterations: int = 20


@dataclass(frozen=True)
class CompressedSensing:
    """Sparsity with sensitivities (:mod:`lucidmr.reconstruct.compressed_sensing`): one combined image.

    Attributes:
        prior: What is sparse.
        regularization: Weight of the prior relative to the data's largest pixel.
        iterations: Of the proximal gradient method.
    """

    prior: Prior = "wavelet"
    regularization: float = 2e-3
    iterations: int = 30


Unaliasing = Grappa | Sense | CompressedSensing
_METHODS: Final[dict[str, type[Unaliasing]]] = {
    "grappa": Grappa,
    "sense": Sense,
    "compressed_sensing": CompressedSensing,
}


@dataclass(frozen=True)
class Reconstruction:
    """One scenario of conventional reconstruction, the same for input and target of a pair.

    Attributes:
        matrix: Reconstructed (slice, freq, phase) pixels: zero-padding interpolation where larger than what was
            acquired.
        unaliasing: What undersampled data need. Sensitivity-based methods combine the channels in passing, of fully
            sampled data too; ``None`` leaves the gaps empty.
        sensitivities: Where the receive sensitivities come from, if a step needs them.
        partial_fourier: How the missing side of partial Fourier is treated, per direction.
        window: Anti-ringing window.
        window_strength: Its strength, 0 to 1.
        window_shape: Along every direction, or radial in k-space.
        combination: Channel combination of what is not combined yet.
        component: What of the complex image is stored.
        normalization: Surface-coil intensity normalization.
        normalization_strength: 0 = none, 1 = full.
        distortion: Correction of gradient nonlinearity.
        levels: Highest stored integer (4095 for 12 bit, 65535 for 16 bit).
        headroom: Stored maximum over the image's maximum; below 1 the brightest pixels clip.
    """

    matrix: tuple[int, int, int]
    unaliasing: Unaliasing | None = None
    sensitivities: SensitivityMethod = "espirit"
    partial_fourier: PartialFourierMethods = field(default_factory=PartialFourierMethods)
    window: WindowName = "none"
    window_strength: float = 0.0
    window_shape: WindowShape = "separable"
    combination: Combination = "root_sum_of_squares"
    component: Component = "magnitude"
    normalization: Normalization = "none"
    normalization_strength: float = 0.0
    distortion: DistortionCorrection | None = None
    levels: int = 4095
    headroom: float = 1.0

    def __post_init__(self) -> None:
        if min(self.matrix) < 1:
            raise ValueError(f"matrix is {' x '.join(map(str, self.matrix))}; every size must be at least 1")
        if not 0.0 <= self.normalization_strength <= 1.0:
            raise ValueError(f"normalization_strength is {self.normalization_strength:g}; it must lie between 0 and 1")

    @property
    def needs_sensitivities(self) -> bool:
        """Whether any step works with receive sensitivities."""
        return self.combines_early or self.combination == "sensitivity_weighted"

    @property
    def combines_early(self) -> bool:
        """Whether unaliasing already gives one combined image."""
        return isinstance(self.unaliasing, Sense | CompressedSensing)

    def to_json(self) -> dict[str, Any]:
        """Plain values that replay the reconstruction."""
        values = asdict(self)
        if self.unaliasing is not None:
            name = next(name for name, kind in _METHODS.items() if isinstance(self.unaliasing, kind))
            values["unaliasing"] = {"method": name, **values["unaliasing"]}
        if self.distortion is not None:
            values["distortion"] = self.distortion.to_json()
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Reconstruction":
        """The inverse of :meth:`to_json`."""
        unaliasing, distortion = values["unaliasing"], values["distortion"]
        return cls(
            **{
                **values,
                "matrix": tuple(values["matrix"]),
                "unaliasing": None if unaliasing is None else _unaliasing(**unaliasing),
                "partial_fourier": PartialFourierMethods(**values["partial_fourier"]),
                "distortion": None if distortion is None else DistortionCorrection.from_json(distortion),
            }
        )


def _unaliasing(method: str, **values: Any) -> Unaliasing:
    if "kernel" in values:
        values["kernel"] = tuple(values["kernel"])
    return _METHODS[method](**values)
