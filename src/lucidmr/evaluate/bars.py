"""What the project wants to reach, and whether an evaluation did."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import torch

from lucidmr.evaluate.finding import Finding, Table, shown
from lucidmr.evaluate.sharpness import Interval, bootstrap_median


class Bar(NamedTuple):
    """One measure with the value it must reach, and the one it should.

    Attributes:
        title: What is measured, with its unit.
        bar: Must be reached.
        aim: Should be reached.
        most: Whether these are upper bounds; else lower ones.
        digits: Shown after the point.
    """

    title: str
    bar: float
    aim: float
    most: bool
    digits: int = 1


BARS: Final[Mapping[str, Bar]] = {
    "dial": Bar("noise reduction against request, homogeneous tissue: largest deviation, %", 10.0, 5.0, True),
    "dial body": Bar("the same over the whole body, %", 10.0, 5.0, True),
    "signal": Bar("mean signal change in tissue, %", 1.0, 0.3, True, 2),
    "sharpness freq": Bar("edge sharpness at gain 2 along freq", 1.8, 2.5, False, 2),
    "sharpness phase": Bar("edge sharpness at gain 2 along phase", 1.8, 2.5, False, 2),
    "sharpness slice": Bar("edge sharpness at gain 2 along slice", 1.8, 2.5, False, 2),
    "independence": Bar("its dependence on the noise reduction, %", 10.0, 5.0, True),
    "not asked": Bar("sharpness along a direction not asked: deviation from 1, %", 5.0, 2.0, True),
    "overshoot": Bar("overshoot beside edges, % of the step", 8.0, 3.0, True),
    "psnr": Bar("PSNR gain over the conventional reconstruction, dB", 3.0, 6.0, False),
    "psnr peers": Bar("PSNR gain over the best peer, dB", 0.5, 2.0, False),
    "context": Bar("PSNR gain by the context, over the same network without, dB", 0.3, 1.0, False, 2),
    "harm": Bar("largest change where nothing was asked, % of range", 0.5, 0.2, True, 3),
}
"""By the names under which experiments report them (:attr:`Finding.measures`)."""


def reached(findings: Sequence[Finding]) -> dict[str, dict[str, float]]:
    """What was measured of every bar: values by series."""
    return {name: values for name in BARS for finding in findings if (values := dict(finding.measures.get(name) or {}))}


def interval(values: Sequence[float], seed: int) -> Interval:
    """Median over series and its 95 % interval."""
    return bootstrap_median(torch.tensor(values), torch.Generator().manual_seed(seed))


def bars_table(findings: Sequence[Finding], seed: int) -> Table:
    """Every bar beside what was reached.

    Args:
        findings: Of the experiments.
        seed: Of the bootstrap.
    """
    measured = reached(findings)
    rows = tuple(_row(bar, list(measured.get(name, {}).values()), seed) for name, bar in BARS.items())
    heads = ("measure", "bar", "aim", "reached: median over series [95 %]", "series at the bar", "verdict")
    return Table("What was to be reached", heads, rows)


def _row(bar: Bar, values: Sequence[float], seed: int) -> tuple[str | None, ...]:
    sign = "≤" if bar.most else "≥"
    head = (bar.title, f"{sign} {bar.bar:g}", f"{sign} {bar.aim:g}")
    if not values:
        return (*head, None, None, "not measured")
    found = interval(values, seed)
    there = sum(_meets(bar, value, bar.bar) for value in values)
    verdict = "aim reached" if _meets(bar, found.value, bar.aim) else "bar reached"
    if not _meets(bar, found.value, bar.bar):
        verdict = "missed"
    cell = shown(found, bar.digits)
    return (*head, None if cell is None else str(cell), f"{there} of {len(values)}", verdict)


def _meets(bar: Bar, value: float, bound: float) -> bool:
    return value <= bound if bar.most else value >= bound
