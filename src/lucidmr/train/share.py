"""Who does what of a step: each of several processes a share of its items, in one go or in several.

The items of a step are the same whoever does them, so that any number of processes with averaged gradients sees what
one process sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Share:
    """What one process does of every step.

    Attributes:
        rank: Which of the processes, from 0.
        processes: How many there are.
        accumulate: Parts that it does one after the other, to save memory.
    """

    rank: int = 0
    processes: int = 1
    accumulate: int = 1

    def parts(self, first: int, stop: int, per_step: int) -> Iterator[list[int]]:
        """The items of each part, step after step.

        Args:
            first: First item of the first step.
            stop: One past the last item of all.
            per_step: Items of a step; a multiple of the number of parts, so that all parts weigh alike.

        Yields:
            Their numbers, ``accumulate`` lists for each step.
        """
        size = per_step // (self.processes * self.accumulate)
        for start in range(first, stop, per_step):
            for part in range(self.rank * self.accumulate, (self.rank + 1) * self.accumulate):
                yield list(range(start + part * size, min(start + (part + 1) * size, stop)))


WHOLE: Final = Share()
"""One process that does each step in one go."""
