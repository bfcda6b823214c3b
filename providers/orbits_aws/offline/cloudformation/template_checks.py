"""What the service refuses in a template's text before it looks at values: names, sections, functions, limits. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import ValidationError
from .parameter_types import is_parameter_type

_MOST = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_LONGEST_DESCRIPTION = 1024
_NAME = re.compile(r"[a-zA-Z0-9]{1,255}")
_RESOURCE_MEMBERS = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
_PARAMETER_MEMBERS = frozenset(
    {
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Default",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
        "Type",
    }
)
_OUTPUT_MEMBERS = frozenset({"Condition", "Description", "Export", "Value"})
_FUNCTIONS = frozenset(
    {
        "Fn::And",
        "Fn::Base64",
        "Fn::Cidr",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::GetAZs",
        "Fn::GetAtt",
        "Fn::GetStackOutput",
        "Fn::If",
        "Fn::ImportValue",
        "Fn::Join",
        "Fn::Not",
        "Fn::Or",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
    }
)
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
_EXTENSIONS = frozenset({"Fn::Length", "Fn::ToJsonString"})
_SECURE_PROPERTIES = frozenset(
    {
        ("AWS::DirectoryService::MicrosoftAD", "Password"),
        ("AWS::DirectoryService::SimpleAD", "Password"),
        ("AWS::ElastiCache::ReplicationGroup", "AuthToken"),
        ("AWS::IAM::User", "LoginProfile/Password"),
        ("AWS::KinesisFirehose::DeliveryStream", "RedshiftDestinationConfiguration/Password"),
        ("AWS::RDS::DBCluster", "MasterUserPassword"),
        ("AWS::RDS::DBInstance", "MasterUserPassword"),
        ("AWS::Redshift::Cluster", "MasterUserPassword"),
    }
)
"""Where `{{resolve:ssm-secure:...}}` may stand."""


def check_document(document: Mapping[str, Any]) -> None:
    """Refuse what is wrong in the sections. Raises ValidationError with the service's words."""
    version = document.get("AWSTemplateFormatVersion")
    if version is not None and str(version) != "2010-09-09":
        raise ValidationError("Template format error: unsupported value for AWSTemplateFormatVersion.")
    if len(str(document.get("Description") or "")) > _LONGEST_DESCRIPTION:
        raise ValidationError(f"Template format error: 'Description' length is greater than {_LONGEST_DESCRIPTION}.")
    _check_transforms(document)
    for section, most in _MOST.items():
        _check_section(document, section, most)
    for name, declared in (document.get("Parameters") or {}).items():
        _check_parameter(str(name), declared)
    extended = LANGUAGE_EXTENSIONS in transforms(document)
    for section in ("Resources", "Outputs", "Conditions"):
        _check_functions(document.get(section), extended=extended)


def transforms(document: Mapping[str, Any]) -> list[str]:
    """The transforms that a template asks for."""
    asked = document.get("Transform") or []
    return [str(one) for one in (asked if isinstance(asked, list) else [asked])]


def _check_transforms(document: Mapping[str, Any]) -> None:
    if others := [name for name in transforms(document) if name != LANGUAGE_EXTENSIONS]:
        raise ValidationError(f"The offline AWS runs no macros and no transforms: [{', '.join(others)}]")
    if "Hooks" in document:
        raise ValidationError("The offline AWS runs no hooks: the template has a section Hooks")


def _check_section(document: Mapping[str, Any], section: str, most: int) -> None:
    declared = document.get(section)
    if declared is None:
        return
    if not isinstance(declared, Mapping):
        raise ValidationError(f"Template format error: '{section}' must be an object.")
    if len(declared) > most:
        raise ValidationError(
            f"Template format error: Number of {section.lower()}, {len(declared)}, is greater than maximum allowed, "
            f"{most}"
        )
    for name in declared:
        if str(name).startswith("Fn::ForEach"):
            raise ValidationError(f"The offline AWS does not unroll loops: [{name}] in {section}")
        if section != "Mappings" and not _NAME.fullmatch(str(name)):
            raise ValidationError(
                f"Template format error: {section.removesuffix('s')} name {name} is non alphanumeric."
            )


def _check_parameter(name: str, declared: Any) -> None:
    if not isinstance(declared, Mapping) or "Type" not in declared:
        raise ValidationError("Template format error: Every Parameters object must contain a Type member.")
    if not is_parameter_type(str(declared["Type"])):
        raise ValidationError(f"Template format error: Unrecognized parameter type: {declared['Type']}")
    for member in declared:
        if member not in _PARAMETER_MEMBERS:
            raise ValidationError(f"Invalid template parameter property '{member}'")
    if isinstance(declared.get("Default"), Mapping | list) or declared.get("Default", "") is None:
        raise ValidationError(f"Template format error: Every Default member must be a string. (at parameter [{name}])")


def check_resource(logical_id: str, declared: Mapping[str, Any]) -> None:
    """Refuse members that no resource has, and what the offline AWS does not do about one."""
    for member in declared:
        if member not in _RESOURCE_MEMBERS:
            raise ValidationError(f"Invalid template resource property '{member}'")
    if "ResourceSignal" in (declared.get("CreationPolicy") or {}):
        raise ValidationError(f"The offline AWS waits for no signals: [{logical_id}] has a CreationPolicy for them")
    for path, text in _texts(declared.get("Properties"), ()):
        if "{{resolve:ssm-secure:" in text and (declared["Type"], "/".join(path)) not in _SECURE_PROPERTIES:
            raise ValidationError(
                f"SSM Secure reference is not supported in: [{'/'.join((declared['Type'], 'Properties', *path))}]"
            )


def check_output(name: str, declared: Any) -> None:
    """Refuse an output without a value, or with members that none has."""
    if not isinstance(declared, Mapping) or "Value" not in declared:
        raise ValidationError(f"Template format error: Output {name} must have a Value")
    for member in declared:
        if member not in _OUTPUT_MEMBERS:
            raise ValidationError(f"Invalid template output property '{member}'")


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a value, with the names on the way to it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, path if str(name).startswith("Fn::") else (*path, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _texts(inner, path)
    elif isinstance(value, str):
        yield path, value


def _check_functions(value: Any, *, extended: bool) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            text = str(name)
            if text == "Fn::Transform":
                raise ValidationError("The offline AWS runs no macros: Fn::Transform")
            if text.startswith("Fn::ForEach"):
                raise ValidationError(f"The offline AWS does not unroll loops: [{text}]")
            if text.startswith("Fn::") and text not in _FUNCTIONS and not (extended and text in _EXTENSIONS):
                raise ValidationError(
                    f"Template format error: Encountered unsupported function: {text} Supported functions are: "
                    f"[{', '.join(sorted(_FUNCTIONS | (_EXTENSIONS if extended else set())))}]"
                )
            _check_functions(inner, extended=extended)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            _check_functions(inner, extended=extended)
