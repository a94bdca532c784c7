"""Which network a series is enhanced with: one that looks at neighbouring slices where they were acquired together."""

from collections.abc import Sequence
from typing import Final

from lucidmr.dicom.header import HeaderFacts
from lucidmr.dicom.source import Source
from lucidmr.dicom.stacks import evenly_spaced
from lucidmr.errors import LucidError
from lucidmr.network.weights import Model

_APART: Final = 1.5
"""Slices of a volume that lie this many times their thickness apart are some of it only: not neighbours."""
LEAST_SLICES: Final = 7
"""Adjoining slices from which on planes across them are looked at: as many as a network of stacks takes."""


def choose_model(series: Source, told: HeaderFacts, models: Sequence[Model]) -> Model:
    """The network that looks at most slices among those that fit the series.

    A network of single slices fits any series. One of several fits a 3D acquisition with stacks of as many
    adjoining slices.

    Args:
        series: The series.
        told: Its header facts.
        models: Networks to choose from, at least one.

    Returns:
        The network.

    Raises:
        LucidError: None of them fits.
    """
    adjoining = _adjoining(series, told)
    fitting = [model for model in models if model.network.settings.slices <= adjoining]
    if not fitting:
        needed = min(model.network.settings.slices for model in models)
        kind = f"a 3D acquisition with {adjoining}" if told.three_dimensional.value else "a 2D acquisition without"
        raise LucidError(
            f"{series.label}: is {kind} adjoining slices, the weights {models[0].name} need at least {needed}; "
            "name 2D weights as well"
        )
    return max(fitting, key=lambda model: model.network.settings.slices)


def choose_across(series: Source, told: HeaderFacts, models: Sequence[Model], chosen: Model) -> Model | None:
    """The network of single slices that looks at planes across the slices, where the chosen one has no gain along them.

    Args:
        series: The series.
        told: Its header facts.
        models: Networks to choose from.
        chosen: The one that the series is enhanced with.

    Returns:
        The network; ``None`` where none is needed, none of them looks at single slices, or the series is no volume.
    """
    if has_learned_slice(chosen) or _adjoining(series, told) < LEAST_SLICES:
        return None
    return next((model for model in models if model.network.settings.slices == 1), None)


def has_learned_slice(model: Model) -> bool:
    """Whether a network has learned a gain along slice."""
    return model.network.settings.slices > 1 and "gain along slice" not in model.card.get("unlearned", ())


def _adjoining(series: Source, told: HeaderFacts) -> int:
    """How many neighbouring slices were acquired together."""
    thickness, spacing = told.slice_thickness.value, told.slice_spacing.value
    apart = bool(thickness and spacing and spacing > _APART * thickness)
    even = all(evenly_spaced([series.geometry(index) for index in stack]) for stack in series.stacks)
    return series.depth if told.three_dimensional.value and even and not apart else 1
