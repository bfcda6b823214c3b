"""Amazon API Gateway: REST APIs and what they are made of. Changes are patch operations on paths."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from .contract import Made, Properties, ResourceType, Site, changed, is_true
from .mapped import Mapped


class _Patched(Mapped):
    """A type whose changes are patch operations: `{op, path, value}`."""

    service = "apigateway"
    patching: ClassVar[str] = ""
    paths: ClassVar[Mapping[str, str]] = {}
    """Where the patch puts a changed property."""

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Replace what stands at the paths; what the template no longer sets becomes empty."""
        self.refuse(name for name in names if name not in self.paths)
        operations = [
            {"op": "replace", "path": self.paths[name], "value": _patch_value(after.get(name, self.defaults.get(name)))}
            for name in sorted(names)
        ]
        key = self.key(site, self.patching, physical_id, after)
        self.call(site, self.patching, {**key, "patchOperations": operations})


def _patch_value(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


class RestApi(_Patched):
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
            **_capitals({name: value for name, value in live.items() if name in _METHOD}),
        }
        if "methodResponses" in live:
            found["MethodResponses"] = [_capitals(one) for one in live["methodResponses"].values()]
        if integration:
            if "httpMethod" in integration:
                integration["integrationHttpMethod"] = integration.pop("httpMethod")
            found["Integration"] = _capitals(integration)
            if responses:
                found["Integration"]["IntegrationResponses"] = [_capitals(one) for one in responses]
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


def _capitals(members: Mapping[str, Any]) -> dict[str, Any]:
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


