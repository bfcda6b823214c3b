"""Resources that exist and are to become a stack's: which they are, and the template that takes them in.

A resource is marked in the template, by `import_existing`, with what identifies it. Whatever is marked and not yet in
the stack is taken in by a change set of its own, before anything else is changed: of the deployed template and the
marked resources alone, each to be retained whatever happens. The ordinary deployment that follows brings the resources
to what the template says of them, and gives them the policy that it says. Pure, but for `import_existing`.
"""

from collections.abc import Mapping
from typing import Any

from orbits_iac.provider import Refused

MARK = "orbits:import"
_USED = ("Conditions", "Mappings", "Parameters")


def import_existing(construct: Any, **identifier: str) -> None:
    """Take a resource that exists into the stack, instead of making it: `import_existing(bucket, BucketName="files")`.

    `identifier` has the properties that identify a resource of its type (`aws cloudformation get-template-summary`
    lists them). The resource has to say what becomes of it when it is removed: `removal_policy=` or
    `apply_removal_policy`.
    """
    resource = construct if hasattr(construct, "cfn_resource_type") else construct.node.default_child
    resource.add_metadata(MARK, identifier)


def to_import(template: Mapping[str, Any], deployed: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """What of a template is marked, and not in the deployed one: logical ids, each with what identifies the resource.

    Raises Refused where a resource does not say what becomes of it when it is removed.
    """
    there = (deployed or {}).get("Resources", {})
    found: dict[str, dict[str, str]] = {}
    for name, resource in template.get("Resources", {}).items():
        identifier = (resource.get("Metadata") or {}).get(MARK)
        if identifier is None or name in there:
            continue
        if "DeletionPolicy" not in resource:
            raise Refused(
                f"{name} ({resource['Type']}) is to be imported and has no DeletionPolicy: say what becomes of it when "
                f"it is removed, with apply_removal_policy(...)"
            )
        found[name] = {str(key): str(value) for key, value in identifier.items()}
    return found


def import_template(
    template: Mapping[str, Any], deployed: Mapping[str, Any] | None, names: Mapping[str, Any]
) -> dict[str, Any]:
    """The deployed template with the resources to import added to it, and nothing else changed.

    Raises Refused where one of them needs a resource that is not there yet.
    """
    made: dict[str, Any] = {**(deployed or {})}
    resources = {**made.get("Resources", {})}
    for name in names:
        resources[name] = {**template["Resources"][name], "DeletionPolicy": "Retain"}
        resources[name].pop("DependsOn", None)
    for section in _USED:
        declared = {**template.get(section, {}), **made.get(section, {})}
        if declared:
            made[section] = declared
    known = {*resources, *made.get("Parameters", {})}
    for name in names:
        missing = sorted(each for each in _references(resources[name]) if each not in known and ":" not in each)
        if missing:
            raise Refused(
                f"{name} is to be imported and needs {', '.join(missing)}, which is not there yet: deploy that first, "
                f"or import {name} without it"
            )
    made["Resources"] = resources
    return made


def _references(value: object) -> set[str]:
    """The names that a part of a template refers to, texts of Fn::Sub apart."""
    if isinstance(value, Mapping):
        if set(value) == {"Ref"}:
            return {str(value["Ref"])}
        if set(value) == {"Fn::GetAtt"}:
            named = value["Fn::GetAtt"]
            return {str(named[0]) if isinstance(named, list) else str(named).split(".", 1)[0]}
        return {name for each in value.values() for name in _references(each)}
    if isinstance(value, list):
        return {name for each in value for name in _references(each)}
    return set()
