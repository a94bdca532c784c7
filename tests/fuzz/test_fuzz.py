"""A few cases of the fuzzer, the same ones every time, and that it would notice."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_damaged_files_end_in_clean_messages():
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), "--count", "150", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 cases" in done.stdout
    assert "0 failed" in done.stdout


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fuzz

    return fuzz


@pytest.mark.parametrize("line", ["", "two\nlines", "Traceback (most recent call last)", "x" * 601])
def test_messages_that_are_not_clean_are_noticed(fuzz, line):
    with pytest.raises(ValueError, match="no clean message"):
        fuzz._check_line(line)


def test_whatever_gets_out_is_a_fault(fuzz, tmp_path):
    outcome = fuzz._outcome(tmp_path / "nowhere" / "file.dcm", None)
    assert "LucidError" in outcome["fault"]


def test_damage_follows_from_the_number_alone(fuzz, tmp_path):
    from random import Random

    from fuzz_files import mutated, starting_files

    start = starting_files(tmp_path, None)[0].read_bytes()
    first, second = (mutated(start, Random("3 5")) for _ in range(2))
    assert first == second
    assert any(mutated(start, Random(number))[0] != start for number in range(5))
