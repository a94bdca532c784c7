"""The training loop: it learns, it repeats, it resumes, it says what is wrong."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lucidmr.context import Context
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import load_model
from lucidmr.raw.pseudo import NativeSlices
from lucidmr.train import loop
from lucidmr.train.checkpoint import CHECKPOINT
from lucidmr.train.compute import flops_per_step
from lucidmr.train.log import LOG
from lucidmr.train.loop import WEIGHTS, learning_rate, train
from lucidmr.train.loss import relative_l1
from lucidmr.train.settings import TrainSettings
from lucidmr.train.stream import PairStream
from properties import seeded
from tiny_training import CARD, CPU, SETTINGS, squares


@pytest.fixture(scope="module")
def sources() -> list[NativeSlices]:
    return squares()


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


def test_steps_lower_the_loss(tmp_path: Path) -> None:
    """Smooth images, strong noise to be reduced fourfold; judged on examples that were not trained on."""
    rows = torch.linspace(0.3, 1.0, 64)
    smooth = [NativeSlices((rows[:, None] * rows.flip(0))[None], 0.0, 0.5, "smooth")]
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
        epochs=(100, 20),
        slices_per_epoch=1,
        learning_rate=5e-3,
        crops_per_slice=4,
        crop=64,
        ema=0.8,
        ranges=ranges,
        network=NetworkSettings(channels=(12,), hidden=8),
    )
    unseen = PairStream(smooth, settings, 1000)
    examples = [unseen[index] for index in range(900, 908)]
    given_, target, context = (torch.cat(tensors) for tensors in zip(*examples, strict=True))
    trained = load_model(train(smooth, settings, tmp_path, CPU, CARD)).network

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
    assert compute["flops"] == 6 * flops_per_step(SETTINGS)
    assert compute["processes"] == 1
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
    assert f"({next(iter(other))}" in message


def test_a_checkpoint_of_other_data_is_refused(trained: Path, sources: list[NativeSlices]) -> None:
    others = [*sources, replace(sources[0], source="more")]
    assert "(data.volumes was ['squares'], is ['more', 'squares'])" in failure(others, SETTINGS, trained)


def test_time_and_workers_may_change_on_resuming(trained: Path, sources: list[NativeSlices]) -> None:
    first = digest(trained)
    train(sources, replace(SETTINGS, minutes=5.0, workers=1, validation_minutes=1.0), trained, CPU, CARD)
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
    assert "the loss became nan at step 3; the last checkpoint is kept (items 3 to 3 of the stream)" in message
    assert not (tmp_path / WEIGHTS).exists()
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 3
    assert all(torch.isfinite(tensor).all() for tensor in state["network"].values())


def test_a_gradient_that_is_not_finite_stops_the_run(
    tmp_path: Path, sources: list[NativeSlices], save_every_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steep(*arguments: Any) -> torch.Tensor:
        loss = relative_l1(*arguments)
        return (loss - loss.detach()).sqrt() + loss.detach()  # 0 with an infinite slope

    monkeypatch.setattr(loop, "relative_l1", steep)
    assert "the gradient became nan at step 0" in failure(sources, SETTINGS, tmp_path)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 0
    assert not (tmp_path / WEIGHTS).exists()


def test_sigterm_saves_and_the_run_goes_on_later(
    tmp_path: Path, sources: list[NativeSlices], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a scheduler sends it: to the training process and to those that simulate for it."""
    train(sources, SETTINGS, tmp_path / "whole", CPU, CARD)
    calls, before = iter(range(3)), signal.getsignal(signal.SIGTERM)

    def told(*arguments: Any) -> torch.Tensor:
        if next(calls, None) == 2:
            for process in (*multiprocessing.active_children(), multiprocessing.current_process()):
                os.kill(process.pid or 0, signal.SIGTERM)
        return relative_l1(*arguments)

    monkeypatch.setattr(loop, "relative_l1", told)
    assert train(sources, replace(SETTINGS, workers=1), tmp_path / "halved", CPU, CARD) is None
    assert torch.load(tmp_path / "halved" / CHECKPOINT, weights_only=True)["step"] == 3
    assert signal.getsignal(signal.SIGTERM) == before
    assert train(sources, SETTINGS, tmp_path / "halved", CPU, CARD) is not None
    assert digest(tmp_path / "halved") == digest(tmp_path / "whole")


