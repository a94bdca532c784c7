import pytest
import torch

from lucidmr.enhance.device import choose_device, fast_precision
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


@pytest.mark.parametrize(("amx", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_only_where_the_processor_multiplies_in_it(monkeypatch, amx, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert fast_precision(torch.device("cpu")) == expected
