"""CloudFormation's API: a call by name and arguments in, a result or an error out, in the query protocol.

An operation that the offline AWS does not have is refused with `NotImplemented`, never answered emptily.
"""

import re
from collections.abc import Callable
from typing import Any

from orbits_aws.offline.identify import Identity
from orbits_aws.offline.moto_adapter import parse_query, serialize_query
from orbits_aws.offline.wire import Answer, Environ, error_answer

from . import drift, view
from .change_sets import ChangeSets
from .deletion import Deletion
from .direct import Direct
from .errors import CloudFormationError, ValidationError
from .goals import policy_text
from .model import Stack
from .paging import SIZE, page
from .place import Place, Request
from .recovery import Recovery
from .schemas import published
from .stack_sets import StackSets
from .stacks import Stacks
from .template_api import Templates
from .world import World

Result = dict[str, Any]

_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}|arn:.+")
_CHANGE_SET_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}|arn:.+")


class Api:
    """The service that the gateway calls."""

    def __init__(
        self, world: World, stacks: Stacks, direct: Direct, change_sets: ChangeSets, stack_sets: StackSets
    ) -> None:
        self._world, self._stacks, self._change_sets = world, stacks, change_sets
        self._recovery, self._deletion = Recovery(stacks), Deletion(stacks)
        templates = Templates(stacks, change_sets)
        self._detections: dict[str, Result] = {}
        self._operations: dict[str, Callable[[Place, Request], Result]] = {
            "CancelUpdateStack": self._cancel_update,
            "ContinueUpdateRollback": self._continue_rollback,
            "CreateChangeSet": self._create_change_set,
            "CreateStack": lambda place, request: _begun(direct.create(place, request)),
            "DeleteChangeSet": self._delete_change_set,
            "DeleteStack": self._delete_stack,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeEvents": self._describe_operation_events,
            "DescribeStackDriftDetectionStatus": self._describe_detection,
            "DescribeStackEvents": self._describe_events,
            "DescribeStackResource": self._describe_resource,
            "DescribeStackResourceDrifts": self._describe_drifts,
            "DescribeStackResources": self._describe_resources,
            "DescribeStacks": self._describe_stacks,
            "DescribeType": self._describe_type,
            "DetectStackDrift": self._detect_drift,
            "DetectStackResourceDrift": self._detect_resource_drift,
            "ExecuteChangeSet": self._execute_change_set,
            "GetStackPolicy": self._get_policy,
            "GetTemplate": templates.get,
            "GetTemplateSummary": templates.summarize,
            "ListChangeSets": self._list_change_sets,
            "ListExports": self._list_exports,
            "ListImports": self._list_imports,
            "ListStackResources": self._list_resources,
            "ListStacks": self._list_stacks,
            "RollbackStack": lambda place, request: _begun(self._recovery.roll_back(place, request)),
            "SetStackPolicy": self._set_policy,
            "SignalResource": self._signal,
            "UpdateStack": lambda place, request: _begun(direct.update(place, request)),
            "UpdateTerminationProtection": self._update_protection,
            "ValidateTemplate": templates.validate,
            **stack_sets.operations(),
        }

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        operation = self._operations.get(identity.operation)
        if operation is None:
            message = f"The offline AWS does not offer {identity.operation} of CloudFormation"
            return error_answer("query", "NotImplemented", message, 501)
        place = Place(account=identity.account, region=identity.region)
        try:
            request = parse_query("cloudformation", identity.operation, environ)
            _check_names(request)
            return serialize_query("cloudformation", identity.operation, operation(place, request))
        except CloudFormationError as refused:
            return error_answer("query", refused.code, refused.message, refused.status)

    def clear(self) -> None:
        """Forget the drift detections."""
        self._detections.clear()

    def _create_change_set(self, place: Place, request: Request) -> Result:
        change_set = self._change_sets.create(place, request)
        return {"Id": change_set.id, "StackId": change_set.stack.id}

    def _execute_change_set(self, place: Place, request: Request) -> Result:
        self._change_sets.execute(place, request)
        return {}

    def _delete_change_set(self, place: Place, request: Request) -> Result:
        self._change_sets.delete(place, request)
        return {}

    def _describe_change_set(self, place: Place, request: Request) -> Result:
        change_set = self._change_sets.find(place, request)
        changes, token = page(change_set.changes, request)
        values = bool(request.get("IncludePropertyValues"))
        return view.change_set_detail_view(change_set, changes, values=values) | {"NextToken": token}

    def _list_change_sets(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        shown, token = page(self._change_sets.of(stack), request)
        return {"Summaries": [view.change_set_view(one) for one in shown], "NextToken": token}

    def _continue_rollback(self, place: Place, request: Request) -> Result:
        self._recovery.continue_rollback(place, request)
        return {}

    def _cancel_update(self, place: Place, request: Request) -> Result:
        self._recovery.cancel(place, request)
        return {}

    def _delete_stack(self, place: Place, request: Request) -> Result:
        self._deletion.delete(place, request)
        return {}

    def _describe_stacks(self, place: Place, request: Request) -> Result:
        name = request.get("StackName")
        stacks = [self._stacks.find(place, str(name))] if name else self._stacks.living(place)
        for stack in stacks:
            self._stacks.poll(stack)
        if name and stacks[0].deleted is not None and not stacks[0].hidden and not str(name).startswith("arn:"):
            stacks = [self._stacks.find(place, str(name))]
        shown, token = page(stacks, request)
        return {"Stacks": [view.stack_view(stack) for stack in shown], "NextToken": token}

    def _list_stacks(self, place: Place, request: Request) -> Result:
        wanted: set[str] = set(request.get("StackStatusFilter") or ())
        for stack in self._stacks.all(place) if wanted else ():  # who asks for a status waits for another one
            self._stacks.poll(stack)
        stacks = [one for one in self._stacks.all(place) if not wanted or one.shown_status[0] in wanted]
        shown, token = page(stacks, request)
        return {"StackSummaries": [view.summary_view(stack) for stack in shown], "NextToken": token}

    def _describe_events(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        shown, token = page(stack.shown_events[::-1], request)
        return {"StackEvents": [view.event_view(stack, event) for event in shown], "NextToken": token}

    def _describe_operation_events(self, place: Place, request: Request) -> Result:
        if request.get("ChangeSetName"):
            events = view.change_set_events(self._change_sets.find(place, request))
        else:
            stack = self._stacks.find(place, str(request["StackName"]))
            events = [view.operation_event_view(stack, event) for event in stack.shown_events[::-1]]
        if request.get("OperationId"):
            events = [event for event in events if event["OperationId"] == request["OperationId"]]
        if (request.get("Filters") or {}).get("FailedEvents"):
            events = [event for event in events if event["EventType"].endswith("_ERROR")]
        shown, token = page(events, request)
        return {"OperationEvents": shown, "NextToken": token}

    def _describe_resource(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        name = str(request["LogicalResourceId"])
        if name not in stack.resources:
            raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
        return {"StackResourceDetail": view.resource_detail_view(stack, stack.resources[name])}

    def _describe_resources(self, place: Place, request: Request) -> Result:
        stack = self._stack_of_resources(place, request)
        logical, physical = request.get("LogicalResourceId"), request.get("PhysicalResourceId")
        return {
            "StackResources": [
                view.resource_view(stack, resource)
                for resource in stack.listed
                if logical in (None, resource.logical_id)
                and (request.get("StackName") or physical == resource.physical_id)
            ][:SIZE]
        }

    def _stack_of_resources(self, place: Place, request: Request) -> Stack:
        if request.get("StackName"):
            return self._stacks.find(place, str(request["StackName"]))
        physical = request.get("PhysicalResourceId")
        for stack in self._stacks.living(place):
            if any(resource.physical_id == physical for resource in stack.resources.values()):
                return stack
        raise ValidationError(f"Stack for {physical} does not exist")

    def _list_resources(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        shown, token = page(stack.listed, request)
        return {"StackResourceSummaries": [view.resource_summary_view(one) for one in shown], "NextToken": token}

    def _describe_type(self, place: Place, request: Request) -> Result:
        """What AWS publishes of a type of its own; there are no others."""
        name = str(request.get("TypeName", ""))
        schema = published(name)
        if schema is None:
            raise CloudFormationError(
                "TypeNotFoundException", "The specified extension doesn't exist in the CloudFormation registry.", 404
            )
        return {
            "Arn": f"arn:aws:cloudformation:{place.region}::type/resource/{name.replace('::', '-')}",
            "Schema": schema,
            "Type": "RESOURCE",
            "TypeName": name,
            "Visibility": "PUBLIC",
        }

    def _list_exports(self, place: Place, request: Request) -> Result:
        shown, token = page(sorted(self._world.exports(place.account, place.region).items()), request)
        return {
            "Exports": [{"ExportingStackId": stack.id, "Name": name, "Value": value} for name, (stack, value) in shown],
            "NextToken": token,
        }

    def _list_imports(self, place: Place, request: Request) -> Result:
        name = str(request["ExportName"])
        users = [stack.name for stack in self._stacks.living(place) if name in stack.imports]
        if not users:
            raise ValidationError(f"Export '{name}' is not imported by any stack.")
        shown, token = page(users, request)
        return {"Imports": shown, "NextToken": token}

    def _get_policy(self, place: Place, request: Request) -> Result:
        return {"StackPolicyBody": self._stacks.find(place, str(request["StackName"])).policy}

    def _set_policy(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        policy = policy_text(self._stacks.goals, place, request, "StackPolicy")
        if policy is None:
            raise ValidationError("You must specify either StackPolicyBody or StackPolicyURL")
        stack.policy = policy
        return {}

    def _signal(self, place: Place, request: Request) -> Result:
        """Nothing here waits for signals: every resource is done when it can be asked for."""
        stack, name = self._stacks.find(place, str(request["StackName"])), str(request["LogicalResourceId"])
        if name not in stack.resources:
            raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
        raise ValidationError(f"Resource {name} is in {stack.resources[name].status} state and cannot be signaled")

    def _update_protection(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        if stack.parent_id is not None:
            raise ValidationError(
                f"Termination protection cannot be set on nested stacks: set it on the root stack [{stack.root_id}]"
            )
        stack.termination_protection = bool(request["EnableTerminationProtection"])
        return {"StackId": stack.id}

    def _detect_drift(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        names = request.get("LogicalResourceIds")
        detection = drift.detect(self._world, stack, [str(name) for name in names] if names else None)
        unread = drift.unknown(stack)
        self._detections[detection] = {
            "StackId": stack.id,
            "StackDriftDetectionId": detection,
            "StackDriftStatus": stack.drift_status,
            "DetectionStatus": "DETECTION_FAILED" if unread else "DETECTION_COMPLETE",
            "DetectionStatusReason": f"Failed to detect drift on resources [{', '.join(unread)}]" if unread else None,
            "DriftedStackResourceCount": drift.drifted_count(stack),
            "Timestamp": stack.drift_checked,
        }
        return {"StackDriftDetectionId": detection}

    def _describe_detection(self, place: Place, request: Request) -> Result:
        found = self._detections.get(str(request["StackDriftDetectionId"]))
        if found is None:
            raise ValidationError(f"Drift detection {request['StackDriftDetectionId']} does not exist")
        return found

    def _describe_drifts(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        wanted = set(request.get("StackResourceDriftStatusFilters") or ())
        drifts = [
            dict(resource.drift)
            for resource in stack.resources.values()
            if resource.drift
            and resource.drift["StackResourceDriftStatus"] != "NOT_CHECKED"
            and (not wanted or resource.drift["StackResourceDriftStatus"] in wanted)
        ]
        shown, token = page(drifts, request)
        return {"StackResourceDrifts": shown, "NextToken": token}

    def _detect_resource_drift(self, place: Place, request: Request) -> Result:
        stack = self._stacks.find(place, str(request["StackName"]))
        name = str(request["LogicalResourceId"])
        drift.detect(self._world, stack, [name])
        return {"StackResourceDrift": stack.resources[name].drift}


def _check_names(request: Request) -> None:
    for name, pattern in (("StackName", _STACK_NAME), ("ChangeSetName", _CHANGE_SET_NAME)):
        value = request.get(name)
        if value is not None and not pattern.fullmatch(str(value)):
            where = name[0].lower() + name[1:]
            raise ValidationError(
                f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:.+"
            )


def _begun(stack: Stack) -> Result:
    return {"StackId": stack.id, "OperationId": stack.operations[-1].id if stack.operations else None}
