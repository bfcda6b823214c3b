"""AWS Lambda: functions. The package is not called `lambda`, which is a keyword."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceFailed

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map

_CONFIGURATION = frozenset(
    {
        "DeadLetterConfig",
        "Description",
        "Environment",
        "EphemeralStorage",
        "Handler",
        "KmsKeyArn",
        "Layers",
        "LoggingConfig",
        "MemorySize",
        "Role",
        "Runtime",
        "Timeout",
        "TracingConfig",
        "VpcConfig",
    }
)
_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Environment": {"Variables": {}},
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}
_NUMBERS = frozenset({"MemorySize", "Timeout"})


def _written(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        return int(value)
    if name == "Environment":
        return {"Variables": {key: str(text) for key, text in value.get("Variables", {}).items()}}
    return value


def _package(code: Mapping[str, Any], runtime: str) -> dict[str, Any]:
    """The code as the API takes it: inline text in a zip file of one module, or the place of a zip in S3."""
    if "ZipFile" in code:
        module = "index.py" if runtime.startswith("python") else "index.js"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(module), str(code["ZipFile"]))
        return {"ZipFile": packed.getvalue()}
    if "S3Bucket" in code:
        return {name: code[name] for name in ("S3Bucket", "S3Key", "S3ObjectVersion") if name in code}
    raise ResourceFailed("The offline AWS runs functions from inline code or S3 alone, not from images")


class Function(ResourceType):
    """AWS::Lambda::Function."""

    type = "AWS::Lambda::Function"
    listing = ("lambda", "list_functions", "Functions[].FunctionName")
    supported = _CONFIGURATION | {
        "Architectures",
        "Code",
        "FunctionName",
        "PackageType",
        "ReservedConcurrentExecutions",
        "Tags",
    }
    named_by = "FunctionName"

    def create(self, site: Site, properties: Properties) -> Made:
        client = site.client("lambda")
        name = str(properties.get("FunctionName") or site.name(64))
        client.create_function(
            FunctionName=name,
            Code=_package(properties["Code"], str(properties.get("Runtime", ""))),
            **{key: _written(key, properties[key]) for key in _CONFIGURATION if key in properties},
            **set_properties(Tags=tag_map(properties), Architectures=properties.get("Architectures")),
        )
        site.made(name)
        self._concurrency(client, name, {}, properties)
        return self._made(site, name)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        client = site.client("lambda")
        different = changed(before, after)
        if different & {"Code", "Architectures"} and "Code" in after:
            client.update_function_code(
                FunctionName=physical_id,
                **_package(after["Code"], str(after.get("Runtime", ""))),
                **set_properties(Architectures=after.get("Architectures")),
            )
        settings = {
            name: _written(name, after[name]) if name in after else _DEFAULTS[name]
            for name in different & _CONFIGURATION
            if name in after or name in _DEFAULTS
        }
        if settings:
            client.update_function_configuration(FunctionName=physical_id, **settings)
        self._concurrency(client, physical_id, before, after)
        arn = site.arn("lambda", f"function:{physical_id}")
        retag(
            before,
            after,
            lambda tags: client.tag_resource(Resource=arn, Tags=tags),
            lambda keys: client.untag_resource(Resource=arn, TagKeys=keys),
        )
        return self._made(site, physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("lambda").delete_function(FunctionName=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        client = site.client("lambda")
        answer = client.get_function(FunctionName=physical_id)
        live = answer["Configuration"]
        found = {name: live[name] for name in [*_CONFIGURATION, "Architectures", "FunctionName"] if live.get(name)}
        found.setdefault("Environment", {"Variables": {}})
        found["Environment"].setdefault("Variables", {})
        if "Layers" in found:
            found["Layers"] = [layer["Arn"] for layer in found["Layers"]]
        found["Tags"] = tag_list(answer.get("Tags", {}))
        reserved = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        if reserved is not None:
            found["ReservedConcurrentExecutions"] = reserved
        return found

    @staticmethod
    def _concurrency(client: Any, name: str, before: Properties, after: Properties) -> None:
        key = "ReservedConcurrentExecutions"
        if key not in changed(before, after):
            return
        if after.get(key) is None:
            client.delete_function_concurrency(FunctionName=name)
        else:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(after[key]))

    @staticmethod
    def _made(site: Site, name: str) -> Made:
        return Made(physical_id=name, attributes={"Arn": site.arn("lambda", f"function:{name}")})


HANDLERS = (Function(),)
