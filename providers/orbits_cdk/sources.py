"""The digest of everything that a synthesis depends on, so that its result can be kept.

It covers the class and its bases, the modules they stand in, every module of the user's that those import (also inside
a function), the plain values those modules hold, the fields, and the versions of the libraries. Modules of installed
packages count by their version. Files that a synthesis opens are watched while it runs (see `cache`). What it cannot
see is the environment and the clock: a stack that depends on those has to take them as fields.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

_LIBRARIES = ("aws-cdk-lib", "constructs", "orbits-iac")
_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_PLAIN = (str, bytes, int, float, bool, type(None))
_OURS = ("orbits_iac", "orbits_aws", "orbits_cdk")


def digest_of(definition: BaseModel) -> str:
    """A digest that changes with whatever `definition` is synthesised from."""
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    kind = type(definition)
    digest.update(f"{kind.__module__}.{kind.__qualname__}\0".encode())
    for name, value in sorted(definition):
        digest.update(f"{name}={_revealed(value)!r}\0".encode())
    for module in _modules_behind(kind):
        digest.update(f"{module.__name__}\0".encode())
        digest.update(_source(module))
        for name, value in sorted(vars(module).items()):
            if not name.startswith("__") and _is_plain(value):
                digest.update(f"{name}={value!r}\0".encode())
    return digest.hexdigest()


def is_users(file: str) -> bool:
    """Whether a file is the user's, and not one of Python's or of an installed package's."""
    return not str(Path(file).resolve()).startswith(_INSTALLED)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def _revealed(value: Any) -> Any:
    """A field's value with secrets in the clear: two secrets make two templates."""
    if isinstance(value, BaseModel):
        return {name: _revealed(each) for name, each in value}
    if isinstance(value, dict):
        return {str(name): _revealed(each) for name, each in sorted(value.items(), key=str)}
    if isinstance(value, (list, tuple)):
        return [_revealed(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_revealed(each) for each in value), key=str)
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if reveal else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, (list, tuple)):
        return all(_is_plain(each) for each in value)
    return isinstance(value, dict) and all(_is_plain(k) and _is_plain(v) for k, v in value.items())


def _modules_behind(kind: type) -> list[ModuleType]:
    """The user's modules that the class and its bases stand in, and what those import, sorted by name."""
    waiting = [base.__module__ for base in kind.__mro__]
    found: dict[str, ModuleType] = {}
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in found or module is None or name.split(".")[0] in _OURS:
            continue
        file = getattr(module, "__file__", None)
        if file is None or not is_users(file):
            continue
        found[name] = module
        waiting.extend(_imports(file, module.__package__ or "", _stamp(file)))
    return [found[name] for name in sorted(found)]


def _source(module: ModuleType) -> bytes:
    file = module.__file__
    return Path(file).read_bytes() if file is not None and Path(file).is_file() else b""


def _stamp(file: str) -> tuple[int, int]:
    try:
        found = Path(file).stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1024)
def _imports(file: str, package: str, _stamp_of_file: tuple[int, int]) -> tuple[str, ...]:
    """The modules that a source file names in its imports, wherever in it they stand."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _named(node, package)))


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
