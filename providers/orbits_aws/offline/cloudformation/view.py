"""Stacks, resources, events and change sets as the API shows them. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from .model import ChangeSet, Event, Goal, Stack, StackResource

Shown = dict[str, Any]


def stack_view(stack: Stack) -> Shown:
    """A stack as DescribeStacks shows it."""
    status, reason = stack.shown_status
    goal = stack.goal or stack.wanted
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": goal.template.description if goal else None,
        "Parameters": parameters_view(goal),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "RollbackConfiguration": dict(goal.rollback) if goal else {},
        "StackStatus": status,
        "StackStatusReason": reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": list(goal.notification_arns) if goal else [],
        "Capabilities": list(goal.capabilities) if goal else [],
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            }
            for output in stack.shown_outputs
        ]
        or None,
        "RoleARN": stack.role_arn,
        "Tags": tags_view(goal.tags if goal else {}),
        "EnableTerminationProtection": stack.termination_protection,
        "TimeoutInMinutes": stack.timeout,
        "RetainExceptOnCreate": stack.retain_except_on_create,
        "DeletionMode": stack.deletion_mode,
        "LastOperations": _last_operations(stack),
        "ParentId": stack.parent_id,
        "RootId": stack.root_id,
        "DriftInformation": _drift_information(stack),
    }


def _drift_information(stack: Stack) -> Shown:
    return {"StackDriftStatus": stack.drift_status, "LastCheckTimestamp": stack.drift_checked}


def _last_operations(stack: Stack) -> list[Shown]:
    """The last operation of each kind, the newest first."""
    newest = {operation.type: operation for operation in stack.operations}
    return [{"OperationType": one.type, "OperationId": one.id} for one in reversed(newest.values())]


def summary_view(stack: Stack) -> Shown:
    """A stack as ListStacks shows it."""
    status, reason = stack.shown_status
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": stack.goal.template.description if stack.goal else None,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": status,
        "StackStatusReason": reason,
        "ParentId": stack.parent_id,
        "RootId": stack.root_id,
        "DriftInformation": _drift_information(stack),
    }


def parameters_view(goal: Goal | None) -> list[Shown]:
    """Parameters with their values; those with NoEcho masked."""
    if goal is None:
        return []
    return [
        {
            "ParameterKey": key,
            "ParameterValue": "****" if value.secret else str(value.given),
            "ResolvedValue": None if value.resolved is None or isinstance(value.resolved, list) else value.resolved,
        }
        for key, value in goal.parameters.items()
    ]


def tags_view(tags: Mapping[str, str]) -> list[Shown]:
    """Tags as a list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def resource_view(stack: Stack, resource: StackResource) -> Shown:
    """A resource as DescribeStackResources shows it."""
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "Timestamp": resource.updated,
        **_resource(resource),
    }


def resource_detail_view(stack: Stack, resource: StackResource) -> Shown:
    """A resource as DescribeStackResource shows it."""
    return {"StackName": stack.name, "StackId": stack.id, **resource_summary_view(resource)} | {
        "Metadata": None if resource.metadata is None else json.dumps(resource.metadata)
    }


def resource_summary_view(resource: StackResource) -> Shown:
    """A resource as ListStackResources shows it."""
    return {"LastUpdatedTimestamp": resource.updated, **_resource(resource)}


def _resource(resource: StackResource) -> Shown:
    drift = resource.drift or {}
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {
            "StackResourceDriftStatus": drift.get("StackResourceDriftStatus", "NOT_CHECKED"),
            "LastCheckTimestamp": drift.get("Timestamp"),
        },
    }


def event_view(stack: Stack, event: Event) -> Shown:
    """An event as DescribeStackEvents shows it."""
    return {
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": event.time,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
        "OperationId": event.operation,
    }


def operation_event_view(stack: Stack, event: Event) -> Shown:
    """An event as DescribeEvents shows it."""
    shown = event_view(stack, event)
    del shown["StackName"]
    types = {operation.id: operation.type for operation in stack.operations}
    if event.physical_id == stack.id:
        kind = "STACK_EVENT"
    else:
        kind = "PROVISIONING_ERROR" if event.status.endswith("_FAILED") else "PROGRESS_EVENT"
    if kind == "STACK_EVENT" and not event.status.endswith("_IN_PROGRESS"):
        failed = "ROLLBACK" in event.status or event.status.endswith("_FAILED")
        shown["OperationStatus"] = "FAILED" if failed else "SUCCEEDED"
    return shown | {"EventType": kind, "OperationType": types.get(event.operation or "")}


def change_set_events(change_set: ChangeSet) -> list[Shown]:
    """How the making of a change set went, as DescribeEvents shows it: what the validation found, then the end."""
    operation = change_set.id.rpartition("/")[2]
    common: Shown = {
        "StackId": change_set.stack.id,
        "OperationId": operation,
        "OperationType": "CREATE_CHANGESET",
        "Timestamp": change_set.created,
    }
    failed = change_set.status == "FAILED"
    ended = common | {
        "EventId": f"{operation}-end",
        "EventType": "STACK_EVENT",
        "OperationStatus": "FAILED" if failed else "SUCCEEDED",
        "StartTime": change_set.created,
        "EndTime": change_set.created,
        "ResourceStatusReason": change_set.reason,
    }
    return [ended] + [
        common
        | {
            "EventId": f"{operation}-{number}",
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": finding.logical_id,
            "ResourceType": finding.type,
            "ValidationFailureMode": "FAIL",
            "ValidationName": finding.name,
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": finding.reason,
            "ValidationPath": finding.path,
        }
        for number, finding in enumerate(change_set.findings)
    ]


def change_set_view(change_set: ChangeSet) -> Shown:
    """A change set as ListChangeSets shows it."""
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
        "CreationTime": change_set.created,
        "Description": change_set.description,
        "ExecutionStatus": "EXECUTE_IN_PROGRESS" if change_set.executing else change_set.execution_status,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "IncludeNestedStacks": change_set.includes_nested,
        "ParentChangeSetId": change_set.parent.id if change_set.parent else None,
        "RootChangeSetId": change_set.root.id if change_set.parent else None,
        "ImportExistingResources": change_set.imports_existing,
    }


def change_set_detail_view(change_set: ChangeSet, changes: list[Shown], *, values: bool) -> Shown:
    """A change set as DescribeChangeSet shows it, with some of its changes; property values only if asked for."""
    goal = change_set.goal
    return change_set_view(change_set) | {
        "Parameters": parameters_view(goal),
        "Tags": tags_view(goal.tags),
        "Capabilities": list(goal.capabilities),
        "NotificationARNs": list(goal.notification_arns),
        "RollbackConfiguration": dict(goal.rollback),
        "OnStackFailure": change_set.on_stack_failure,
        "DeploymentMode": "REVERT_DRIFT" if change_set.reverts_drift else None,
        "StackDriftStatus": change_set.stack.drift_status if change_set.reverts_drift else None,
        "Changes": [change if values else _without_values(change) for change in changes],
    }


def _without_values(change: Shown) -> Shown:
    """A change by the names of the properties alone, each named once."""
    resource = {
        name: value for name, value in change["ResourceChange"].items() if name not in ("BeforeContext", "AfterContext")
    }
    details: dict[str, Shown] = {}
    for detail in resource["Details"]:
        target = {name: detail["Target"][name] for name in ("Attribute", "Name", "RequiresRecreation")}
        earlier = details.get(target["Name"])
        if earlier is None or earlier["Target"]["RequiresRecreation"] == "Never":
            details[target["Name"]] = {**detail, "Target": target}
    return {**change, "ResourceChange": {**resource, "Details": list(details.values())}}
