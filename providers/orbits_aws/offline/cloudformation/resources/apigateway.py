"""Amazon API Gateway: REST APIs and what they are made of. Changes are patch operations on paths."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from .contract import Made, Properties, ResourceType, Site, changed, is_true
from .mapped import Mapped


class Patched(Mapped):
    """A type whose changes are patch operations: `{op, path, value}`."""

    service = "apigateway"
    patching: ClassVar[str] = ""
    paths: ClassVar[Mapping[str, str]] = {}
    """Where the patch puts a changed property."""

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Replace what stands at the paths; what the template no longer sets becomes empty."""
        self.refuse(name for name in names if name not in self.paths)
        operations = [
            {"op": "replace", "path": self.paths[name], "value": patch_value(after.get(name, self.defaults.get(name)))}
            for name in sorted(names)
        ]
        key = self.key(site, self.patching, physical_id, after)
        self.call(site, self.patching, {**key, "patchOperations": operations})


def patch_value(value: Any) -> str:
    """A value as a patch operation takes it: as a text."""
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


class RestApi(Patched):
    """AWS::ApiGateway::RestApi. An API is made of its resources and methods, not of a document."""

    type = "AWS::ApiGateway::RestApi"
    listing = ("apigateway", "get_rest_apis", "items[].id")
    creating, patching, deleting, reading = "CreateRestApi", "UpdateRestApi", "DeleteRestApi", "GetRestApi"
    made_at = "id"
    labelled_by = "Name"
    keys = {"restApiId": "{id}"}
    renamed = {"ApiKeySourceType": "apiKeySource"}
    paths = {
        "ApiKeySourceType": "/apiKeySource",
        "Description": "/description",
        "DisableExecuteApiEndpoint": "/disableExecuteApiEndpoint",
        "Name": "/name",
        "Policy": "/policy",
    }
    defaults = {"DisableExecuteApiEndpoint": False, "ApiKeySourceType": "HEADER"}
    attributes = {"RestApiId": "id", "RootResourceId": "rootResourceId"}
    tag_target = "arn:{partition}:apigateway:{region}::/restapis/{id}"
    unread = frozenset({"Policy"})

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The API with its root."""
        found = dict(super().find(site, physical_id, properties))
        resources = site.client("apigateway").get_paginator("get_resources").paginate(restApiId=physical_id)
        found["rootResourceId"] = next((one["id"] for one in resources.search("items[]") if one["path"] == "/"), None)
        return found


class Resource(Mapped):
    """AWS::ApiGateway::Resource."""

    type = "AWS::ApiGateway::Resource"
    service = "apigateway"
    creating, deleting, reading = "CreateResource", "DeleteResource", "GetResource"
    made_at = "id"
    keys = {"restApiId": "{RestApiId}", "resourceId": "{id}"}
    attributes = {"ResourceId": "id"}


class Method(ResourceType):
    """AWS::ApiGateway::Method: the method, its responses, its integration and that one's responses, put together."""

    type = "AWS::ApiGateway::Method"
    supported = frozenset(
        {
            "ApiKeyRequired",
            "AuthorizationScopes",
            "AuthorizationType",
            "AuthorizerId",
            "HttpMethod",
            "Integration",
            "MethodResponses",
            "OperationName",
            "RequestModels",
            "RequestParameters",
            "RequestValidatorId",
            "ResourceId",
            "RestApiId",
        }
    )

    def create(self, site: Site, properties: Properties) -> Made:
        api, place = site.client("apigateway"), _place(properties)
        own = {name: value for name, value in properties.items() if name not in ("Integration", "MethodResponses")}
        api.put_method(**_members(own, AuthorizationType="NONE"))
        physical_id = "|".join(place.values())
        site.made(physical_id)
        for response in properties.get("MethodResponses") or []:
            api.put_method_response(**place, **_members(response))
        integration: dict[str, Any] = dict(properties.get("Integration") or {})
        responses = integration.pop("IntegrationResponses", None) or []
        if integration:
            api.put_integration(**place, **_members(integration))
        for response in responses:
            api.put_integration_response(**place, **_members(response))
        return Made(physical_id=physical_id)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """All of it is put anew, as each call replaces what stood there."""
        if changed(before, after):
            self.delete(site, physical_id, before)
            return self.create(site, after)
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("apigateway").delete_method(**_place(properties))

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        rest, resource, method = physical_id.split("|")
        live = site.client("apigateway").get_method(restApiId=rest, resourceId=resource, httpMethod=method)
        integration = dict(live.get("methodIntegration") or {})
        responses = list((integration.pop("integrationResponses", None) or {}).values())
        found = {
            "RestApiId": rest,
            "ResourceId": resource,
            **capitals({name: value for name, value in live.items() if name in _METHOD}),
        }
        if "methodResponses" in live:
            found["MethodResponses"] = [capitals(one) for one in live["methodResponses"].values()]
        if integration:
            if "httpMethod" in integration:
                integration["integrationHttpMethod"] = integration.pop("httpMethod")
            found["Integration"] = capitals(integration)
            if responses:
                found["Integration"]["IntegrationResponses"] = [capitals(one) for one in responses]
        return found


_METHOD = frozenset(
    {
        "apiKeyRequired",
        "authorizationScopes",
        "authorizationType",
        "authorizerId",
        "httpMethod",
        "operationName",
        "requestModels",
        "requestParameters",
        "requestValidatorId",
    }
)


