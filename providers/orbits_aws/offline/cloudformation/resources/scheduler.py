"""Amazon EventBridge Scheduler and AWS Cloud Map: schedules, namespaces and their services."""

from collections.abc import Iterable
from typing import Any

from .contract import Made, Properties, Site
from .mapped import Mapped


class Schedule(Mapped):
    """AWS::Scheduler::Schedule."""

    type = "AWS::Scheduler::Schedule"
    listing = ("scheduler", "list_schedules", "Schedules[].Name")
    service = "scheduler"
    creating, changing, deleting, reading = "CreateSchedule", ("UpdateSchedule",), "DeleteSchedule", "GetSchedule"
    named_by = "Name"
    longest = 64
    keys = {"Name": "{id}", "GroupName": "{GroupName}"}
    defaults = {"State": "ENABLED"}


class ScheduleGroup(Mapped):
    """AWS::Scheduler::ScheduleGroup."""

    type = "AWS::Scheduler::ScheduleGroup"
    listing = ("scheduler", "list_schedule_groups", "ScheduleGroups[].Name")
    service = "scheduler"
    creating, deleting, reading = "CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup"
    named_by = "Name"
    longest = 64
    keys = {"Name": "{id}"}


class _Namespace(Mapped):
    """A namespace of Cloud Map: made by an operation that tells its id."""

    service = "servicediscovery"
    deleting, reading = "DeleteNamespace", "GetNamespace"
    found_at = "Namespace"
    keys = {"Id": "{id}"}
    attributes = {"Arn": "Arn", "HostedZoneId": "Properties.DnsProperties.HostedZoneId", "Id": "{id}"}
    unread = frozenset({"Properties", "Vpc"})

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it, and ask the operation what it made."""
        operation = self.call(site, self.creating, self.arguments(self.creating, properties))["OperationId"]
        found = site.client("servicediscovery").get_operation(OperationId=operation)["Operation"]
        physical_id = str(found["Targets"]["NAMESPACE"])
        site.made(physical_id)
        return self.made(site, physical_id, properties)

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change the description."""
        self.refuse(set(names) - {"Description"})
        change = {"Description": after.get("Description", "")}
        call = self.creating.replace("Create", "Update")
        self.call(site, call, {"Id": physical_id, "Namespace": change})


class PrivateDnsNamespace(_Namespace):
    """AWS::ServiceDiscovery::PrivateDnsNamespace."""

    type = "AWS::ServiceDiscovery::PrivateDnsNamespace"
    creating = "CreatePrivateDnsNamespace"


class HttpNamespace(_Namespace):
    """AWS::ServiceDiscovery::HttpNamespace."""

    type = "AWS::ServiceDiscovery::HttpNamespace"
    creating = "CreateHttpNamespace"


class DiscoveryService(Mapped):
    """AWS::ServiceDiscovery::Service. What can change of it is told as one argument."""

    type = "AWS::ServiceDiscovery::Service"
    service = "servicediscovery"
    creating, deleting, reading = "CreateService", "DeleteService", "GetService"
    made_at, found_at = "Service.Id", "Service"
    named_by = "Name"
    longest = 64
    keys = {"Id": "{id}"}
    attributes = {"Arn": "Arn", "Id": "{id}", "Name": "Name"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change description, DNS and health check."""
        self.refuse(set(names) - {"Description", "DnsConfig", "HealthCheckConfig"})
        arguments: dict[str, Any] = self.arguments(self.creating, after)
        kept = ("DnsConfig", "HealthCheckConfig")
        change: dict[str, Any] = {name: arguments[name] for name in kept if name in arguments}
        if "DnsConfig" in change:
            change["DnsConfig"] = {"DnsRecords": change["DnsConfig"]["DnsRecords"]}
        change["Description"] = after.get("Description", "")
        site.client("servicediscovery").update_service(Id=physical_id, Service=change)


HANDLERS = (DiscoveryService(), HttpNamespace(), PrivateDnsNamespace(), Schedule(), ScheduleGroup())
