"""The digest of everything that a synthesis depends on, so that its result can be kept.

It covers the class and its bases, the modules they stand in, every module of the user's that those import (also inside
a function), the plain values those modules hold, the fields, the project's context, and which packages are installed in
which versions: any of them may hold constructs. Files that a synthesis opens are watched while it runs (see `cache`).
What it cannot see is the environment and the clock: a stack that depends on those has to take them as fields.
"""

import hashlib
import json
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orbits_iac.provider import imported_by, is_project_file, package_of, source_file, stamp_of

_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_FORM = b"2"  # raised with any change of what a synthesis makes of the same sources
_PLAIN = (str, bytes, int, float, bool, type(None))
_OURS = ("orbits_iac", "orbits_aws", "orbits_cdk", "orbits_tenants")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a synthesis depends on.

    `settled` is False where a source file was written after this process began: what runs here may then be older than
    the file, so that other processes must not be given what is made of it.
    """

    digest: str
    settled: bool


def sources_of(definition: BaseModel, context: Mapping[str, Any]) -> Sources:
    """The digest of whatever `definition` is synthesised from, the project's `context` among it."""
    digest = hashlib.sha256(_FORM)
    digest.update(f"{installed(_INSTALLED)}\0".encode())
    digest.update(f"{json.dumps(context, sort_keys=True)}\0".encode())
    kind = type(definition)
    digest.update(f"{kind.__module__}.{kind.__qualname__}\0".encode())
    for name, value in sorted(definition):
        digest.update(f"{name}={_revealed(value)!r}\0".encode())
    settled = True
    for module, file in _modules_behind(kind):
        digest.update(f"{module}\0".encode())
        digest.update(_code(module, file))
        for name, value in sorted(vars(sys.modules[module]).items() if module in sys.modules else ()):
            if not name.startswith("__") and _is_plain(value):
                digest.update(f"{name}={value!r}\0".encode())
        settled = settled and stamp_of(file).at < _began() * 1e9
    return Sources(digest=digest.hexdigest(), settled=settled)


_LOADED: dict[str, bytes] = {}


def _code(module: str, file: str) -> bytes:
    """The source of a module; of one that runs here, as it was when it was first asked for."""
    if module not in sys.modules:
        return Path(file).read_bytes()
    if module not in _LOADED:
        _LOADED[module] = Path(file).read_bytes()
    return _LOADED[module]


@cache
def _began() -> float:
    """When this process began, in seconds since the epoch."""
    import psutil

    return float(psutil.Process().create_time())


@lru_cache(maxsize=4096)
def is_users_code(file: str) -> bool:
    """Whether code stands where stacks are defined: in a file of the user's, and not in this package or jsii."""
    return not file.startswith("<") and is_project_file(file) and Path(file).parent != Path(__file__).parent


@cache
def installed(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The packages in folders, with their versions, from the names that installers give to what they note of each."""
    noted = {path.stem for folder in folders for path in Path(folder).glob("*.dist-info")}
    return tuple(sorted(noted))


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


def holds_secrets(value: Any) -> bool:
    """Whether a secret is in a value, or in what it is made of."""
    if isinstance(value, BaseModel):
        return any(holds_secrets(each) for _, each in value)
    if isinstance(value, Mapping):
        return any(holds_secrets(each) for each in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(holds_secrets(each) for each in value)
    return hasattr(value, "get_secret_value")


def _is_plain(value: Any) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, (list, tuple)):
        return all(_is_plain(each) for each in value)
    return isinstance(value, dict) and all(_is_plain(k) and _is_plain(v) for k, v in value.items())


def _modules_behind(kind: type) -> list[tuple[str, str]]:
    """The user's modules that the class and its bases stand in, and what those import: names and files, sorted."""
    waiting = [base.__module__ for base in kind.__mro__]
    found: dict[str, str] = {}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or _is_installed(name.partition(".")[0]):
            continue
        seen.add(name)
        file = source_file(name)
        if file is None or not is_project_file(file):
            continue
        found[name] = file
        waiting.extend(imported_by(file, package_of(name, file)).modules)
    return sorted(found.items())


def _is_installed(package: str) -> bool:
    """Whether a topmost package is ours, or imported and installed: then all that is below it is, too."""
    file = getattr(sys.modules.get(package), "__file__", None)
    return package in _OURS or (file is not None and not is_project_file(file))
