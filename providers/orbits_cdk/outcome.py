"""How a change set that is being carried out ends: watched until the stack is idle, then judged by its events."""

from typing import Any

from orbits_aws.errors import AwsUnavailable, NotThere
from orbits_cdk.cloudformation import (
    REVIEW,
    StackEvent,
    cause,
    find_stack,
    first_failure,
    last_operation,
)
from orbits_cdk.errors import DeployFailed, StackBusy, StackStuck
from orbits_cdk.stuck import refuse_stuck, todo_of
from orbits_cdk.wanted import Deployed, Tell, Underway, Wanted

_NAMED = 5  # resources that are named at once


def look(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Underway:
    """How far the execution of the change set is.

    Raises DeployFailed, naming the resource that failed first, where CloudFormation went back; StackStuck where it
    could not do that either; StackBusy where somebody else's deployment has followed. While CloudFormation cannot be
    asked, by throttling or a session that ends, it is taken to go on: nothing here changes what it does.
    """
    try:
        return _look(cfn, wanted, underway, tell)
    except AwsUnavailable as error:
        tell(f"it goes on, and how far it is cannot be asked now: {error}", None)
        return underway


def _look(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Underway:
    in_progress = wanted.watch(underway.stack_id)
    if in_progress is not None:
        if not wanted.may_read_events(underway.stack_id):
            return underway
        return _tell_of(in_progress, last_operation(cfn, underway.stack_id), underway, tell)
    stack = find_stack(cfn, underway.stack_id)
    if stack is None:
        raise DeployFailed(f"{wanted.where} was deleted while it was deployed")
    events = last_operation(cfn, underway.stack_id)
    if stack.status == REVIEW or stack.busy:
        return _tell_of(stack.status, events, underway, tell)
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


def _tell_of(status: str, events: list[StackEvent], underway: Underway, tell: Tell) -> Underway:
    """Tell how far it is: what has ended since the last time, with the time that each resource took."""
    began: dict[str, float] = {}
    ended: list[str] = []
    done: set[str] = set()
    for number, event in enumerate(events):
        if event.is_stack:
            continue
        began.setdefault(event.logical_id, event.at)
        if event.status.endswith("_COMPLETE"):
            done.add(event.logical_id)
        if number >= underway.told and not event.status.endswith("_IN_PROGRESS"):
            ended.append(f"{event.logical_id} {event.status} after {event.at - began[event.logical_id]:.0f} s")
    latest = next((f"{event.logical_id} {event.status}" for event in reversed(events) if not event.is_stack), "")
    said = ", ".join([*ended[:_NAMED], f"and {len(ended) - _NAMED} more"] if len(ended) > _NAMED else ended) or latest
    share = min(1.0, len(done) / underway.total) if underway.total else None
    tell(f"{status} {len(done)}/{underway.total}{f': {said}' if said else ''}", share)
    return underway.model_copy(update={"told": len(events)})


def _ended(cfn: Any, wanted: Wanted, underway: Underway, events: list[StackEvent]) -> bool:
    """Whether the stack is idle after the execution, and not still before it: what is read may be a moment old."""
    if events and events[0].token == wanted.change_set:
        return True
    try:
        made = cfn.describe_change_set(StackName=underway.stack_id, ChangeSetName=wanted.change_set)
    except NotThere as error:
        raise StackBusy(f"{wanted.where}: somebody else deployed it right after, before its end was seen") from error
    return str(made.get("ExecutionStatus")) not in {"AVAILABLE", "EXECUTE_IN_PROGRESS"}
