"""Weights on disk: safetensors beside a JSON card that holds every setting they were made with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from lucidmr.context import CONTEXT_FIELDS, SCHEMA_VERSION, VOLUME_FIELDS
from lucidmr.errors import LucidError
from lucidmr.files import whole_file
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.noise_gauge import GAUGE_SCHEMA, NoiseGauge

_RELEASED: Final = Path(__file__).parent / "released"
PACKAGED_2D: Final = _RELEASED / "lucidmr-2d.safetensors"
"""The weights that come with the package."""
PACKAGED_3D: Final = _RELEASED / "lucidmr-3d.safetensors"
"""Those for 3D acquisitions; where they are missing, the slices of a 3D series are processed one by one."""
PACKAGED_GAUGE: Final = _RELEASED / "lucidmr-noise.safetensors"
"""The noise gauge that comes with the package."""


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

    Raises:
        LucidError: A file cannot be written.
    """
    settings = {"network": network.settings.to_json(), "context_schema": SCHEMA_VERSION}
    _write(network, {**card, **settings}, path)


def save_gauge(gauge: NoiseGauge, card: dict[str, Any], path: Path) -> None:
    """The same for a noise gauge."""
    _write(gauge, {**card, "gauge_schema": GAUGE_SCHEMA}, path)


def load_model(path: Path = PACKAGED_2D, device: str | torch.device = "cpu") -> Model:
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
    stored = _read(path, "context_schema", SCHEMA_VERSION)
    with _foreign(path, "network"):
        network = CEUNet(NetworkSettings.from_json(stored.card["network"]))
        network.load_state_dict(stored.weights())
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(network.eval(), stored.card, stored.sha256)


def load_gauge(path: Path = PACKAGED_GAUGE) -> NoiseGauge:
    """Read a noise gauge, onto the CPU.

    Args:
        path: The ``.safetensors`` file; its card lies beside it.

    Raises:
        LucidError: As :func:`load_model`.
    """
    stored, gauge = _read(path, "gauge_schema", GAUGE_SCHEMA), NoiseGauge()
    with _foreign(path, "noise gauge"):
        gauge.load_state_dict(stored.weights())
    return gauge.eval()


class _Stored(NamedTuple):
    """Files that belong together."""

    data: bytes
    card: dict[str, Any]
    sha256: str

    def weights(self) -> dict[str, Tensor]:
        """In float32, by name."""
        return {name: tensor.float() for name, tensor in load(self.data).items()}


def _write(network: nn.Module, card: dict[str, Any], path: Path) -> None:
    data = save({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_bytes(data)
    with whole_file(path.with_suffix(".json")) as part:
        part.write_text(json.dumps({**card, "sha256": sha256(data).hexdigest()}, indent=2) + "\n")


def _read(path: Path, schema: str, version: int) -> _Stored:
    """Both files, if they belong together and are of this version of what the card calls ``schema``."""
    card_path = path.with_suffix(".json")
    try:
        data = path.read_bytes()
        card = json.loads(card_path.read_text())
    except OSError as error:
        remedy = "reinstall lucidmr" if path.parent == _RELEASED else "name weights with their card beside them"
        raise LucidError(f"{error.filename}: cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise LucidError(f"{card_path}: is not a JSON card ({error}); use the one of the weights") from error
    if not isinstance(card, dict):
        raise LucidError(f"{card_path}: is not a card but a JSON {type(card).__name__}; use the one of the weights")
    digest = sha256(data).hexdigest()
    if card.get("sha256") != digest:
        raise LucidError(f"{path}: does not match its card {card_path.name}; both must come from the same training")
    if card.get(schema) != version:
        kind = schema.replace("_", " ")
        raise LucidError(f"{path}: made for {kind} {card.get(schema)}, this is {version}; retrain or update")
    return _Stored(data, card, digest)


@contextmanager
def _foreign(path: Path, kind: str) -> Iterator[None]:
    """Weights of something else are named as such."""
    try:
        yield
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LucidError(f"{path}: is not a Lucid MR {kind} ({reason}); name the weights of one") from error


def packaged_models(device: str | torch.device = "cpu") -> tuple[Model, ...]:
    """The networks that come with the package.

    Raises:
        LucidError: A file is missing or damaged.
    """
    paths = (PACKAGED_2D, PACKAGED_3D) if PACKAGED_3D.exists() else (PACKAGED_2D,)
    return tuple(load_model(path, device) for path in paths)


def adapted(network: CEUNet, settings: NetworkSettings) -> CEUNet:
    """A network that starts from another one's weights.

    A network of single slices becomes one of several: the middle slice gets its weights, the other slices and the
    detail along slice get zeros, and so does what of the context the old network has never seen other than 0. Before
    training the new network does what the old one does.

    A network that is told of the context becomes one that is not: it keeps all but the modulation, and has to learn to
    do without.

    Args:
        network: What to start from; not changed.
        settings: Shape of the new network: the same, or the same but for the slices, or without modulation.

    Returns:
        The new network, on the CPU.

    Raises:
        LucidError: The shapes differ in another way.
    """
    given, wanted = asdict(network.settings), asdict(settings)
    differing = [name for name in wanted if given[name] != wanted[name]]
    untold = differing == ["modulation"] and settings.modulation == "none"
    thicker = differing == ["slices"] and network.settings.slices == 1
    if differing and not (untold or thicker):
        reasons = ", ".join(f"{name} {given[name]} instead of {wanted[name]}" for name in differing)
        raise LucidError(f"the weights to start from are of another network ({reasons}); name others or start anew")
    weights = network.state_dict()
    first, others = "encoder.0.0.weight", (settings.slices - network.settings.slices) // 2 * settings.stem**2
    weights[first] = F.pad(weights[first], (0, 0, 0, 0, others, others))
    rows = (settings.parts - network.settings.parts) * settings.stem**2
    weights["head.weight"] = F.pad(weights["head.weight"], (0, 0, 0, 0, 0, 0, 0, rows))
    weights["head.bias"] = F.pad(weights["head.bias"], (0, rows))
    if thicker:
        unseen = torch.tensor([CONTEXT_FIELDS.index(name) for name in VOLUME_FIELDS])
        weights["embedding.0.weight"] = weights["embedding.0.weight"].index_fill(1, unseen, 0.0)
    made = CEUNet(settings)
    made.load_state_dict({name: weights[name] for name in made.state_dict()})
    return made
