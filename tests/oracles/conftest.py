"""Comparisons with other implementations; what they measured is printed as one table at the end of the run."""

from collections.abc import Callable

import pytest

_ROWS: list[tuple[str, str, str, float, float]] = []


@pytest.fixture
def compare() -> Callable[[str, str, str, float, float], None]:
    """Record ``compare(method, oracle, measure, value, bound)`` and fail where value exceeds bound."""

    def check(method: str, oracle: str, measure: str, value: float, bound: float) -> None:
        _ROWS.append((method, oracle, measure, value, bound))
        assert value <= bound, f"{method} against {oracle}: {measure} is {value:.3g}, more than {bound:.3g}"

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _ROWS:
        return
    terminalreporter.section("oracles")
    for method, oracle, measure, value, bound in _ROWS:
        terminalreporter.write_line(f"{method:<28} {oracle:<16} {measure:<44} {value:9.2e}  (at most {bound:.0e})")
