"""Which files tell of a volume: the one beside it and, in a BIDS data set, those above that it inherits from.

BIDS 1.10, "The Inheritance Principle": a file of the same suffix in the same folder or one above, up to the root of the
data set, applies if all entities of its name are in the volume's; what lies nearer overrides what lies further.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lucidmr.nifti.file import stem

_ROOT_MARK: Final = "dataset_description.json"
"""The file that the root of every BIDS data set holds."""


def applying(path: Path, ending: str) -> list[Path]:
    """The files that tell of a volume, the more specific ones last.

    Args:
        path: The NIfTI file.
        ending: Of their names, such as ``.json``.
    """
    beside = path.with_name(stem(path) + ending)
    *entities, suffix = stem(path).split("_")
    found = []
    for folder in _folders(path):
        names = [name.removesuffix(ending).split("_") for name in _names(folder) if name.endswith(ending)]
        fit = [parts for parts in names if parts[-1] == suffix and set(parts[:-1]) <= set(entities)]
        found += [folder / ("_".join(parts) + ending) for parts in sorted(fit, key=lambda parts: (len(parts), parts))]
    return [file for file in (*(file for file in found if file != beside), beside) if file.is_file()]


def _folders(path: Path) -> Iterator[Path]:
    """The folders of a data set from its root to the volume's; none where there is no data set."""
    # Named as the volume is, and not resolved: volumes may be links to a store elsewhere.
    above = (*path.parents, *path.absolute().parents[len(path.parents) :])
    root = next((depth for depth, folder in enumerate(above) if (folder / _ROOT_MARK).is_file()), -1)
    return reversed(above[: root + 1])


def _names(folder: Path) -> list[str]:
    try:
        return [file.name for file in folder.iterdir()]
    except OSError:
        return []
