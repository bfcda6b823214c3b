"""What source files import and name, found by reading them: modules, the files behind them, and whose they are.

Nothing is imported or run here. Called for the digest of what a class is made of (`code`), and by providers that keep
what was made of a definition.
"""

import ast
import importlib.util
import re
import sys
import sysconfig
import threading
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_FILE = re.compile(  # a relative name, in no hidden folder
    r"(?:\.{1,2}/)*(?:[\w@+-][\w.@+ -]*/(?:\.{1,2}/)*)*(?!\.{1,2}$)[\w.@+-][\w.@+ -]*"
)
_LONGEST = 200  # characters of one
_BY_NAME = frozenset({"__import__", "import_module"})
_UNKNOWN = frozenset({"entry_points", "eval", "exec", "run_module", "run_path", "spec_from_file_location"})

_PARSING = threading.Lock()
"""Python 3.11 counts how deep a tree is for all threads together: two that make one at a time fail (SystemError)."""


class Stamp(NamedTuple):
    """What tells that a file was changed."""

    at: int  # nanoseconds
    size: int


class Named(NamedTuple):
    """What a source file names."""

    modules: tuple[str, ...] = ()  # in its imports, wherever in it they stand
    sure: bool = True  # otherwise it imports, or runs, what only its run knows
    texts: tuple[str, ...] = ()  # that may be names of files; those of a class's `source` apart


@lru_cache(maxsize=4096)
def is_project_file(file: str) -> bool:
    """Whether a file is none of Python's or of an installed package's."""
    return not str(Path(file).resolve()).startswith(_INSTALLED)


def source_file(name: str) -> str | None:
    """The source of a module, which need not have been imported: one that a definition imports is not, at first."""
    file = getattr(sys.modules[name], "__file__", None) if name in sys.modules else _found_file(name)
    return file if isinstance(file, str) and file.endswith(".py") and Path(file).is_file() else None


def package_of(name: str, file: str) -> str:
    """The package that relative imports in a module start from."""
    module = sys.modules.get(name)
    if name == "__main__" and module is not None:
        return module.__package__ or ""
    return name if Path(file).name == "__init__.py" else name.rpartition(".")[0]


def stamp_of(file: str) -> Stamp:
    """When a file was last written, and its size; zeros where it is gone."""
    try:
        found = Path(file).stat()
    except OSError:
        return Stamp(0, 0)
    return Stamp(found.st_mtime_ns, found.st_size)


def imported_by(file: str, package: str) -> Named:
    """What a source file imports, inside of functions too, and what it imports by a name that is written there."""
    return _read(file, package, stamp_of(file))


@lru_cache(maxsize=1024)
def _read(file: str, package: str, _: Stamp) -> Named:
    try:
        source = Path(file).read_bytes()
        with _PARSING:
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError):
        return Named(sure=False)
    found: dict[str, None] = {}
    sure = True
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names = tuple(_called(node, package))
            sure = sure and None not in names
        else:
            names = tuple(_named(node, package))
        found.update(dict.fromkeys(name for name in names if name is not None))
    return Named(tuple(found), sure, tuple(_texts(tree)))


def _texts(tree: ast.AST) -> Iterator[str]:
    """The texts in a file that may be names of files; a fleet's list of tenants is read anew each time."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    seen: set[str] = set()
    while waiting:
        node, in_class = waiting.pop()
        if in_class and isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "source" for target in targets):
                continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= _LONGEST:
            text = node.value.rstrip("/")
            if text not in seen and _FILE.fullmatch(text):
                seen.add(text)
                yield text
        waiting.extend((child, isinstance(node, ast.ClassDef)) for child in ast.iter_child_nodes(node))


def _called(call: ast.Call, package: str) -> Iterator[str | None]:
    """The module that a call imports; None where it cannot be told, nothing for any other call."""
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if name in _BY_NAME:
        first = call.args[0] if call.args else None
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        yield None if text is None else importlib.util.resolve_name(text, package or None) if package else text
    elif name in _UNKNOWN and (isinstance(function, ast.Name) or name not in {"eval", "exec"}):
        yield None


def _named(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        try:
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package or None)
        except ImportError:
            return
        yield base
        for alias in node.names:
            yield f"{base}.{alias.name}"


def _found_file(name: str) -> str | None:
    above = sys.modules.get(name.rpartition(".")[0])
    if above is not None:  # most of what is imported by name from a module is no module: that is known without a look
        below = getattr(above, "__path__", None)
        spec = None if below is None else PathFinder.find_spec(name, list(below))
        return None if spec is None else spec.origin
    path, spec = None, None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    return None if spec is None else spec.origin
