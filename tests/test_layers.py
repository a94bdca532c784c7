"""Imports run one way. Read from the source, so that nothing has to be importable."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "lucidmr"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

FOUNDATION = {"errors", "files", "shapes", "context", "device"}
BELOW_RAW = FOUNDATION | {"standardize", "physics"}
EVERYTHING_BUT_CLI = BELOW_RAW | {
    "scale",
    "drawing",
    "raw",
    "corpus",
    "degrade",
    "reconstruct",
    "pairs",
    "network",
    "train",
    "dicom",
    "nifti",
    "enhance",
    "evaluate",
}

# What each part may import besides itself; a dotted name allows one module only.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "shapes": set(),
    "context": set(),
    "device": {"errors"},
    "standardize": FOUNDATION,
    "scale": FOUNDATION,
    "drawing": set(),
    "physics": FOUNDATION | {"standardize"},
    "raw": BELOW_RAW | {"dicom.series", "nifti.file"},
    "corpus": BELOW_RAW | {"raw", "scale", "drawing"},
    "degrade": BELOW_RAW | {"raw"},
    "reconstruct": BELOW_RAW | {"raw", "degrade"},
    "pairs": BELOW_RAW | {"raw", "corpus", "degrade", "reconstruct", "scale", "drawing"},
    "train": BELOW_RAW | {"scale", "drawing", "raw", "corpus", "degrade", "reconstruct", "pairs", "network", "console"},
    "network": FOUNDATION,
    "dicom": FOUNDATION,
    "nifti": FOUNDATION | {"dicom"},
    "enhance": FOUNDATION
    | {
        "standardize",
        "dicom",
        "network",
        "physics.averages",
        "physics.body",
        "physics.image_noise",
        "physics.noise_floor",
    },
    "evaluate": EVERYTHING_BUT_CLI,
    "inspection": EVERYTHING_BUT_CLI,
    "demo": EVERYTHING_BUT_CLI,
    "console": set(),
    "cli_corpus": EVERYTHING_BUT_CLI | {"console"},
    "cli_evaluate": EVERYTHING_BUT_CLI | {"console"},
    "cli_simulate": EVERYTHING_BUT_CLI | {"console"},
    "cli_train": EVERYTHING_BUT_CLI | {"console"},
    "cli": EVERYTHING_BUT_CLI
    | {"inspection", "demo", "console", "cli_corpus", "cli_evaluate", "cli_simulate", "cli_train"},
    "__main__": {"cli"},
    "__init__": EVERYTHING_BUT_CLI,
}
FROM_THE_TOP = {"__version__"}
"""Names that any part may import from the package itself; the others are re-exports of parts above it."""


def module_name(path: Path, source: Path) -> str:
    """Dotted name below the package; that of the package itself is ``__init__``."""
    parts = path.relative_to(source).with_suffix("").parts
    if parts[-1] == "__init__" and len(parts) > 1:
        parts = parts[:-1]
    return ".".join(parts)


def modules_of(source: Path) -> dict[str, Path]:
    return {module_name(path, source): path for path in sorted(source.rglob("*.py"))}


def absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """The module an import statement names, relative ones resolved."""
    if node.level == 0:
        return node.module or ""
    here = [PACKAGE, *(module.split(".") if module != "__init__" else [])]
    if path.name != "__init__.py":
        here = here[:-1]
    here = here[: len(here) - (node.level - 1)]
    return ".".join([*here, *([node.module] if node.module else [])])


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(node: ast.AST, with_types: bool) -> Iterator[ast.AST]:
    """All nodes below, with or without what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if not with_types and is_for_types_only(child):
            continue
        yield child
        yield from statements(child, with_types)


def imports(path: Path, module: str, known: set[str], with_types: bool = True) -> Iterator[str]:
    """Names below the package that a file imports: modules where they are known, else ``__init__.NAME``."""
    for node in statements(ast.parse(path.read_text("utf-8")), with_types):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, module, path)
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (resolved(name, known) for name in names if name.split(".")[0] == PACKAGE)


def resolved(name: str, known: set[str]) -> str:
    """The longest known module that a dotted name starts with."""
    parts = name.split(".")[1:]
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in known:
            return ".".join(parts[:end])
    return ".".join(["__init__", *parts])


def is_allowed(imported: str, part: str) -> bool:
    target, _, rest = imported.partition(".")
    if target == "__init__":
        return rest in FROM_THE_TOP
    allowed = ALLOWED.get(part, set())
    return target == part or target in allowed or any(imported == name for name in allowed)


