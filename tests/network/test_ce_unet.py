"""The network: what it may never change, how context reaches it, its size."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from lucidmr.context import CONTEXT_FIELDS, Context
from lucidmr.network.ce_unet import CEUNet, DynamicModulation, Modulation, NetworkSettings, blend, gate, nominal_removal
from properties import seeded

MODULATIONS: tuple[Modulation, ...] = get_args(Modulation)
ASKED = Context(noise_reduction=1.0, gain_phase=0.7, restore_freq=0.2, extent_freq=-1.0)
NOTHING = Context(extent_freq=-1.3, extent_phase_unknown=1.0, missing_phase=0.3, elliptical=1.0)


def network(modulation: Modulation = "decoder", stem: int = 2, slices: int = 1) -> CEUNet:
    """A small network whose every weight is random: nothing is still at its initial zero."""
    torch.manual_seed(0)
    made = CEUNet(NetworkSettings(channels=(4, 6, 8), stem=stem, modulation=modulation, hidden=5, slices=slices))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0, 0.2)
    return made.eval()


def images(batch: int = 2, n_freq: int = 16, n_phase: int = 24, slices: int = 1) -> Tensor:
    return torch.rand(batch, slices, n_freq, n_phase, generator=seeded(1))


def vectors(*contexts: Context) -> Tensor:
    return torch.tensor([context.vector for context in contexts])


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("stem", [1, 2])
def test_every_option_runs_and_keeps_the_shape(modulation: Modulation, stem: int) -> None:
    made = network(modulation, stem)
    output = made(images(), vectors(ASKED, NOTHING)).detach()
    assert output.shape == (2, 1, 16, 24)
    assert output.dtype == torch.float32
    assert float((output[0] - images()[0]).abs().max()) > 1e-3
    assert made.settings.stride == 4 * stem


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_nothing_asked_changes_nothing_whatever_the_weights(modulation: Modulation) -> None:
    made, given_ = network(modulation), images()
    with torch.no_grad():
        made.head.weight *= 1e5  # parts so large that the least leak shows
    assert torch.equal(made(given_, vectors(NOTHING, Context())), given_)


@pytest.mark.parametrize("side", [1, 3])
def test_filters_are_the_same_with_and_without_gradients(side: int) -> None:
    torch.manual_seed(2)
    pathway = DynamicModulation(4, 6, side)
    for parameter in pathway.parameters():
        nn.init.normal_(parameter)
    features, embedding = torch.randn(3, 6, 10, 12), torch.randn(3, 4)
    with torch.no_grad():
        without = pathway(features, embedding)
    torch.testing.assert_close(pathway(features, embedding), without)


def test_a_fresh_network_returns_its_input_whatever_is_asked() -> None:
    made = CEUNet(NetworkSettings(channels=(4, 6), hidden=4))
    assert torch.equal(made(images(), vectors(ASKED, ASKED)), images())


def test_the_default_has_about_ten_million_parameters() -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in CEUNet(NetworkSettings()).parameters())
    assert 10e6 < count < 13e6


@pytest.mark.parametrize(("modulation", "modules"), [("none", 0), ("bottleneck", 1), ("film", 3), ("decoder", 3)])
def test_the_pathway_acts_where_it_is_told(modulation: Modulation, modules: int) -> None:
    made = network(modulation)
    assert len(made.modulation) == modules
    parts = made.parts(images(1), vectors(ASKED)), made.parts(images(1), vectors(NOTHING))
    assert parts[0].shape == (1, 3, 16, 24)
    assert torch.equal(*parts) == (modulation == "none")


def test_each_sample_has_its_own_kernels() -> None:
    made, given_ = network(), images(3)
    contexts = vectors(ASKED, NOTHING, Context(gain_freq=1.0))
    together = made.parts(given_, contexts)
    for index in range(3):
        alone = made.parts(given_[index : index + 1], contexts[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-5)


def test_modulation_starts_as_the_identity() -> None:
    features = torch.randn(2, 6, 8, 8, generator=seeded())
    assert torch.equal(DynamicModulation(4, 6)(features, torch.randn(2, 4, generator=seeded())), features)


def test_modulation_is_a_depthwise_convolution_with_bias() -> None:
    features, embedding = (torch.randn(shape, generator=seeded()) for shape in ((2, 3, 8, 8), (2, 4)))
    pathway = DynamicModulation(4, 3)
    nn.init.normal_(pathway.kernels.weight, generator=seeded(2))
    found = pathway(features, embedding)
    for index in range(2):
        values = pathway.kernels(embedding[index]).view(3, 10)
        kernels = values[:, :9].reshape(3, 1, 3, 3)
        filtered = F.conv2d(features[index : index + 1], kernels, values[:, 9], padding=1, groups=3)
        torch.testing.assert_close(found[index], features[index] + filtered[0], atol=1e-5, rtol=1e-5)


def test_modulation_of_single_pixels_scales_and_shifts() -> None:
    features, embedding = (torch.randn(shape, generator=seeded()) for shape in ((2, 3, 8, 8), (2, 4)))
    pathway = DynamicModulation(4, 3, side=1)
    nn.init.normal_(pathway.kernels.weight, generator=seeded(2))
    scale, shift = pathway.kernels(embedding).view(2, 3, 2, 1, 1).unbind(2)
    torch.testing.assert_close(pathway(features, embedding), (1.0 + scale) * features + shift, atol=1e-5, rtol=1e-5)


def test_a_plain_head_takes_off_what_it_predicts() -> None:
    torch.manual_seed(0)
    made, given_ = CEUNet(NetworkSettings(channels=(4, 6), hidden=4, head="plain")), images()
    nn.init.normal_(made.head.weight, generator=seeded(2))
    context = vectors(ASKED, NOTHING)
    parts = made.parts(given_, context)
    assert parts.shape == given_.shape
    assert torch.equal(made(given_, context), given_ - parts)


@pytest.mark.parametrize("sides", [(15, 24), (16, 20)])
def test_sides_that_do_not_fit_are_named(sides: tuple[int, int]) -> None:
    message = rf"the sides \({sides[0]}, {sides[1]}\) must be multiples of the stride 8"
    with pytest.raises(ValueError, match=message):
        network()(images(1, *sides), vectors(ASKED))


def test_settings_survive_json() -> None:
    chosen = NetworkSettings((4, 8), 1, "bottleneck", 7, 5)
    assert NetworkSettings.from_json(chosen.to_json()) == chosen
    assert NetworkSettings().stride == 32


def test_settings_from_before_there_were_slices_mean_one() -> None:
    older = {name: value for name, value in NetworkSettings().to_json().items() if name != "slices"}
    assert NetworkSettings.from_json(older) == NetworkSettings(slices=1)


@pytest.mark.parametrize("slices", [0, 2, -1])
def test_a_stack_has_a_middle(slices: int) -> None:
    with pytest.raises(ValueError, match=f"slices is {slices}; it must be odd"):
        NetworkSettings(slices=slices)


@pytest.mark.parametrize("stem", [1, 2])
def test_a_stack_becomes_its_middle_slice(stem: int) -> None:
    made, given_ = network(stem=stem, slices=5), images(slices=5)
    with torch.no_grad():
        output = made(given_, vectors(Context(gain_slice=1.0), NOTHING))
    assert made.parts(given_, vectors(ASKED, ASKED)).shape == (2, 4, 16, 24)
    assert output.shape == (2, 1, 16, 24)
    assert not torch.allclose(output[0], given_[0, 2:3])
    assert torch.equal(output[1], given_[1, 2:3])


def test_every_slice_counts() -> None:
    made, given_ = network(slices=3), images(1, slices=3)
    before = made(given_, vectors(ASKED)).detach()
    for place in range(3):
        changed = given_.clone()
        changed[:, place] += 0.1
        assert not torch.allclose(made(changed, vectors(ASKED)), before)


def test_another_number_of_slices_is_named() -> None:
    with pytest.raises(ValueError, match="3 slices for a network of 5"):
        network(slices=5).parts(images(slices=3), vectors(ASKED, ASKED))


def test_every_weight_learns() -> None:
    made = network()
    made(images(), vectors(ASKED, ASKED)).square().mean().backward()
    still = [name for name, parameter in made.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert still == []


def test_fresh_blocks_pass_the_signal_on() -> None:
    """He initialisation: neither vanishing nor exploding on the way down and up (the head still at zero)."""
    torch.manual_seed(1)
    made = CEUNet(NetworkSettings(channels=(16, 16, 16, 16), hidden=4))
    nn.init.normal_(made.head.weight, std=0.25)
    parts = made.parts(torch.randn(1, 1, 64, 64, generator=seeded()), vectors(ASKED)).detach()
    assert 0.1 < float(parts.std()) < 10.0


def test_half_precision_inside_leaves_single_precision_outside() -> None:
    made, given_ = network(), images()
    with torch.autocast("cpu", torch.bfloat16):
        output = made(given_, vectors(ASKED, NOTHING))
    assert output.dtype == torch.float32
    assert torch.equal(output[1], given_[1])
    torch.testing.assert_close(output, made(given_, vectors(ASKED, NOTHING)), atol=0.05, rtol=0.05)


def test_the_head_is_linear_in_the_noise_that_is_removed() -> None:
    given_, parts = images(1), torch.randn(1, 3, 16, 24, generator=seeded())
    context = vectors(Context(noise_reduction=2.0, gain_freq=0.5, restore_phase=0.25))
    gates = [1 - torch.exp(torch.tensor(-2.0)), 1 - torch.exp(torch.tensor(-4.0))]
    for removal in (0.0, 0.5, 1.0):
        expected = given_ - removal * parts[:, :1] + gates[0] * parts[:, 1:2] + gates[1] * parts[:, 2:3]
        torch.testing.assert_close(blend(given_, parts, context, removal), expected)
    assert float(nominal_removal(context)) == pytest.approx(0.75)  # a factor of 4 leaves a quarter


def test_detail_along_slice_has_a_gate_of_its_own() -> None:
    given_, parts = images(1), torch.randn(1, 4, 16, 24, generator=seeded())
    for context in (Context(gain_slice=0.5), Context(restore_slice=0.125)):
        expected = given_ + (1 - torch.exp(torch.tensor(-2.0))) * parts[:, 3:]
        torch.testing.assert_close(blend(given_, parts, vectors(context), 0.0), expected)
    assert torch.equal(blend(given_, parts, vectors(NOTHING), 0.0), given_)


def test_a_perfect_noise_estimate_gives_the_factor_asked_for() -> None:
    """y - (1 - 1/NRF) n keeps n / NRF."""
    clean, noise = torch.full((1, 1, 16, 24), 0.5), torch.randn(1, 1, 16, 24, generator=seeded())
    context = vectors(Context(noise_reduction=1.5))
    parts = torch.cat([noise, torch.zeros(1, 2, 16, 24)], 1)
    output = blend(clean + noise, parts, context, nominal_removal(context))
    torch.testing.assert_close(output - clean, noise / 2**1.5)


@given(low=st.floats(0.0, 1.5), more=st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_gates_open_with_what_is_asked(low: float, more: float) -> None:
    for name in ("gain", "restore"):
        smaller, larger = (gate(vectors(Context(**{f"{name}_phase": x})), "phase") for x in (low, low + more))
        assert 0.0 <= float(smaller) <= float(larger) <= 1.0
        assert float(gate(vectors(Context(**{f"{name}_phase": low})), "freq")) == 0.0


def test_gates_are_closed_for_nothing_and_nearly_open_from_a_gain_of_one_and_a_half() -> None:
    assert float(gate(vectors(NOTHING), "phase")) == 0.0
    assert float(gate(vectors(Context(gain_phase=0.585)), "phase")) == pytest.approx(0.9, abs=0.01)


def test_only_the_context_of_the_schema_is_taken() -> None:
    assert network().embedding[0].in_features == len(CONTEXT_FIELDS)