def _place(properties: Properties) -> dict[str, str]:
    return {
        "restApiId": str(properties["RestApiId"]),
        "resourceId": str(properties["ResourceId"]),
        "httpMethod": str(properties["HttpMethod"]),
    }


def _members(properties: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Properties as arguments: names with a small letter, texts where the API takes texts."""
    given = {**defaults, **properties}
    return {name[:1].lower() + name[1:]: _argument(name, value) for name, value in given.items()}


def _argument(name: str, value: Any) -> Any:
    if name == "ApiKeyRequired":
        return is_true(value)
    if name in ("RequestParameters", "ResponseParameters") and isinstance(value, Mapping):
        return {key: is_true(inner) if isinstance(inner, bool) else inner for key, inner in value.items()}
    return str(value) if isinstance(value, int) and name != "TimeoutInMillis" else value


def capitals(members: Mapping[str, Any]) -> dict[str, Any]:
    """An answer's members under the names of properties."""
    return {name[:1].upper() + name[1:]: value for name, value in members.items()}


class Deployment(Mapped):
    """AWS::ApiGateway::Deployment."""

    type = "AWS::ApiGateway::Deployment"
    service = "apigateway"
    creating, deleting, reading = "CreateDeployment", "DeleteDeployment", "GetDeployment"
    made_at = "id"
    keys = {"restApiId": "{RestApiId}", "deploymentId": "{id}"}
    attributes = {"DeploymentId": "id"}
    ignored = frozenset({"DeploymentCanarySettings", "StageDescription"})
    unread = frozenset({"RestApiId", "StageName"})


class Account(ResourceType):
    """AWS::ApiGateway::Account: the role with which the account's stages log. It stays when the resource is removed."""

    type = "AWS::ApiGateway::Account"
    supported = frozenset({"CloudWatchRoleArn"})

    def create(self, site: Site, properties: Properties) -> Made:
        return self.update(site, site.name(64), {}, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        role = str(after.get("CloudWatchRoleArn", ""))
        operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
        site.client("apigateway").update_account(patchOperations=[operation])
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        return None

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        role = site.client("apigateway").get_account().get("cloudwatchRoleArn")
        return {"CloudWatchRoleArn": role} if role else {}


class Model(Mapped):
    """AWS::ApiGateway::Model."""

    type = "AWS::ApiGateway::Model"
    service = "apigateway"
    creating, deleting, reading = "CreateModel", "DeleteModel", "GetModel"
    named_by = "Name"
    keys = {"restApiId": "{RestApiId}", "modelName": "{id}"}
    unread = frozenset({"RestApiId"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Make the model, by a name of letters and digits alone, for JSON by default."""
        name = properties.get("Name") or site.name(64).replace("-", "")
        return super().create(site, {"ContentType": "application/json", **properties, "Name": name})


class RequestValidator(Patched):
    """AWS::ApiGateway::RequestValidator."""

    type = "AWS::ApiGateway::RequestValidator"
    creating, patching = "CreateRequestValidator", "UpdateRequestValidator"
    deleting, reading = "DeleteRequestValidator", "GetRequestValidator"
    made_at = "id"
    labelled_by = "Name"
    keys = {"restApiId": "{RestApiId}", "requestValidatorId": "{id}"}
    paths = {
        "ValidateRequestBody": "/validateRequestBody",
        "ValidateRequestParameters": "/validateRequestParameters",
    }
    defaults = {"ValidateRequestBody": False, "ValidateRequestParameters": False}
    attributes = {"RequestValidatorId": "id"}
    unread = frozenset({"RestApiId"})


class Authorizer(Patched):
    """AWS::ApiGateway::Authorizer."""

    type = "AWS::ApiGateway::Authorizer"
    creating, patching, deleting, reading = "CreateAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer", "GetAuthorizer"
    made_at = "id"
    keys = {"restApiId": "{RestApiId}", "authorizerId": "{id}"}
    paths = {
        "AuthType": "/authType",
        "AuthorizerCredentials": "/authorizerCredentials",
        "AuthorizerResultTtlInSeconds": "/authorizerResultTtlInSeconds",
        "AuthorizerUri": "/authorizerUri",
        "IdentitySource": "/identitySource",
        "IdentityValidationExpression": "/identityValidationExpression",
        "Name": "/name",
        "Type": "/type",
    }
    defaults = {"AuthorizerResultTtlInSeconds": 300}
    attributes = {"AuthorizerId": "id"}
    unread = frozenset({"RestApiId"})


class GatewayResponse(Mapped):
    """AWS::ApiGateway::GatewayResponse."""

    type = "AWS::ApiGateway::GatewayResponse"
    service = "apigateway"
    creating, changing = "PutGatewayResponse", ("PutGatewayResponse",)
    deleting, reading = "DeleteGatewayResponse", "GetGatewayResponse"
    made_at = "responseType"
    keys = {"restApiId": "{RestApiId}", "responseType": "{ResponseType}"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"RestApiId"})


HANDLERS = (
    Account(),
    Authorizer(),
    Deployment(),
    GatewayResponse(),
    Method(),
    Model(),
    RequestValidator(),
    Resource(),
    RestApi(),
)
