"""The training loop: it learns, it repeats, it resumes, it says what is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import load_model
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.train import loop
from lucidmr.train.loop import CHECKPOINT, LOG, WEIGHTS, learning_rate, train
from lucidmr.train.loss import relative_l1
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import PairStream
from properties import seeded

CPU = torch.device("cpu")
CARD = {"name": "tiny", "version": "0"}
SETTINGS = TrainSettings(
    epochs=(2, 1),
    slices_per_epoch=2,
    learning_rate=1e-3,
    warmup=2,
    slices_per_step=1,
    crops_per_slice=1,
    crop=16,
    synthetic_share=0.0,
    workers=0,
    network=NetworkSettings(channels=(4, 6), hidden=4),
)
"""Six steps of a few milliseconds."""


@pytest.fixture(scope="module")
def sources() -> list[NativeSlices]:
    images = 0.6 + 0.4 * torch.rand(2, 64, 64, generator=seeded())
    return [NativeSlices(images, 0.0, 1.0, "squares")]


@pytest.fixture
def save_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", -1.0)


def digest(folder: Path) -> str:
    return load_model(folder / WEIGHTS).sha256


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does, in the middle of a step."""
    calls = iter(range(steps))

    def interrupted(*arguments: Any) -> torch.Tensor:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return relative_l1(*arguments)

    monkeypatch.setattr(loop, "relative_l1", interrupted)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_thirty_steps_lower_the_loss(tmp_path: Path) -> None:
    """Synthetic anatomy, strong noise to be reduced fourfold; judged on examples that were not trained on."""
    ranges = DegradationRanges(
        gain_probability=0.0,
        partial_fourier_probability=0.0,
        acceleration_probability=0.0,
        leave_noise_probability=0.0,
        noise=(0.1, 0.1),
        noise_reduction=(4.0, 4.0),
    )
    settings = replace(
        SETTINGS,
        epochs=(50, 10),
        slices_per_epoch=1,
        learning_rate=1e-2,
        crops_per_slice=4,
        crop=32,
        ema=0.8,
        synthetic_share=1.0,
        ranges=ranges,
        network=NetworkSettings(channels=(12,), hidden=8),
    )
    unseen = PairStream([], settings, 1000)
    examples = [unseen[index] for index in range(900, 904)]
    given_, target, context = (torch.cat(tensors) for tensors in zip(*examples, strict=True))
    trained = load_model(train([], settings, tmp_path, CPU, CARD)).network

    def loss(network: CEUNet) -> float:
        with torch.inference_mode():
            return float(relative_l1(network(given_, context), target, given_, settings.loss_floor))

    assert loss(trained) < 0.95 * loss(CEUNet(settings.network))


def test_the_seed_decides_the_weights(tmp_path: Path, sources: list[NativeSlices]) -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        train(sources, replace(SETTINGS, seed=seed), tmp_path / name, CPU, CARD)
    assert digest(tmp_path / "one") == digest(tmp_path / "same") != digest(tmp_path / "other")


@pytest.mark.parametrize("steps", [1, 4])
def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, sources: list[NativeSlices], steps: int, save_every_step: None
) -> None:
    train(sources, SETTINGS, tmp_path / "whole", CPU, CARD)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(steps, patch)
        with pytest.raises(KeyboardInterrupt):
            train(sources, SETTINGS, tmp_path / "halved", CPU, CARD)
    assert not (tmp_path / "halved" / WEIGHTS).exists()
    assert torch.load(tmp_path / "halved" / CHECKPOINT, weights_only=True)["step"] == steps
    train(sources, SETTINGS, tmp_path / "halved", CPU, CARD)
    assert digest(tmp_path / "halved") == digest(tmp_path / "whole")
    whole, halved = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "halved"))
    for part in ("network", "average"):
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, halved[part][name]), name


def test_a_finished_run_is_not_trained_on(tmp_path: Path, sources: list[NativeSlices]) -> None:
    train(sources, SETTINGS, tmp_path, CPU, CARD)
    first = digest(tmp_path)
    train(sources, SETTINGS, tmp_path, CPU, CARD)
    assert digest(tmp_path) == first
    assert load_model(tmp_path / WEIGHTS).card["compute"]["steps"] == 6


def test_the_card_tells_how_the_weights_were_made(tmp_path: Path, sources: list[NativeSlices]) -> None:
    path = train(sources, SETTINGS, tmp_path / "new" / "folder", CPU, {**CARD, "data": ["squares"]})
    model = load_model(path)
    assert path == tmp_path / "new" / "folder" / WEIGHTS
    assert model.card["data"] == ["squares"]
    assert model.card["training"] == json.loads(json.dumps(SETTINGS.to_json()))
    compute = model.card["compute"]
    assert compute["steps"] == 6
    assert compute["parameters"] == sum(parameter.numel() for parameter in model.network.parameters())
    assert "CPU" in compute["device"]


