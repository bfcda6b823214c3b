"""Amazon EventBridge: buses, rules with their targets, archives, connections and API destinations."""

from collections.abc import Iterable
from typing import Any

from .contract import Properties, Site
from .mapped import Mapped


class EventBus(Mapped):
    """AWS::Events::EventBus."""

    type = "AWS::Events::EventBus"
    service = "events"
    creating, deleting, reading = "CreateEventBus", "DeleteEventBus", "DescribeEventBus"
    named_by = "Name"
    keys = {"Name": "{id}"}
    attributes = {"Name": "Name"}


class Rule(Mapped):
    """AWS::Events::Rule. The targets are put, and taken away, by calls of their own."""

    type = "AWS::Events::Rule"
    service = "events"
    creating, changing, deleting, reading = "PutRule", ("PutRule",), "DeleteRule", "DescribeRule"
    named_by = "Name"
    longest = 64
    keys = {"Name": "{tail}", "Rule": "{tail}", "EventBusName": "{EventBusName}"}
    replaced_by = frozenset({"EventBusName"})
    attributes = {"RuleName": "Name"}

    def carried_out(self) -> frozenset[str]:
        """The rule's own properties and its targets."""
        return super().carried_out() | {"Targets"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change the rule, put what its targets are now, and remove those that went."""
        left = set(names)
        if left - {"Targets"}:
            super().change(site, physical_id, before, after, left - {"Targets"})
        if "Targets" not in left:
            return
        targets = {str(target["Id"]): target for target in after.get("Targets") or []}
        key = self.key(site, "PutTargets", physical_id, after)
        if gone := [str(one["Id"]) for one in before.get("Targets") or [] if str(one["Id"]) not in targets]:
            site.client("events").remove_targets(**key, Ids=gone)
        if targets:
            answer = self.call(site, "PutTargets", {**self.arguments("PutTargets", after), **key})
            self.check(answer)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the rule, its targets first."""
        key = self.key(site, "PutTargets", physical_id, properties)
        events = site.client("events")
        if targets := events.list_targets_by_rule(**key)["Targets"]:
            self.check(events.remove_targets(**key, Ids=[target["Id"] for target in targets]))
        super().delete(site, physical_id, properties)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The rule with its targets."""
        live = super().read(site, physical_id, properties)
        key = self.key(site, "PutTargets", physical_id, properties)
        return {**(live or {}), "Targets": site.client("events").list_targets_by_rule(**key)["Targets"]}

    @staticmethod
    def check(answer: Any) -> None:
        """Raise for targets that the call reports as failed; the call itself succeeds."""
        for entry in answer.get("FailedEntries") or []:
            raise RuntimeError(f"target {entry.get('TargetId')}: {entry.get('ErrorMessage')}")


class Archive(Mapped):
    """AWS::Events::Archive."""

    type = "AWS::Events::Archive"
    service = "events"
    creating, changing, deleting, reading = "CreateArchive", ("UpdateArchive",), "DeleteArchive", "DescribeArchive"
    named_by = "ArchiveName"
    longest = 48
    keys = {"ArchiveName": "{id}"}
    renamed = {"SourceArn": "EventSourceArn"}
    defaults = {"Description": "", "RetentionDays": 0}
    attributes = {"Arn": "ArchiveArn"}


class Connection(Mapped):
    """AWS::Events::Connection. What it authorizes with is written, not read."""

    type = "AWS::Events::Connection"
    service = "events"
    creating, changing = "CreateConnection", ("UpdateConnection",)
    deleting, reading = "DeleteConnection", "DescribeConnection"
    named_by = "Name"
    longest = 64
    keys = {"Name": "{id}"}
    defaults = {"Description": ""}
    attributes = {"Arn": "ConnectionArn", "ArnForPolicy": "ConnectionArn"}
    unread = frozenset({"AuthParameters"})


class ApiDestination(Mapped):
    """AWS::Events::ApiDestination."""

    type = "AWS::Events::ApiDestination"
    service = "events"
    creating, changing = "CreateApiDestination", ("UpdateApiDestination",)
    deleting, reading = "DeleteApiDestination", "DescribeApiDestination"
    named_by = "Name"
    longest = 64
    keys = {"Name": "{id}"}
    defaults = {"Description": ""}
    attributes = {"Arn": "ApiDestinationArn", "ArnForPolicy": "ApiDestinationArn"}


class EventBusPolicy(Mapped):
    """AWS::Events::EventBusPolicy."""

    type = "AWS::Events::EventBusPolicy"
    service = "events"
    creating, changing, deleting = "PutPermission", ("PutPermission",), "RemovePermission"
    named_by = "StatementId"
    keys = {"StatementId": "{StatementId}", "EventBusName": "{EventBusName}"}


HANDLERS = (ApiDestination(), Archive(), Connection(), EventBus(), EventBusPolicy(), Rule())
