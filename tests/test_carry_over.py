"""2D weights that were trained on, and 3D weights that started from the earlier ones."""

from pathlib import Path

import pytest
import torch

from carry_over import CarryOver
from lucidmr.errors import LucidError
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import adapted, load_model, save_weights

SINGLE = NetworkSettings((4, 6), hidden=4)
STACK = NetworkSettings((4, 6), hidden=4, slices=7)


def moved(network: CEUNet, seed: int) -> CEUNet:
    """Every weight a little different."""
    generator = torch.Generator().manual_seed(seed)
    weights = network.state_dict()
    made = CEUNet(network.settings)
    made.load_state_dict(
        {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    )
    return made


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Weights by what they are."""
    started = moved(CEUNet(SINGLE), 1)
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("started", "learned", "onto", "out")}
    save_weights(started, {"name": "a", "version": "0"}, paths["started"])
    save_weights(moved(started, 2), {"name": "b", "version": "0"}, paths["learned"])
    origin = {"name": "a 0", "sha256": load_model(paths["started"]).sha256}
    card = {"name": "c", "version": "0", "started_from": origin, "dial": {}, "lineage": []}
    save_weights(moved(adapted(started, STACK), 3), card, paths["onto"])
    return paths


def test_what_was_learned_adds_up(files: dict[str, Path]) -> None:
    CarryOver(**files).run()
    started, learned, onto, out = (load_model(files[name]) for name in ("started", "learned", "onto", "out"))
    before, after = (adapted(one.network, STACK).state_dict() for one in (started, learned))
    for name, value in out.network.state_dict().items():
        assert torch.allclose(value, onto.network.state_dict()[name] + after[name] - before[name], atol=2e-3)
    hashes = {"started": started.sha256, "learned": learned.sha256, "onto": onto.sha256}
    assert out.card["carried_over"] == [{**hashes, "share": 1.0}]
    assert out.card["name"] == "c"
    assert "dial" not in out.card  # that of other weights says nothing of these


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_less_of_what_the_3d_weights_have_learned_can_be_kept(files: dict[str, Path], share: float) -> None:
    CarryOver(**files, share=share).run()
    started, learned, onto, out = (load_model(files[name]) for name in ("started", "learned", "onto", "out"))
    before, after = (adapted(one.network, STACK).state_dict() for one in (started, learned))
    for name, value in out.network.state_dict().items():
        wanted = after[name] + share * (onto.network.state_dict()[name] - before[name])
        assert torch.allclose(value, wanted, atol=2e-3)


def test_what_is_learned_later_adds_up_again(files: dict[str, Path], tmp_path: Path) -> None:
    CarryOver(**files).run()
    later, twice = tmp_path / "later.safetensors", tmp_path / "twice.safetensors"
    learned, once = load_model(files["learned"]), load_model(files["out"])
    save_weights(moved(learned.network, 5), {"name": "d", "version": "0"}, later)
    with pytest.raises(LucidError, match="did not start from these"):
        CarryOver(files["started"], later, files["out"], twice).run()  # what was learned first would count twice
    CarryOver(files["learned"], later, files["out"], twice, share=0.5).run()
    assert [step["share"] for step in load_model(twice).card["carried_over"]] == [1.0, 0.5]
    before, after = (adapted(load_model(path).network, STACK).state_dict() for path in (files["learned"], later))
    for name, value in load_model(twice).network.state_dict().items():
        wanted = after[name] + 0.5 * (once.network.state_dict()[name] - before[name])
        assert torch.allclose(value, wanted, atol=2e-3)


def test_weights_of_another_origin_are_refused(files: dict[str, Path]) -> None:
    with pytest.raises(LucidError, match="c 0 did not start from these weights of b 0; name those that it did"):
        CarryOver(**{**files, "started": files["learned"]}).run()
    assert not files["out"].exists()
