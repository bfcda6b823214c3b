"""A template as text and as parsed: JSON or YAML, checked as far as the service checks one when it is handed over.

Pure. What holds of a `Template`: every reference in it names a parameter, a pseudo parameter or a resource; every
condition used is defined; resources do not depend on each other in a circle.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from .errors import ValidationError
from .graph import in_order
from .template_checks import LANGUAGE_EXTENSIONS, check_document, check_output, check_resource, transforms

MAX_BODY_BYTES = 51_200
MAX_OBJECT_BYTES = 1_048_576

_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Hooks",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
_REPLACE_POLICIES = frozenset({"Delete", "Retain", "Snapshot"})
_DELETION_POLICIES = _REPLACE_POLICIES | {"RetainExceptOnCreate"}
SNAPSHOT_TYPES = frozenset(
    {
        "AWS::DocDB::DBCluster",
        "AWS::EC2::Volume",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::Neptune::DBCluster",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Redshift::Cluster",
    }
)
"""The types of which a snapshot can be kept when they go."""
_SHORT_TAGS = {"Condition": "Condition", "Ref": "Ref"}


@dataclass(frozen=True, kw_only=True)
class ResourceDefinition:
    """A resource as the template declares it."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None
    depends_on: frozenset[str]
    """Everything that it names: by DependsOn or by reference."""
    deletion_policy: Any
    update_replace_policy: Any
    metadata: Any


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template that passed the checks."""

    body: str
    document: Mapping[str, Any] = field(repr=False)
    resources: Mapping[str, ResourceDefinition] = field(repr=False)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The declared parameters."""
        return self.section("Parameters")

    @property
    def description(self) -> str | None:
        """The template's own description."""
        value = self.document.get("Description")
        return None if value is None else str(value)

    @property
    def extended(self) -> bool:
        """Whether it uses the language extensions, which a caller has to admit by CAPABILITY_AUTO_EXPAND."""
        return LANGUAGE_EXTENSIONS in transforms(self.document)

    def section(self, name: str) -> Mapping[str, Any]:
        """A top-level section; empty if there is none."""
        value = self.document.get(name)
        return value if isinstance(value, Mapping) else {}


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms; dates stay text."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    name = _SHORT_TAGS.get(suffix, f"Fn::{suffix}")
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(body: str) -> Template:
    """Parse and check a template's text. Raises ValidationError with the service's words."""
    document = _load(body)
    if unknown := sorted(set(document) - _SECTIONS):
        raise ValidationError(f"Invalid template property or properties [{', '.join(unknown)}]")
    check_document(document)
    declared = document.get("Resources")
    if not isinstance(declared, Mapping) or not declared:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    resources = {str(name): _definition(str(name), value) for name, value in declared.items()}
    for name, output in (document.get("Outputs") or {}).items():
        check_output(str(name), output)
    template = Template(body=body, document=document, resources=resources)
    _check_references(template)
    in_order({name: resource.depends_on for name, resource in resources.items()})
    return template


def _load(body: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, Loader=_Loader)  # noqa: S506
    except json.JSONDecodeError as failure:
        where = f"(line {failure.lineno}, column {failure.colno})"
        raise ValidationError(f"Template format error: JSON not well-formed. {where}") from failure
    except yaml.YAMLError as failure:
        mark = failure.problem_mark if isinstance(failure, yaml.MarkedYAMLError) else None
        where = f"(line {mark.line + 1}, column {mark.column + 1})" if mark else f"({failure})"
        raise ValidationError(f"Template format error: YAML not well-formed. {where}") from failure
    if not isinstance(document, Mapping):
        raise ValidationError("Template format error: unsupported structure.")
    return document


def _definition(logical_id: str, value: Any) -> ResourceDefinition:
    where = f"[/Resources/{logical_id}]"
    if not isinstance(value, Mapping) or not isinstance(value.get("Type"), str):
        raise ValidationError(f"Template format error: {where} Every Resources object must contain a Type member.")
    properties = value.get("Properties") or {}
    if not isinstance(properties, Mapping):
        raise ValidationError(f"Template format error: {where} Properties must be an object.")
    check_resource(logical_id, value)
    _check_policies(logical_id, value)
    depends = value.get("DependsOn") or []
    named = {depends} if isinstance(depends, str) else {str(name) for name in depends}
    return ResourceDefinition(
        logical_id=logical_id,
        type=value["Type"],
        properties=properties,
        condition=value.get("Condition"),
        depends_on=frozenset(named) | frozenset(references(properties)),
        deletion_policy=value.get("DeletionPolicy"),
        update_replace_policy=value.get("UpdateReplacePolicy"),
        metadata=value.get("Metadata"),
    )


