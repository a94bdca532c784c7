"""What to take of a file of raw data."""

from dataclasses import dataclass, fields
from typing import Final, Literal

Domain = Literal["kspace", "image"]


@dataclass(frozen=True)
class Selection:
    """What to take of a file of raw data, and what the file itself does not tell.

    Attributes:
        averages: "mean" of the averages, or the number of one of them.
        contrast: Number of the contrast (echo); ``None`` = all, as scans of their own.
        repetition: Number of the repetition; ``None`` = all, as scans of their own.
        slices: Numbers of the slices of a 2D measurement (slabs of a 3D one); ``None`` = all.
        axes: Names of a plain array's axes in the order of its shape, such as "coil,freq,phase". They are those of
            :data:`lucidmr.raw.arrays.AXES`: "scan" runs over 2D slices, "slice" is the third encoded direction of 3D.
        variable: Which of the arrays in a file; "struct.field" inside a structure. Of ISMRMRD the group.
        domain: Whether a plain array holds k-space or complex images.
    """

    averages: int | Literal["mean"] = "mean"
    contrast: int | None = None
    repetition: int | None = None
    slices: tuple[int, ...] | None = None
    axes: str | None = None
    variable: str | None = None
    domain: Domain = "kspace"

    def __post_init__(self) -> None:
        if self.averages != "mean" and self.averages < 0:
            raise ValueError(f"averages is {self.averages!r}; it must be 'mean' or a number from 0 on")
        for name in ("contrast", "repetition"):
            if (number := getattr(self, name)) is not None and number < 0:
                raise ValueError(f"{name} is {number}; it must be a number from 0 on")
        if self.slices is not None and (not self.slices or min(self.slices) < 0):
            raise ValueError(f"slices is {self.slices}; it must hold numbers from 0 on")
        if self.domain not in ("kspace", "image"):
            raise ValueError(f"domain is {self.domain!r}; it must be 'kspace' or 'image'")

    def source(self, name: str) -> str:
        """A file's name with what was taken of it, for provenance."""
        taken = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{name}[{', '.join(taken)}]" if taken else name


EVERYTHING: Final = Selection()
