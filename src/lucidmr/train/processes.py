"""Several training processes that work as one: started by torchrun, one for each GPU or CPU."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import torch
import torch.distributed as dist

from lucidmr.errors import LucidError


@dataclass(frozen=True)
class Processes:
    """This process among the others.

    Attributes:
        rank: Which one it is, from 0; the first one writes.
        count: How many there are, over all computers.
        device: Where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one that decides and writes."""
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums over all processes; the same in each."""
        if self.count == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        found: list[float] = tensor.tolist()
        return found

    def decided(self, *values: float | int) -> list[float]:
        """What the first process says: clocks and signals differ between processes, decisions must not."""
        return self.total([float(value) if self.first else 0.0 for value in values])


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that torchrun started, or be alone where it did not.

    Args:
        device: Kind of device; each process on a computer takes the GPU of its local rank.

    Yields:
        This process among the others.

    Raises:
        LucidError: There are more processes than GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, device)
        return
    local = int(os.environ["LOCAL_RANK"])
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise LucidError(
                f"--nproc-per-node of torchrun: this computer has {torch.cuda.device_count()} CUDA devices; "
                "start one process for each at most"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Within the block SIGTERM, by which schedulers end a job, only leaves a note.

    Yields:
        Whether it was left.
    """
    told = Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield told.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
