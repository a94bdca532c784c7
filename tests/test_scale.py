"""Work shared out: every item once, in order, whoever is killed."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from lucidmr.errors import LucidError
from lucidmr.scale import Workers, one_thread, work


def square(number: int) -> int:
    return number * number


def killed_once(number: int, folder: Path) -> int:
    """Dies on its first try of every fourth item."""
    tried = folder / str(number)
    if number % 4 == 2 and not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number: int) -> int:
    if number == 3:
        raise LucidError("3 is refused")
    return number


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    assert list(work(square, range(20), Workers(count))) == [number**2 for number in range(20)]


def test_items_of_killed_workers_are_done_again(tmp_path) -> None:
    done = list(work(partial(killed_once, folder=tmp_path), range(11), Workers(2)))
    assert done == list(range(11))
    assert {path.name for path in tmp_path.iterdir()} == {"2", "6", "10"}


def test_what_always_kills_ends_in_one_line() -> None:
    with pytest.raises(LucidError, match="killed 3 times in a row"):
        list(work(always_killed, range(4), Workers(2)))


def kills_at_three(number: int) -> int:
    return always_killed(number) if number == 3 else number


def test_an_item_that_always_kills_is_given_up_and_the_rest_goes_on() -> None:
    done = work(kills_at_three, range(6), Workers(2), lambda number: -number)
    assert list(done) == [0, 1, 2, -3, 4, 5]
    with pytest.raises(LucidError, match="killed 3 times in a row, at last by 3,"):
        list(work(kills_at_three, range(6), Workers(2)))


def test_if_every_item_kills_it_is_not_the_items() -> None:
    done = work(always_killed, range(4), Workers(2), lambda number: -number)
    assert next(done) == 0
    with pytest.raises(LucidError, match="killed 3 times in a row, at last by 1,"):
        next(done)


@pytest.mark.parametrize("count", [1, 2])
def test_errors_arrive(count: int) -> None:
    done = work(refused, range(6), Workers(count))
    assert [next(done) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LucidError, match="3 is refused"):
        next(done)


def test_items_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = work(square, endless(), Workers(2))
    assert [next(results) for _ in range(3)] == [1, 4, 9]
    assert taken < 20
    results.close()


def test_threads_are_as_before_after_the_block() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_no_worker_is_an_error() -> None:
    with pytest.raises(ValueError, match="workers is 0; it must be at least 1"):
        Workers(0)


@pytest.mark.filterwarnings("ignore")
def test_items_of_killed_workers_are_done_again_on_a_cluster(tmp_path, cluster) -> None:
    done = list(work(partial(killed_once, folder=tmp_path), range(11), Workers(2, cluster)))
    assert done == list(range(11))
    assert {path.name for path in tmp_path.iterdir()} == {"2", "6", "10"}


@pytest.mark.filterwarnings("ignore")
def test_errors_arrive_from_a_cluster(cluster) -> None:
    done = work(refused, range(6), Workers(2, cluster))
    assert [next(done) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LucidError, match="3 is refused"):
        next(done)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_kills_every_worker_ends_in_one_line(cluster) -> None:
    with pytest.raises(LucidError, match="what is complete stays: run the command again"):
        list(work(always_killed, range(2), Workers(1, cluster)))


def test_a_cluster_that_does_not_answer_is_said_in_one_line() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(LucidError, match=r"--ray 127\.0\.0\.1:1: no cluster answers there"):
        list(work(square, range(2), Workers(2, "127.0.0.1:1")))
