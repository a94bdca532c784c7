"""What training costs."""

from dataclasses import replace
from math import prod

import pytest
import torch
from torch import nn

from lucidmr.context import CONTEXT_FIELDS
from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.train import compute
from lucidmr.train.compute import Compute, compute_of, flops_per_step, peak
from lucidmr.train.settings import TrainSettings
from tiny_training import CPU, SETTINGS


def test_operations_are_those_of_the_convolutions() -> None:
    """Counted by hand: two for each weight and output position, and twice as many again for the gradients."""
    settings = TrainSettings(
        slices_per_step=3, crops_per_slice=2, crop=32, network=NetworkSettings((4, 6), modulation="none", hidden=4)
    )
    network, counted = CEUNet(settings.network), []

    def count(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        forward = 2 * layer.weight.numel() * prod(output.shape[-2:])
        counted.append(forward * (2 if layer is network.encoder[0][0] else 3))  # the images need no gradient

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 1, 32, 32), torch.zeros(1, len(CONTEXT_FIELDS)))
    assert flops_per_step(settings) == pytest.approx(6 * sum(counted), rel=0.01)


def test_a_stack_costs_little_more_than_a_slice() -> None:
    flat = TrainSettings()
    stacked = replace(flat, network=NetworkSettings(slices=7))
    assert 1.0 < flops_per_step(stacked) / flops_per_step(flat) < 1.05


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce GT 1030", None),
    ],
)
def test_the_peak_of_a_gpu_is_what_its_maker_states(
    name: str, most: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "device_name", lambda device: name)
    assert peak(torch.device("cuda"), torch.bfloat16) == most
    assert peak(torch.device("cuda"), torch.float32) is None


def test_the_peak_of_a_cpu_is_measured() -> None:
    found = compute_of(SETTINGS, CPU)
    assert found.peak is not None
    assert 1e9 < found.peak < 1e15
    assert found.device.startswith("CPU")


def test_rates_are_operations_over_time() -> None:
    found = Compute("made up", "bf16", 2, 1_000_000, 5e6)
    assert found.rate(20, 8.0) == {"flops_per_second": 2.5e6, "share_of_peak": 0.5}
    assert replace(found, peak=None).rate(20, 8.0) == {"flops_per_second": 2.5e6}
    assert found.of_run(20, 7200.0)["hours"] == 2.0
