"""Tenants from files: one in YAML or JSON, or a folder of them."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from orbits_iac.provider import UsageError
from orbits_tenants.sources.combined import CombinedSource
from orbits_tenants.sources.entries import id_of, numbered, refuse_empty, tenants_of
from orbits_tenants.sources.json_text import json_of
from orbits_tenants.sources.source import Source
from orbits_tenants.tenant import Tenant

_NAMES = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"})
"""What YAML takes keys for that are text, or stand for others that are."""


class _FileSource(Source):
    """One file, which holds a list."""

    _may_be_one = False  # whether it may hold a tenant instead

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    @property
    def name(self) -> str:
        return self.path

    def read(self) -> Sequence[Tenant]:
        """The tenants in the order of the file; UsageError names file, place and field of what is wrong."""
        return refuse_empty(self.path, tenants_of(self.path, self._entries()))

    def place(self, tenant: str) -> str:
        """The file, and the line or the number of the entry."""
        places = (place for place, entry in self._entries() if id_of(entry) == tenant)
        return ", ".join([self.path, *islice(places, 1)])

    @abstractmethod
    def _entries(self) -> Iterable[tuple[str, Any]]:
        """What the file lists, each with its place."""

    def _wrong(self, where: str, what: str) -> UsageError:
        return UsageError(f"{self.path}{where}: {what}")


class YamlSource(_FileSource):
    """Tenants from a YAML file: a list of ids, or of `id`, `labels` and `overrides`; alone or below `tenants:`.

    A relative path is looked up from the folder in which Orbits runs.
    """

    def _entries(self) -> Iterable[tuple[str, Any]]:
        return ((f"line {_line(node)}", self._value(node)) for node in self._items())

    def _items(self) -> list[yaml.Node]:
        """The nodes of the list's entries."""
        root = self._root()
        if isinstance(root, yaml.MappingNode):
            keys = [key.value for key, _ in root.value]
            if self._may_be_one and "id" in keys:
                return [root]
            if keys and keys != ["tenants"]:
                raise self._wrong(_at(root), f"has the keys {', '.join(map(str, keys))}: a list below `tenants:` alone")
            root = root.value[0][1] if keys else root
        if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
            return []
        if not isinstance(root, yaml.SequenceNode):
            raise self._wrong(_at(root), "holds no list: write each tenant as `- id`, alone or below `tenants:`")
        return list(root.value)

    def _root(self) -> yaml.Node | None:
        try:
            return yaml.compose(_text(self.path, "each as `- id`"), Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            raise self._wrong(
                "" if mark is None else f", line {mark.line + 1}", f"is not valid YAML: {error.problem}"
            ) from error
        except yaml.YAMLError as error:
            raise self._wrong("", f"is not valid YAML: {error}") from error

    def _value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
        try:
            value = _plain(node)
        except yaml.MarkedYAMLError as error:
            raise self._wrong(_at(node), f"holds no plain value: {error.problem}") from error
        if isinstance(node, yaml.MappingNode):
            self._refuse_no_names(node)
        return value

    def _refuse_no_names(self, tenant: yaml.MappingNode) -> None:
        """YAML reads `on` or `1` as no text: which label that was to be shows here alone."""
        fields = {key.value: value for key, value in tenant.value}
        labels = fields.get("labels")
        for name, value in labels.value if isinstance(labels, yaml.MappingNode) else ():
            if name.tag in _NAMES or not isinstance(value, yaml.ScalarNode):
                continue
            whose = f"tenant {fields['id'].value!r}: " if "id" in fields else ""
            read, quoted = f"{_plain(name)!r}: {_plain(value)!r}", f'"{name.value}": "{value.value}"'
            raise self._wrong(
                _at(name),
                f"{whose}labels: YAML reads {name.value}: {value.value} as {read}, and both have to be text: put them "
                f"in quotes, as in {quoted}",
            )

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        """YAML lets the last of equal keys win; people did not mean that."""
        seen: set[Any] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(_at(key), "a key that is no text")
            if key.value in seen:
                raise self._wrong(_at(key), f"the key {key.value!r} is there twice in one tenant")
            seen.add(key.value)
            if isinstance(value, yaml.MappingNode):
                self._refuse_twice(value)


class JsonSource(_FileSource):
    """Tenants from a JSON file: a list of ids, or of `id`, `labels` and `overrides`; alone, or as `tenants`.

    A relative path is looked up from the folder in which Orbits runs.
    """

    def _entries(self) -> Iterable[tuple[str, Any]]:
        return numbered(self._items())

    def _items(self) -> list[Any]:
        root = json_of(_text(self.path, "in a list"), self._wrong)
        if self._may_be_one and isinstance(root, dict) and "id" in root:
            return [root]
        if isinstance(root, dict) and list(root) == ["tenants"]:
            root = root["tenants"]
        if not isinstance(root, list):
            raise self._wrong("", "holds no list: write the tenants as a list, alone or as `tenants`")
        return root


class DirectorySource(Source):
    """Tenants from a folder: each of its files `*.yaml`, `*.yml` and `*.json` holds one tenant, or a list as elsewhere.

    Files are read in the order of their names, folders within it and hidden files are not. One that cannot be read
    makes the whole list unusable, and not shorter.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    @property
    def name(self) -> str:
        return self.path

    def read(self) -> Sequence[Tenant]:
        """The tenants of all files; UsageError names the file of what is wrong."""
        return self._files().read()

    def place(self, tenant: str) -> str:
        """The place in the file that has it."""
        return self._files().place(tenant)

    def _files(self) -> CombinedSource:
        try:
            there = sorted(file for file in Path(self.path).iterdir() if not file.name.startswith("."))  # editors' own
        except OSError as error:
            raise UsageError(f"the folder {self.path} cannot be read from {Path.cwd()}: {error}") from error
        files = [file for file in there if file.suffix.lower() in _READERS]
        if not files:
            raise UsageError(f"the folder {self.path} holds no file of a tenant: *.yaml, *.yml or *.json")
        return CombinedSource(*(_READERS[file.suffix.lower()](str(file)) for file in files))


class _YamlOfOne(YamlSource):
    _may_be_one = True


class _JsonOfOne(JsonSource):
    _may_be_one = True


_READERS: dict[str, type[YamlSource] | type[JsonSource]] = {
    ".yaml": _YamlOfOne,
    ".yml": _YamlOfOne,
    ".json": _JsonOfOne,
}


def _text(path: str, how: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path} in {Path.cwd()}: it has to list the tenants, {how}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _at(node: yaml.Node | None) -> str:
    return f", line {_line(node)}"


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1
