"""Feed damaged DICOM files to ``inspect`` and ``enhance``, and see that nothing crashes, hangs or swells.

    python benchmarks/fuzz.py [--count 10000] [--seed 0] [--only NUMBER...] [--data FOLDER] [--keep FOLDER]

Each case is a folder with one damaged file, made from a healthy one (synthetic, pydicom's, or below ``--data``) by its
number alone, so that ``--only`` makes it again. A worker reads it as the two commands do: series, facts, JSON; then a
tiny network and a derived series. It fails if anything but a one-line error comes out, if a command takes more than 5 s
of processor time or 1 GB of memory, or if the file is not the same afterwards. Exits with 1 if a case failed.
"""

import argparse
import json
import multiprocessing as mp
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from fuzz_files import mutated, starting_files

_CPU_SECONDS = 5.0
_MOST_BYTES = 1 << 30
_PATIENCE = 300.0
"""Seconds by the clock after which a case hangs, however busy the computer is."""


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="these cases alone")
    parser.add_argument("--data", type=Path, help="folder with real files to start from")
    parser.add_argument("--keep", type=Path, help="folder for the files of cases that fail")
    options = parser.parse_args()
    numbers = options.only or range(options.count)
    with tempfile.TemporaryDirectory() as home:
        supervisor = Supervisor(Path(home), options.seed, options.data, options.keep)
        outcomes = [supervisor.run(number) for number in numbers]
        supervisor.close()
    failed = [outcome for outcome in outcomes if outcome["fault"]]
    kinds = Counter(outcome["ended"] for outcome in outcomes)
    print(f"{len(outcomes)} cases: " + ", ".join(f"{count} {name}" for name, count in kinds.most_common()))
    print(f"slowest {max(outcome['seconds'] for outcome in outcomes):.2f} s of processor time, "
          f"most memory {max(outcome['megabytes'] for outcome in outcomes):.0f} MB more")  # fmt: skip
    print(f"{len(failed)} failed")
    sys.exit(1 if failed else 0)


class Supervisor:
    """Runs cases in a worker process, and starts another one when it dies."""

    def __init__(self, home: Path, seed: int, data: Path | None, keep: Path | None) -> None:
        self._home, self._seed, self._keep = home, seed, keep
        self._files = starting_files(home / "start", data)
        self._worker: Any = None

    def run(self, number: int) -> dict[str, Any]:
        """One case: how it ended, and what was wrong with that."""
        chance = Random(f"{self._seed} {number}")
        start = chance.choice(self._files)
        content, changes = mutated(start.read_bytes(), chance)
        path = self._home / "case" / "in" / "file.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        outcome = {"number": number, "start": start.name, "changes": changes, **self._ask(path)}
        if not path.exists() or path.read_bytes() != content:
            outcome["fault"] = "the file was changed"
        if outcome["fault"]:
            print(json.dumps(outcome), flush=True)
            if self._keep is not None:
                self._keep.mkdir(parents=True, exist_ok=True)
                (self._keep / f"{self._seed}_{number}.dcm").write_bytes(content)
        return outcome

    def _ask(self, path: Path) -> dict[str, Any]:
        if self._worker is None:
            self._start()
        began = time.monotonic()
        self._pipe.send(path)
        if self._pipe.poll(_PATIENCE):
            try:
                found: dict[str, Any] = self._pipe.recv()
            except EOFError:
                self._worker.join()
                ended = f"crash, exit status {self._worker.exitcode}"
            else:
                return found
        else:
            ended = "hang"
        self._worker.kill()
        self._worker.join()
        self.close()
        return {"ended": ended, "fault": ended, "seconds": time.monotonic() - began, "megabytes": 0.0}

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._worker = context.Process(target=_work, args=(theirs,), daemon=True)
        self._worker.start()
        theirs.close()
        if self._pipe.recv() != "ready":
            raise RuntimeError("the worker does not start")

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            if self._worker.is_alive():
                self._pipe.send(None)
            self._worker.join()
            self._worker = None


def _work(pipe: Connection) -> None:
    """The worker: answers each path with its outcome."""
    import torch

    from lucidmr.enhance import prepare
    from lucidmr.network.ce_unet import CEUNet, NetworkSettings
    from lucidmr.network.weights import Model

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.environ["RUST_BACKTRACE"] = "0"
    # Images stay on their own matrix: what is tested here is not the network.
    prepare.SIDE_2D = prepare.SIDE_3D = 64  # type: ignore[misc]
    model = Model(CEUNet(NetworkSettings(channels=(4, 4), hidden=4)).eval(), {"name": "tiny", "version": "0"}, "0" * 64)
    limit = _memory("VmData") + _MOST_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        pipe.send(_outcome(path, model))


def _outcome(path: Path, model: Any) -> dict[str, Any]:
    # Written to, the kernel forgets the peak so far (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before, fault, marks = _memory("VmRSS"), "", [time.process_time()]
    try:
        found = _inspected(path)
        marks.append(time.process_time())
        ended = _enhanced(found, model)
    except BaseException as error:  # noqa: BLE001 (everything that gets out is a finding)
        ended = type(error).__name__
        where = traceback.extract_tb(error.__traceback__)
        own = [f"{Path(place.filename).name}:{place.lineno}" for place in where if "lucidmr" in place.filename]
        fault = f"{ended}: {str(error)[:200]} at {' < '.join(reversed(own))}"
    marks.append(time.process_time())
    seconds, grown = max(end - start for start, end in pairwise(marks)), _memory("VmHWM") - before
    if seconds > _CPU_SECONDS:
        fault = fault or f"took {seconds:.1f} s"
    if grown > _MOST_BYTES:
        fault = fault or f"took {grown / 1e6:.0f} MB"
    return {"ended": ended, "fault": fault, "seconds": seconds, "megabytes": grown / 1e6}


def _inspected(path: Path) -> Any:
    """What ``lucidmr inspect`` does; the series."""
    from lucidmr.inspection import as_dict
    from lucidmr.nifti.find import read_sources

    found = read_sources(path.parent)
    json.dumps(as_dict(found))
    for line in [refusal.reason for refusal in found.refused] + list(found.warnings):
        _check_line(line)
    return found


def _enhanced(found: Any, model: Any) -> str:
    """What ``lucidmr enhance`` does with them; how it ended."""
    from lucidmr.enhance.pipeline import enhance
    from lucidmr.errors import LucidError

    ended = "refused" if not found.series else "enhanced"
    for series in found.series:
        try:
            with tempfile.TemporaryDirectory() as out:
                done = enhance(series, model=model, device="cpu")
                done.save(Path(out) / "series")
                for line in done.warnings:
                    _check_line(line)
        except LucidError as error:
            _check_line(str(error))
            ended = "ended with an error message"
    return ended


def _check_line(line: str) -> None:
    if "\n" in line or not line.strip() or len(line) > 600 or "Traceback" in line:
        raise ValueError(f"no clean message: {sha256(line.encode(errors='replace')).hexdigest()[:8]} {line[:100]!r}")


def _memory(name: str) -> int:
    """A number of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
