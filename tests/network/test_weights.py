"""Weights on disk: the round trip, and one clear line for whatever is wrong with the files."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from lucidmr.context import SCHEMA_VERSION, Context
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import load_model, save_weights

SETTINGS = NetworkSettings(channels=(4, 6), stem=2, modulation="bottleneck", hidden=5)
CARD = {"name": "test", "version": "1.2", "data": ["a", "b"]}


def random_network() -> CEUNet:
    torch.manual_seed(0)
    network = CEUNet(SETTINGS)
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
    ],
    ids=["none", "unknown name", "no channels", "empty channels", "other channels"],
)
def test_settings_that_do_not_fit_are_refused(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    change_card(path, change)
    assert "is not a Lucid MR network" in failure(path)