def violations(source: Path) -> list[str]:
    """Every import that runs the wrong way, in words."""
    modules = modules_of(source)
    found = [
        f"{module}: '{module.split('.')[0]}' has no place in ALLOWED"
        for module in modules
        if module.split(".")[0] not in ALLOWED
    ]
    for module, path in modules.items():
        part = module.split(".")[0]
        found += [
            f"{module} imports {imported}"
            for imported in imports(path, module, set(modules))
            if not is_allowed(imported, part)
        ]
    return found


def cycle(source: Path) -> list[str]:
    """A chain of modules that import each other, empty if there is none."""
    modules = modules_of(source)
    graph = {
        module: {name.split(".")[0] if name.startswith("__init__") else name for name in found} - {module}
        for module, path in modules.items()
        for found in [set(imports(path, module, set(modules), with_types=False))]
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def test_imports_run_one_way():
    assert violations(SOURCE) == []


def test_no_import_cycles():
    assert cycle(SOURCE) == []


def test_every_part_is_looked_at():
    parts = {module.split(".")[0] for module in modules_of(SOURCE)}
    assert {"context", "physics", "dicom", "enhance", "train"} <= parts


@pytest.fixture
def package(tmp_path):
    """Write a synthetic package from {path: text}."""

    def write(files: dict[str, str]) -> Path:
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / PACKAGE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path / PACKAGE

    return write


@pytest.mark.parametrize(
    ("path", "text", "imported"),
    [
        ("physics/noise.py", "from lucidmr.raw import scan", "raw.scan"),
        ("physics/noise.py", "import lucidmr.raw.scan as s", "raw.scan"),
        ("physics/noise.py", "from ..raw.scan import RawScan", "raw.scan"),
        ("physics/noise.py", "def f():\n    from lucidmr.raw.scan import RawScan", "raw.scan"),
        ("physics/noise.py", "if TYPE_CHECKING:\n    from lucidmr.raw.scan import RawScan", "raw.scan"),
        ("train/loop.py", "from lucidmr.dicom.series import read_series", "dicom.series"),
        ("raw/images.py", "from lucidmr.dicom.derived import write", "dicom.derived"),
        ("raw/images.py", "from lucidmr.dicom import derived", "dicom.derived"),
        ("raw/images.py", "import lucidmr.dicom", "dicom"),
        ("enhance/pipeline.py", "from lucidmr.raw.scan import RawScan", "raw.scan"),
        ("enhance/pipeline.py", "from lucidmr import read_series", "__init__.read_series"),
        ("network/unet.py", "from lucidmr.standardize import standardize", "standardize"),
        ("context.py", "from .errors import LucidError", "errors"),
        ("evaluate/report.py", "from lucidmr.cli import main", "cli"),
    ],
)
def test_a_violation_is_found(package, path, text, imported):
    others = ["raw/__init__.py", "raw/scan.py", "dicom/__init__.py", "dicom/series.py", "dicom/derived.py"]
    singles = ["standardize.py", "errors.py", "cli.py"]
    source = package(dict.fromkeys([*others, *singles], "") | {path: text})
    module = path.removesuffix(".py").replace("/", ".")
    assert violations(source) == [f"{module} imports {imported}"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("raw/images.py", "from lucidmr.dicom.series import read_series"),
        ("raw/images.py", "from ..dicom.series import read_series"),
        ("train/loop.py", "from lucidmr.raw.scan import RawScan\nimport torch"),
        ("raw/images.py", "from . import scan"),
        ("dicom/derived.py", "from lucidmr import __version__"),
    ],
)
def test_what_is_allowed_passes(package, path, text):
    files = {"raw/__init__.py": "", "raw/scan.py": "", "dicom/__init__.py": "", "dicom/series.py": ""}
    assert violations(package(files | {path: text})) == []


def test_an_unknown_part_is_found(package):
    assert violations(package({"utils.py": ""})) == ["utils: 'utils' has no place in ALLOWED"]


def test_a_cycle_is_found(package):
    one = "from lucidmr.physics.two import b"
    other = "def late():\n    from lucidmr.physics import one"
    source = package({"physics/__init__.py": "", "physics/one.py": one, "physics/two.py": other})
    assert set(cycle(source)) == {"physics.one", "physics.two"}


def test_types_alone_make_no_cycle(package):
    one = "from lucidmr.physics.two import b"
    other = "if TYPE_CHECKING:\n    from lucidmr.physics import one"
    assert cycle(package({"physics/__init__.py": "", "physics/one.py": one, "physics/two.py": other})) == []
