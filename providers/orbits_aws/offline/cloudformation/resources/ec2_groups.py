"""Amazon EC2: security groups and their rules."""

from collections.abc import Iterable, Mapping
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, set_properties
from .ec2 import Ec2

_OPEN = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}
"""What a new group of a network lets out, until its rules are given."""

_RANGES = {"CidrIp": ("IpRanges", "CidrIp"), "CidrIpv6": ("Ipv6Ranges", "CidrIpv6")}
_PREFIXES = ("SourcePrefixListId", "DestinationPrefixListId")
_GROUPS = {
    "SourceSecurityGroupId": "GroupId",
    "DestinationSecurityGroupId": "GroupId",
    "SourceSecurityGroupName": "GroupName",
    "SourceSecurityGroupOwnerId": "UserId",
}


def _permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as the API takes it."""
    about = set_properties(Description=rule.get("Description"))
    found: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    found |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    for name, (kind, member) in _RANGES.items():
        if rule.get(name):
            found[kind] = [{member: rule[name], **about}]
    for name in _PREFIXES:
        if rule.get(name):
            found["PrefixListIds"] = [{"PrefixListId": rule[name], **about}]
    if pair := {member: rule[name] for name, member in _GROUPS.items() if rule.get(name)}:
        found["UserIdGroupPairs"] = [{**pair, **about}]
    return found


def _rules(permissions: Iterable[Mapping[str, Any]], *, outgoing: bool) -> list[dict[str, Any]]:
    """What the API tells of a group, as rules of a template."""
    prefix, group = ("DestinationPrefixListId", "DestinationSecurityGroupId") if outgoing else (_PREFIXES[0], "")
    found: list[dict[str, Any]] = []
    for permission in permissions:
        head = {name: permission[name] for name in ("FromPort", "IpProtocol", "ToPort") if name in permission}
        targets = [
            *({"CidrIp": one["CidrIp"], **_about(one)} for one in permission.get("IpRanges", [])),
            *({"CidrIpv6": one["CidrIpv6"], **_about(one)} for one in permission.get("Ipv6Ranges", [])),
            *({prefix: one["PrefixListId"], **_about(one)} for one in permission.get("PrefixListIds", [])),
            *(
                {group or "SourceSecurityGroupId": one["GroupId"], **_about(one)}
                for one in permission.get("UserIdGroupPairs", [])
            ),
        ]
        found += [{**head, **target} for target in targets]
    return found


def _about(one: Mapping[str, Any]) -> dict[str, Any]:
    return set_properties(Description=one.get("Description"))


class SecurityGroup(Ec2):
    """AWS::EC2::SecurityGroup. Its rules are added and taken away one by one, whoever else adds some."""

    type = "AWS::EC2::SecurityGroup"
    listing = ("ec2", "describe_security_groups", "SecurityGroups[].GroupId")
    creating, deleting, reading = "CreateSecurityGroup", "DeleteSecurityGroup", "DescribeSecurityGroups"
    made_at, found_at = "GroupId", "SecurityGroups.0"
    named_by = "GroupName"
    longest = 255
    keys = {"GroupId": "{id}", "GroupIds": "{id}"}
    renamed = {"GroupDescription": "Description"}
    attributes = {"Id": "{id}", "GroupId": "{id}"}

    def carried_out(self) -> frozenset[str]:
        """The group and its rules."""
        return super().carried_out() | {"SecurityGroupEgress", "SecurityGroupIngress"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Bring the rules from `before` to `after`."""
        self.refuse(set(names) - {"SecurityGroupEgress", "SecurityGroupIngress"})
        ec2 = site.client("ec2")
        for name, allow, revoke in (
            ("SecurityGroupIngress", ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress),
            ("SecurityGroupEgress", ec2.authorize_security_group_egress, ec2.revoke_security_group_egress),
        ):
            if name not in names:
                continue
            open_at_first = [_OPEN] if name.endswith("Egress") else []
            member = "IpPermissionsEgress" if name.endswith("Egress") else "IpPermissions"
            rules = _rules(self.find(site, physical_id, after)[member], outgoing=name.endswith("Egress"))
            live = [_permission(rule) for rule in rules]
            old = [_permission(rule) for rule in before.get(name) or open_at_first]
            new = [_permission(rule) for rule in after.get(name) or open_at_first]
            if gone := [rule for rule in old if rule not in new and rule in live]:
                revoke(GroupId=physical_id, IpPermissions=gone)
            if fresh := [rule for rule in new if rule not in live]:
                allow(GroupId=physical_id, IpPermissions=fresh)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group; of the rules only those it was given, as other resources add some."""
        found = self.find(site, physical_id, properties)
        live = dict(super().read(site, physical_id, properties) or {})
        for name, member in (("SecurityGroupIngress", "IpPermissions"), ("SecurityGroupEgress", "IpPermissionsEgress")):
            own = [_permission(rule) for rule in properties.get(name) or []]
            rules = _rules(found.get(member, []), outgoing=name.endswith("Egress"))
            live[name] = [rule for rule in rules if not own or _permission(rule) in own]
        return live


class _Rule(ResourceType):
    """A rule of a group by itself. All but its description is create-only."""

    direction: str

    def create(self, site: Site, properties: Properties) -> Made:
        call = getattr(site.client("ec2"), f"authorize_security_group_{self.direction}")
        answer = call(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])
        rules = answer.get("SecurityGroupRules") or [{}]
        physical_id = str(rules[0].get("SecurityGroupRuleId") or site.name(64))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        if changed(before, after):
            call = getattr(site.client("ec2"), f"update_security_group_rule_descriptions_{self.direction}")
            permission = _permission({**after, "Description": after.get("Description") or " "})
            call(GroupId=after["GroupId"], IpPermissions=[permission])
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        call = getattr(site.client("ec2"), f"revoke_security_group_{self.direction}")
        call(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        [group] = site.client("ec2").describe_security_groups(GroupIds=[properties["GroupId"]])["SecurityGroups"]
        outgoing = self.direction == "egress"
        member = "IpPermissionsEgress" if outgoing else "IpPermissions"
        wanted = _permission({**properties, "Description": None})
        for rule in _rules(group[member], outgoing=outgoing):
            told = {"Description": str(rule.pop("Description", "")).strip()}
            if _permission(rule) == wanted:
                return {"GroupId": properties["GroupId"], **rule, **set_properties(**told)}
        raise ResourceGone(physical_id)


class SecurityGroupIngress(_Rule):
    """AWS::EC2::SecurityGroupIngress."""

    type = "AWS::EC2::SecurityGroupIngress"
    direction = "ingress"
    supported = frozenset(
        {
            "CidrIp",
            "CidrIpv6",
            "Description",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupOwnerId",
            "ToPort",
        }
    )


class SecurityGroupEgress(_Rule):
    """AWS::EC2::SecurityGroupEgress."""

    type = "AWS::EC2::SecurityGroupEgress"
    direction = "egress"
    supported = frozenset(
        {
            "CidrIp",
            "CidrIpv6",
            "Description",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        }
    )


HANDLERS = (SecurityGroup(), SecurityGroupEgress(), SecurityGroupIngress())
