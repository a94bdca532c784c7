"""Which subjects are trained on, and which are never."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

SplitName = Literal["train", "validation", "test"]
SPLITS: Final[tuple[SplitName, ...]] = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Shares of the subjects, decided by a hash of each: no list to keep, and whatever is added later moves nobody.

    Attributes:
        validation: Share for choosing among networks.
        test: Share for the figures that are published. The rest is trained on.
    """

    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        for name in ("validation", "test"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must lie between 0 and 1")
        if self.validation + self.test > 1.0:
            both = f"{self.validation:g} + {self.test:g}"
            raise ValueError(f"validation + test is {both}; together they must not exceed 1")

    def of(self, subject: str) -> SplitName:
        """The split that a subject is in."""
        place = int(sha256(f"split {subject}".encode()).hexdigest()[:12], 16) / 16**12
        if place < self.test:
            return "test"
        return "validation" if place >= 1.0 - self.validation else "train"


def anonymous(subject: str) -> str:
    """A name that tells subjects apart and is not theirs."""
    return sha256(f"subject {subject}".encode()).hexdigest()[:16]
