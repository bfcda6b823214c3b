"""Looking things up for a synthesis, in the account and region that the stack is for: by reading alone.

The answers have the form that CDK's constructs expect, which is that of CDK's command line. What is not looked up here
is refused with what to do instead.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from orbits_aws.errors import NotThere
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.packing import Place

Aws = Callable[[str], Any]  # a client of a service
_ALL_V4, _ALL_V6 = "0.0.0.0/0", "::/0"


class _Nothing(Exception):
    """Nothing fits what is looked for."""


def look_up(aws: Aws, missing: Mapping[str, Any], place: Place) -> JsonValue:
    """The value of one piece of missing context; SynthesisFailed where there is none, or not exactly one."""
    provider, props = str(missing.get("provider")), missing.get("props", {})
    where = f"{place.account} ({place.region})"
    if (props.get("account"), props.get("region")) != (place.account, place.region):
        raise SynthesisFailed(
            f"{place.kind} looks up {provider} in {props.get('account')} ({props.get('region')}), and is to be "
            f"deployed in {where}. A stack sees its own account and region alone: give what it needs as a field."
        )
    known = _PROVIDERS.get(provider)
    if known is None:
        raise SynthesisFailed(
            f"{place.kind} looks up {provider}, which Orbits does not. Put the value in cdk.context.json under "
            f"{missing.get('key')!r}, as `cdk synth` does, or give its id as a field of the stack."
        )
    try:
        return known(aws, props)
    except _Nothing as error:
        if props.get("ignoreErrorOnMissingContext") and "dummyValue" in props:
            default: JsonValue = props["dummyValue"]
            return default
        raise SynthesisFailed(f"{place.kind} looks up {provider} in {where}: {error}") from error


def _zones(aws: Aws, _props: Mapping[str, Any]) -> JsonValue:
    zones = aws("ec2").describe_availability_zones()["AvailabilityZones"]
    return [zone["ZoneName"] for zone in zones if zone.get("State") == "available"]


def _service_zones(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    found = aws("ec2").describe_vpc_endpoint_services(ServiceNames=[props["serviceName"]])["ServiceDetails"]
    return list(_one(found, f"services called {props['serviceName']}")["AvailabilityZones"])


def _parameter(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    name = props["parameterName"]
    try:
        return str(aws("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except NotThere as error:
        raise _Nothing(f"there is no parameter {name}") from error


def _image(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    more = {"Owners": props["owners"]} if props.get("owners") else {}
    images = list(aws("ec2").items("describe_images", "Images", Filters=_filters(props["filters"]), **more))
    if not images:
        raise _Nothing(f"no image fits {json.dumps(props['filters'])}")
    return str(max(images, key=lambda image: str(image.get("CreationDate", "")))["ImageId"])


def _zone(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    name, private, vpc = str(props["domainName"]), bool(props.get("privateZone")), props.get("vpcId")
    route53 = aws("route53")
    wanted = name if name.endswith(".") else f"{name}."
    zones = [
        zone
        for zone in route53.list_hosted_zones_by_name(DNSName=wanted)["HostedZones"]
        if zone["Name"] == wanted and bool(zone.get("Config", {}).get("PrivateZone")) == private
    ]
    if vpc:
        zones = [
            zone
            for zone in zones
            if any(each["VPCId"] == vpc for each in route53.get_hosted_zone(Id=zone["Id"]).get("VPCs", ()))
        ]
    found = _one(zones, f"{'private' if private else 'public'} hosted zones called {name}")
    return {"Id": str(found["Id"]).removeprefix("/hostedzone/"), "Name": str(found["Name"])}


def _group(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    named = {"group-id": props.get("securityGroupId"), "group-name": props.get("securityGroupName")}
    wanted = {name: value for name, value in {**named, "vpc-id": props.get("vpcId")}.items() if value}
    groups = list(aws("ec2").items("describe_security_groups", "SecurityGroups", Filters=_filters(wanted)))
    found = _one(groups, f"security groups with {json.dumps(wanted)}")
    open_to = [
        cidr
        for rule in found.get("IpPermissionsEgress", ())
        if rule.get("IpProtocol") == "-1"
        for cidr in (
            *(each.get("CidrIp") for each in rule.get("IpRanges", ())),
            *(each.get("CidrIpv6") for each in rule.get("Ipv6Ranges", ())),
        )
    ]
    return {"securityGroupId": str(found["GroupId"]), "allowAllOutbound": _ALL_V4 in open_to and _ALL_V6 in open_to}


def _key(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    name, kms, more = props["aliasName"], aws("kms"), dict[str, Any]()
    while True:
        page = kms.list_aliases(**more)
        for alias in page["Aliases"]:
            if alias["AliasName"] == name and alias.get("TargetKeyId"):
                return {"keyId": str(alias["TargetKeyId"])}
        if not page.get("Truncated"):
            raise _Nothing(f"there is no key with the alias {name}")
        more = {"Marker": page["NextMarker"]}


def _vpc(aws: Aws, props: Mapping[str, Any]) -> JsonValue:
    if not props.get("returnAsymmetricSubnets"):
        raise _Nothing("an answer of the form that CDK had before its version 2 is not made; use Vpc.from_lookup")
    ec2 = aws("ec2")
    found = _one(
        list(ec2.items("describe_vpcs", "Vpcs", Filters=_filters(props.get("filter", {})))),
        f"VPCs with {json.dumps(props.get('filter', {}))}",
    )
    inside = {"Filters": _filters({"vpc-id": found["VpcId"]})}
    subnets = list(ec2.items("describe_subnets", "Subnets", **inside))
    tables = list(ec2.items("describe_route_tables", "RouteTables", **inside))
    answer: dict[str, JsonValue] = {
        "vpcId": found["VpcId"],
        "vpcCidrBlock": found["CidrBlock"],
        "ownerAccountId": found.get("OwnerId"),
        "availabilityZones": [],
        "subnetGroups": list(_subnet_groups(subnets, tables, str(props.get("subnetGroupNameTag") or _NAME_TAG))),
    }
    if props.get("returnVpnGateways"):
        gateways = ec2.describe_vpn_gateways(
            Filters=_filters(
                {"attachment.vpc-id": found["VpcId"], "attachment.state": "attached", "state": "available"}
            )
        )["VpnGateways"]
        if len(gateways) == 1:
            answer["vpnGatewayId"] = gateways[0]["VpnGatewayId"]
    return answer


_NAME_TAG, _TYPE_TAG = "aws-cdk:subnet-name", "aws-cdk:subnet-type"


def _subnet_groups(
    subnets: Sequence[Mapping[str, Any]], tables: Sequence[Mapping[str, Any]], name_tag: str
) -> Iterator[JsonValue]:
    """Subnets of one name and type, together."""
    groups: dict[tuple[str, str], list[JsonValue]] = {}
    for subnet in sorted(subnets, key=lambda each: (each["AvailabilityZone"], each["SubnetId"])):
        table = _table_of(subnet["SubnetId"], tables)
        kind = _tag(subnet, _TYPE_TAG) or _kind(subnet, table)
        name = _tag(subnet, name_tag) or kind
        groups.setdefault((kind, name), []).append(
            {
                "subnetId": subnet["SubnetId"],
                "cidr": subnet.get("CidrBlock"),
                "availabilityZone": subnet["AvailabilityZone"],
                "routeTableId": table["RouteTableId"],
            }
        )
    for (kind, name), members in groups.items():
        yield {"type": kind, "name": name, "subnets": members}


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    def associated(table: Mapping[str, Any], **with_: Any) -> bool:
        return any(all(each.get(k) == v for k, v in with_.items()) for each in table.get("Associations", ()))

    own = [table for table in tables if associated(table, SubnetId=subnet)]
    main = [table for table in tables if associated(table, Main=True)]
    if not own and not main:
        raise _Nothing(f"the subnet {subnet} has no route table")
    return (own or main)[0]


def _kind(subnet: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    """Whether a subnet is reached from the internet, reaches it, or neither."""
    routes = table.get("Routes", ())
    if subnet.get("MapPublicIpOnLaunch") or any(str(route.get("GatewayId", "")).startswith("igw-") for route in routes):
        return "Public"
    outward = [route for route in routes if route.get("DestinationCidrBlock") == _ALL_V4]
    return (
        "Private"
        if any(route.get("NatGatewayId") or route.get("TransitGatewayId") for route in outward)
        else "Isolated"
    )


def _tag(subnet: Mapping[str, Any], name: str) -> str | None:
    return next((str(tag["Value"]) for tag in subnet.get("Tags", ()) if tag["Key"] == name), None)


def _filters(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"Name": name, "Values": value if isinstance(value, list) else [str(value)]} for name, value in values.items()
    ]


def _one(found: Sequence[Any], what: str) -> Any:
    if len(found) != 1:
        raise _Nothing(f"there are {len(found)} {what}, and there has to be one")
    return found[0]


_PROVIDERS: dict[str, Callable[[Aws, Mapping[str, Any]], JsonValue]] = {
    "ami": _image,
    "availability-zones": _zones,
    "endpoint-service-availability-zones": _service_zones,
    "hosted-zone": _zone,
    "key-provider": _key,
    "security-group": _group,
    "ssm": _parameter,
    "vpc-provider": _vpc,
}
