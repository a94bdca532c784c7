"""Settings of a training run."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lucidmr.network.ce_unet import NetworkSettings
from lucidmr.train.settings import TrainSettings


def test_the_defaults_are_the_papers_schedule() -> None:
    settings = TrainSettings()
    assert settings.epochs == (10, 3)
    assert settings.learning_rate == 1e-3
    assert settings.steps == 13 * 20_000 // 4


def test_they_are_plain_values() -> None:
    values = json.loads(json.dumps(TrainSettings().to_json()))
    assert values["network"]["channels"] == [64, 128, 256, 256, 512]
    assert values["ranges"]["noise_reduction"] == [1.0, 8.0]
    assert values["target"] == "low_variance"


def test_they_change_with_every_setting() -> None:
    settings = TrainSettings()
    assert replace(settings, seed=1).to_json() != settings.to_json()
    assert replace(settings, network=NetworkSettings(hidden=64)).to_json() != settings.to_json()


def test_a_crop_that_the_network_cannot_take_is_refused() -> None:
    with pytest.raises(ValueError, match="crop is 100; it must be a multiple of 32"):
        TrainSettings(crop=100)


@pytest.mark.parametrize(
    "name", ["slices_per_epoch", "slices_per_step", "crops_per_slice", "spread", "learning_rate", "crop"]
)
def test_what_must_be_positive_is_checked(name: str) -> None:
    value: Any = 0.0 if name == "learning_rate" else 0
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be positive"):
        TrainSettings(**{name: value})


@pytest.mark.parametrize(
    "fields", [{"epochs": (0, 0)}, {"slices_per_epoch": 1, "epochs": (1, 1), "slices_per_step": 4}]
)
def test_a_schedule_without_a_step_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the schedule has no step"):
        TrainSettings(**fields)


def test_squares_cannot_be_spread_over_more_steps_than_there_are_squares() -> None:
    assert TrainSettings(crops_per_slice=4, spread=4).spread == 4
    with pytest.raises(ValueError, match="spread is 5; there are only 4 squares of each slice"):
        TrainSettings(crops_per_slice=4, spread=5)


def test_workers_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="workers is -1; it must not be negative"):
        TrainSettings(workers=-1)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match=f"synthetic_share is {share}; it must lie between 0 and 1"):
        TrainSettings(synthetic_share=share)
