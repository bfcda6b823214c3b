"""Deploying a stack by change sets.

`advance` takes the next step that the state of stack and change set calls for and returns how far it is: a `Deployed`,
or an `Underway` to come back with. It decides by what CloudFormation says, never by what was meant to have happened,
so it may be called again after a crash at any point: the change set is named after the token, and one that is being
carried out is attached to. A stack that is already as wanted is found out by reads alone and never written to.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orbits_aws.errors import AwsRefused, AwsUnavailable, NotThere
from orbits_cdk.by_hand import written
from orbits_cdk.change_set import Kind, changes_nothing, explained, hidden_parameters, make
from orbits_cdk.cloudformation import (
    IDLE,
    REVIEW,
    Stack,
    changes_of,
    find_stack,
    template_of,
)
from orbits_cdk.errors import DeployFailed, StackBusy
from orbits_cdk.imports import import_template, to_import
from orbits_cdk.outcome import look
from orbits_cdk.payload import LARGEST, template_text
from orbits_cdk.remediation import beside
from orbits_cdk.stateful import losses
from orbits_cdk.stuck import delete, explain, mend, refuse_stuck
from orbits_cdk.wanted import Deployed, Tell, Underway, Wanted, Withheld
from orbits_iac.provider import Refused


def advance(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Withheld | Underway:
    """Take the next step of the deployment, if there is one to take now.

    What would lose data of resources that are not `wanted.accepted` is withheld before anything is done.

    Raises DeployFailed where CloudFormation went back, StackStuck where a person has to help, Refused where the stack
    is not ours, AwsError where a call failed.
    """
    if underway.phase == "begin":
        return _begin(cfn, wanted, underway, tell)
    if underway.importing:
        return _import(cfn, wanted, underway, tell)
    if underway.phase == "prepared":
        return _execute(cfn, wanted, underway, tell)
    return look(cfn, wanted, underway, tell)


def _import(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Withheld | Underway:
    """Go on with taking in what exists; when that is done, the deployment itself begins."""
    step = _importing(wanted)
    result = (_execute if underway.phase == "prepared" else look)(cfn, step, underway, tell)
    match result:
        case Underway():
            return result.model_copy(update={"importing": True})
        case Deployed():
            return Underway(stack_id=underway.stack_id)
        case Withheld():
            return result


def unchanged(cfn: Any, stack: Stack, wanted: Wanted) -> bool:
    """Whether the stack is as wanted: template, parameters and tags, found out by one read."""
    if stack.status not in IDLE or dict(stack.tags) != dict(wanted.tags):
        return False
    template = template_of(cfn, stack.name)
    if template is None or template != wanted.template:
        return False
    parameters = {**_defaults(wanted.template), **wanted.parameters}
    hidden = hidden_parameters(wanted.template)
    return all(stack.parameters.get(name) == parameters.get(name) for name in {*stack.parameters, *parameters} - hidden)


def _defaults(template: Mapping[str, Any]) -> dict[str, str]:
    parameters = template.get("Parameters", {})
    return {name: str(each["Default"]) for name, each in parameters.items() if "Default" in each}


def _find(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Stack | Underway | None:
    """The stack as it is before anything is done; or what to come back with, while somebody else deploys it."""
    try:
        if underway.stack_id and (status := wanted.watch(underway.stack_id)) is not None:
            tell(f"waiting: {wanted.stack} is {status}", None)
            return underway
        stack = find_stack(cfn, wanted.stack)
    except AwsUnavailable as error:
        if not underway.stack_id:
            raise
        tell(f"waiting: how far {wanted.stack} is cannot be asked now: {error}", None)
        return underway
    if stack is not None and (stack.status != REVIEW or stack.tags):
        wanted.refuse_foreign(stack.tags)
    if stack is not None and stack.busy:
        tell(f"waiting: {stack.name} is {stack.status}", None)
        return underway.model_copy(update={"stack_id": stack.id})
    return stack


def _begin(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Underway:
    stack = _find(cfn, wanted, underway, tell)
    if isinstance(stack, Underway):
        return stack
    if stack is None:
        return _prepare_import(cfn, wanted, None) or _prepare(cfn, wanted, "CREATE")
    mending = mend(cfn, stack, wanted, underway, tell)
    if mending is not None:
        return mending
    refuse_stuck(cfn, stack, wanted.place)
    if stack.status == REVIEW:
        return _prepare_import(cfn, wanted, None) or _prepare(cfn, wanted, "CREATE")
    importing = _prepare_import(cfn, wanted, stack)
    if importing is not None:
        return importing
    if wanted.reverts is None and unchanged(cfn, stack, wanted):
        return Deployed(outputs=dict(stack.outputs), changed=False)
    return _prepare(cfn, wanted, "UPDATE")


def _prepare_import(cfn: Any, wanted: Wanted, stack: Stack | None) -> Underway | None:
    """Ask for the change set that takes in what exists and is marked; None if there is nothing to take in."""
    if wanted.reverts is not None or not to_import(wanted.template, None):
        return None
    deployed = None if stack is None else template_of(cfn, stack.name)
    names = to_import(wanted.template, deployed)
    if not names:
        return None
    template = import_template(wanted.template, deployed, names)
    if len(template_text(template).encode()) > LARGEST:
        raise Refused(
            f"{', '.join(names)} cannot be imported into {wanted.where}: its template is larger than {LARGEST:,} "
            f"bytes. Import them into a stack of their own."
        )
    values = {**wanted.parameters, **({} if stack is None else stack.parameters)}
    told = set(template.get("Parameters", {})) - hidden_parameters(template)
    step = replace(
        _importing(wanted),
        template=template,
        template_url="",
        parameters={name: value for name, value in values.items() if name in told},
        tags=wanted.tags if stack is None else stack.tags,
        imports=names,
    )
    return _prepare(cfn, step, "IMPORT").model_copy(update={"importing": True})


def _importing(wanted: Wanted) -> Wanted:
    """The import that comes before a deployment, with a change set of its own."""
    return replace(wanted, token=f"{wanted.token}/import")


def _prepare(cfn: Any, wanted: Wanted, kind: Kind) -> Underway:
    try:
        answer = make(cfn, wanted, kind)
    except AwsRefused as error:
        explain(error, wanted.stack, wanted.place)
        if error.code == "AlreadyExistsException":  # made by an earlier call whose answer was lost
            return Underway(phase="prepared")
        if error.code == "ValidationError" and "IN_PROGRESS" in str(error):
            raise StackBusy(f"{wanted.where}: somebody else began to change it: {error}") from error
        raise
    return Underway(phase="prepared", stack_id=answer["StackId"])


def _execute(cfn: Any, wanted: Wanted, underway: Underway, tell: Tell) -> Deployed | Withheld | Underway:
    try:
        made = cfn.describe_change_set(StackName=underway.stack_id or wanted.stack, ChangeSetName=wanted.change_set)
    except NotThere as error:
        raise StackBusy(f"{wanted.where}: the change set was removed; somebody else deployed meanwhile") from error
    stack_id, executing = made["StackId"], made.get("ExecutionStatus", "UNAVAILABLE")
    if made["Status"] == "FAILED":
        return _not_made(cfn, wanted, made)
    if executing in {"EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE", "EXECUTE_FAILED"}:
        return Underway(phase="executing", stack_id=stack_id, total=len(made.get("Changes", ())))
    if executing == "OBSOLETE" or made["Status"].startswith("DELETE"):
        cfn.delete_change_set(StackName=stack_id, ChangeSetName=wanted.change_set)
        raise StackBusy(f"{wanted.where}: the change set no longer holds; somebody else deployed meanwhile")
    if made["Status"] != "CREATE_COMPLETE" or executing != "AVAILABLE":
        tell(f"the change set is {made['Status']}", None)
        return Underway(phase="prepared", stack_id=stack_id)
    changes = changes_of(cfn, made)
    lost = tuple(loss for loss in losses(changes) if loss.resource not in wanted.accepted)
    if wanted.reverts is not None:
        lost += beside(changes, wanted.reverts)
    if lost:
        cfn.delete_change_set(StackName=stack_id, ChangeSetName=wanted.change_set)
        return Withheld(losses=lost)
    by_hand = wanted.by_hand(written(changes)) if wanted.reverts is None else ()
    for each in by_hand:
        tell(each, None)
    try:
        cfn.execute_change_set(
            StackName=stack_id,
            ChangeSetName=wanted.change_set,
            ClientRequestToken=wanted.change_set,
            **({} if underway.importing else {"RetainExceptOnCreate": True}),  # an import makes nothing
        )
    except AwsRefused as error:
        if error.code == "InvalidChangeSetStatus":  # it moved on since it was looked at: look again
            return Underway(phase="prepared", stack_id=stack_id)
        explain(error, wanted.stack, wanted.place)
        if error.code == "ChangeSetNotFound" or "IN_PROGRESS" in str(error):
            cfn.delete_change_set(StackName=stack_id, ChangeSetName=wanted.change_set)
            raise StackBusy(f"{wanted.where}: somebody else began to change it: {error}") from error
        raise
    return Underway(phase="executing", stack_id=stack_id, total=len(changes), by_hand=by_hand)


def _not_made(cfn: Any, wanted: Wanted, made: Mapping[str, Any]) -> Deployed:
    """A change set that CloudFormation could not make: nothing to change, or a template that is refused."""
    reason = made.get("StatusReason", "no reason given")
    found = explained(cfn, made["ChangeSetId"])
    cfn.delete_change_set(StackName=made["StackId"], ChangeSetName=wanted.change_set)
    stack = find_stack(cfn, made["StackId"])
    if stack is not None and changes_nothing(reason):
        return Deployed(outputs=dict(stack.outputs), changed=False)
    if stack is not None and stack.status == REVIEW:  # nothing was made yet, so nothing is left
        delete(cfn, stack, f"{wanted.change_set}-leave", wanted.role(), wanted.place)
    raise DeployFailed(f"CloudFormation refused the change of {wanted.where}: {'; '.join((reason, *found))}")
