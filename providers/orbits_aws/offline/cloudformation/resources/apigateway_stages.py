"""Amazon API Gateway: what REST APIs are used through: stages, keys, usage plans, domains, links."""

from collections.abc import Iterable, Mapping
from typing import Any

from .apigateway import Patched, capitals, patch_value
from .contract import Made, Properties, Site
from .mapped import Mapped


class Stage(Patched):
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
            live["AccessLogSetting"] = capitals(log)
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
                found[f"/{path}/{setting.get('HttpMethod', '*')}/{_SETTINGS[name]}"] = patch_value(value)
    return found


def _method_setting(stage: Mapping[str, Any], path: str) -> str:
    resource, method, *setting = path.removeprefix("/").split("/")
    name = next(name for name, written in _SETTINGS.items() if written == "/".join(setting))
    settings: Mapping[str, Any] = stage.get("methodSettings", {}).get(f"{resource}/{method}", {})
    return str(settings.get(name[:1].lower() + name[1:])).lower()


class ApiKey(Patched):
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


class UsagePlan(Patched):
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


class DomainName(Mapped):
    """AWS::ApiGateway::DomainName."""

    type = "AWS::ApiGateway::DomainName"
    service = "apigateway"
    creating, deleting, reading = "CreateDomainName", "DeleteDomainName", "GetDomainName"
    named_by = "DomainName"
    keys = {"domainName": "{id}"}
    tag_target = "arn:{partition}:apigateway:{region}::/domainnames/{id}"


class BasePathMapping(Patched):
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
    ApiKey(),
    BasePathMapping(),
    DomainName(),
    Stage(),
    UsagePlan(),
    UsagePlanKey(),
    VpcLink(),
)
