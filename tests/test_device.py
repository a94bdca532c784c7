import pytest
import torch

from lucidmr import device
from lucidmr.device import autocast, choose_device, fast_precision
from lucidmr.errors import LucidError


def test_cpu_is_cpu():
    assert choose_device("cpu") == torch.device("cpu")


def test_missing_cuda_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(LucidError, match="--device cuda: no CUDA device"):
        choose_device("cuda")


def test_auto_takes_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize(
    ("instruction", "vendor", "faster"),
    [
        ("_is_amx_tile_supported", "GenuineIntel", True),
        ("_is_avx512_bf16_supported", "AuthenticAMD", True),
        ("_is_avx512_bf16_supported", "GenuineIntel", False),
        ("_is_avx512_bf16_supported", "", False),
        (None, "AuthenticAMD", False),
    ],
)
def test_bfloat16_only_where_it_is_faster(monkeypatch, instruction, vendor, faster):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda has=name == instruction: has, raising=False)
    monkeypatch.setattr(device, "_vendor", lambda: f"vendor_id : {vendor}")
    assert fast_precision(torch.device("cpu")) == (torch.bfloat16 if faster else torch.float32)


def test_float32_where_pytorch_cannot_tell(monkeypatch):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert fast_precision(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize(("precision", "faster"), [("auto", torch.bfloat16), ("bf16", None), ("fp32", None)])
def test_networks_compute_in_what_was_asked_for(monkeypatch, precision, faster):
    monkeypatch.setattr(device, "fast_precision", lambda device: faster)
    with autocast(torch.device("cpu"), precision):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
