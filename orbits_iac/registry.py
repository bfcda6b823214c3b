"""From a kind to the class that has it: the project's code, as far as it was imported."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from orbits_iac.model.errors import UsageError
from orbits_iac.model.likeness import like
from orbits_iac.steps.hook import is_hook
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, kind_of, kinds_of
from orbits_iac.steps.trigger import all_triggers


class Registry:
    """Knows every step class that was imported, by its kind."""

    def __init__(self) -> None:
        self._classes: dict[str, list[type[Step[Any]]]] = {}
        self._modules: set[str] = set()
        self._used: set[type[Step[Any]]] = set()
        self._kinds: frozenset[str] | None = None

    def know(self, cls: type[Step[Any]]) -> None:
        """`cls` is in use here: it, and then its module's classes, win over others of the same kind."""
        if cls not in self._used:
            self._used.add(cls)
            self._modules.add(cls.__module__)
            self.look_again()

    def look_again(self) -> None:
        """Classes may have been imported since the last look, which is not repeated for each question."""
        self._classes, self._kinds = {}, None

    def find(self, kind: str) -> type[Step[Any]] | None:
        """The class with this kind, or that had it before it was renamed (`former_kinds`); None if none is imported.

        Raises UsageError if several classes claim the kind.
        """
        if kind not in self._classes:
            self._scan()
        found = self._classes.get(kind, [])
        if len(found) > 1:
            where = ", ".join(sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in found))
            raise UsageError(f"the kind {kind!r} is claimed by several classes: {where}. Give one Options(kind=...)")
        return found[0] if found else None

    def resource(self, kind: str) -> type[Resource[Any]]:
        """The Resource class with this kind; UsageError if it was not imported."""
        found = self.find(kind)
        if found is None or not issubclass(found, Resource):
            raise UsageError(
                f"no Resource of kind {kind!r} is known here: import the module that defines it, or name it under "
                f"`modules` in orbits.toml; if it was renamed, give the class Options(former_kinds=[{kind!r}])"
            )
        return found

    def kinds(self) -> frozenset[str]:
        """All kinds that were imported at the last look; a class that is in use here is one of them."""
        if self._kinds is None:
            self._scan()
            self._kinds = frozenset(self._classes)
        return self._kinds

    def modules(self) -> frozenset[str]:
        """The modules of the project's own steps and triggers, as far as they are imported now."""
        found = {cls.__module__ for cls in _subclasses(Step)} | {trigger.module for trigger in all_triggers()}
        return frozenset(name for name in found if not f"{name}.".startswith("orbits_iac."))

    def renamed(self) -> dict[str, tuple[str, ...]]:
        """The kinds of Resources that had others before, with these."""
        names = [kinds_of(cls) for cls in _subclasses(Resource)]
        return {kind: tuple(before) for kind, *before in sorted(names) if before}

    def _scan(self) -> None:
        claims: dict[str, list[type[Step[Any]]]] = {}
        for cls in _subclasses(Step):
            own = cls.__dict__.get("options") or {}
            for kind in (kind_of(cls), *own.get("former_kinds", ())):
                claims.setdefault(kind, []).append(cls)
        self._classes = {kind: self._best(classes) for kind, classes in claims.items()}

    def _best(self, classes: list[type[Step[Any]]]) -> list[type[Step[Any]]]:
        """Of the classes that claim a kind, those that are in use; else those that their modules still hold."""
        if len(classes) == 1:
            return classes
        used = [cls for cls in classes if cls in self._used]
        current = [cls for cls in classes if _is_current(cls)] or classes
        return used or [cls for cls in current if cls.__module__ in self._modules] or current


def _subclasses(cls: type[Step[Any]]) -> Iterable[type[Step[Any]]]:
    for sub in cls.__subclasses__():
        if not (sub.__pydantic_generic_metadata__["origin"] or sub.__name__.startswith("_") or is_hook(sub)):
            yield sub
        yield from _subclasses(sub)


def _is_current(cls: type[Step[Any]]) -> bool:
    return getattr(sys.modules.get(cls.__module__), cls.__name__, None) is cls


def load(name: str) -> type[Step[Any]]:
    """The step class that a person named: `module:Class` or `path/to/file.py:Class`.

    Raises UsageError that says what of it was not found, with what there is instead.
    """
    where, separator, attribute = name.partition(":")
    if not separator:
        raise UsageError(f"{name!r} names no class: write module:Class or file.py:Class, or a name from orbits.toml")
    module = import_source(where)
    found = getattr(module, attribute, None)
    if not (inspect.isclass(found) and issubclass(found, Step)):
        there = sorted(n for n, v in vars(module).items() if _is_step_of(v, module))
        has = ", ".join(there) or "none"
        raise UsageError(f"{where} has no step {attribute!r}; it has: {has}{like(attribute, there)}")
    return found


def _is_step_of(value: Any, module: ModuleType) -> bool:
    ours = inspect.isclass(value) and issubclass(value, Step) and value.__module__ == module.__name__
    return ours and "[" not in value.__name__  # what pydantic makes of a generic class stands in the module, too


@lru_cache(maxsize=1)
def import_providers() -> None:
    """Import the installed providers: some prepare what a user's module imports (`orbits_cdk` chooses Node)."""
    for point in entry_points(group="orbits_iac.providers"):
        with suppress(ModuleNotFoundError):  # its extra is not installed: whoever needs it says so
            point.load()


def import_source(where: str) -> ModuleType:
    """Import a module by its dotted name or a file by its path, once."""
    import_providers()
    if where.endswith(".py") or "/" in where:
        return _import_file(Path(where))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not (where == error.name or where.startswith(f"{error.name}.")):
            raise
        raise UsageError(f"there is no module {where!r} here (looked from {Path.cwd()})") from error


def source_of(module: str) -> str:
    """What another process imports to have this module: its name, or the file of a program that was started by it."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if module != "__main__" or file is None:
        return module
    path = Path(file).resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _import_file(file: Path) -> ModuleType:
    file = file.resolve()
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    for module in sys.modules.values():
        if getattr(module, "__file__", None) == str(file):
            return module
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    return importlib.import_module(file.stem)


def sources_of(modules: Iterable[str]) -> dict[str, str]:
    """For each of these modules a digest of its source and of what lies beside it. A module without a file has none.

    A program that was started by its file or with `-m` has the name by which others import it.
    """
    found: dict[str, str] = {}
    digest_of = cache(_digest_of)  # a folder may hold many of them
    for name in sorted(modules):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            spec = getattr(sys.modules[name], "__spec__", None)
            started = Path(file).stem if spec is None else spec.name
            found[started if name == "__main__" else name] = digest_of(Path(file).parent)
    return found


def build_of(sources: Mapping[str, str]) -> str:
    """The digest of a build, from those of its sources."""
    return hashlib.sha256("\0".join(sources.values()).encode()).hexdigest()[:16]


def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
