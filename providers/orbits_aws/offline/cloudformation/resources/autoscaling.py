"""Amazon EC2 Auto Scaling and Application Auto Scaling: groups, launch configurations, actions, policies, targets."""

from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, Site
from .mapped import Mapped


class AutoScalingGroup(Mapped):
    """AWS::AutoScaling::AutoScalingGroup. Removing one ends its machines."""

    type = "AWS::AutoScaling::AutoScalingGroup"
    listing = ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups[].AutoScalingGroupName")
    service = "autoscaling"
    creating, changing = "CreateAutoScalingGroup", ("UpdateAutoScalingGroup",)
    deleting, reading = "DeleteAutoScalingGroup", "DescribeAutoScalingGroups"
    found_at = "AutoScalingGroups.0"
    named_by = "AutoScalingGroupName"
    longest = 255
    keys = {"AutoScalingGroupName": "{id}", "AutoScalingGroupNames": "{id}"}
    renamed = {"Cooldown": "DefaultCooldown"}
    attributes = {"AutoScalingGroupARN": "AutoScalingGroupARN"}
    unread = frozenset({"DesiredCapacity", "InstanceId", "LifecycleHookSpecificationList", "VPCZoneIdentifier"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; the subnets as one text."""
        subnets = properties.get("VPCZoneIdentifier")
        given = {**properties, "VPCZoneIdentifier": ",".join(subnets)} if isinstance(subnets, list) else properties
        return super().arguments(operation, given)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it with its machines."""
        site.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=physical_id, ForceDelete=True)

    def _retag(self, site: Site, made: Made, before: Properties, after: Properties) -> None:
        """Tags are told with whether the machines get them."""
        old = {tag["Key"]: tag for tag in before.get("Tags") or []}
        new = {tag["Key"]: tag for tag in after.get("Tags") or []}
        where = {"ResourceId": made.physical_id, "ResourceType": "auto-scaling-group"}
        client = site.client("autoscaling")
        if gone := [{**where, "Key": key} for key in old if key not in new]:
            client.delete_tags(Tags=gone)
        fresh = [{"PropagateAtLaunch": True, **tag, **where} for key, tag in new.items() if old.get(key) != tag]
        if fresh:
            client.create_or_update_tags(Tags=fresh)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group; its tags without whom they are on."""
        live = dict(super().read(site, physical_id, properties) or {})
        given = {tag["Key"]: tag for tag in properties.get("Tags") or []}
        tags = [
            {name: tag[name] for name in ("Key", "Value", "PropagateAtLaunch") if name in given.get(tag["Key"], tag)}
            for tag in self.find(site, physical_id, properties).get("Tags", [])
        ]
        return {**live, "Tags": tags}


class LaunchConfiguration(Mapped):
    """AWS::AutoScaling::LaunchConfiguration. Any change is a new one."""

    type = "AWS::AutoScaling::LaunchConfiguration"
    service = "autoscaling"
    creating, deleting = "CreateLaunchConfiguration", "DeleteLaunchConfiguration"
    reading = "DescribeLaunchConfigurations"
    found_at = "LaunchConfigurations.0"
    named_by = "LaunchConfigurationName"
    longest = 255
    keys = {"LaunchConfigurationName": "{id}", "LaunchConfigurationNames": "{id}"}
    renamed = {"RamDiskId": "RamdiskId"}
    unread = frozenset({"InstanceId", "InstanceMonitoring", "UserData"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """The properties; monitoring as the switch that the API has."""
        monitoring = properties.get("InstanceMonitoring")
        given = properties if monitoring is None else {**properties, "InstanceMonitoring": {"Enabled": monitoring}}
        return super().arguments(operation, given)


class ScheduledAction(Mapped):
    """AWS::AutoScaling::ScheduledAction."""

    type = "AWS::AutoScaling::ScheduledAction"
    service = "autoscaling"
    creating, changing = "PutScheduledUpdateGroupAction", ("PutScheduledUpdateGroupAction",)
    deleting, reading = "DeleteScheduledAction", "DescribeScheduledActions"
    found_at = "ScheduledUpdateGroupActions.0"
    keys = {
        "AutoScalingGroupName": "{AutoScalingGroupName}",
        "ScheduledActionName": "{id}",
        "ScheduledActionNames": "{id}",
    }

    def create(self, site: Site, properties: Properties) -> Made:
        """Put the action under a name of its own."""
        name = site.name(64)
        self.call(site, self.creating, {**self.arguments(self.creating, properties), "ScheduledActionName": name})
        return Made(physical_id=name, attributes={"ScheduledActionName": name})


class ScalingPolicy(Mapped):
    """AWS::AutoScaling::ScalingPolicy."""

    type = "AWS::AutoScaling::ScalingPolicy"
    service = "autoscaling"
    creating, changing = "PutScalingPolicy", ("PutScalingPolicy",)
    deleting, reading = "DeletePolicy", "DescribePolicies"
    found_at = "ScalingPolicies.0"
    keys = {"AutoScalingGroupName": "{AutoScalingGroupName}", "PolicyName": "{tail}", "PolicyNames": "{tail}"}
    attributes = {"Arn": "{id}", "PolicyName": "PolicyName"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Put the policy under a name of its own."""
        name = site.name(64)
        arguments = {**self.arguments(self.creating, properties), "PolicyName": name}
        self.call(site, self.creating, arguments)
        key = {"AutoScalingGroupName": properties["AutoScalingGroupName"], "PolicyNames": [name]}
        arn = str(site.client("autoscaling").describe_policies(**key)["ScalingPolicies"][0]["PolicyARN"])
        return Made(physical_id=arn, attributes={"Arn": arn, "PolicyName": name})


class ScalableTarget(Mapped):
    """AWS::ApplicationAutoScaling::ScalableTarget."""

    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    service = "application-autoscaling"
    creating, changing = "RegisterScalableTarget", ("RegisterScalableTarget",)
    deleting, reading = "DeregisterScalableTarget", "DescribeScalableTargets"
    keys = {
        "ServiceNamespace": "{ServiceNamespace}",
        "ResourceId": "{ResourceId}",
        "ScalableDimension": "{ScalableDimension}",
    }
    found_at = "ScalableTargets.0"
    attributes = {"Id": "{id}"}
    ignored = frozenset({"ScheduledActions", "Tags"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Register the target; its id tells what of which service scales."""
        self.call(site, self.creating, self.arguments(self.creating, properties))
        names = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        physical_id = "|".join(str(properties[name]) for name in names)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The target, as the list of the service's targets tells it."""
        resource, dimension, service = physical_id.split("|")
        answer = site.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace=service, ResourceIds=[resource], ScalableDimension=dimension
        )
        if not answer["ScalableTargets"]:
            raise ResourceGone(physical_id)
        return answer["ScalableTargets"][0]


class ApplicationScalingPolicy(Mapped):
    """AWS::ApplicationAutoScaling::ScalingPolicy."""

    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    service = "application-autoscaling"
    creating, changing = "PutScalingPolicy", ("PutScalingPolicy",)
    deleting, reading = "DeleteScalingPolicy", "DescribeScalingPolicies"
    made_at, found_at = "PolicyARN", "ScalingPolicies.0"
    renamed = {"ScalingTargetId": "ScalingTargetId"}
    attributes = {"Arn": "{id}"}
    unread = frozenset({"ScalingTargetId"})

    def carried_out(self) -> frozenset[str]:
        """What the call takes, and the target by its id."""
        return super().carried_out() | {"ScalingTargetId"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Put the policy on its target."""
        return super().create(site, _targeted(properties))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Put the policy anew."""
        return super().update(site, physical_id, _targeted(before), _targeted(after))

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """A policy is named with its target."""
        given = _targeted(properties)
        names = ("PolicyName", "ResourceId", "ScalableDimension", "ServiceNamespace")
        if operation == self.reading:
            return {"ServiceNamespace": given["ServiceNamespace"], "PolicyNames": [given["PolicyName"]]}
        return {name: given[name] for name in names}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The policy; its target as it was given."""
        live = dict(super().read(site, physical_id, _targeted(properties)) or {})
        return {**live, **{name: properties[name] for name in ("ScalingTargetId",) if name in properties}}


def _targeted(properties: Properties) -> dict[str, Any]:
    """A policy's properties with its target by its parts."""
    given = {name: value for name, value in properties.items() if name != "ScalingTargetId"}
    if target := properties.get("ScalingTargetId"):
        given |= dict(zip(("ResourceId", "ScalableDimension", "ServiceNamespace"), str(target).split("|"), strict=True))
    return given


HANDLERS = (
    ApplicationScalingPolicy(),
    AutoScalingGroup(),
    LaunchConfiguration(),
    ScalableTarget(),
    ScalingPolicy(),
    ScheduledAction(),
)
