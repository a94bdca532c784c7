"""One function over many work items: in this process, in local processes, or on the nodes of a Ray cluster."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from socket import create_connection
from typing import Any, Final, TypeVar

from lucidmr.errors import LucidError

Item = TypeVar("Item")
Result = TypeVar("Result")
_AHEAD: Final = 4
"""Items per worker that are handed out before their turn."""
_MOST_DEATHS: Final = 3
"""Pools in a row that may die without finishing one item."""
_task: Callable[[Any], Any]
"""What a worker does; set when it starts, so that it travels once and not with every item."""


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        count: Processes on this computer; 1 is this process itself. With Ray, items in flight over all nodes.
        ray: Address of a Ray cluster, such as 10.0.0.1:6379 or auto; ``None`` = this computer alone. Its nodes see
            the same folders under the same names.
    """

    count: int = 1
    ray: str | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"workers is {self.count}; it must be at least 1")


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread within the block: the last bits of a sum depend on how many there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def work(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers,
    lost: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """Apply a function to every item.

    Items whose worker is killed are done again, so that doing one twice must do no harm.

    Args:
        function: What to do; it and its results can be pickled.
        items: Work items.
        workers: Who does them.
        lost: What stands for an item that kills its process on this computer again and again, as a file does that
            crashes the library it is read with; ``None`` ends the work there.

    Yields:
        The results in the order of the items.

    Raises:
        LucidError: Workers are killed again and again, or the cluster cannot be used.
    """
    if workers.ray is not None:
        yield from _on_ray(function, items, workers)
    elif workers.count == 1:
        yield from map(function, items)
    else:
        yield from _in_processes(function, items, workers.count, lost)


def _in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    count: int,
    lost: Callable[[Item], Result] | None,
) -> Iterator[Result]:
    """One pool after the other, as a pool dies with its first worker.

    After a death one worker goes on with one item alone: should it die again, the item is to blame.
    """
    left, source, deaths, hopeless = deque[Item](), iter(items), 0, lost is None
    while True:
        alone = deaths > 0
        crew, ahead = (1, 1) if alone else (count, _AHEAD * count)
        # Spawned, not forked: the parent may hold threads.
        with ProcessPoolExecutor(crew, get_context("spawn"), _start, (function,)) as pool:
            try:
                for result in _in_turn(lambda item: pool.submit(_call, item).result, left, source, ahead):
                    deaths, hopeless = 0, lost is None
                    yield result
                    if alone:
                        break
                else:
                    return
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == _MOST_DEATHS and hopeless:
                    raise LucidError(
                        f"workers were killed {deaths} times in a row, at last by {left[0]}, maybe for want of memory; "
                        "what is complete stays: run the command again, with fewer workers"
                    ) from error
            finally:
                pool.shutdown(cancel_futures=True)
        if deaths == _MOST_DEATHS and lost is not None:
            deaths, hopeless = 0, True  # two items in a row: it is not the items
            yield lost(left.popleft())


def _on_ray(function: Callable[[Item], Result], items: Iterable[Item], workers: Workers) -> Iterator[Result]:
    """Ray itself does a task again whose worker or node dies."""
    try:
        import ray
    except ImportError as error:
        raise LucidError("--ray needs Ray; install it with pip install 'lucidmr[ray]'") from error
    try:
        _knock(workers.ray or "")
        ray.init(workers.ray, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise LucidError(f"--ray {workers.ray}: no cluster answers there; start one with 'ray start --head'") from error
    remote: Any = ray.remote(max_retries=_MOST_DEATHS)(_on_node)
    shared = ray.put(function)

    def submit(item: Item) -> Callable[[], Result]:
        reference = remote.remote(shared, item)
        return lambda: ray.get(reference)

    try:
        yield from _in_turn(submit, deque(), iter(items), _AHEAD * workers.count)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0]
        raise LucidError(f"--ray {workers.ray}: {reason}; what is complete stays: run the command again") from error
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray would try for more than a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        create_connection((host, int(port)), timeout=5.0).close()


def _in_turn(
    submit: Callable[[Item], Callable[[], Result]], left: deque[Item], source: Iterator[Item], ahead: int
) -> Iterator[Result]:
    """Results in the order of the items, a few of which run ahead.

    Args:
        submit: Hands out an item; gives a function that waits for its result.
        left: Items that were taken from ``source`` and are not done; they come first.
        source: The others.
        ahead: How many run ahead.

    Yields:
        The results.
    """
    waiting = deque(map(submit, left))
    while True:
        while len(waiting) < ahead and (item := next(source, _NO_ITEM)) is not _NO_ITEM:
            left.append(item)
            waiting.append(submit(item))
        if not waiting:
            return
        result = waiting.popleft()()
        left.popleft()
        yield result


_NO_ITEM: Final[Any] = object()


def _start(function: Callable[[Any], Any]) -> None:
    """A worker process begins."""
    global _task
    import torch

    torch.set_num_threads(1)
    _task = function


def _call(item: Any) -> Any:
    return _task(item)


def _on_node(function: Callable[[Item], Result], item: Item) -> Result:
    with one_thread():
        return function(item)
