"""The types that a template's parameters can have: texts, numbers, lists, names and ids of what exists. Pure."""

import re

_PLAIN = frozenset({"CommaDelimitedList", "List<Number>", "List<String>", "Number", "String"})
SSM_NAME = "AWS::SSM::Parameter::Name"
NAMING = frozenset(
    {
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
        SSM_NAME,
    }
)
"""The types of values that name something in the account, alone or in lists."""
_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_LIST = re.compile(r"List<(.+)>")


def is_parameter_type(name: str) -> bool:
    """Whether a parameter can have this type."""
    name = ssm_value_type(name) or name
    return name in _PLAIN or item_type(name) in NAMING


def ssm_value_type(name: str) -> str | None:
    """The type of the value, if the parameter names an SSM parameter that holds it."""
    found = _SSM_VALUE.fullmatch(name)
    return found.group(1) if found else None


def is_list(name: str) -> bool:
    """Whether values of the type are lists, written with commas."""
    return name == "CommaDelimitedList" or _LIST.fullmatch(name) is not None


def item_type(name: str) -> str:
    """The type of a list's items, or the type itself."""
    found = _LIST.fullmatch(name)
    return found.group(1) if found else name