class Stage(_Patched):
    """AWS::ApiGateway::Stage. Variables, logging and method settings have paths of their own."""

    type = "AWS::ApiGateway::Stage"
    creating, patching, deleting, reading = "CreateStage", "UpdateStage", "DeleteStage", "GetStage"
    named_by = "StageName"
    keys = {"restApiId": "{RestApiId}", "stageName": "{id}"}
    paths = {
        "CacheClusterEnabled": "/cacheClusterEnabled",
        "CacheClusterSize": "/cacheClusterSize",
        "DeploymentId": "/deploymentId",
        "Description": "/description",
        "TracingEnabled": "/tracingEnabled",
    }
    defaults = {"TracingEnabled": False, "CacheClusterEnabled": False}
    tag_target = "arn:{partition}:apigateway:{region}::/restapis/{RestApiId}/stages/{id}"
    ignored = frozenset({"CanarySetting", "ClientCertificateId"})
    unread = frozenset({"RestApiId"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and what has paths of its own."""
        return super().carried_out() | {"AccessLogSetting", "MethodSettings"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Patch the stage at every path that differs."""
        left = set(names)
        operations: list[dict[str, str]] = []
        for name, paths in (
            ("AccessLogSetting", _log_paths),
            ("MethodSettings", _setting_paths),
            ("Variables", _variable_paths),
        ):
            if name in left:
                left.remove(name)
                old, new = paths(before.get(name)), paths(after.get(name))
                if gone := [path for path in old if path not in new and name == "MethodSettings"]:
                    self.refuse(f"MethodSettings{path}" for path in gone)
                operations += [{"op": "remove", "path": path} for path in old if path not in new]
                fresh = {path: value for path, value in new.items() if old.get(path) != value}
                operations += [{"op": "replace", "path": path, "value": value} for path, value in fresh.items()]
        if left:
            super().change(site, physical_id, before, after, left)
        if operations:
            key = self.key(site, "UpdateStage", physical_id, after)
            site.client("apigateway").update_stage(**key, patchOperations=operations)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The stage with its logging and method settings."""
        live = dict(super().read(site, physical_id, properties) or {})
        found = self.find(site, physical_id, properties)
        if log := found.get("accessLogSettings"):
            live["AccessLogSetting"] = _capitals(log)
        given = _setting_paths(properties.get("MethodSettings"))
        if given and all(_method_setting(found, path) == value.lower() for path, value in given.items()):
            live["MethodSettings"] = properties["MethodSettings"]
        return live


_SETTINGS = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}


def _log_paths(setting: Any) -> dict[str, str]:
    return {f"/accessLogSettings/{name[:1].lower() + name[1:]}": str(value) for name, value in (setting or {}).items()}


def _variable_paths(variables: Any) -> dict[str, str]:
    return {f"/variables/{name}": str(value) for name, value in (variables or {}).items()}


def _setting_paths(settings: Any) -> dict[str, str]:
    """The path of each setting of each method; a resource's slashes are written ~1."""
    found: dict[str, str] = {}
    for setting in settings or []:
        path = str(setting.get("ResourcePath", "/*")).removeprefix("/").replace("/", "~1") or "~1"
        for name, value in setting.items():
            if name in _SETTINGS:
                found[f"/{path}/{setting.get('HttpMethod', '*')}/{_SETTINGS[name]}"] = _patch_value(value)
    return found


def _method_setting(stage: Mapping[str, Any], path: str) -> str:
    resource, method, *setting = path.removeprefix("/").split("/")
    name = next(name for name, written in _SETTINGS.items() if written == "/".join(setting))
    settings: Mapping[str, Any] = stage.get("methodSettings", {}).get(f"{resource}/{method}", {})
    return str(settings.get(name[:1].lower() + name[1:])).lower()


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


class RequestValidator(_Patched):
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


class Authorizer(_Patched):
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


class ApiKey(_Patched):
    """AWS::ApiGateway::ApiKey."""

    type = "AWS::ApiGateway::ApiKey"
    creating, patching, deleting, reading = "CreateApiKey", "UpdateApiKey", "DeleteApiKey", "GetApiKey"
    made_at = "id"
    labelled_by = "Name"
    keys = {"apiKey": "{id}"}
    paths = {"CustomerId": "/customerId", "Description": "/description", "Enabled": "/enabled"}
    defaults = {"Enabled": False}
    attributes = {"APIKeyId": "id"}
    tag_target = "arn:{partition}:apigateway:{region}::/apikeys/{id}"
    unread = frozenset({"GenerateDistinctId", "StageKeys", "Value"})


class UsagePlan(_Patched):
    """AWS::ApiGateway::UsagePlan."""

    type = "AWS::ApiGateway::UsagePlan"
    creating, patching, deleting, reading = "CreateUsagePlan", "UpdateUsagePlan", "DeleteUsagePlan", "GetUsagePlan"
    made_at = "id"
    labelled_by = "UsagePlanName"
    keys = {"usagePlanId": "{id}"}
    renamed = {"UsagePlanName": "name"}
    paths = {"Description": "/description", "UsagePlanName": "/name"}
    attributes = {"Id": "id"}
    tag_target = "arn:{partition}:apigateway:{region}::/usageplans/{id}"

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Patch quota and throttle member by member, and the stages one by one."""
        left = set(names)
        operations: list[dict[str, str]] = []
        for name in sorted(left & {"Quota", "Throttle"}):
            path = f"/{name.lower()}"
            if not after.get(name):
                operations.append({"op": "remove", "path": path})
            for member, value in (after.get(name) or {}).items():
                place = f"{path}/{member[:1].lower() + member[1:]}"
                operations.append({"op": "replace", "path": place, "value": str(value)})
        if "ApiStages" in left:
            old, new = _stages(before), _stages(after)
            operations += [{"op": "remove", "path": "/apiStages", "value": one} for one in old if one not in new]
            operations += [{"op": "add", "path": "/apiStages", "value": one} for one in new if one not in old]
        if left := left - {"ApiStages", "Quota", "Throttle"}:
            super().change(site, physical_id, before, after, left)
        if operations:
            site.client("apigateway").update_usage_plan(usagePlanId=physical_id, patchOperations=operations)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the plan, its stages first."""
        operations = [{"op": "remove", "path": "/apiStages", "value": one} for one in _stages(properties)]
        if operations:
            site.client("apigateway").update_usage_plan(usagePlanId=physical_id, patchOperations=operations)
        super().delete(site, physical_id, properties)


def _stages(properties: Properties) -> list[str]:
    return [f"{one['ApiId']}:{one['Stage']}" for one in properties.get("ApiStages") or []]


class UsagePlanKey(Mapped):
    """AWS::ApiGateway::UsagePlanKey."""

    type = "AWS::ApiGateway::UsagePlanKey"
    service = "apigateway"
    creating, deleting, reading = "CreateUsagePlanKey", "DeleteUsagePlanKey", "GetUsagePlanKey"
    keys = {"usagePlanId": "{UsagePlanId}", "keyId": "{KeyId}"}
    unread = frozenset({"KeyId", "KeyType", "UsagePlanId"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Add the key; its id tells key and plan."""
        self.call(site, self.creating, self.arguments(self.creating, properties))
        physical_id = f"{properties['KeyId']}:{properties['UsagePlanId']}"
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def made(self, site: Site, physical_id: str, properties: Properties, answer: Any = None, found: Any = None) -> Made:
        """The id is all there is."""
        return Made(physical_id=physical_id, attributes={"Id": physical_id})


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


class DomainName(Mapped):
    """AWS::ApiGateway::DomainName."""

    type = "AWS::ApiGateway::DomainName"
    service = "apigateway"
    creating, deleting, reading = "CreateDomainName", "DeleteDomainName", "GetDomainName"
    named_by = "DomainName"
    keys = {"domainName": "{id}"}
    tag_target = "arn:{partition}:apigateway:{region}::/domainnames/{id}"


class BasePathMapping(_Patched):
    """AWS::ApiGateway::BasePathMapping."""

    type = "AWS::ApiGateway::BasePathMapping"
    creating, patching = "CreateBasePathMapping", "UpdateBasePathMapping"
    deleting, reading = "DeleteBasePathMapping", "GetBasePathMapping"
    keys = {"domainName": "{DomainName}", "basePath": "{tail}"}
    paths = {"RestApiId": "/restapiId", "Stage": "/stage"}
    unread = frozenset({"DomainName"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Map the path; the id tells domain and path."""
        self.call(site, self.creating, self.arguments(self.creating, properties))
        return Made(physical_id=f"{properties['DomainName']}/{properties.get('BasePath') or '(none)'}")


class VpcLink(Mapped):
    """AWS::ApiGateway::VpcLink."""

    type = "AWS::ApiGateway::VpcLink"
    service = "apigateway"
    creating, deleting, reading = "CreateVpcLink", "DeleteVpcLink", "GetVpcLink"
    made_at = "id"
    labelled_by = "Name"
    keys = {"vpcLinkId": "{id}"}
    attributes = {"VpcLinkId": "id"}
    tag_target = "arn:{partition}:apigateway:{region}::/vpclinks/{id}"


HANDLERS = (
    Account(),
    ApiKey(),
    Authorizer(),
    BasePathMapping(),
    Deployment(),
    DomainName(),
    GatewayResponse(),
    Method(),
    Model(),
    RequestValidator(),
    Resource(),
    RestApi(),
    Stage(),
    UsagePlan(),
    UsagePlanKey(),
    VpcLink(),
)