def test_the_log_is_json_lines(tmp_path: Path, sources: list[NativeSlices], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_LOG_EVERY_STEPS", 2)
    train(sources, SETTINGS, tmp_path, CPU, CARD)
    found = lines(tmp_path)
    assert [entry["step"] for entry in found] == [2, 4, 6]
    assert [entry["learning_rate"] for entry in found] == pytest.approx([1e-3, 1e-3, 1e-4])
    assert all(0.0 < entry["loss"] < 10.0 for entry in found)
    seconds = [entry["seconds"] for entry in found]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_moving_average_follows_the_network(tmp_path: Path, sources: list[NativeSlices], ema: float) -> None:
    train(sources, replace(SETTINGS, ema=ema), tmp_path, CPU, CARD)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    same = [torch.equal(tensor, state["average"][name]) for name, tensor in state["network"].items()]
    assert all(same) == (ema == 0.0)
    published = load_model(tmp_path / WEIGHTS).network.state_dict()
    for name, tensor in state["average"].items():
        assert torch.equal(tensor.half().float(), published[name])


def test_minutes_end_a_run(tmp_path: Path, sources: list[NativeSlices]) -> None:
    train(sources, replace(SETTINGS, minutes=1e-9), tmp_path, CPU, CARD)
    assert load_model(tmp_path / WEIGHTS).card["compute"]["steps"] == 1


@pytest.fixture
def trained(tmp_path: Path, sources: list[NativeSlices]) -> Path:
    train(sources, SETTINGS, tmp_path, CPU, CARD)
    return tmp_path


def failure(sources: list[NativeSlices], settings: TrainSettings, folder: Path) -> str:
    with pytest.raises(LucidError) as caught:
        train(sources, settings, folder, CPU, CARD)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message


@pytest.mark.parametrize(
    "other",
    [{"seed": 5}, {"loss_floor": 0.1}, {"network": NetworkSettings((4, 8), hidden=4)}, {"target": "noisy"}],
    ids=["seed", "loss", "network", "target"],
)
def test_a_checkpoint_of_other_settings_is_refused(
    trained: Path, sources: list[NativeSlices], other: dict[str, Any]
) -> None:
    message = failure(sources, replace(SETTINGS, **other), trained)
    assert "was made with other settings; resume with those, or name another folder" in message


def test_time_and_workers_may_change_on_resuming(trained: Path, sources: list[NativeSlices]) -> None:
    first = digest(trained)
    train(sources, replace(SETTINGS, minutes=5.0, workers=1), trained, CPU, CARD)
    assert digest(trained) == first


def test_a_damaged_checkpoint_is_named(trained: Path, sources: list[NativeSlices]) -> None:
    path = trained / CHECKPOINT
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert "is not a checkpoint" in failure(sources, SETTINGS, trained)
    for foreign in ({"step": 3}, [1, 2], {"settings": "{"}):
        torch.save(foreign, path)
        assert "is not a checkpoint" in failure(sources, SETTINGS, trained)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    tmp_path: Path, sources: list[NativeSlices], save_every_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(3))

    def broken(*arguments: Any) -> torch.Tensor:
        return relative_l1(*arguments) if next(calls, None) is not None else torch.tensor(float("nan"))

    monkeypatch.setattr(loop, "relative_l1", broken)
    message = failure(sources, SETTINGS, tmp_path)
    assert "the loss became nan at step 3; the last checkpoint is kept" in message
    assert not (tmp_path / WEIGHTS).exists()
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 3
    assert all(torch.isfinite(tensor).all() for tensor in state["network"].values())


def test_the_schedule_has_the_papers_two_levels_after_a_rise() -> None:
    settings = TrainSettings(epochs=(10, 3), learning_rate=1e-3, warmup=200)
    assert learning_rate(0.0, 200, settings) == 1e-3
    assert learning_rate(0.769, 10_000, settings) == 1e-3
    assert learning_rate(10 / 13, 10_000, settings) == pytest.approx(1e-4)
    assert learning_rate(0.999, 10_000, settings) == pytest.approx(1e-4)
    assert learning_rate(0.0, 0, settings) == pytest.approx(1e-3 / 200)
    assert learning_rate(0.01, 99, settings) == pytest.approx(0.5e-3)
    assert learning_rate(0.0, 0, replace(settings, warmup=0)) == 1e-3
