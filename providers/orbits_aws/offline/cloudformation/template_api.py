"""GetTemplate, GetTemplateSummary and ValidateTemplate: templates as they are stored or handed over."""

import json
from dataclasses import dataclass
from typing import Any

from .change_sets import ChangeSets
from .desired import IAM_TYPES, check_types, required_capabilities
from .errors import ValidationError
from .place import Place, Request
from .schemas import schema_of
from .stacks import Stacks
from .template import Template, parse
from .template_checks import transforms

Result = dict[str, Any]


@dataclass(frozen=True)
class Templates:
    """The calls about templates."""

    stacks: Stacks
    change_sets: ChangeSets

    def get(self, place: Place, request: Request) -> Result:
        """GetTemplate. No transform changes a template here, so both stages are the text that was handed over."""
        if request.get("ChangeSetName"):
            template: Template | None = self.change_sets.find(place, request).goal.template
        elif request.get("StackName"):
            template = self._of_stack(place, str(request["StackName"]))
        else:
            raise ValidationError("StackName is required if ChangeSetName is not specified.")
        body = template.body if template else ""  # in review there is none: the CDK CLI counts on an answer
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def summarize(self, place: Place, request: Request) -> Result:
        """GetTemplateSummary."""
        if request.get("StackName"):
            name = str(request["StackName"])
            stored = self._of_stack(place, name)
            if stored is None:
                raise ValidationError(f"Stack with id {name} has no template: it was never deployed")
            template = stored
        else:
            template = parse(self.stacks.goals.template_text(place, request))
        metadata = template.document.get("Metadata")
        return {
            **_needed(template),
            "Parameters": [
                {**one, "ParameterConstraints": {"AllowedValues": allowed}} if (allowed := one.pop("Allowed")) else one
                for one in _declared(template)
            ],
            "Description": template.description,
            "ResourceTypes": sorted({resource.type for resource in template.resources.values()}),
            "Version": template.document.get("AWSTemplateFormatVersion"),
            "Metadata": None if metadata is None else json.dumps(metadata, default=str),
            "ResourceIdentifierSummaries": _identifiers(template),
        }

    def validate(self, place: Place, request: Request) -> Result:
        """ValidateTemplate."""
        template = parse(self.stacks.goals.template_text(place, request))
        check_types(template)
        names = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
        return {
            **_needed(template),
            "Parameters": [{name: one[name] for name in names if one[name] is not None} for one in _declared(template)],
            "Description": template.description,
        }

    def _of_stack(self, place: Place, name: str) -> Template | None:
        """The template of a stack; None if it was never deployed."""
        stack = self.stacks.find(place, name)
        goal = stack.goal or stack.wanted
        return goal.template if goal else None


def _needed(template: Template) -> Result:
    """What a caller has to admit, and why."""
    needed = required_capabilities(template)[-1:]
    types = sorted({resource.type for resource in template.resources.values()} & IAM_TYPES)
    reason = f"The following resource(s) require capabilities: [{', '.join(types)}]" if types else None
    asked = transforms(template.document)
    if asked:
        needed.append("CAPABILITY_AUTO_EXPAND")
        reason = reason or f"The following transform(s) require capabilities: [{', '.join(asked)}]"
    return {"Capabilities": needed, "CapabilitiesReason": reason, "DeclaredTransforms": asked}


def _identifiers(template: Template) -> list[Result]:
    """How each resource that can be imported is named, by type."""
    names: dict[str, list[str]] = {}
    for name, resource in template.resources.items():
        names.setdefault(resource.type, []).append(name)
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": logical_ids,
            "ResourceIdentifiers": [path[-1] for path in schema.identifier],
        }
        for kind, logical_ids in names.items()
        if (schema := schema_of(kind)) is not None
    ]


def _declared(template: Template) -> list[Result]:
    return [
        {
            "ParameterKey": key,
            "ParameterType": declared.get("Type"),
            "DefaultValue": None if "Default" not in declared else str(declared["Default"]),
            "NoEcho": str(declared.get("NoEcho", False)).lower() == "true",
            "Description": declared.get("Description"),
            "Allowed": [str(value) for value in declared.get("AllowedValues", [])],
        }
        for key, declared in template.parameters.items()
    ]