def _check_policies(logical_id: str, value: Mapping[str, Any]) -> None:
    for attribute, allowed in (("DeletionPolicy", _DELETION_POLICIES), ("UpdateReplacePolicy", _REPLACE_POLICIES)):
        policy = value.get(attribute)
        if policy is None or isinstance(policy, Mapping):
            continue
        if policy not in allowed:
            raise ValidationError(f"Template error: Unrecognized {attribute} {policy} for resource {logical_id}")
        if policy == "Snapshot" and value["Type"] not in SNAPSHOT_TYPES:
            kind = "deletion" if attribute == "DeletionPolicy" else "update replace"
            raise ValidationError(
                f"Template error: resource type {value['Type']} does not support {kind} policy Snapshot"
            )


def references(value: Any) -> Iterator[str]:
    """Every name that a value refers to by Ref, Fn::GetAtt or Fn::Sub, pseudo parameters included."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            [(name, argument)] = value.items()
            yield from _named_by(str(name), argument)
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from references(inner)


def _named_by(function: str, argument: Any) -> Iterator[str]:
    if function == "Ref" and isinstance(argument, str):
        yield argument
    elif function == "Fn::GetAtt":
        yield get_att(argument)[0]
    elif function == "Fn::Sub":
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
        for name in sub_variables(text):
            if name not in own:
                yield name.partition(".")[0]


def get_att(argument: Any) -> tuple[str, Any]:
    """The logical id and the attribute that the argument of Fn::GetAtt names."""
    if isinstance(argument, str):
        logical_id, _, attribute = argument.partition(".")
        return logical_id, attribute
    return str(argument[0]), argument[1]


def attributes_named(value: Any) -> Iterator[tuple[str, str]]:
    """Every logical id with an attribute of it that a value names by Fn::GetAtt or Fn::Sub, but for computed names."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "Fn::GetAtt":
                logical_id, attribute = get_att(inner)
                if isinstance(attribute, str):
                    yield logical_id, attribute
            elif name == "Fn::Sub":
                text, own = (inner, {}) if isinstance(inner, str) else (inner[0], inner[1])
                for variable in sub_variables(text):
                    logical_id, dot, attribute = variable.partition(".")
                    if dot and variable not in own:
                        yield logical_id, attribute
            yield from attributes_named(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from attributes_named(inner)


def sub_variables(text: str) -> Iterator[str]:
    """The names in `${...}` of a text for Fn::Sub, without the literal `${!...}`."""
    for part in text.split("${")[1:]:
        name, closed, _ = part.partition("}")
        if closed and not name.startswith("!"):
            yield name.strip()


def condition_names(value: Any) -> Iterator[str]:
    """The conditions that a value names by Fn::If or Condition."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "Fn::If" and isinstance(inner, Sequence) and inner:
                yield str(inner[0])
            elif name == "Condition" and isinstance(inner, str):
                yield inner
            yield from condition_names(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from condition_names(inner)


def _check_references(template: Template) -> None:
    known = set(template.resources) | set(template.parameters)
    for block, names in (
        ("Resources", {name for resource in template.resources.values() for name in resource.depends_on}),
        ("Outputs", set(references(template.section("Outputs")))),
    ):
        unresolved = sorted(name for name in names if name not in known and not name.startswith("AWS::"))
        if unresolved:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{', '.join(unresolved)}] "
                f"in the {block} block of the template"
            )
    conditions = template.section("Conditions")
    if unresolved := sorted(
        {name for name in references(conditions) if name not in template.parameters and not name.startswith("AWS::")}
    ):
        raise ValidationError(
            f"Template format error: Unresolved dependencies [{', '.join(unresolved)}]. Cannot reference resources in "
            "the Conditions block of the template"
        )
    used = {resource.condition for resource in template.resources.values() if resource.condition}
    used |= {name for resource in template.resources.values() for name in condition_names(resource.properties)}
    used |= {str(output["Condition"]) for output in template.section("Outputs").values() if "Condition" in output}
    for name in sorted(used - set(conditions)):
        raise ValidationError(f"Template format error: Unresolved condition dependency {name} in the template")
