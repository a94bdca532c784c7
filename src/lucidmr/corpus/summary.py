"""What is in a corpus, counted."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from lucidmr.corpus.corpus import Corpus
from lucidmr.corpus.entry import Card, Entry
from lucidmr.corpus.split import SPLITS

_SNR_STEPS: Final = (10, 20, 50, 100)
_UNKNOWN: Final = "unknown"


def summary(corpus: Corpus) -> dict[str, Any]:
    """Counts of scans by what is known of them, as plain values.

    Args:
        corpus: The corpus.

    Returns:
        Numbers of measurements, scans and subjects, in all and per split; scans by vendor, anatomy and so on; refused
        measurements and findings.
    """
    used = [entry for entry in corpus.entries.values() if entry.card.scans]
    by_split = {name: [entry for entry in used if corpus.split.of(entry.card.subject) == name] for name in SPLITS}
    return {
        **_size(used),
        "refused": len(corpus.entries) - len(used),
        "splits": {name: _size(entries) for name, entries in by_split.items()},
        **{name: _count(used, key) for name, key in _KEYS.items()},
        "findings": dict(Counter(v.check for entry in corpus.entries.values() for v in entry.verdicts).most_common()),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """A summary for people to read, one line per kind of count."""
    sizes = [f"{name}: {_size_in_words(size)}" for name, size in (("all", found), *found["splits"].items())]
    counts = ["; ".join(f"{key} {count}" for key, count in found[name].items()) for name in (*_KEYS, "findings")]
    named = [f"{name}: {line}" for name, line in zip((*_KEYS, "findings"), counts, strict=True) if line]
    return [*sizes, f"refused: {found['refused']} measurements", *named]


def _size_in_words(size: dict[str, Any]) -> str:
    return f"{size['scans']} scans of {size['measurements']} measurements, {size['subjects']} subjects"


def _size(entries: list[Entry]) -> dict[str, int]:
    return {
        "measurements": len(entries),
        "scans": sum(entry.card.scans for entry in entries),
        "subjects": len({entry.card.subject for entry in entries}),
    }


def _count(entries: Iterable[Entry], key: Callable[[Card], str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for entry in entries:
        counts[key(entry.card)] += entry.card.scans
    return dict(counts.most_common())


def sampled(card: Card) -> str:
    """How it was sampled, in a word or two."""
    if card.sampling is None:
        return "fully"
    if card.sampling.undersampling is not None:
        return "undersampled"
    return "partial Fourier" if card.sampling.is_partial else "elliptical"


def snr_class(card: Card) -> str:
    """The range that its ratio of signal to noise is in."""
    if card.snr is None:
        return "no noise"
    at = bisect_right(_SNR_STEPS, card.snr)
    if at == len(_SNR_STEPS):
        return f"over {_SNR_STEPS[-1]}"
    return f"{_SNR_STEPS[at - 1]} to {_SNR_STEPS[at]}" if at else f"under {_SNR_STEPS[0]}"


def matrix(card: Card) -> str:
    """Freq x phase, and the partitions of a volume."""
    n_slice, n_freq, n_phase = card.matrix
    return f"{n_freq} x {n_phase}" + (f" x {n_slice}" if n_slice > 1 else "")


_KEYS: Final[dict[str, Callable[[Card], str]]] = {
    "kind": lambda card: card.kind,
    "vendor": lambda card: card.facts.vendor or _UNKNOWN,
    "field strength": lambda card: f"{card.facts.field_strength:g} T" if card.facts.field_strength else _UNKNOWN,
    "anatomy": lambda card: card.facts.anatomy or _UNKNOWN,
    "matrix": matrix,
    "coils": lambda card: str(card.coils or "of images"),
    "snr": snr_class,
    "sampling": sampled,
}
