"""Train both networks on a computer that files can only be carried to and from.

    python tools/train_on_gpu.py pack CORPUS PIECES              # here: the corpus as pieces that can be carried
    python tools/train_on_gpu.py train PIECES OUT --minutes 25   # there: again and again until it says 'done'
    python tools/train_on_gpu.py join OUT/shards/lucidmr-2d.safetensors WEIGHTS.safetensors      # here

Pieces and shards are plain: ``cat NAME.0*`` gives the whole, ``sha256sum -c NAME.sha256`` checks them.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import closing
from hashlib import file_digest, sha256
from pathlib import Path
from time import monotonic
from typing import Final

from lucidmr.console import complain, say
from lucidmr.corpus.corpus import Corpus
from lucidmr.errors import LucidError

PIECE_MB: Final = 60
SHARD_MB: Final = 15
TAR: Final = "corpus.tar"
NOT_DONE: Final = 75
"""Exit status of a call that ran out of time: the same command goes on (EX_TEMPFAIL of sysexits.h)."""
KINDS: Final = {"2d": 1, "3d": 7}
"""Slices that the networks look at."""


class Cut:
    """A file that is written as pieces: NAME.000, NAME.001, ... and their hashes in NAME.sha256."""

    def __init__(self, path: Path, megabytes: float) -> None:
        self.path, self.size = path, int(megabytes * 1e6)
        self.buffer, self.hashes = bytearray(), list[str]()
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{path.name}.*"):
            old.unlink()

    def write(self, data: bytes) -> int:
        """Take what comes next."""
        self.buffer += data
        while len(self.buffer) >= self.size:
            self._write_piece()
        return len(data)

    def close(self) -> list[str]:
        """Write the last piece and the hashes; gives the lines of the latter."""
        if self.buffer:
            self._write_piece()
        self.path.with_name(f"{self.path.name}.sha256").write_text("".join(self.hashes))
        return self.hashes

    def _write_piece(self) -> None:
        piece = bytes(self.buffer[: self.size])
        name = f"{self.path.name}.{len(self.hashes):03d}"
        self.path.with_name(name).write_bytes(piece)
        self.hashes.append(f"{sha256(piece).hexdigest()}  {name}\n")
        del self.buffer[: self.size]


class Whole:
    """The pieces of a file, checked, read as one."""

    def __init__(self, path: Path) -> None:
        hashes = path.with_name(f"{path.name}.sha256")
        if not hashes.exists():
            raise LucidError(f"{hashes}: is not there; carry it along with the pieces")
        self.pieces = [path.with_name(line.split()[1]) for line in hashes.read_text().splitlines()]
        for piece, line in zip(self.pieces, hashes.read_text().splitlines(), strict=True):
            if not piece.exists() or _hash(piece) != line.split()[0]:
                raise LucidError(f"{piece}: is missing or damaged; carry it once more")
        self.number, self.file = 0, self.pieces[0].open("rb")

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        data = self.file.read(count)
        if data or self.number + 1 == len(self.pieces):
            return data
        self.number += 1
        self.file.close()
        self.file = self.pieces[self.number].open("rb")
        return self.read(count)

    def close(self) -> None:
        """Done with it."""
        self.file.close()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def pack(corpus: Path, pieces: Path, megabytes: float) -> None:
    """Cut a corpus into pieces; what is for testing stays at home."""
    found = Corpus(corpus)
    used = [entry for entry in found.entries.values() if found.split.of(entry.card.subject) != "test"]
    if not used:
        raise LucidError(f"{corpus}: holds nothing to train with; name a folder that 'lucidmr corpus add' wrote to")
    out = Cut(pieces / TAR, megabytes)
    with tarfile.open(fileobj=out, mode="w|") as tar:  # type: ignore[call-overload]
        for entry in used:
            tar.add(entry.path, entry.path.name)
    say(f"{len(used)} measurements in {len(out.close())} pieces: {pieces}")


def unpack(pieces: Path, corpus: Path) -> None:
    """Make the corpus again, completely or not at all."""
    if corpus.exists():
        return
    part = corpus.with_name(f"{corpus.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with closing(Whole(pieces / TAR)) as whole, tarfile.open(fileobj=whole, mode="r|") as tar:  # type: ignore[call-overload]
        tar.extractall(part, filter="data")
    part.rename(corpus)


def train(options: argparse.Namespace, more: Sequence[str]) -> int:
    """Go on until all is done or the time of this call is over; the exit status."""
    began = monotonic()
    unpack(options.pieces, options.out / "corpus")
    for kind, slices in KINDS.items():
        share = options.share_2d if kind == "2d" else 1.0 - options.share_2d
        words = ["--slices", str(slices), "--minutes", str(share * options.minutes), "--name", f"lucidmr-{kind}", *more]
        if kind == "3d":
            words += ["--start", str(options.out / "2d" / "weights.safetensors")]
        left = 60.0 * options.this_call - (monotonic() - began) if options.this_call else None
        if not _stage(options.launcher, options.out, kind, words, left):
            say("not done yet: give the same command again")
            return NOT_DONE
    _write_results(options.out)
    say(f"done: {options.out / 'shards'}")
    return 0


def _stage(launcher: str, out: Path, kind: str, words: Sequence[str], left: float | None) -> bool:
    """Train one network, or go on with it; whether it is finished."""
    run = out / kind
    if (run / "weights.safetensors").exists():
        return True
    if left is not None and left <= 0:
        return False
    command = [*shlex.split(launcher), "train", str(out / "corpus"), "--out", str(run), *words]
    process = subprocess.Popen(command)
    try:
        status = process.wait(left)
    except subprocess.TimeoutExpired:
        process.terminate()  # it saves a checkpoint and ends
        process.wait()
        return (run / "weights.safetensors").exists()
    if status:
        raise LucidError(f"{run}: training ended with status {status}; the reason is above")
    return True


def _write_results(out: Path) -> None:
    """Shards of the weights, their cards, and what the validation pairs say of them."""
    results = {}
    for kind in KINDS:
        weights = out / kind / "weights.safetensors"
        card = json.loads(weights.with_suffix(".json").read_text())
        results[kind] = {name: card.get(name) for name in ("validation", "compute")}
        say(f"{kind}: {results[kind]}")
        name = f"lucidmr-{kind}"
        shards = Cut(out / "shards" / f"{name}.safetensors", SHARD_MB)
        shards.write(weights.read_bytes())
        shards.close()
        shutil.copy(weights.with_suffix(".json"), out / "shards" / f"{name}.json")
    (out / "shards" / "results.json").write_text(json.dumps(results, indent=2) + "\n")


def join(shards: Path, weights: Path) -> None:
    """Put weights together and their card beside them; the hash must be the card's."""
    data = bytearray()
    with closing(Whole(shards)) as whole:
        while part := whole.read(1 << 20):
            data += part
    card = shards.with_suffix(".json")
    if json.loads(card.read_text())["sha256"] != sha256(data).hexdigest():
        raise LucidError(f"{shards}: the shards are not those of {card.name}; carry them once more")
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(data)
    shutil.copy(card, weights.with_suffix(".json"))
    say(f"{len(data) / 1e6:.1f} MB: {weights}")


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="cut a corpus into pieces")
    packing.add_argument("corpus", type=Path)
    packing.add_argument("pieces", type=Path)
    packing.add_argument("--piece-mb", type=float, default=PIECE_MB)
    training = commands.add_parser("train", help="unpack, train, judge; other options go to 'lucidmr train'")
    training.add_argument("pieces", type=Path)
    training.add_argument("out", type=Path)
    training.add_argument("--minutes", type=float, required=True, help="of training in all, over all calls")
    training.add_argument("--this-call", type=float, default=0.0, help="minutes after which this call ends; 0 = never")
    training.add_argument("--share-2d", type=float, default=0.4, help="of the minutes; the rest is for 3D")
    training.add_argument(
        "--launcher",
        default=f"{sys.executable} -m lucidmr",
        help="such as 'torchrun --standalone --nproc-per-node 8 -m lucidmr'",
    )
    joining = commands.add_parser("join", help="put shards of weights together")
    joining.add_argument("shards", type=Path, help="OUT/shards/lucidmr-2d.safetensors")
    joining.add_argument("weights", type=Path)
    options, more = parser.parse_known_args()
    if more and options.command != "train":
        parser.error(f"unknown options: {' '.join(more)}")
    return options, more


def main() -> int:
    """Run a command; the exit status."""
    options, more = _arguments()
    try:
        if options.command == "pack":
            pack(options.corpus, options.pieces, options.piece_mb)
        elif options.command == "join":
            join(options.shards, options.weights)
        else:
            return train(options, more)
    except LucidError as error:
        complain(f"error: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
