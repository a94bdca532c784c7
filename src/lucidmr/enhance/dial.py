"""The noise dial of a series: how noisy its images are, and how the dial is set on each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lucidmr.enhance.calibrate import Behaviour, Calibration, Calibrator, DialMap, Response, nominal, pooled, unmeasured
from lucidmr.enhance.neighbours import Neighbours, middle, stack_noise
from lucidmr.enhance.noise import measure_noise
from lucidmr.enhance.respond import Asking
from lucidmr.enhance.risk import WEAKER
from lucidmr.enhance.series_network import SeriesNetwork
from lucidmr.physics.image_noise import NoiseEstimate
from lucidmr.standardize import standardize

_ENOUGH_SAMPLES: Final = 2**13
"""Acquired samples of extra noise that the dial is set by: the dial of 64 x 64 images was 20 % off by chance alone."""
_MOST_DRAWS: Final = 4
_CORRECTIONS: Final = 3
_MEASURED: Final = 9
"""Images of a stack that noise is measured on."""
_STANDING: Final = 3
"""Images of a stack that the network's answer to noise is asked on."""
_MOST_ABOVE: Final = 1.25
"""Times the noise that the network's answer bears out: so much is believed, as the network does not answer added noise
quite as it does the image's own."""
_CALIBRATION_SEED: Final = 1


