"""Sources: where the list of tenants comes from.

A source is read before anything is written, and again inside the roll-out as a step, so that a re-run sees the same
list. What it returns was validated: there is at least one tenant, and each id is there once. Whatever is wrong is a
`UsageError` that names the file, the line and the field.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from orbits_iac.provider import UsageError
from orbits_tenants.tenant import Tenant


class Source(ABC):
    """Where tenants come from; implemented by whoever has a list of clients somewhere."""

    @abstractmethod
    def read(self) -> Sequence[Tenant]:
        """The tenants, now, in the order in which they are rolled out: the first ones are the canaries.

        Called in a thread, possibly several times. Raises UsageError where the list is not usable.
        """


def read(source: Source) -> tuple[Tenant, ...]:
    """What the source has now; UsageError if that is nobody, or names somebody twice."""
    found: dict[str, Tenant] = {}
    for tenant in source.read():
        if tenant.id in found:
            raise UsageError(f"the source names tenant {tenant.id!r} twice: give each tenant an id of its own")
        found[tenant.id] = tenant
    if not found:
        raise UsageError("the source names no tenant: a roll-out needs at least one")
    return tuple(found.values())


class ListSource(Source):
    """Tenants that stand in the code, as ids or as `Tenant`s."""

    def __init__(self, tenants: Iterable[Tenant | str]) -> None:
        self._given = tuple(tenants)

    def read(self) -> Sequence[Tenant]:
        """The list; UsageError if an id is none."""
        found: list[Tenant] = []
        for number, given in enumerate(self._given, start=1):
            try:
                found.append(given if isinstance(given, Tenant) else Tenant(id=given))
            except ValidationError as error:
                raise UsageError(f"the list of tenants, entry {number}: {_explain(error)}") from error
        return found


class YamlSource(Source):
    """Tenants from a YAML file: a list of ids, or of `id`, `labels` and `overrides`; alone or below `tenants:`.

    A relative path is looked up from the folder in which Orbits runs.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> Sequence[Tenant]:
        """The tenants in the order of the file; UsageError names file, line and field of what is wrong."""
        found: dict[str, tuple[Tenant, int]] = {}
        for node in self._items():
            tenant, line = self._tenant(node), _line(node)
            if tenant.id in found:
                raise self._wrong(
                    line,
                    f"tenant {tenant.id!r} is there twice, first in line {found[tenant.id][1]}: take one away, or give "
                    f"it an id of its own",
                )
            found[tenant.id] = (tenant, line)
        if not found:
            raise self._wrong(None, "the list of tenants is empty: name at least one")
        return tuple(tenant for tenant, _ in found.values())

    def _items(self) -> list[yaml.Node]:
        """The nodes of the list's entries."""
        root = self._root()
        if isinstance(root, yaml.MappingNode):
            keys = [key.value for key, _ in root.value]
            if keys != ["tenants"]:
                raise self._wrong(
                    _line(root), f"has the keys {', '.join(map(str, keys)) or 'none'}: a list below `tenants:` alone"
                )
            root = root.value[0][1]
        if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
            return []
        if not isinstance(root, yaml.SequenceNode):
            raise self._wrong(_line(root), "holds no list: write each tenant as `- id`, alone or below `tenants:`")
        return list(root.value)

    def _root(self) -> yaml.Node | None:
        try:
            text = Path(self.path).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise UsageError(
                f"there is no file {self.path} in {Path.cwd()}: it has to list the tenants, each as `- id`"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{self.path} cannot be read: {error}") from error
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            raise self._wrong(None if mark is None else mark.line + 1, f"is not valid YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise self._wrong(None, f"is not valid YAML: {error}") from error

    def _tenant(self, node: yaml.Node) -> Tenant:
        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
        try:
            value = _plain(node)
        except yaml.MarkedYAMLError as error:
            raise self._wrong(_line(node), f"holds no plain value: {error.problem}") from error
        given: dict[Any, Any] = value if isinstance(value, dict) else {"id": value}
        named = f"tenant {given['id']!r}: " if isinstance(given.get("id"), str) else ""
        if "targets" in given:
            raise self._wrong(_line(node), f"{named}targets: is not built yet for files; the stack chooses its own")
        try:
            return Tenant.model_validate(given)
        except ValidationError as error:
            raise self._wrong(_line(node), f"{named}{_explain(error)}") from error

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        """YAML lets the last of equal keys win; people did not mean that."""
        seen: set[Any] = set()
        for key, value in node.value:
            if key.value in seen:
                raise self._wrong(_line(key), f"the key {key.value!r} is there twice in one tenant")
            seen.add(key.value)
            if isinstance(value, yaml.MappingNode):
                self._refuse_twice(value)

    def _wrong(self, line: int | None, what: str) -> UsageError:
        where = self.path if line is None else f"{self.path}, line {line}"
        return UsageError(f"{where}: {what}")


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1


def _explain(error: ValidationError) -> str:
    """What is wrong with a tenant, field by field."""
    known = ", ".join(name for name in Tenant.model_fields if name != "targets")
    said = [
        f"unknown field {wrong['loc'][0]!r} (there are: {known})"
        if wrong["type"] == "extra_forbidden"
        else f"{'.'.join(map(str, wrong['loc'])) or 'tenant'}: {wrong['msg']}, got {wrong['input']!r}"
        if wrong["type"] != "missing"
        else f"{'.'.join(map(str, wrong['loc']))}: is missing"
        for wrong in error.errors()
    ]
    return "; ".join(said)
