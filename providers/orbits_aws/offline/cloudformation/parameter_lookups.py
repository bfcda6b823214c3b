"""What parameters name in the account, looked up in the offline AWS: whether it exists, its attributes for rules."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from .errors import ValidationError
from .model import Goal
from .parameter_types import SSM_NAME, item_type, ssm_value_type

Client = Callable[[str], Any]

_LOOKUPS: Mapping[str, tuple[str, str, str, str]] = {
    "AWS::EC2::AvailabilityZone::Name": ("ec2", "describe_availability_zones", "ZoneNames", "AvailabilityZones"),
    "AWS::EC2::Image::Id": ("ec2", "describe_images", "ImageIds", "Images"),
    "AWS::EC2::Instance::Id": ("ec2", "describe_instances", "InstanceIds", "Reservations"),
    "AWS::EC2::KeyPair::KeyName": ("ec2", "describe_key_pairs", "KeyNames", "KeyPairs"),
    "AWS::EC2::SecurityGroup::GroupName": ("ec2", "describe_security_groups", "GroupNames", "SecurityGroups"),
    "AWS::EC2::SecurityGroup::Id": ("ec2", "describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet::Id": ("ec2", "describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::VPC::Id": ("ec2", "describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::Volume::Id": ("ec2", "describe_volumes", "VolumeIds", "Volumes"),
    "AWS::Route53::HostedZone::Id": ("route53", "get_hosted_zone", "Id", "HostedZone"),
    SSM_NAME: ("ssm", "get_parameters", "Names", "Parameters"),
}
"""How what a parameter names is looked up: service, call, argument, and where the answer holds what was found."""


def check_existing(client: Client, goal: Goal) -> None:
    """Refuse values of parameters that name nothing that exists. Raises ValidationError with the service's words."""
    for key, kind, value in _named(goal):
        if kind in _LOOKUPS and _found(client, kind, value) is None:
            raise ValidationError(
                f"Parameter validation failed: parameter value {value} for parameter name {key} does not exist"
            )


def attribute_of(client: Client, kind: str, value: str, name: str) -> list[Any]:
    """An attribute of what a parameter names, for Fn::ValueOf. Raises ValidationError."""
    found = _found(client, kind, value) if kind in _LOOKUPS else None
    if found is None:
        raise ValidationError(f"Template error: Fn::ValueOf finds no {kind} [{value}]")
    if name.startswith("Tags."):
        return [tag["Value"] for tag in found.get("Tags", []) if tag["Key"] == name.removeprefix("Tags.")]
    if name not in found:
        raise ValidationError(f"The offline AWS knows no attribute [{name}] of {kind} for Fn::ValueOf")
    return [found[name]]


def _named(goal: Goal) -> Iterator[tuple[str, str, str]]:
    for key, declared in goal.template.parameters.items():
        kind = str(declared["Type"])
        value = goal.parameters[key].value
        for one in value if isinstance(value, list) else [value]:
            yield key, item_type(ssm_value_type(kind) or kind), str(one)


def _found(client: Client, kind: str, value: str) -> Mapping[str, Any] | None:
    service, call, argument, answer = _LOOKUPS[kind]
    try:
        found = getattr(client(service), call)(**{argument: value if service == "route53" else [value]})[answer]
    except ClientError as failure:
        code = str(failure.response.get("Error", {}).get("Code", ""))
        if "NotFound" in code or "Malformed" in code or code in ("NoSuchHostedZone", "InvalidParameterValue"):
            return None
        raise
    first: Mapping[str, Any] | None = found if isinstance(found, Mapping) else next(iter(found), None)
    return first