class Dial(NamedTuple):
    """The noise dial on one image of a 2D acquisition, or on a stack of a 3D one.

    Attributes:
        noise: Noise of the original; ``sd`` is 0 where none can be found.
        calibration: How the dial is set.
    """

    noise: NoiseEstimate
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class DialFinder:
    """Finds noise and dial of images; what was found is kept by the number of the image.

    Attributes:
        neighbours: The images of the series, as the network takes them.
        network: The network on this series.
        extents: Most of Nyquist along (freq, phase) that can have been acquired, as the header tells.
        extent_slice: Acquired extent along slice over Nyquist of the slices, 0 to 1.
        fixed: Setting for every image; ``None`` calibrates it on each image of a 2D acquisition, on each stack of a 3D
            one.
        dials: The dials that were set so far.
        noises: The noise that was found so far.
        calibrators: What set the dials so far; ``None`` keeps nothing.
    """

    neighbours: Neighbours
    network: SeriesNetwork
    extents: tuple[float, float]
    extent_slice: float
    fixed: Calibration | None
    dials: dict[int, Dial]
    noises: dict[int, NoiseEstimate]
    calibrators: dict[int, Calibrator] | None

    def dial(self, index: int) -> Dial:
        """Noise of image ``index`` and how the noise dial is set on it.

        The slices of a 3D acquisition share their noise, and so one setting: steps from slice to slice would show in
        reformatted planes.
        """
        if index not in self.dials:
            alike = self.neighbours.stack(index) if self.network.slices > 1 else (index,)
            self.dials.update(dict.fromkeys(alike, self._find_dial(_spread(alike, _STANDING), self.noise(index))))
        return self.dials[index]

    def noise(self, index: int) -> NoiseEstimate:
        """Noise of image ``index``; the slices of a stack share theirs."""
        if index not in self.noises:
            stack = self.neighbours.stack(index)
            images = torch.cat([middle(self.neighbours.stored(number)) for number in _spread(stack, _MEASURED)])
            measured = measure_noise(self.network.standardization.turned(images), self.extents)
            self.noises.update(dict.fromkeys(stack, self._borne_out(_spread(stack, _STANDING), measured)))
        return self.noises[index]

    def response(self, index: int) -> Response:
        """How one answer of the network treats weak extra noise in homogeneous tissue of image ``index``.

        Raises:
            ValueError: The image shows no noise.
        """
        noise = self.noise(index)
        if noise.sd <= 0:
            raise ValueError(f"image {index} shows no noise")
        return self._askings((index,), noise)[0].answer().response

    def extra_noise(
        self, index: int, noise: NoiseEstimate, generator: torch.Generator
    ) -> Float[Tensor, "slice row column"]:
        """Draw noise for image ``index`` and its neighbours, as stored."""
        how = self.network.standardization
        drawn = stack_noise(self.neighbours.numbers(index), how.matrix, noise, self.extent_slice, generator)
        return how.turned(drawn)

    def _borne_out(self, on: Sequence[int], noise: NoiseEstimate) -> NoiseEstimate:
        """The noise, but no more of it than the network's answer bears out (see :attr:`Behaviour.shown`)."""
        for _ in range(_CORRECTIONS if noise.sd > 0 else 0):
            most = _MOST_ABOVE * pooled([one.answer() for one in self._askings(on, noise)]).shown
            if most >= 1.0:
                break
            noise = replace(noise, sd=most * noise.sd)
        return noise

    def _find_dial(self, on: Sequence[int], noise: NoiseEstimate) -> Dial:
        """Set the dial on some images of common noise together."""
        wanted = self.network.enhancement.noise_reduction
        if self.fixed is not None or wanted == 1:
            return Dial(noise, self.fixed or nominal(wanted))
        measured = self._calibrator(on, noise)(wanted) if noise.sd > 0 else None
        return Dial(noise, measured or self._by_the_card(noise))

    def _by_the_card(self, noise: NoiseEstimate) -> Calibration:
        """The setting where the image cannot be measured on: what the network's card tells, if it does."""
        wanted, told = self.network.enhancement.noise_reduction, self.network.model.card.get("dial")
        if told is None:
            return nominal(wanted)
        share = DialMap.from_json(told).share(wanted, noise.sd / self.network.standardization.scale)
        return unmeasured(wanted, share)

    def _calibrator(self, on: Sequence[int], noise: NoiseEstimate) -> Calibrator:
        """What asks the network about some images together; kept where it is to be."""
        if self.calibrators is not None and on[0] in self.calibrators:
            return self.calibrators[on[0]]
        asking = self._askings(on, noise)

        def start(sparing: bool) -> Callable[[float], Behaviour]:
            ask = [one.start(sparing) for one in asking]
            return lambda told: pooled([one(told) for one in ask])

        made = Calibrator(start)
        if self.calibrators is not None:
            self.calibrators[on[0]] = made
        return made

    def _askings(self, on: Sequence[int], noise: NoiseEstimate) -> list[Asking]:
        """What sends some images that share their noise through the network."""
        draws = self._draws(noise, len(on))
        return [self._asking(index, noise, draws) for index in on]

    def _asking(self, index: int, noise: NoiseEstimate, draws: int) -> Asking:
        """Weak extra noise of the image's own level and band, to be sent through the network."""
        generator = torch.Generator().manual_seed(_CALIBRATION_SEED)
        stored, network = self.neighbours.stored(index), self.network
        extra = [self.extra_noise(index, noise, generator) for _ in range(draws)]
        extra.append(WEAKER * extra[0])
        noisy = [stored + one for one in extra]
        stacks = [self.neighbours.standardized(index), *(standardize(one, network.standardization) for one in noisy)]
        return Asking(
            lambda stacks, told: network.parts(stacks, told, noise),
            network.details,
            [network.standardization.in_own_units(middle(stack)) for stack in stacks],
            stacks,
            lambda: [network.insignificant(one, noise) for one in (stored, *noisy)],
        )

    def _draws(self, noise: NoiseEstimate, images: int) -> int:
        """How often to draw extra noise: the fewer samples images have, the more of it chance decides."""
        freq, phase = self.network.standardization.matrix
        samples = images * freq * noise.extent_freq * phase * noise.extent_phase
        return min(_MOST_DRAWS, max(1, round(_ENOUGH_SAMPLES / samples)))


def _spread(stack: Sequence[int], count: int) -> list[int]:
    """Some images of a stack, at most so many, away from its ends."""
    return sorted({stack[step * len(stack) // (count + 1)] for step in range(1, count + 1)})
