"""AWS Lambda: what belongs to functions: permissions, versions, aliases, event sources, layers, URLs."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from orbits_aws.offline.cloudformation.errors import NothingDone, ResourceGone

from .contract import Made, Properties, ResourceType, Site, set_properties
from .mapped import Mapped


class Permission(ResourceType):
    """AWS::Lambda::Permission: a statement of a function's policy. Any change of it is a new one."""

    type = "AWS::Lambda::Permission"
    supported = frozenset(
        {
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        }
    )

    def create(self, site: Site, properties: Properties) -> Made:
        statement = site.name(100)
        site.client("lambda").add_permission(StatementId=statement, **{key: properties[key] for key in properties})
        return Made(physical_id=statement, attributes={"Id": statement})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        policy = json.loads(site.client("lambda").get_policy(FunctionName=properties["FunctionName"])["Policy"])
        live = next((one for one in policy["Statement"] if one.get("Sid") == physical_id), None)
        if live is None:
            raise ResourceGone(physical_id)
        principal: Any = live["Principal"]
        if isinstance(principal, dict):
            principal = principal.get("Service") or principal.get("AWS")
        conditions: dict[str, Any] = {
            key: value for inner in live.get("Condition", {}).values() for key, value in inner.items()
        }
        return set_properties(
            Action=live["Action"],
            FunctionName=properties["FunctionName"],
            Principal=principal,
            SourceArn=conditions.get("AWS:SourceArn"),
            SourceAccount=conditions.get("AWS:SourceAccount"),
            EventSourceToken=conditions.get("lambda:EventSourceToken"),
            PrincipalOrgID=conditions.get("aws:PrincipalOrgID"),
            FunctionUrlAuthType=conditions.get("lambda:FunctionUrlAuthType"),
            InvokedViaFunctionUrl=properties.get("InvokedViaFunctionUrl"),
        )


class Version(Mapped):
    """AWS::Lambda::Version."""

    type = "AWS::Lambda::Version"
    service = "lambda"
    creating, deleting, reading = "PublishVersion", "DeleteFunction", "GetFunctionConfiguration"
    made_at = "FunctionArn"
    keys = {"FunctionName": "{id}"}
    unread = frozenset({"FunctionName"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Publish a version; a function that has not changed since the last one has nothing to publish."""
        function = properties["FunctionName"]
        known = site.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
        answer = self.call(site, self.creating, self.arguments(self.creating, properties))
        if any(one["FunctionArn"] == answer["FunctionArn"] for one in known):
            raise NothingDone(
                f"A version for this Lambda function exists ( {answer['Version']} ). "
                "Modify the function to create a new version."
            )
        return self.made(site, answer["FunctionArn"], properties)


class Alias(Mapped):
    """AWS::Lambda::Alias."""

    type = "AWS::Lambda::Alias"
    service = "lambda"
    creating, changing, deleting, reading = "CreateAlias", ("UpdateAlias",), "DeleteAlias", "GetAlias"
    made_at = "AliasArn"
    defaults = {"Description": "", "RoutingConfig": {"AdditionalVersionWeights": {}}}
    unread = frozenset({"FunctionName", "RoutingConfig"})

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """An alias's ARN ends in the function's name and its own."""
        function, _, name = physical_id.rpartition(":")
        return {"FunctionName": function, "Name": name}


class EventSourceMapping(Mapped):
    """AWS::Lambda::EventSourceMapping."""

    type = "AWS::Lambda::EventSourceMapping"
    listing = ("lambda", "list_event_source_mappings", "EventSourceMappings[].UUID")
    service = "lambda"
    creating, changing = "CreateEventSourceMapping", ("UpdateEventSourceMapping",)
    deleting, reading = "DeleteEventSourceMapping", "GetEventSourceMapping"
    made_at = "UUID"
    keys = {"UUID": "{id}"}
    defaults = {"Enabled": True, "FilterCriteria": {}, "FunctionResponseTypes": []}
    attributes = {"Id": "UUID"}
    unread = frozenset({"FunctionName"})
    tag_target = "{EventSourceMappingArn}"


class LayerVersion(Mapped):
    """AWS::Lambda::LayerVersion."""

    type = "AWS::Lambda::LayerVersion"
    service = "lambda"
    creating, deleting, reading = "PublishLayerVersion", "DeleteLayerVersion", "GetLayerVersion"
    made_at = "LayerVersionArn"
    named_by = "LayerName"
    longest = 140
    unread = frozenset({"Content"})

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """A version's ARN ends in the layer's name and the number."""
        layer, _, number = physical_id.rpartition(":")
        return {"LayerName": layer.rpartition(":")[2], "VersionNumber": int(number)}


class Url(Mapped):
    """AWS::Lambda::Url."""

    type = "AWS::Lambda::Url"
    service = "lambda"
    creating, changing = "CreateFunctionUrlConfig", ("UpdateFunctionUrlConfig",)
    deleting, reading = "DeleteFunctionUrlConfig", "GetFunctionUrlConfig"
    made_at = "FunctionArn"
    keys = {"FunctionName": "{id}", "Qualifier": "{Qualifier}"}
    renamed = {"TargetFunctionArn": "FunctionName"}
    defaults = {"InvokeMode": "BUFFERED", "Cors": {}}
    unread = frozenset({"TargetFunctionArn"})


class EventInvokeConfig(Mapped):
    """AWS::Lambda::EventInvokeConfig."""

    type = "AWS::Lambda::EventInvokeConfig"
    service = "lambda"
    creating, changing = "PutFunctionEventInvokeConfig", ("PutFunctionEventInvokeConfig",)
    deleting, reading = "DeleteFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig"
    keys = {"FunctionName": "{FunctionName}", "Qualifier": "{Qualifier}"}
    made_at = "FunctionArn"
    unread = frozenset({"FunctionName", "Qualifier"})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put the configuration in the place of the old one, which may be gone if this is done again."""
        with suppress(site.client("lambda").exceptions.ResourceNotFoundException, ResourceGone):
            self.delete(site, physical_id, before)
        super().change(site, physical_id, before, after, names)


HANDLERS = (
    Alias(),
    EventInvokeConfig(),
    EventSourceMapping(),
    LayerVersion(),
    Permission(),
    Url(),
    Version(),
)
