"""Types whose API takes the properties by name: a class says which calls to make, botocore's models say the rest.

What always holds: a property is carried out if the creating call, or one of the changing calls, has an argument of its
name that moto does not forget; any other is refused before anything is made, and a member further in for which an
argument has no place when that call is made. A change in place for which there is no changing call is refused with the
type and the properties, never forgotten. What the reading call does not answer is given as recorded, so that it is no
drift; where nothing is recorded, as for Cloud Control, it is not given.

A type that needs more than names overrides one of the steps: `create`, `change`, `delete`, `find`.
"""

import functools
import json
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from botocore import xform_name
from botocore.exceptions import ClientError

from orbits_aws.offline.cloudformation.clients import service_model
from orbits_aws.offline.cloudformation.errors import NothingDone, ResourceGone
from orbits_aws.offline.cloudformation.schemas import schema_of

from .contract import Made, Properties, ResourceType, Site, Unreadable, changed, retag, tag_list
from .shapes import member_of, shown, written

_TAGGING = {
    "acm": ("AddTagsToCertificate", "RemoveTagsFromCertificate", "ListTagsForCertificate"),
    "autoscaling": ("CreateOrUpdateTags", "DeleteTags", "DescribeTags"),
    "cloudfront": ("TagResource", "UntagResource", "ListTagsForResource"),
    "ec2": ("CreateTags", "DeleteTags", "DescribeTags"),
    "elb": ("AddTags", "RemoveTags", "DescribeTags"),
    "elbv2": ("AddTags", "RemoveTags", "DescribeTags"),
    "emr": ("AddTags", "RemoveTags", ""),
    "kinesis": ("AddTagsToStream", "RemoveTagsFromStream", "ListTagsForStream"),
    "kms": ("TagResource", "UntagResource", "ListResourceTags"),
    "rds": ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
    "redshift": ("CreateTags", "DeleteTags", "DescribeTags"),
    "sagemaker": ("AddTags", "DeleteTags", "ListTags"),
    "ssm": ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"),
    "datapipeline": ("AddTags", "RemoveTags", ""),
}
_TAGGED = ("TagResource", "UntagResource", "ListTagsForResource")


_ABSENT = re.compile(
    r"does ?n[o']t exist|could not find|not found|InvalidDocument|RecordNotFound|is not valid\.$", re.IGNORECASE
)
"""What errors say of what is not there, where their code does not."""


@contextmanager
def _gone_if_told(physical_id: str) -> Generator[None]:
    """Raise ResourceGone for an error that says that the resource is not there."""
    try:
        yield
    except ClientError as failure:
        error: Any = failure.response.get("Error", {})
        told = f"{error.get('Code')}: {error.get('Message')}"
        if _ABSENT.search(told) or f"KeyError({physical_id!r})" in told:
            raise ResourceGone(physical_id) from failure
        raise


FORGOTTEN = Path(__file__).with_name("forgotten.json")
"""Properties that moto takes and forgets, by type; made by `orbits_aws.offline.types`."""


@functools.cache
def _all_forgotten() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = json.loads(FORGOTTEN.read_text(encoding="utf-8"))
    return found


def _forgotten(type_name: str) -> frozenset[str]:
    return frozenset(_all_forgotten().get(type_name, ()))


