"""Amazon Route 53: hosted zones, records, health checks."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from orbits_aws.offline.cloudformation.clients import service_model
from orbits_aws.offline.cloudformation.errors import ResourceFailed, ResourceGone

from .contract import Made, Properties, ResourceType, Site, tag_list, tag_map
from .mapped import Mapped
from .shapes import written


def _live_tags(site: Site, kind: str, name: str) -> list[dict[str, str]]:
    answer = site.client("route53").list_tags_for_resource(ResourceType=kind, ResourceId=name)
    return list(answer["ResourceTagSet"]["Tags"])


def _retag(site: Site, kind: str, name: str, before: Any, after: Any) -> None:
    """Bring the tags of a zone or a health check from `before` to `after`."""
    old, new = tag_map({"Tags": before}), tag_map({"Tags": after})
    add = {key: value for key, value in new.items() if old.get(key) != value}
    arguments: dict[str, Any] = {"AddTags": tag_list(add)} if add else {}
    if gone := [key for key in old if key not in new]:
        arguments["RemoveTagKeys"] = gone
    if arguments:
        site.client("route53").change_tags_for_resource(ResourceType=kind, ResourceId=name, **arguments)


class HostedZone(ResourceType):
    """AWS::Route53::HostedZone."""

    type = "AWS::Route53::HostedZone"
    listing = ("route53", "list_hosted_zones", "HostedZones[].Id")
    supported = frozenset({"HostedZoneConfig", "HostedZoneTags", "Name", "VPCs"})

    def list(self, site: Site, model: Properties) -> list[str]:
        return [path.rpartition("/")[2] for path in super().list(site, model)]

    def create(self, site: Site, properties: Properties) -> Made:
        networks = [_network(one) for one in properties.get("VPCs") or []]
        answer = site.client("route53").create_hosted_zone(
            Name=properties["Name"],
            CallerReference=str(uuid.uuid4()),
            **({"HostedZoneConfig": properties["HostedZoneConfig"]} if "HostedZoneConfig" in properties else {}),
            **({"VPC": networks[0]} if networks else {}),
        )
        name = answer["HostedZone"]["Id"].rpartition("/")[2]
        site.made(name)
        for network in networks[1:]:
            site.client("route53").associate_vpc_with_hosted_zone(HostedZoneId=name, VPC=network)
        _retag(site, "hostedzone", name, None, properties.get("HostedZoneTags"))
        servers = (answer.get("DelegationSet") or {}).get("NameServers", [])
        return Made(physical_id=name, attributes={"Id": name, "NameServers": servers})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        route53 = site.client("route53")
        old = [_network(one) for one in before.get("VPCs") or []]
        new = [_network(one) for one in after.get("VPCs") or []]
        for network in [one for one in new if one not in old]:
            route53.associate_vpc_with_hosted_zone(HostedZoneId=physical_id, VPC=network)
        for network in [one for one in old if one not in new]:
            route53.disassociate_vpc_from_hosted_zone(HostedZoneId=physical_id, VPC=network)
        comment = (after.get("HostedZoneConfig") or {}).get("Comment", "")
        if (before.get("HostedZoneConfig") or {}).get("Comment", "") != comment:
            route53.update_hosted_zone_comment(Id=physical_id, Comment=comment)
        _retag(site, "hostedzone", physical_id, before.get("HostedZoneTags"), after.get("HostedZoneTags"))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("route53").delete_hosted_zone(Id=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        answer = site.client("route53").get_hosted_zone(Id=physical_id)
        found: dict[str, Any] = {
            "Name": _as_given(answer["HostedZone"]["Name"], str(properties.get("Name", ""))),
            "HostedZoneTags": _live_tags(site, "hostedzone", physical_id),
        }
        if comment := answer["HostedZone"].get("Config", {}).get("Comment"):
            found["HostedZoneConfig"] = {"Comment": comment}
        if networks := answer.get("VPCs"):
            found["VPCs"] = networks
        return found


def _network(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"VPCRegion": given["VPCRegion"], "VPCId": given["VPCId"]}


def _as_given(live: str, given: str) -> str:
    """A domain name as it was given, if only the last dot differs."""
    return given if given.rstrip(".") == live.rstrip(".") else live


_PLACES = ("Comment", "HostedZoneId", "HostedZoneName")


class RecordSet(ResourceType):
    """AWS::Route53::RecordSet."""

    type = "AWS::Route53::RecordSet"
    supported = frozenset(
        {
            *_PLACES,
            "AliasTarget",
            "CidrRoutingConfig",
            "Failover",
            "GeoLocation",
            "HealthCheckId",
            "MultiValueAnswer",
            "Name",
            "Region",
            "ResourceRecords",
            "SetIdentifier",
            "TTL",
            "Type",
            "Weight",
        }
    )
    replaced_by = frozenset({"Name"})

    def create(self, site: Site, properties: Properties) -> Made:
        _change(site, properties, [("CREATE", properties)])
        return Made(physical_id=str(properties["Name"]))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        same = all(before.get(name) == after.get(name) for name in ("Type", "SetIdentifier"))
        _change(site, after, [("UPSERT", after)] if same else [("DELETE", before), ("CREATE", after)])
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        _change(site, properties, [("DELETE", properties)])

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        live = _record(site, _zone(site, properties), properties)
        if live is None:
            raise ResourceGone(physical_id)
        return {**{name: properties[name] for name in _PLACES if name in properties}, **live}


class RecordSetGroup(ResourceType):
    """AWS::Route53::RecordSetGroup."""

    type = "AWS::Route53::RecordSetGroup"
    supported = frozenset({*_PLACES, "RecordSets"})

    def create(self, site: Site, properties: Properties) -> Made:
        _change(site, properties, [("CREATE", one) for one in properties.get("RecordSets") or []])
        physical_id = site.name(64)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        old = {_key(one): one for one in before.get("RecordSets") or []}
        new = {_key(one): one for one in after.get("RecordSets") or []}
        gone = [("DELETE", one) for key, one in old.items() if key not in new]
        _change(site, after, [*gone, *(("UPSERT", one) for key, one in new.items() if old.get(key) != one)])
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        _change(site, properties, [("DELETE", one) for one in properties.get("RecordSets") or []])

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        zone = _zone(site, properties)
        live = [_record(site, zone, one) for one in properties.get("RecordSets") or []]
        found = {name: properties[name] for name in _PLACES if name in properties}
        return {**found, "RecordSets": [one for one in live if one is not None]} if any(live) else None


def _key(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(record["Name"]).rstrip("."), str(record["Type"]), str(record.get("SetIdentifier", ""))


def _zone(site: Site, properties: Properties) -> str:
    """The zone of records, given by its id or its name."""
    if "HostedZoneId" in properties:
        return str(properties["HostedZoneId"])
    name = str(properties["HostedZoneName"]).rstrip(".") + "."
    found = site.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    zones = [zone["Id"].rpartition("/")[2] for zone in found if zone["Name"] == name]
    if len(zones) != 1:
        raise ResourceFailed(f"Found {len(zones)} hosted zones with name {name}; expected one")
    return str(zones[0])


def _change(site: Site, properties: Properties, changes: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    shape = service_model("route53").shape_for("ResourceRecordSet")
    batch = [{"Action": action, "ResourceRecordSet": _as_record(one, shape)} for action, one in changes]
    if batch:
        route53 = site.client("route53")
        route53.change_resource_record_sets(HostedZoneId=_zone(site, properties), ChangeBatch={"Changes": batch})


def _as_record(given: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    """A record as the API takes it: its values are objects, and an alias says whether health counts."""
    record = {name: value for name, value in given.items() if name not in _PLACES}
    if "ResourceRecords" in record:
        record["ResourceRecords"] = [{"Value": value} for value in record["ResourceRecords"]]
    if "AliasTarget" in record:
        record["AliasTarget"] = {"EvaluateTargetHealth": False, **record["AliasTarget"]}
    found: dict[str, Any] = written(record, shape, RecordSet.type)
    return found


def _record(site: Site, zone: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """A live record as a template writes it; None if there is none."""
    pages = site.client("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    for live in pages.search("ResourceRecordSets[]"):
        if _key(live) == _key(given):
            found = {**live, "Name": _as_given(live["Name"], str(given["Name"]))}
            if "ResourceRecords" in live:
                found["ResourceRecords"] = [one["Value"] for one in live["ResourceRecords"]]
            if "AliasTarget" in live and "AliasTarget" in given:
                wanted = given["AliasTarget"]
                found["AliasTarget"] = {name: live["AliasTarget"].get(name) for name in wanted}
                name = live["AliasTarget"]["DNSName"]
                found["AliasTarget"]["DNSName"] = _as_given(name, str(wanted["DNSName"]))
            return found
    return None


class HealthCheck(Mapped):
    """AWS::Route53::HealthCheck."""

    type = "AWS::Route53::HealthCheck"
    service = "route53"
    creating, deleting, reading = "CreateHealthCheck", "DeleteHealthCheck", "GetHealthCheck"
    made_at, found_at = "HealthCheck.Id", "HealthCheck"
    keys = {"HealthCheckId": "{id}"}
    attributes = {"HealthCheckId": "{id}"}

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """What tells one request from another."""
        return {"CallerReference": str(uuid.uuid4())}

    def carried_out(self) -> frozenset[str]:
        """The check and its tags."""
        return frozenset({"HealthCheckConfig", "HealthCheckTags"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Make the check and tag it."""
        arguments = {**self.besides(site, properties), **self.arguments(self.creating, properties)}
        name = str(self.call(site, self.creating, arguments)["HealthCheck"]["Id"])
        site.made(name)
        _retag(site, "healthcheck", name, None, properties.get("HealthCheckTags"))
        return Made(physical_id=name, attributes={"HealthCheckId": name})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Change what the check looks at."""
        old, new = before.get("HealthCheckConfig") or {}, after["HealthCheckConfig"]
        if gone := sorted(set(old) - set(new)):
            self.refuse(f"HealthCheckConfig/{name}" for name in gone)
        if fresh := {name: value for name, value in new.items() if old.get(name) != value}:
            shape = service_model("route53").operation_model("UpdateHealthCheck").input_shape
            arguments = written(fresh, shape, f"{self.type}/HealthCheckConfig")
            site.client("route53").update_health_check(HealthCheckId=physical_id, **arguments)
        _retag(site, "healthcheck", physical_id, before.get("HealthCheckTags"), after.get("HealthCheckTags"))
        return Made(physical_id=physical_id, attributes={"HealthCheckId": physical_id})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The check and its tags."""
        config = self.find(site, physical_id, properties)["HealthCheckConfig"]
        return {"HealthCheckConfig": config, "HealthCheckTags": _live_tags(site, "healthcheck", physical_id)}


HANDLERS = (HealthCheck(), HostedZone(), RecordSet(), RecordSetGroup())
