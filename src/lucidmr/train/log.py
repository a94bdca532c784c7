"""What a run tells on its way: JSON lines, pictures, and TensorBoard where it is asked for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from jaxtyping import Float
from torch import Tensor

from lucidmr.drawing.pictures import Window, grey_png
from lucidmr.errors import LucidError
from lucidmr.files import whole_file

LOG: Final = "log.jsonl"
PICTURES: Final = "validation"
_BOARD: Final = "tensorboard"


@dataclass(frozen=True)
class Log:
    """Where the lines and pictures of a run go.

    Attributes:
        folder: Folder of the run.
        file: Its JSON lines.
        board: TensorBoard's writer; ``None`` = none is wanted.
    """

    folder: Path
    file: TextIO
    board: Any

    def write(self, step: int, values: dict[str, Any]) -> None:
        """One line; nested values are for the line alone, numbers are for TensorBoard, too."""
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                numbers = value if isinstance(value, dict) else {"": value}
                for part, number in numbers.items():
                    self.board.add_scalar(f"{name}/{part}".strip("/"), number, step)

    def picture(self, step: int, image: Float[Tensor, "row column"]) -> None:
        """One picture of values between 0 and 1."""
        path = self.folder / PICTURES / f"step_{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(grey_png(image, Window(0.0, 1.0)))
        if self.board is not None:
            self.board.add_image(PICTURES, image[None].clamp(0.0, 1.0), step)


@contextmanager
def open_log(folder: Path, step: int, tensorboard: bool) -> Iterator[Log]:
    """Open the log of a run and forget what lies after a step: the run goes on from there.

    Args:
        folder: Folder of the run.
        step: The last step that counts.
        tensorboard: Write for TensorBoard as well.

    Yields:
        The log.

    Raises:
        LucidError: TensorBoard is wanted and not installed.
    """
    board = _board(folder / _BOARD, step) if tensorboard else None
    path = folder / LOG
    if path.exists():
        kept = [line for line in path.read_text("utf-8").splitlines(keepends=True) if _is_before(line, step)]
        with whole_file(path) as part:
            part.write_text("".join(kept), "utf-8")
    with path.open("a", encoding="utf-8") as file:
        try:
            yield Log(folder, file, board)
        finally:
            if board is not None:
                board.close()


def _is_before(line: str, step: int) -> bool:
    try:
        return bool(json.loads(line)["step"] <= step)
    except (ValueError, LookupError, TypeError):  # cut off by a kill
        return False


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise LucidError(
            "--tensorboard needs TensorBoard; install it with pip install 'lucidmr[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder), purge_step=step + 1)