class Mapped(ResourceType):
    """A type that is made, changed, removed and read by one call each."""

    service: ClassVar[str]
    creating: ClassVar[str]
    changing: ClassVar[tuple[str, ...]] = ()
    """Each takes those changed properties that it has arguments for; all of its arguments are handed over."""
    deleting: ClassVar[str]
    reading: ClassVar[str] = ""
    found_at: ClassVar[str] = ""
    """Where the reading call's answer holds the resource, such as `Vpcs.0`; empty if it is the answer itself."""
    made_at: ClassVar[str] = ""
    """Where the creating call's answer holds the physical id; empty if that is the name."""
    keys: ClassVar[Mapping[str, str]] = {}
    """Arguments that name the resource: templates of `{id}`, `{tail}` (after the last / or :) and properties."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """The argument for a property where it has another name."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What a changing call is given for a property that the template no longer sets."""
    attributes: ClassVar[Mapping[str, str]] = {}
    """Attributes (Fn::GetAtt) that do not stand under their own name in what is read: a place in it, or a template."""
    labelled_by: ClassVar[str | None] = None
    """The property that holds a name which need not be the only one of its kind; it is made up where it is not set."""
    longest: ClassVar[int] = 128
    """The longest name that the service takes, for those that it gets by itself."""
    lower: ClassVar[bool] = False
    """Whether the service keeps names in small letters."""
    tag_target: ClassVar[str] = "{Arn}"
    """What tagging calls name: a template as in `keys`, with the attributes."""
    one_by_one: ClassVar[bool] = False
    """Whether a changing call takes one property at a time."""
    tagging: ClassVar[tuple[str, str, str] | None] = None
    """The calls that put, remove and list tags, where the type has others than its service's."""
    tags_apart: ClassVar[bool] = False
    """Whether moto's creating call forgets the tags, so that they are put by the tagging call."""
    unread: ClassVar[frozenset[str]] = frozenset()
    """Properties that the reading call answers otherwise than they were written."""

    def carried_out(self) -> frozenset[str]:
        """The properties that one of the calls takes."""
        return frozenset().union(*(self.members(name) for name in (self.creating, *self.changing)), self._tags())

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it by the creating call, and what that does not take by the changing ones."""
        label = self.named_by or self.labelled_by
        if label and not properties.get(label):
            properties = {**properties, label: site.name(self.longest, lower=self.lower)}
        answer = self.call(
            site, self.creating, {**self.besides(site, properties), **self.arguments(self.creating, properties)}
        )
        physical_id = str(_at(answer, self.made_at) if self.made_at else properties[str(self.named_by)])
        site.made(physical_id)
        rest = set(properties) - set(self.members(self.creating)) - self._tags() - self.ignored
        if rest:
            self.change(site, physical_id, {}, properties, rest)
        made = self.made(site, physical_id, properties, answer)
        if self._tags() - set(self.members(self.creating)):
            self._retag(site, made, {}, properties)
        return made

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """Arguments of the creating call that are no properties, or that it has to have where those are not set."""
        return {}

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Change it in place. Raises NothingDone for properties that no call changes."""
        different = changed(before, after) - self.ignored
        if names := different - self._tags():
            self.change(site, physical_id, before, after, names)
        made = self.made(site, physical_id, after)
        self._retag(site, made, before, after)
        return made

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Bring the properties of these names to what `after` has, by the changing calls."""
        left = set(names)
        calls: list[tuple[str, dict[str, Any]]] = []
        for operation in self.changing:
            members = self.members(operation)
            if mine := left & set(members):
                left -= mine
                gone = {name: self._default(operation, name) for name in mine if name not in after}
                gone = {name: value for name, value in gone.items() if value is not None}
                if operation != self.creating:
                    left |= {name for name in mine if name not in after and name not in gone}
                key = self.key(site, operation, physical_id, after)
                if self.one_by_one:
                    given = {**after, **gone}
                    calls += [
                        (operation, {**self.arguments(operation, {name: given.get(name)}), **key}) for name in mine
                    ]
                else:
                    calls.append((operation, {**self.arguments(operation, {**after, **gone}), **key}))
        self.refuse(left)
        for operation, arguments in calls:
            self.call(site, operation, arguments)

    def _default(self, operation: str, name: str) -> Any:
        """What a changing call is given for a property that is no longer set; None if that is not known."""
        if name in self.defaults or name.endswith("Description"):
            return self.defaults.get(name, "")
        shape = service_model(self.service).operation_model(operation).input_shape
        kind = shape.members[self.members(operation)[name]].type_name
        return {"list": [], "map": {}}.get(kind)

    def refuse(self, names: Iterable[str]) -> None:
        """Refuse to change properties in place; nothing happens if there are none."""
        if told := ", ".join(sorted(names)):
            raise NothingDone(f"The offline AWS cannot change {told} of {self.type} in place")

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it by the deleting call."""
        with _gone_if_told(physical_id):
            self.call(site, self.deleting, self.key(site, self.deleting, physical_id, properties))

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The resource as the reading call answers it. Raises ResourceGone."""
        key = self.key(site, self.reading, physical_id, properties)
        with _gone_if_told(physical_id):
            answer = self.call(site, self.reading, key)
        found = _at(answer, self.found_at)
        if not found:
            raise ResourceGone(physical_id)
        return found

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """What the reading call answers, as properties."""
        if not self.reading:
            raise Unreadable(self.type)
        found = self.find(site, physical_id, properties)
        shape = self.found_shape()
        live: dict[str, Any] = {}
        for name in self.carried_out() - self._tags():
            member = member_of(shape, self.renamed.get(name, name)) or member_of(shape, name)
            if member is None or name in self.unread:
                if name in properties:
                    live[name] = properties[name]
            elif member in found:
                live[name] = shown(found[member], shape.members[member], properties.get(name))
        if self._tags():
            live |= self._live_tags(site, self.made(site, physical_id, properties, found=found), found, properties)
        return live

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties that an operation takes, as its arguments."""
        shape = service_model(self.service).operation_model(operation).input_shape
        return {
            member: written(properties[name], shape.members[member], f"{self.type}/{name}")
            for name, member in self.members(operation).items()
            if properties.get(name) is not None
        }

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """The arguments of an operation that name the resource."""
        shape = service_model(self.service).operation_model(operation).input_shape
        found: dict[str, Any] = {}
        for member, template in self.keys.items():
            if shape is not None and member in shape.members:
                try:
                    text = template.format_map(_words(site, physical_id, properties))
                except KeyError:
                    continue
                found[member] = written(text, shape.members[member], f"{self.type}/{member}")
        return found

    def call(self, site: Site, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Make one call."""
        return getattr(site.client(self.service), xform_name(operation))(**arguments)

    def found_shape(self) -> Any:
        """The shape of what `find` returns."""
        shape = service_model(self.service).operation_model(self.reading).output_shape
        for part in filter(None, self.found_at.split(".")):
            shape = shape.member if part == "0" else shape.members[part]
        return shape

    @functools.cache  # noqa: B019 - instances live as long as the process
    def members(self, operation: str, *, whole: bool = False) -> Mapping[str, str]:
        """Which argument of an operation takes which property; `whole`: also those that moto forgets."""
        schema = schema_of(self.type)
        shape = service_model(self.service).operation_model(operation).input_shape
        names = schema.properties if schema else frozenset[str]()
        names -= {path[0] for path in schema.read_only if len(path) == 1} if schema else frozenset[str]()
        names -= self.ignored | (self._tags() if self.tags_apart else frozenset())
        names -= frozenset() if whole else _forgotten(self.type)
        found = {name: member_of(shape, self.renamed.get(name, name)) for name in names}
        return {name: member for name, member in found.items() if member is not None}

    def _tags(self) -> frozenset[str]:
        schema = schema_of(self.type)
        return frozenset({schema.tag_property} if schema and schema.tag_property else ()) - self.ignored

    def made(self, site: Site, physical_id: str, properties: Properties, answer: Any = None, found: Any = None) -> Made:
        """What Ref and Fn::GetAtt give: from what is read; from the creating call's answer where nothing is."""
        if found is None:
            found = self.find(site, physical_id, properties) if self.reading else answer or {}
        schema = schema_of(self.type)
        values: dict[str, Any] = {}
        for path in schema.read_only if schema else ():
            if ".".join(path) not in self.attributes and (value := _loose(found, path)) is not None:
                values[".".join(path)] = value
        words = _words(site, physical_id, properties)
        for name, place in self.attributes.items():
            value = place.format_map({**words, **values}) if "{" in place else _at(found, place)
            if value is not None:
                values[name] = value
        return Made(physical_id=physical_id, attributes=values)

    def _retag(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        put, remove, _ = self.tagging or _TAGGING.get(self.service, _TAGGED)
        for name in self._tags():
            retag(
                {"Tags": before.get(name)},
                {"Tags": after.get(name)},
                lambda tags: self.call(site, put, self._tagging(site, put, made, after, tag_list(tags))),
                lambda keys: self.call(site, remove, self._tagging(site, remove, made, after, keys)),
            )

    def _tagging(self, site: Site, operation: str, made: Made, properties: Properties, tags: Any) -> dict[str, Any]:
        """Arguments of a tagging call: the required one that is no tags is the target."""
        shape = service_model(self.service).operation_model(operation).input_shape
        target = self.tag_target.format_map({**_words(site, made.physical_id, properties), **made.attributes})
        found = self.key(site, operation, made.physical_id, properties)
        for member in [*shape.required_members, *(name for name in shape.members if "ag" in name)]:
            inner = shape.members[member]
            if "tag" not in member.lower():
                found[member] = written(target, inner, member)
            elif tags is not None and inner.type_name == "structure":
                found[member] = {next(iter(inner.members)): tags}
            elif tags is not None and inner.type_name == "list" and inner.member.type_name == "structure":
                found[member] = written([tag if isinstance(tag, Mapping) else {"Key": tag} for tag in tags], inner, "")
            elif tags is not None:
                found[member] = written(tags, inner, member)
        return found

    def _live_tags(self, site: Site, made: Made, found: Any, properties: Properties) -> dict[str, Any]:
        schema = schema_of(self.type)
        [name] = self._tags()
        listing = (self.tagging or _TAGGING.get(self.service, _TAGGED))[2]
        shape = self.found_shape()
        member = member_of(shape, name) or member_of(shape, "Tags")
        tags = found["Tags"] if "Tags" in found else (found.get(member) or []) if member else None
        operations = service_model(self.service).operation_names
        if tags is None and listing in operations and not listing.startswith("DescribeTags"):
            answer = self.call(site, listing, self._tagging(site, listing, made, properties, None))
            tags = next((value for member, value in answer.items() if "tag" in member.lower()), None)
        if tags is None:
            return {name: properties[name]} if name in properties else {}
        if isinstance(tags, Mapping):
            tags = tags.get("Items", tags.get("TagList", tags))
        if isinstance(tags, list):
            tags = {
                str(tag.get("Key", tag.get("key", tag.get("TagKey")))): tag.get(
                    "Value", tag.get("value", tag.get("TagValue", ""))
                )
                for tag in tags
            }
        return {name: tags if schema and schema.tags_as_map else tag_list(tags)}


def _words(site: Site, physical_id: str, properties: Properties) -> dict[str, Any]:
    """What the templates of a type may name."""
    return {
        **properties,
        "id": physical_id,
        "tail": physical_id.replace(":", "/").rpartition("/")[2],
        "account": site.account,
        "partition": site.partition,
        "region": site.region,
    }


def _at(value: Any, place: str) -> Any:
    """What stands at a place of an answer; None if nothing does."""
    for part in filter(None, place.split(".")):
        if isinstance(value, list):
            value = value[int(part)] if value else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _loose(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path, whatever the case of the names."""
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = next((inner for name, inner in value.items() if str(name).lower() == part.lower()), None)
    return value