def test_parts_of_a_step_give_what_the_whole_gives(tmp_path: Path, sources: list[NativeSlices]) -> None:
    settings = replace(SETTINGS, slices_per_step=4, slices_per_epoch=8, precision="fp32")
    for name, parts in (("whole", 1), ("parts", 4)):
        train(sources, replace(settings, accumulate=parts), tmp_path / name, CPU, CARD)
    whole, parts = (torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == 6
    for name, tensor in whole["network"].items():
        torch.testing.assert_close(tensor, parts["network"][name], atol=1e-6, rtol=1e-5)


def test_processes_that_do_not_divide_a_step_are_refused(tmp_path: Path, sources: list[NativeSlices]) -> None:
    with pytest.raises(LucidError, match="--slices-per-step is 1; it must be a multiple of 2 processes x 1 parts"):
        train(sources, SETTINGS, tmp_path, replace(CPU, count=2), CARD)


def test_a_network_for_stacks_starts_from_one_for_single_slices(tmp_path: Path, sources: list[NativeSlices]) -> None:
    """With a learning rate that moves nothing it is the other one still."""
    flat = load_model(train(sources, SETTINGS, tmp_path / "2d", CPU, CARD))
    settings = replace(SETTINGS, learning_rate=1e-12, synthetic_share=1.0, network=replace(SETTINGS.network, slices=3))
    stacked = load_model(train([], settings, tmp_path / "3d", CPU, CARD, start=flat))
    assert stacked.card["started_from"] == {"name": "tiny 0", "sha256": flat.sha256}
    context = torch.tensor(Context().vector)[None]
    images = torch.rand(1, 3, 16, 16, generator=seeded())
    torch.testing.assert_close(stacked.network(images, context), flat.network(images[:, 1:2], context))
    with pytest.raises(LucidError, match="start was"):
        train([], settings, tmp_path / "3d", CPU, CARD)


def test_the_network_is_judged_on_its_way(tmp_path: Path, sources: list[NativeSlices]) -> None:
    settings = replace(SETTINGS, validation_minutes=0.0)
    path = train(sources, settings, tmp_path, CPU, CARD, held_back=squares(1))
    judged = [entry for entry in lines(tmp_path) if "validation" in entry]
    assert [entry["step"] for entry in judged] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert load_model(path).card["validation"] == judged[-1]["validation"]
    assert judged[0]["validation"]["psnr_gain"] == 0.0  # an untrained network changes nothing
    assert (tmp_path / "validation" / "step_0000006.png").read_bytes().startswith(b"\x89PNG")


def test_being_judged_changes_no_weight(tmp_path: Path, sources: list[NativeSlices]) -> None:
    train(sources, SETTINGS, tmp_path / "alone", CPU, CARD)
    train(sources, replace(SETTINGS, validation_minutes=0.0), tmp_path / "judged", CPU, CARD, held_back=squares(1))
    assert digest(tmp_path / "alone") == digest(tmp_path / "judged")


def test_the_schedule_has_the_papers_two_levels_after_a_rise() -> None:
    settings = TrainSettings(epochs=(10, 3), learning_rate=1e-3, warmup=200)
    assert learning_rate(0.0, 200, settings) == 1e-3
    assert learning_rate(0.769, 10_000, settings) == 1e-3
    assert learning_rate(10 / 13, 10_000, settings) == pytest.approx(1e-4)
    assert learning_rate(0.999, 10_000, settings) == pytest.approx(1e-4)
    assert learning_rate(0.0, 0, settings) == pytest.approx(1e-3 / 200)
    assert learning_rate(0.01, 99, settings) == pytest.approx(0.5e-3)
    assert learning_rate(0.0, 0, replace(settings, warmup=0)) == 1e-3
