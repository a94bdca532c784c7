"""Weights on disk: the round trip, and one clear line for whatever is wrong with the files."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from lucidmr.context import SCHEMA_VERSION, Context
from lucidmr.errors import LucidError
from lucidmr.network import weights
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.noise_gauge import GAUGE_SCHEMA, NoiseGauge
from lucidmr.network.weights import (
    PACKAGED_2D,
    PACKAGED_GAUGE,
    adapted,
    load_gauge,
    load_model,
    packaged_models,
    save_gauge,
    save_weights,
)

SETTINGS = NetworkSettings(channels=(4, 6), stem=2, modulation="bottleneck", hidden=5)
CARD = {"name": "test", "version": "1.2", "data": ["a", "b"]}


def random_network(settings: NetworkSettings = SETTINGS) -> CEUNet:
    torch.manual_seed(0)
    network = CEUNet(settings)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Weights and card of a random network."""
    saved = tmp_path / "new" / "some.safetensors"
    save_weights(random_network(), CARD, saved)
    return saved


def change_card(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text())
    change(card)
    card_path.write_text(json.dumps(card))


def replace_weights(path: Path, content: bytes) -> None:
    """Other content under the right hash."""
    path.write_bytes(content)
    change_card(path, lambda card: card.update(sha256=sha256(content).hexdigest()))


def failure(path: Path, named: Path | None = None) -> str:
    with pytest.raises(LucidError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{named or path}: ")
    return message


def test_weights_come_back_in_half_precision(path: Path) -> None:
    model = load_model(path)
    expected = random_network().state_dict()
    assert not model.network.training
    for name, tensor in model.network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name].half().float())


def test_a_loaded_network_does_what_the_saved_one_did(path: Path) -> None:
    images = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    context = torch.tensor([Context(noise_reduction=1.0, gain_freq=0.5).vector])
    found, expected = (made(images, context) for made in (load_model(path).network, random_network()))
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    assert not torch.equal(found, images)


def test_the_card_holds_what_was_recorded_and_what_the_network_needs(path: Path) -> None:
    model = load_model(path)
    assert {name: model.card[name] for name in CARD} == CARD
    assert model.card["context_schema"] == SCHEMA_VERSION
    assert NetworkSettings.from_json(model.card["network"]) == SETTINGS == model.network.settings
    assert model.sha256 == model.card["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert model.name == "test 1.2"


def test_saving_again_gives_the_same_bytes(path: Path) -> None:
    again = path.with_name("again.safetensors")
    save_weights(random_network(), CARD, again)
    assert again.read_bytes() == path.read_bytes()
    assert again.with_suffix(".json").read_text() == path.with_suffix(".json").read_text()


def test_missing_files_are_named(path: Path) -> None:
    path.with_suffix(".json").unlink()
    assert "cannot be read (No such file or directory)" in failure(path, path.with_suffix(".json"))
    path.unlink()
    assert "cannot be read (No such file or directory)" in failure(path)


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[:-1] + b"\x7f"])
def test_damaged_weights_do_not_match_their_card(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    assert "does not match its card some.json; both must come from the same training" in failure(path)


def test_the_hash_of_other_weights_does_not_match(path: Path) -> None:
    change_card(path, lambda card: card.update(sha256="0" * 64))
    assert "does not match its card some.json" in failure(path)
    change_card(path, lambda card: card.pop("sha256"))
    assert "does not match its card some.json" in failure(path)


@pytest.mark.parametrize("content", ["{", "", "\x00\xff"])
def test_a_card_that_is_not_json_is_named(path: Path, content: str) -> None:
    card_path = path.with_suffix(".json")
    card_path.write_bytes(content.encode("latin-1"))
    assert "is not a JSON card" in failure(path, card_path)


@pytest.mark.parametrize("content", ["[1, 2]", '"text"', "null"])
def test_a_card_of_another_kind_is_named(path: Path, content: str) -> None:
    card_path = path.with_suffix(".json")
    card_path.write_text(content)
    assert "is not a card but a JSON" in failure(path, card_path)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, None])
