"""Amazon CloudFront: distributions, origin access controls, functions, keys.

A configuration is handed over whole, with the tag of the version that it replaces. Lists are written with their length,
and some members have other names in the API; a live configuration that holds all that was written is given as it was
recorded.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from orbits_aws.offline.cloudformation.clients import service_model

from .contract import Made, Properties, Site
from .mapped import Mapped
from .shapes import shown, written

_RENAMED = {"IPV6Enabled": "IsIPV6Enabled", "OriginCustomHeaders": "CustomHeaders", "S3BucketOrigin": "S3OriginConfig"}


class _Configured(Mapped):
    """A type whose one property is a configuration."""

    service = "cloudfront"
    configuration: ClassVar[str]
    updating: ClassVar[str] = ""
    keys = {"Id": "{id}"}

    def configured(self, given: Any) -> Any:
        """The configuration as the API takes it."""
        shape = service_model("cloudfront").shape_for(self.shape())
        return written(given, shape, f"{self.type}/{self.configuration}")

    def shape(self) -> str:
        """The name of the configuration's shape."""
        return self.configuration

    def carried_out(self) -> frozenset[str]:
        """The configuration, and the tags of those types that have some."""
        return frozenset({self.configuration}) | self._tags()

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it from its configuration."""
        given = {self.configuration: {**self.new(), **self.configured(properties[self.configuration])}}
        answer = self.call(site, self.creating, {**given, **self.besides(site, properties)})
        physical_id = str(answer[self.found_at]["Id"])
        site.made(physical_id)
        made = self.made(site, physical_id, properties)
        if self._tags():
            self._retag(site, made, {}, properties)
        return made

    def new(self) -> dict[str, Any]:
        """What the configuration of a new one has besides."""
        return {}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Hand over the whole configuration in the place of the live one."""
        if not self.updating:
            self.refuse(names)
        answer = self.call(site, self.reading, {"Id": physical_id})
        live = answer[self.found_at].get(self.configuration, answer[self.found_at])
        kept = {name: live[name] for name in self.new() if name in live}
        given = {**self.new(), **kept, **self.configured(after[self.configuration])}
        self.call(site, self.updating, {"Id": physical_id, "IfMatch": answer["ETag"], self.configuration: given})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the version that is there."""
        answer = self.call(site, self.reading, {"Id": physical_id})
        self.call(site, self.deleting, {"Id": physical_id, "IfMatch": answer["ETag"]})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The configuration, as recorded if all of it is so."""
        found = self.find(site, physical_id, properties)
        live, given = found.get(self.configuration, {}), properties.get(self.configuration)
        if given is not None and _holds(live, self.configured(given)):
            result: dict[str, Any] = {self.configuration: given}
        else:
            result = {self.configuration: shown(live, service_model("cloudfront").shape_for(self.shape()))}
        if self._tags():
            result |= self._live_tags(site, self.made(site, physical_id, properties, found=found), found, properties)
        return result


_FORGOTTEN = frozenset(
    {"FunctionAssociations", "LambdaFunctionAssociations", "OriginAccessControlId", "OriginGroups", "S3OriginConfig"}
)
"""What moto forgets of a distribution's origins and behaviours, though a site cannot do without it."""


def _holds(live: Any, wanted: Any) -> bool:
    """Whether a live value is what was written, whatever more the service put beside it."""
    if isinstance(wanted, Mapping):
        names = set(wanted) - _FORGOTTEN
        return isinstance(live, Mapping) and all(_holds(live.get(name), wanted[name]) for name in names)
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) != len(wanted):
            return False
        if all(isinstance(one, str) for one in wanted):
            return sorted(live) == sorted(wanted)
        return all(_holds(one, other) for one, other in zip(live, wanted, strict=True))
    return str(live).lower() == str(wanted).lower() or (wanted == "" and live is None)


