"""The digest of the code that a class is made of: it changes where what the class does may have changed.

It covers the modules that the class and its bases stand in, and every module of the project that those import, through
however many others, inside of functions too; the files and folders that those name in a text (a template, a function's
folder or source), as they lie beside the module, in the project's folder that the process was started in, or between
these; and the versions of the installed packages that they import, with those that these need. Packages of Orbits that
lie in a checkout count as a whole.

It does not cover modules that nothing of this imports or names. What imports or runs something by a name that is not
written in it (`import_module(name)`, `exec`, entry points) could do anything: then the digest is that of the whole
build, with all that is installed. A class without a source file, or one of whose files was written after this process
began, so that what was read before may be used here, has a digest that no other process gives. What no reading tells is
the environment, and files whose names are put together.

Called where something is left out because nothing has changed.
"""

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, distribution, distributions, entry_points, packages_distributions
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from orbits_iac.imported import Stamp, imported_by, is_project_file, package_of, source_file, stamp_of
from orbits_iac.registry import Registry, build_of, sources_of
from orbits_iac.steps.step import Step

_OURS = "orbits-iac"
_GROUPS = ("orbits_iac.providers", "orbits_iac.commands")
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})  # folders, and hidden ones: nobody deploys them


@dataclass
class _Made:
    """What a class is made of, as far as it was found."""

    files: dict[str, str] = field(default_factory=dict)  # the project's modules, each with its source
    named: set[Path] = field(default_factory=set)  # files and folders that those name
    packages: set[str] = field(default_factory=set)  # others that they import, by their topmost names
    sure: bool = True


def code_of(cls: type[Step[Any]]) -> str:
    """The digest of the code of a class: the modules as this process has them, the files that they name as they are."""
    return _code(cls).digest()


def digest_of(cls: type[Step[Any]], *, began: float) -> str:
    """The digest of the code of a class, in a process that began then (seconds since the epoch)."""
    return _Code(cls, began=began).digest()


class _Code:
    """The code of a class in one process: modules are read once, as they are imported."""

    def __init__(self, cls: type[Step[Any]], *, began: float) -> None:
        made = _made_of(base.__module__ for base in cls.__mro__)
        ours = made.packages & _ours()
        self._modules = _modules_digest(cls, made, ours)
        self._named = sorted(made.named)
        self._stamps = self._stamped()
        self._first = self._read = self._contents()
        sources = [*made.files.values(), *(own for name in ours if (own := source_file(name)) is not None)]
        times = [stamp_of(file).at for file in sources] + [stamp.at for _, stamp in self._stamps]
        self._sure = bool(sources) and all(at < began * 1e9 for at in times)
        self._here = uuid4().bytes

    def digest(self) -> str:
        """What it is now; of this process alone where a file that it names is not as it was when it was first asked."""
        if (stamps := self._stamped()) != self._stamps:
            self._stamps, self._read = stamps, self._contents()
        sure = self._sure and self._read == self._first
        return hashlib.sha256(self._modules + self._read + (b"" if sure else self._here)).hexdigest()[:32]

    def _stamped(self) -> list[tuple[Path, Stamp]]:
        return [(each, stamp_of(str(each))) for path in self._named for each in _files(path)]

    def _contents(self) -> bytes:
        digest = hashlib.sha256()
        for path in self._named:
            for each in _files(path):
                digest.update(f"{each.relative_to(path.parent)}\0".encode())
                digest.update(each.read_bytes())
        return digest.digest()


@lru_cache(maxsize=1024)
def _code(cls: type[Step[Any]]) -> _Code:
    return _Code(cls, began=_began())


def _modules_digest(cls: type[Step[Any]], made: _Made, ours: Iterable[str]) -> bytes:
    """The digest of modules, and of the packages that they import."""
    digest = hashlib.sha256(f"{cls.__qualname__}\0".encode())
    for name, file in sorted(made.files.items()):
        digest.update(f"{name}\0".encode())
        digest.update(Path(file).read_bytes())
    for name in sorted(ours):
        digest.update(f"{name} {_package(name)}\0".encode())
    digest.update("\0".join(_versions(frozenset(made.packages)) if made.sure else _everything()).encode())
    if not made.sure:
        digest.update(build_of(sources_of(Registry().modules())).encode())
    return digest.digest()


def _made_of(modules: Iterable[str]) -> _Made:
    made, waiting, seen = _Made(), list(modules), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        file = None if top in _ours() else source_file(name)
        if file is None or not is_project_file(file):
            made.packages.add(top)
            continue
        waiting.extend(_above(name))
        made.files[_called(name, file)] = file
        found = imported_by(file, package_of(name, file))
        waiting.extend(found.modules)
        made.sure = made.sure and found.sure
        made.named.update(path for text in found.texts for path in _there(text, Path(file).parent))
    return made


def _above(name: str) -> Iterator[str]:
    """The packages that are imported with a module."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _called(name: str, file: str) -> str:
    """The name of a module, for a program that was started too."""
    if name != "__main__":
        return name
    spec = getattr(sys.modules[name], "__spec__", None)
    return Path(file).stem if spec is None else str(spec.name)


def _there(text: str, beside: Path) -> Iterator[Path]:
    """What a text names: files and folders, those of modules too; hidden folders are what tools keep."""
    started = Path.cwd()  # elsewhere, what has such a name is what a stack that is installed has written itself
    within = started in beside.parents[:-1]  # the whole machine is no project
    inside = beside.parents[: beside.parents.index(started) + 1] if within else ()
    for folder in (beside, *inside):
        path = folder / text
        if path.is_file() or (path.is_dir() and not path.name.startswith(".")):
            yield path


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for where, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        yield from (Path(where, name) for name in sorted(files) if Path(where, name).is_file())


@cache
def _began() -> float:
    """When this process began, in seconds since the epoch."""
    if sys.platform != "linux":
        return float(psutil.Process().create_time())
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")  # psutil is off by up to a second
    return time.time() - age


@cache
def _ours() -> frozenset[str]:
    """The packages of Orbits that a stack stands on."""
    points = [point for group in _GROUPS for point in entry_points(group=group)]
    own = (point.module.partition(".")[0] for point in points if point.dist is not None and point.dist.name == _OURS)
    return frozenset({"orbits_iac", *own})


@cache
def _package(name: str) -> str:
    """The digest of a package of ours in a checkout; an installed one has its version."""
    file = source_file(name)
    if file is None or not is_project_file(file):
        return ""
    digest = hashlib.sha256()
    for source in sorted(Path(file).parent.rglob("*.py")):
        digest.update(f"{source.relative_to(Path(file).parent)}\0".encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


@cache
def _owners() -> dict[str, list[str]]:
    return {top: list(names) for top, names in packages_distributions().items()}


@cache
def _versions(packages: frozenset[str]) -> tuple[str, ...]:
    """The installed distributions behind these packages and what they need, each with its version."""
    waiting = [name for top in packages for name in _owners().get(top, ())]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if _same(name) in found:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:  # needed on another system, or by an extra that nobody asked for
            continue
        found[_same(name)] = one.version
        waiting.extend(re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in one.requires or ())
    return tuple(sorted(f"{name} {version}" for name, version in found.items()))


@cache
def _everything() -> tuple[str, ...]:
    return tuple(sorted({f"{_same(one.name)} {one.version}" for one in distributions()}))


def _same(name: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
