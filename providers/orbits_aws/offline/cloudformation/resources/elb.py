"""Elastic Load Balancing: load balancers, target groups, listeners and rules, and the classic load balancer."""

from collections.abc import Iterable, Mapping
from typing import Any

from .contract import Made, Properties, Site, tag_list, tag_map
from .mapped import Mapped

_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "deletion_protection.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http2.enabled": "true",
    "slow_start.duration_seconds": "0",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
}
"""What attributes are when nobody sets them."""


class _Elb(Mapped):
    """A type with an ARN, attributes that are set by key and value, and tags that are told by a call of their own."""

    service = "elbv2"
    tag_target = "{id}"
    kind = ""
    """What the calls for its attributes are named after; empty if it has none."""

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The resource with its tags."""
        found = dict(super().find(site, physical_id, properties))
        described = site.client("elbv2").describe_tags(ResourceArns=[physical_id])["TagDescriptions"]
        return {**found, "Tags": described[0]["Tags"] if described else []}

    def set_attributes(self, site: Site, physical_id: str, before: Any, after: Any) -> None:
        """Set those attributes that are new or different, and set back those that went."""
        old, new = tag_map({"Tags": before}), tag_map({"Tags": after})
        gone = [name for name in old if name not in new]
        self.refuse(f"{self.kind}Attributes/{name}" for name in gone if name not in _ATTRIBUTES)
        new |= {name: _ATTRIBUTES[name] for name in gone}
        if fresh := {name: value for name, value in new.items() if old.get(name) != value}:
            call = f"Modify{self.kind}Attributes"
            key = self.key(site, call, physical_id, {})
            self.call(site, call, {**key, "Attributes": tag_list(fresh)})

    def live_attributes(self, site: Site, physical_id: str, given: Any) -> list[dict[str, Any]]:
        """Those of the live attributes that were given."""
        call = f"Describe{self.kind}Attributes"
        live = tag_map({"Tags": self.call(site, call, self.key(site, call, physical_id, {}))["Attributes"]})
        return tag_list({name: live[name] for name in tag_map({"Tags": given}) if name in live})


class LoadBalancer(_Elb):
    """AWS::ElasticLoadBalancingV2::LoadBalancer."""

    type = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    listing = ("elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerArn")
    kind = "LoadBalancer"
    creating, deleting, reading = "CreateLoadBalancer", "DeleteLoadBalancer", "DescribeLoadBalancers"
    changing = ("SetSecurityGroups", "SetSubnets", "SetIpAddressType")
    made_at, found_at = "LoadBalancers.0.LoadBalancerArn", "LoadBalancers.0"
    named_by = "Name"
    longest = 32
    keys = {"LoadBalancerArn": "{id}", "LoadBalancerArns": "{id}"}
    renamed = {"Name": "Name"}
    defaults = {"IpAddressType": "ipv4"}
    attributes = {
        "CanonicalHostedZoneID": "CanonicalHostedZoneId",
        "LoadBalancerArn": "{id}",
        "LoadBalancerFullName": "LoadBalancerFullName",
    }
    unread = frozenset({"Name", "SubnetMappings", "Subnets"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and the attributes."""
        return super().carried_out() | {"LoadBalancerAttributes"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Set the attributes; the rest as any type."""
        left = set(names)
        if "LoadBalancerAttributes" in left:
            name = "LoadBalancerAttributes"
            self.set_attributes(site, physical_id, before.get(name), after.get(name))
        if left := left - {"LoadBalancerAttributes"}:
            super().change(site, physical_id, before, after, left)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The load balancer with its full name."""
        full_name = physical_id.partition(":loadbalancer/")[2]
        return {**super().find(site, physical_id, properties), "LoadBalancerFullName": full_name}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The load balancer with those attributes that it was given."""
        live = super().read(site, physical_id, properties) or {}
        name = "LoadBalancerAttributes"
        if name not in properties:
            return live
        return {**live, name: self.live_attributes(site, physical_id, properties[name])}


class TargetGroup(_Elb):
    """AWS::ElasticLoadBalancingV2::TargetGroup."""

    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    listing = ("elbv2", "describe_target_groups", "TargetGroups[].TargetGroupArn")
    kind = "TargetGroup"
    creating, changing = "CreateTargetGroup", ("ModifyTargetGroup",)
    deleting, reading = "DeleteTargetGroup", "DescribeTargetGroups"
    made_at, found_at = "TargetGroups.0.TargetGroupArn", "TargetGroups.0"
    named_by = "Name"
    longest = 32
    keys = {"TargetGroupArn": "{id}", "TargetGroupArns": "{id}"}
    attributes = {"TargetGroupFullName": "TargetGroupFullName"}
    unread = frozenset({"IpAddressType", "Name", "TargetControlPort"})

    def carried_out(self) -> frozenset[str]:
        """What the calls take, the attributes and the targets."""
        return super().carried_out() | {"TargetGroupAttributes", "Targets"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Set the attributes, add and take away targets; the rest as any type."""
        left, elb = set(names), site.client("elbv2")
        if "TargetGroupAttributes" in left:
            name = "TargetGroupAttributes"
            self.set_attributes(site, physical_id, before.get(name), after.get(name))
        if "Targets" in left:
            old = [_target(one) for one in before.get("Targets") or []]
            new = [_target(one) for one in after.get("Targets") or []]
            if gone := [one for one in old if one not in new]:
                elb.deregister_targets(TargetGroupArn=physical_id, Targets=gone)
            if fresh := [one for one in new if one not in old]:
                elb.register_targets(TargetGroupArn=physical_id, Targets=fresh)
        if left := left - {"TargetGroupAttributes", "Targets"}:
            super().change(site, physical_id, before, after, left)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The group with its full name."""
        full_name = physical_id.rpartition(":")[2]
        return {**super().find(site, physical_id, properties), "TargetGroupFullName": full_name}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group with those attributes that it was given, and its targets."""
        live = dict(super().read(site, physical_id, properties) or {})
        if "TargetGroupAttributes" in properties:
            given = properties["TargetGroupAttributes"]
            live["TargetGroupAttributes"] = self.live_attributes(site, physical_id, given)
        if "Targets" in properties:
            health = site.client("elbv2").describe_target_health(TargetGroupArn=physical_id)
            live["Targets"] = [one["Target"] for one in health["TargetHealthDescriptions"]]
        return live


def _target(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: int(value) if name == "Port" else value for name, value in given.items()}


class Listener(_Elb):
    """AWS::ElasticLoadBalancingV2::Listener."""

    type = "AWS::ElasticLoadBalancingV2::Listener"
    creating, changing, deleting, reading = "CreateListener", ("ModifyListener",), "DeleteListener", "DescribeListeners"
    made_at, found_at = "Listeners.0.ListenerArn", "Listeners.0"
    keys = {"ListenerArn": "{id}", "ListenerArns": "{id}"}
    attributes = {"ListenerArn": "{id}"}
    unread = frozenset({"DefaultActions"})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The listener; its actions as recorded, if the live ones hold them."""
        live = super().read(site, physical_id, properties) or {}
        found = self.find(site, physical_id, properties)["DefaultActions"]
        return {**live, "DefaultActions": _actions(found, properties.get("DefaultActions"))}


class ListenerRule(_Elb):
    """AWS::ElasticLoadBalancingV2::ListenerRule. Its priority is set by a call of its own."""

    type = "AWS::ElasticLoadBalancingV2::ListenerRule"
    creating, changing, deleting, reading = "CreateRule", ("ModifyRule",), "DeleteRule", "DescribeRules"
    made_at, found_at = "Rules.0.RuleArn", "Rules.0"
    keys = {"RuleArn": "{id}", "RuleArns": "{id}"}
    attributes = {"RuleArn": "{id}"}
    unread = frozenset({"Actions", "Conditions", "ListenerArn"})

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Set the priority; the rest as any type."""
        left = set(names)
        if "Priority" in left:
            priority = {"RuleArn": physical_id, "Priority": int(after["Priority"])}
            if str(self.find(site, physical_id, after)["Priority"]) != str(priority["Priority"]):
                site.client("elbv2").set_rule_priorities(RulePriorities=[priority])
        if left := left - {"Priority"}:
            super().change(site, physical_id, before, after, left)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The rule; actions and conditions as recorded, if the live ones hold them."""
        live = super().read(site, physical_id, properties) or {}
        found = self.find(site, physical_id, properties)
        return {**live, **{name: _actions(found[name], properties.get(name)) for name in ("Actions", "Conditions")}}


def _actions(live: list[Any], given: Any) -> Any:
    """Actions as recorded, if the live ones hold all that was recorded; the service writes them in several ways."""
    if not isinstance(given, list) or len(given) != len(live):
        return live
    targets = [_targets(one) for one in live]
    same = all(
        _within(one, other) or _targets(one) == target for one, other, target in zip(given, live, targets, strict=True)
    )
    return given if same else live


def _targets(action: Mapping[str, Any]) -> list[str] | None:
    """The target groups of an action that forwards."""
    if action.get("TargetGroupArn"):
        return [str(action["TargetGroupArn"])]
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    return [str(one["TargetGroupArn"]) for one in groups] if groups else None


def _within(given: Any, live: Any) -> bool:
    if isinstance(given, Mapping):
        return isinstance(live, Mapping) and all(_within(value, live.get(name)) for name, value in given.items())
    if isinstance(given, list):
        same_length = isinstance(live, list) and len(live) == len(given)
        return same_length and all(_within(one, other) for one, other in zip(given, live, strict=True))
    return str(given).lower() == str(live).lower()


class ClassicLoadBalancer(Mapped):
    """AWS::ElasticLoadBalancing::LoadBalancer."""

    type = "AWS::ElasticLoadBalancing::LoadBalancer"
    service = "elb"
    creating, deleting, reading = "CreateLoadBalancer", "DeleteLoadBalancer", "DescribeLoadBalancers"
    changing = ("ConfigureHealthCheck", "ApplySecurityGroupsToLoadBalancer")
    found_at = "LoadBalancerDescriptions.0"
    named_by = "LoadBalancerName"
    longest = 32
    keys = {"LoadBalancerName": "{id}", "LoadBalancerNames": "{id}"}
    tag_target = "{id}"
    unread = frozenset({"Listeners"})

    def made(self, site: Site, physical_id: str, properties: Properties, answer: Any = None, found: Any = None) -> Made:
        """What the description tells, under the names of attributes."""
        made = super().made(site, physical_id, properties, answer, found)
        return Made(physical_id=physical_id, attributes=made.attributes)


HANDLERS = (ClassicLoadBalancer(), Listener(), ListenerRule(), LoadBalancer(), TargetGroup())