class Distribution(_Configured):
    """AWS::CloudFront::Distribution. One is disabled before it is removed."""

    type = "AWS::CloudFront::Distribution"
    listing = ("cloudfront", "list_distributions", "DistributionList.Items[].Id")
    creating, updating, deleting = "CreateDistribution", "UpdateDistribution", "DeleteDistribution"
    reading, found_at = "GetDistribution", "Distribution"
    configuration = "DistributionConfig"
    tag_target = "{DistributionARN}"
    attributes = {"DistributionARN": "ARN"}
    ignored = frozenset(f"DistributionConfig/*/{name}" for name in _FORGOTTEN)

    def new(self) -> dict[str, Any]:
        """The reference by which the service tells a new one from a repeated call, and a comment."""
        return {"CallerReference": str(uuid.uuid4()), "Comment": ""}

    def configured(self, given: Any) -> Any:
        """The configuration with the API's names, and with what the API has to be told."""
        return super().configured(_as_api(given))

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Disable it, then remove it."""
        cloudfront = site.client("cloudfront")
        answer = cloudfront.get_distribution_config(Id=physical_id)
        disabled = {**answer["DistributionConfig"], "Enabled": False}
        answer = cloudfront.update_distribution(Id=physical_id, IfMatch=answer["ETag"], DistributionConfig=disabled)
        cloudfront.delete_distribution(Id=physical_id, IfMatch=answer["ETag"])


def _as_api(value: Any) -> Any:
    """A part of a distribution's configuration with the names of the API."""
    if isinstance(value, list):
        return [_as_api(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {_RENAMED.get(str(name), str(name)): _as_api(inner) for name, inner in value.items()}
    if "AllowedMethods" in found or "CachedMethods" in found:
        allowed: list[str] = found.get("AllowedMethods") or ["GET", "HEAD"]
        cached: list[str] = found.pop("CachedMethods", None) or ["GET", "HEAD"]
        found["AllowedMethods"] = {
            "Quantity": len(allowed),
            "Items": allowed,
            "CachedMethods": {"Quantity": len(cached), "Items": cached},
        }
    if "RestrictionType" in found:
        places = found.pop("Locations", None) or []
        found |= {"Quantity": len(places), **({"Items": places} if places else {})}
    if "Bucket" in found and "Prefix" not in found:
        found["Prefix"] = ""
    if "Bucket" in found:
        found = {"Enabled": True, "IncludeCookies": False, **found}
    if "OriginProtocolPolicy" in found:
        found = {"HTTPPort": 80, "HTTPSPort": 443, **found}
    return found


class OriginAccessControl(_Configured):
    """AWS::CloudFront::OriginAccessControl."""

    type = "AWS::CloudFront::OriginAccessControl"
    creating, updating = "CreateOriginAccessControl", "UpdateOriginAccessControl"
    deleting, reading = "DeleteOriginAccessControl", "GetOriginAccessControl"
    found_at = "OriginAccessControl"
    configuration = "OriginAccessControlConfig"


class PublicKey(_Configured):
    """AWS::CloudFront::PublicKey."""

    type = "AWS::CloudFront::PublicKey"
    creating, deleting, reading = "CreatePublicKey", "DeletePublicKey", "GetPublicKey"
    found_at = "PublicKey"
    configuration = "PublicKeyConfig"

    def configured(self, given: Any) -> Any:
        """The key as the service keeps it, with a line's end."""
        return super().configured({**given, "EncodedKey": str(given["EncodedKey"]).rstrip("\n") + "\n"})


class Function(Mapped):
    """AWS::CloudFront::Function."""

    type = "AWS::CloudFront::Function"
    service = "cloudfront"
    creating, deleting, reading = "CreateFunction", "DeleteFunction", "DescribeFunction"
    found_at = "FunctionSummary"
    made_at = "FunctionSummary.FunctionMetadata.FunctionARN"
    keys = {"Name": "{tail}"}
    attributes = {"FunctionARN": "{id}", "FunctionMetadata.FunctionARN": "{id}"}
    ignored = frozenset({"AutoPublish", "FunctionMetadata"})
    unread = frozenset({"FunctionCode"})
    tag_target = "{id}"
    tags_apart = True

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the version that is there."""
        cloudfront, name = site.client("cloudfront"), physical_id.rpartition("/")[2]
        tag = cloudfront.describe_function(Name=name)["ETag"]
        cloudfront.delete_function(Name=name, IfMatch=tag)


HANDLERS = (Distribution(), Function(), OriginAccessControl(), PublicKey())
