"""What a run tells on its way."""

import json
import sys
from pathlib import Path

import pytest
import torch

from lucidmr.errors import LucidError
from lucidmr.train.log import LOG, open_log


def test_a_run_that_goes_on_forgets_the_steps_it_does_again(tmp_path: Path) -> None:
    with open_log(tmp_path, 0, tensorboard=False) as log:
        for step in (1, 2, 3):
            log.write(step, {"loss": 0.5})
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 2, "lo')  # cut off by a kill
    with open_log(tmp_path, 2, tensorboard=False) as log:
        log.write(3, {"loss": 0.25, "validation": {"loss": 1.0}})
    entries = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [(entry["step"], entry["loss"]) for entry in entries] == [(1, 0.5), (2, 0.5), (3, 0.25)]


def test_tensorboard_that_is_not_installed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(LucidError, match=r"pip install 'lucidmr\[tensorboard\]'"), open_log(tmp_path, 0, True):
        pass


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's own
def test_tensorboard_gets_numbers_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    with open_log(tmp_path, 0, tensorboard=True) as log:
        log.write(1, {"loss": 0.5, "validation": {"psnr_gain": 2.0}})
        log.picture(1, torch.rand(8, 32))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert found.Scalars("loss")[0].value == 0.5
    assert found.Scalars("validation/psnr_gain")[0].value == 2.0
    assert found.Images("validation")[0].width == 32
