"""Windows against SciPy's."""

from math import pi

import pytest
import torch

from lucidmr.physics.windows import WindowName, window

windows = pytest.importorskip("scipy.signal.windows")

CASES: list[tuple[WindowName, float]] = [
    ("hann", 1.0),
    ("hamming", 1.0),
    ("tukey", 0.25),
    ("tukey", 1.0),
    ("gaussian", 0.5),
    ("gaussian", 1.0),
    ("kaiser", 0.3),
    ("kaiser", 1.0),
]


def scipy_window(name: WindowName, strength: float, n: int) -> torch.Tensor:
    """SciPy's window as a function of k at (i - n // 2) / (n / 2): every other point of 2 n + 1."""
    parameter = {"tukey": strength, "gaussian": 0.4 / strength * n, "kaiser": 2 * pi * strength}.get(name)
    points = windows.get_window(name if parameter is None else (name, parameter), 2 * n + 1, fftbins=False)
    return torch.from_numpy(points)[n + 2 * (torch.arange(n) - n // 2)].float()


@pytest.mark.parametrize(("name", "strength"), CASES)
def test_windows_are_scipys(name, strength, compare) -> None:
    difference = max(
        float((window(n, name, strength) - scipy_window(name, strength, n)).abs().max()) for n in (16, 17, 255, 256)
    )
    compare(f"{name} window, strength {strength:g}", "scipy", "largest difference", difference, 1e-6)
