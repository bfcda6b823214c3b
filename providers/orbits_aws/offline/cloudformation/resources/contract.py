"""What a resource type has to do so that stacks can hold it.

A handler works by real API calls, made in the stack's account and region. `before` and `after` are resolved properties
with the stack's tags; `before` may be what was read live. Errors of boto3 may pass: the deployment turns them into the
resource's reason. A handler keeps nothing between calls.
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from orbits_aws.offline.cloudformation.errors import NothingDone, ResourceFailed, ResourceGone
from orbits_aws.offline.cloudformation.schemas import schema_of

Properties = Mapping[str, Any]
Attributes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource that was made: its physical id (what Ref gives) and its attributes (what Fn::GetAtt gives)."""

    physical_id: str
    attributes: Attributes = field(default_factory=dict[str, Any])


class Nesting(Protocol):
    """How a stack that is a resource of another is worked on; each raises ResourceFailed.

    It is given by its id; what comes back is the id and the outputs.
    """

    def create(self, site: "Site", properties: Properties) -> tuple[str, dict[str, str]]:
        """Make it."""
        ...

    def update(self, site: "Site", stack_id: str, properties: Properties) -> tuple[str, dict[str, str]]:
        """Bring it to other properties, forth or back."""
        ...

    def delete(self, site: "Site", stack_id: str) -> None:
        """Remove it with all it has."""
        ...

    def finish(self, site: "Site", stack_id: str) -> None:
        """Let it clean up after an update, which the stack around it has come through."""
        ...


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a handler works: for which resource of which stack, and the clients for it."""

    account: str
    region: str
    stack_id: str
    stack_name: str
    logical_id: str
    client: Callable[[str], Any]
    """boto3's client of a service in the stack's region, acting in its account."""
    made: Callable[[str], None] = field(default=lambda _: None)
    """To be called with the physical id as soon as something exists, so that a failure after it leaves no orphan."""
    partition: str = "aws"
    stacks: Nesting | None = None
    """For stacks in stacks; None where there is no stack around the resource."""

    @property
    def nesting(self) -> Nesting:
        """What works on nested stacks. Raises ResourceFailed where there is none."""
        if self.stacks is None:
            raise ResourceFailed("Stacks can be made by CloudFormation's own operations alone")
        return self.stacks

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """The ARN of a resource here."""
        place = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{place}:{self.account if account is None else account}:{resource}"

    def name(self, longest: int, *, lower: bool = False) -> str:
        """A new physical name, as the service makes one: stack, logical id and a random part."""
        suffix = uuid.uuid4().hex[:12]
        head = f"{self.stack_name}-{self.logical_id}"[: longest - len(suffix) - 1]
        name = f"{head}-{suffix.upper()}"
        return re.sub(r"[^a-z0-9-]", "", name.lower()) if lower else name


class ResourceType(ABC):
    """One type of resource. A class for each type; instances have no state."""

    type: ClassVar[str]
    supported: ClassVar[frozenset[str]] = frozenset()
    """The properties that it carries out; a template that sets another one fails, with a reason that names it."""
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Properties that it accepts and does nothing about, as refusing them would refuse what most templates hold. The
    table of types in the docs names them."""
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change means a replacement though the schema calls them only conditionally create-only."""
    named_by: ClassVar[str | None] = None
    """The property that gives it a name of the user's choice."""
    listing: ClassVar[tuple[str, str, str] | None] = None
    """How all of its kind are listed: a service, one of its paginators, and where a page holds the identifiers."""

    @abstractmethod
    def create(self, site: Site, properties: Properties) -> Made:
        """Make a new one."""

    @abstractmethod
    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Change it in place from `before` to `after`, setting back to the default what `after` no longer has."""

    @abstractmethod
    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it."""

    def carried_out(self) -> frozenset[str]:
        """The properties that it carries out, for a type that works them out."""
        return self.supported

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The live properties in CloudFormation's shape, those that can be read; None if it does not exist.

        `properties` are the recorded ones, for what has to be read by name. Raises `Unreadable` where drift is not
        detected for the type.
        """
        raise Unreadable(self.type)

    def list(self, site: Site, model: Properties) -> Iterable[str]:
        """The identifiers of all there are here; `model` narrows down where the type lives inside another resource.

        Raises `Unreadable` for a type that cannot be listed.
        """
        if self.listing is None:
            raise Unreadable(self.type)
        service, operation, expression = self.listing
        pages = site.client(service).get_paginator(operation).paginate()
        return [str(identifier) for identifier in pages.search(expression)]

    def physical_id(self, identifier: Mapping[str, str]) -> str:
        """The physical id of the resource that the parts of a primary identifier name."""
        schema = schema_of(self.type)
        made = [path[-1] for path in schema.identifier if path in schema.read_only] if schema else []
        return identifier[made[0]] if made else "|".join(identifier.values())

    def keep_snapshot(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Make the snapshot that the policy Snapshot keeps, before it is removed; to be had by a few types alone."""
        raise NothingDone(f"The offline AWS makes no snapshots of {self.type}")

    def take_in(self, site: Site, physical_id: str, properties: Properties) -> Made:
        """Take an existing one into a stack, writing nothing; its attributes are those of an update without changes.

        Raises `ResourceGone` if it does not exist, `Unreadable` for a type that cannot be imported.
        """
        if self.read(site, physical_id, properties) is None:
            raise ResourceGone(physical_id)
        return self.update(site, physical_id, properties, properties)


class Unreadable(ResourceFailed):
    """Drift detection does not know this type."""


def changed(before: Properties, after: Properties) -> frozenset[str]:
    """The top-level properties that differ."""
    return frozenset(name for name in {*before, *after} if before.get(name) != after.get(name))


def tag_map(properties: Properties, name: str = "Tags") -> dict[str, str]:
    """Tags as a map, from a list of Key and Value or from a map."""
    tags = properties.get(name) or {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def retag(
    before: Properties,
    after: Properties,
    put: Callable[[dict[str, str]], object],
    remove: Callable[[list[str]], object],
) -> None:
    """Bring tags from `before` to `after`: `remove` those that went, `put` those that are new or different."""
    old, new = tag_map(before), tag_map(after)
    if gone := [key for key in old if key not in new]:
        remove(gone)
    if fresh := {key: value for key, value in new.items() if old.get(key) != value}:
        put(fresh)


def is_true(value: Any) -> bool:
    """Whether a boolean property is set, as a boolean or as text."""
    return str(value).lower() == "true"


def set_properties(**values: Any) -> dict[str, Any]:
    """The given values without those that are absent (None or empty)."""
    return {name: value for name, value in values.items() if value not in (None, [], {}, "")}
