"""How a change set that is being carried out ends: watched until the stack is idle, then judged by its events."""

from typing import Any

from orbits_aws.errors import NotThere
from orbits_cdk.cloudformation import (
    REVIEW,
    Stack,
    StackEvent,
    cause,
    find_stack,
    first_failure,
    last_operation,
)
from orbits_cdk.errors import DeployFailed, StackBusy, StackStuck
from orbits_cdk.stuck import refuse_stuck, todo_of
from orbits_cdk.wanted import Deployed, Tell, Underway, Wanted


def look(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Underway:
    """How far the execution of the change set is.

    Raises DeployFailed, naming the resource that failed first, where CloudFormation went back; StackStuck where it
    could not do that either; StackBusy where somebody else's deployment has followed.
    """
    stack = find_stack(cfn, underway.stack_id)
    if stack is None:
        raise DeployFailed(f"{wanted.where} was deleted while it was deployed")
    events = last_operation(cfn, underway.stack_id)
    if stack.status == REVIEW or stack.busy:
        _tell_of(stack, events, underway, tell)
        return underway
    if not _ended(cfn, wanted, underway, events):
        return underway
    if stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        return Deployed(outputs=dict(stack.outputs), changed=True, by_hand=underway.by_hand)
    failure = cause(cfn, first_failure, events)
    what = str(failure) if failure else stack.reason or "no reason given"
    try:
        refuse_stuck(cfn, stack, wanted.place)
    except StackStuck as stuck:
        raise StackStuck(f"{what}. {stuck}") from stuck
    raise DeployFailed(f"{what}; the stack {wanted.where} is {stack.status}{todo_of(what, stack.name)}")


def _tell_of(stack: Stack, events: list[StackEvent], underway: Underway, tell: Tell) -> None:
    done = {event.logical_id for event in events if event.status.endswith("_COMPLETE") and not event.is_stack}
    latest = next((event for event in reversed(events) if not event.is_stack), None)
    said = f": {latest.logical_id} {latest.status}" if latest else ""
    share = min(1.0, len(done) / underway.total) if underway.total else None
    tell(f"{stack.status} {len(done)}/{underway.total}{said}", share)


def _ended(cfn: Any, wanted: Wanted, underway: Underway, events: list[StackEvent]) -> bool:
    """Whether the stack is idle after the execution, and not still before it: what is read may be a moment old."""
    if events and events[0].token == wanted.change_set:
        return True
    try:
        made = cfn.describe_change_set(StackName=underway.stack_id, ChangeSetName=wanted.change_set)
    except NotThere as error:
        raise StackBusy(f"{wanted.where}: somebody else deployed it right after, before its end was seen") from error
    return str(made.get("ExecutionStatus")) not in {"AVAILABLE", "EXECUTE_IN_PROGRESS"}
