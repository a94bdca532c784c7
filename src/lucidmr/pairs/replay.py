"""A pair once more, from its record alone: nothing is drawn again."""

from typing import Any

import torch

from lucidmr.context import SCHEMA_VERSION
from lucidmr.corpus.corpus import Corpus
from lucidmr.degrade.draw import Degradation
from lucidmr.errors import LucidError
from lucidmr.pairs.simulate import TrainingPair, reconstruct_pair
from lucidmr.pairs.source import CPU, read_raw_scan, stack_of
from lucidmr.pairs.write import from_record
from lucidmr.raw.pseudo import PseudoRaw
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.scale import one_thread


def replay(record: dict[str, Any], corpus: Corpus, device: torch.device = CPU) -> TrainingPair:
    """Simulate a pair again, whatever was added to the corpus since.

    Args:
        record: From :func:`lucidmr.pairs.write.read_record`.
        corpus: Where its scan is.
        device: Where to compute; on another kind than it was made on the last bits may differ.

    Returns:
        The pair.

    Raises:
        LucidError: The corpus does not hold its scan, or the record has another schema of the context.
    """
    if record["context_schema"] != SCHEMA_VERSION:
        raise LucidError(f"the pair has context schema {record['context_schema']}; it must be {SCHEMA_VERSION}")
    if record["entry"] not in corpus.entries:
        raise LucidError(f"{corpus.folder}: does not hold {record['source']} ({record['entry']}); add it first")
    with one_thread():
        scan = read_raw_scan(corpus, (record["entry"], record["scan"]), PseudoRaw(**record["images"]), device)
        made = reconstruct_pair(
            scan,
            Degradation.from_json(record["degradation"]),
            Reconstruction.from_json(record["reconstruction"]),
            record["target"],
        )
        return stack_of(from_record(made.input, made.target, record))
