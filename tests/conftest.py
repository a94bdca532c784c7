"""Shared by all tests: a tiny network, so that enhancing a small image takes milliseconds; a small cluster."""

import warnings
from collections.abc import Iterator
from threading import Timer

import pytest
import torch
from jaxtyping import config

from lucidmr.network.ce_unet import CEUNet, NetworkSettings
from lucidmr.network.weights import load_model, save_weights

CHECKED_SECONDS = 0.2
"""Shapes are checked this long in every test: the same calls over again would tell nothing new in half of the time."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Check shapes at the beginning of every test."""
    config.update("jaxtyping_disable", False)
    timer = Timer(CHECKED_SECONDS, config.update, ("jaxtyping_disable", True))
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()
        timer.join()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """A file with the weights of a tiny network whose noise part is a crude high-pass of its input.

    Random features would make measured noise reduction meaningless; a high-pass removes noise for certain.
    """
    torch.manual_seed(3)
    network = CEUNet(NetworkSettings(channels=(4, 4), stem=2, modulation="decoder", hidden=4))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        _pass_high_frequencies(network)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(network, {"name": "tiny", "version": "0"}, path)
    return path


def _pass_high_frequencies(network):
    """First block and last decoder block copy the four stem channels (biased past ReLU), the head subtracts means."""
    shift = 8.0
    for block in (network.encoder[0], network.decoder[0]):
        for number, convolution in enumerate((block[0], block[2])):
            first = block is network.encoder[0] and number == 0
            skip = 4 if block is network.decoder[0] and number == 0 else 0
            for channel in range(4):
                convolution.weight[channel, channel + skip, 1, 1] = 1.0
                convolution.bias[channel] = shift if first else 0.0
    for channel in range(4):
        network.head.weight[channel, :, 0, 0] = -0.25
        network.head.weight[channel, channel, 0, 0] += 1.0


@pytest.fixture(scope="session")
def tiny_model(tiny_weights):
    """That network, loaded."""
    return load_model(tiny_weights)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    """Every device that the mathematics must be the same on; CUDA where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of two Ray nodes on this computer."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        nodes.add_node(num_cpus=1)
        yield nodes.address
        nodes.shutdown()
