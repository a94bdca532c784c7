"""Weights on disk: safetensors beside a JSON card that holds every setting they were made with."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from lucidmr.context import SCHEMA_VERSION
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings

PACKAGED: Final = Path(__file__).parent / "released" / "lucidmr-2d.safetensors"
"""The weights that come with the package."""


@dataclass(frozen=True)
class Model:
    """A network with its card.

    Attributes:
        network: Ready to be called, in evaluation mode, float32.
        card: Settings, data sources, compute and measured quality.
        sha256: Hash of the weights' file.
    """

    network: CEUNet
    card: dict[str, Any]
    sha256: str

    @property
    def name(self) -> str:
        """Name and version from the card."""
        return f"{self.card['name']} {self.card['version']}"


def save_weights(network: CEUNet, card: dict[str, Any], path: Path) -> None:
    """Write weights in half precision and the card beside them (same name, ``.json``).

    Args:
        network: Trained network.
        card: What to record; network settings, schema version and hash are added.
        path: Target ending in ``.safetensors``.
    """
    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    data = save(tensors)
    settings = {"network": network.settings.to_json(), "context_schema": SCHEMA_VERSION}
    digest = sha256(data).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps({**card, **settings, "sha256": digest}, indent=2) + "\n")


def load_model(path: Path = PACKAGED, device: str | torch.device = "cpu") -> Model:
    """Read weights and card.

    Args:
        path: The ``.safetensors`` file; its card lies beside it.
        device: Where the network is to live.

    Returns:
        The model.

    Raises:
        LucidError: A file is missing or damaged, its hash is not the card's, or it was made for another context
            schema.
    """
    card_path = path.with_suffix(".json")
    try:
        data = path.read_bytes()
        card = json.loads(card_path.read_text())
    except OSError as error:
        raise LucidError(f"{error.filename}: cannot be read ({error.strerror}); reinstall lucidmr") from error
    except ValueError as error:
        raise LucidError(f"{card_path}: is not a JSON card ({error}); use the one of the weights") from error
    if not isinstance(card, dict):
        raise LucidError(f"{card_path}: is not a card but a JSON {type(card).__name__}; use the one of the weights")
    digest = sha256(data).hexdigest()
    if card.get("sha256") != digest:
        raise LucidError(f"{path}: does not match its card {card_path.name}; both must come from the same training")
    if card.get("context_schema") != SCHEMA_VERSION:
        raise LucidError(
            f"{path}: made for context schema {card.get('context_schema')}, this is {SCHEMA_VERSION}; retrain or update"
        )
    try:
        network = CEUNet(NetworkSettings.from_json(card["network"]))
        network.load_state_dict({name: tensor.float() for name, tensor in load(data).items()})
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LucidError(f"{path}: is not a Lucid MR network ({reason}); name the weights of one") from error
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(network.eval(), card, digest)