def test_another_context_schema_is_refused(path: Path, version: int | None) -> None:
    change_card(path, lambda card: card.update(context_schema=version))
    assert f"made for context schema {version}, this is {SCHEMA_VERSION}; retrain or update" in failure(path)


def test_foreign_files_are_refused(path: Path) -> None:
    replace_weights(path, b"not safetensors")
    assert "is not a Lucid MR network" in failure(path)
    replace_weights(path, save({"layer.weight": torch.zeros(3, 3)}))
    assert "is not a Lucid MR network" in failure(path)
    tensors = {name: tensor[..., None] for name, tensor in random_network().state_dict().items()}
    replace_weights(path, save(tensors))
    assert "is not a Lucid MR network" in failure(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.pop("network"),
        lambda card: card["network"].update(colour="red"),
        lambda card: card["network"].pop("channels"),
        lambda card: card["network"].update(channels=[]),
        lambda card: card["network"].update(channels=[4, 6, 8]),
        lambda card: card["network"].update(slices=7),
        lambda card: card["network"].update(slices=4),
    ],
    ids=["none", "unknown name", "no channels", "empty channels", "other channels", "other slices", "even slices"],
)
def test_settings_that_do_not_fit_are_refused(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    change_card(path, change)
    assert "is not a Lucid MR network" in failure(path)


def test_the_package_offers_what_it_has(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGED_2D", path)
    monkeypatch.setattr(weights, "PACKAGED_3D", path.with_name("volumes.safetensors"))
    assert [model.name for model in packaged_models()] == ["test 1.2"]
    save_weights(random_network(replace(SETTINGS, slices=3)), CARD, weights.PACKAGED_3D)
    assert [model.network.settings.slices for model in packaged_models()] == [1, 3]


@pytest.mark.parametrize("path", sorted(PACKAGED_2D.parent.glob("*.safetensors")), ids=lambda path: path.name)
def test_packaged_weights_are_those_of_their_cards(path: Path) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == sha256(path.read_bytes()).hexdigest()
    schema, version = ("gauge_schema", GAUGE_SCHEMA) if path == PACKAGED_GAUGE else ("context_schema", SCHEMA_VERSION)
    assert card[schema] == version
    assert card["name"] == path.stem


def images(slices: int) -> torch.Tensor:
    return torch.rand(2, slices, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("slices", [1, 3, 7])
def test_a_network_starts_from_one_of_single_slices(slices: int) -> None:
    old, stack = random_network(), images(slices)
    new = adapted(old, replace(SETTINGS, slices=slices))
    context = torch.tensor([Context(noise_reduction=1.0, gain_freq=0.5).vector] * 2)
    middle = stack[:, slices // 2 : slices // 2 + 1]
    torch.testing.assert_close(new(stack, context), old(middle, context))
    assert not torch.equal(old(middle, context), middle)


def test_what_only_volumes_have_means_nothing_to_a_network_that_has_never_seen_any() -> None:
    old, stack = random_network(), images(3)
    new = adapted(old, replace(SETTINGS, slices=3))
    flat = Context(noise_reduction=1.0, gain_freq=0.5)
    solid = replace(flat, extent_slice=-1.0, missing_slice_unknown=1.0, acceleration_slice=1.0, elliptical=1.0)
    flat_told, solid_told = (torch.tensor([context.vector] * 2) for context in (flat, solid))
    torch.testing.assert_close(new(stack, solid_told), old(stack[:, 1:2], flat_told))
    assert not torch.allclose(old(stack[:, 1:2], solid_told), old(stack[:, 1:2], flat_told))
    # The old network is as it was.
    assert torch.equal(random_network().embedding[0].weight, old.embedding[0].weight)


def test_every_weight_of_an_adapted_network_can_learn() -> None:
    new = adapted(random_network(), replace(SETTINGS, slices=3))
    context = torch.tensor([Context(noise_reduction=1.0, gain_slice=0.5).vector] * 2)
    new(images(3), context).square().mean().backward()
    still = [name for name, parameter in new.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert still == []
    assert float(new.head.weight.grad[-(SETTINGS.stem**2) :].abs().sum()) > 0
    assert float(new.encoder[0][0].weight.grad[:, : SETTINGS.stem**2].abs().sum()) > 0


def test_a_network_without_context_starts_from_one_with_it() -> None:
    old = random_network()
    new = adapted(old, replace(SETTINGS, modulation="none"))
    assert all(torch.equal(tensor, old.state_dict()[name]) for name, tensor in new.state_dict().items())
    assert {name.split(".")[0] for name in old.state_dict()} - {name.split(".")[0] for name in new.state_dict()} == {
        "modulation"
    }
    told = (Context(noise_reduction=1.0, noise=value).vector for value in (0.1, 0.9))
    one, other = (new.parts(images(1), torch.tensor([vector] * 2)) for vector in told)
    assert torch.equal(one, other)


def test_a_network_starts_from_one_of_its_own_shape() -> None:
    old = random_network(replace(SETTINGS, slices=3))
    new = adapted(old, old.settings)
    assert all(torch.equal(tensor, old.state_dict()[name]) for name, tensor in new.state_dict().items())
    assert new is not old


@pytest.mark.parametrize(
    ("given", "wanted", "reason"),
    [
        ({}, {"channels": (4, 8)}, r"channels \(4, 6\) instead of \(4, 8\)"),
        ({}, {"slices": 3, "hidden": 6}, "hidden 5 instead of 6, slices 1 instead of 3"),
        ({"slices": 3}, {"slices": 5}, "slices 3 instead of 5"),
        ({"slices": 3}, {}, "slices 3 instead of 1"),
        ({"modulation": "none"}, {}, "modulation none instead of bottleneck"),
        ({}, {"slices": 3, "modulation": "none"}, "modulation bottleneck instead of none, slices 1 instead of 3"),
    ],
)
def test_networks_of_another_shape_are_no_start(given: dict[str, Any], wanted: dict[str, Any], reason: str) -> None:
    with pytest.raises(LucidError, match=f"the weights to start from are of another network \\({reason}\\)"):
        adapted(random_network(replace(SETTINGS, **given)), replace(SETTINGS, **wanted))


def test_a_gauge_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gauge = NoiseGauge()
    save_gauge(gauge, CARD, tmp_path / "gauge.safetensors")
    back = load_gauge(tmp_path / "gauge.safetensors")
    assert not back.training
    for name, tensor in back.state_dict().items():
        assert torch.equal(tensor, gauge.state_dict()[name].half().float())
    assert json.loads((tmp_path / "gauge.json").read_text()).keys() == {*CARD, "gauge_schema", "sha256"}


def test_a_gauge_is_no_network_and_a_network_no_gauge(path: Path) -> None:
    with pytest.raises(LucidError, match="made for gauge schema None, this is 1"):
        load_gauge(path)
    save_gauge(NoiseGauge(), CARD, path)
    assert "made for context schema None" in failure(path)
    change_card(path, lambda card: card.update(context_schema=SCHEMA_VERSION, gauge_schema=None))
    assert "is not a Lucid MR network" in failure(path)


def test_foreign_weights_are_no_gauge(tmp_path: Path) -> None:
    path = tmp_path / "gauge.safetensors"
    save_gauge(NoiseGauge(), CARD, path)
    replace_weights(path, save({"head": torch.zeros(3)}))
    with pytest.raises(LucidError, match="is not a Lucid MR noise gauge"):
        load_gauge(path)
    path.unlink()
    with pytest.raises(LucidError, match="cannot be read"):
        load_gauge(path)
