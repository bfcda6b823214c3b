"""AWS Step Functions: state machines and activities."""

import json
from collections.abc import Mapping
from typing import Any

from .contract import Made, Properties, Site
from .mapped import Mapped


class StateMachine(Mapped):
    """AWS::StepFunctions::StateMachine. Its definition is a text, a document, or an object in S3."""

    type = "AWS::StepFunctions::StateMachine"
    listing = ("stepfunctions", "list_state_machines", "stateMachines[].stateMachineArn")
    service = "stepfunctions"
    creating, changing = "CreateStateMachine", ("UpdateStateMachine",)
    deleting, reading = "DeleteStateMachine", "DescribeStateMachine"
    made_at = "stateMachineArn"
    named_by = "StateMachineName"
    longest = 80
    keys = {"stateMachineArn": "{id}"}
    renamed = {"StateMachineName": "name", "StateMachineType": "type"}
    defaults = {"TracingConfiguration": {"Enabled": False}, "LoggingConfiguration": {"Level": "OFF"}}
    attributes = {"Arn": "{id}", "StateMachineRevisionId": "revisionId"}
    tag_target = "{id}"
    written = frozenset({"Definition", "DefinitionS3Location", "DefinitionString", "DefinitionSubstitutions"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and the ways to write a definition."""
        return super().carried_out() | self.written

    def create(self, site: Site, properties: Properties) -> Made:
        """Make the machine from its definition as text."""
        return super().create(site, _as_text(site, properties))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Change it by its definition as text."""
        return super().update(site, physical_id, _without(before), _as_text(site, after))

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The machine; the definition as it was given, if it is still that."""
        live = dict(super().read(site, physical_id, {**properties, "Definition": ""}) or {})
        text = str(live.pop("Definition"))
        given = {name: properties[name] for name in self.written if name in properties}
        if given and json.loads(_definition(site, given)) == json.loads(text):
            return {**live, **given}
        return {**live, "Definition" if "Definition" in given else "DefinitionString": json.loads(text)}


def _without(properties: Properties) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in StateMachine.written}


def _as_text(site: Site, properties: Properties) -> dict[str, Any]:
    return {**_without(properties), "Definition": _definition(site, properties)}


def _definition(site: Site, properties: Properties) -> str:
    document = properties.get("Definition")
    if properties.get("DefinitionS3Location"):
        text = _from_s3(site, properties)
    else:
        text = json.dumps(document) if document else str(properties.get("DefinitionString", "{}"))
    substitutions: Mapping[str, Any] = properties.get("DefinitionSubstitutions") or {}
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", str(value))
    return text


def _from_s3(site: Site, properties: Properties) -> str:
    place = properties["DefinitionS3Location"]
    version = {"VersionId": place["Version"]} if place.get("Version") else {}
    body = site.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"], **version)["Body"].read()
    return str(body.decode())


class Activity(Mapped):
    """AWS::StepFunctions::Activity."""

    type = "AWS::StepFunctions::Activity"
    service = "stepfunctions"
    creating, deleting, reading = "CreateActivity", "DeleteActivity", "DescribeActivity"
    made_at = "activityArn"
    keys = {"activityArn": "{id}"}
    attributes = {"Arn": "{id}"}
    tag_target = "{id}"


HANDLERS = (Activity(), StateMachine())
