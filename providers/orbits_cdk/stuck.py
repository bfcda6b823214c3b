"""States that stand in the way of a deployment: brought back where nothing is lost, else the one thing to do is told.

`mend` does what a person would do without a thought: it removes what is left of a creation that failed, and goes on,
once, with a rollback that failed. Nothing is skipped, forced or abandoned: what stands in the way may hold data.
`refuse_stuck` tells a person about each of the other states. docs/recover.md has the table.
"""

from typing import Any

from orbits_aws.errors import AwsError
from orbits_cdk.cloudformation import ABSENT, NEVER_MADE, Stack, cause, last_failure, last_operation
from orbits_cdk.errors import StackStuck
from orbits_cdk.wanted import Tell, Underway, Wanted

TODO = {
    "CREATE_FAILED": "it was created with rollback disabled. When nobody needs what is there, run "
    "`aws cloudformation delete-stack --stack-name {name}`, then this again",
    "DELETE_FAILED": "it could not be deleted whole. Remove what stands in the way, then uninstall it again",
    "IMPORT_ROLLBACK_FAILED": "an import could not be taken back, and no call but its deletion brings a stack out of "
    "that. Ask AWS Support, naming the stack's id {id}, then do this again",
    "UPDATE_FAILED": "it was updated with rollback disabled. Run `aws cloudformation rollback-stack "
    "--stack-name {name}`, then this again",
    "UPDATE_ROLLBACK_FAILED": "CloudFormation could not go back. Remove the cause, then do this again: the rollback is "
    "gone on with (or run `aws cloudformation continue-update-rollback --stack-name {name}`)",
}
_ROLE = "is invalid or cannot be assumed"
_PROTECTED = "TerminationProtection is enabled"
_POLICY = "denied by stack policy"


def mend(cfn: Any, stack: Stack, wanted: Wanted, underway: Underway, tell: Tell) -> Underway | None:
    """Begin to bring a stack of ours, which is not busy, to a deployable state; None if there is nothing to begin."""
    if stack.status in NEVER_MADE or (stack.status == "CREATE_FAILED" and _is_empty(cfn, stack)):
        tell(f"removing what is left of a creation that failed ({stack.status})", None)
        delete(cfn, stack, f"{wanted.change_set}-clear", wanted.role(), wanted.place)
        return Underway(stack_id=stack.id)
    if stack.status == "UPDATE_ROLLBACK_FAILED" and not underway.mended:
        tell("going on with the rollback that failed", None)
        token = f"{wanted.change_set}-go-on"
        cfn.continue_update_rollback(StackName=stack.id, ClientRequestToken=token, **_role(wanted.role()))
        return Underway(stack_id=stack.id, mended=True)
    return None


def delete(cfn: Any, stack: Stack, token: str, role: str | None, place: str) -> None:
    """Ask for the deletion of a stack; raises StackStuck where it is protected, or its role is gone."""
    try:
        cfn.delete_stack(StackName=stack.id, ClientRequestToken=token, **_role(role))
    except AwsError as error:
        explain(error, stack.name, place)
        raise


def explain(error: AwsError, stack: str, place: str) -> None:
    """Raise StackStuck where what CloudFormation says needs a person, with the one thing to do."""
    said = str(error)
    if _ROLE in said:
        raise StackStuck(
            f"The stack {stack} in {place} acts as a role that is gone or does not trust CloudFormation: {said}. What "
            f"to do: make the role that the table [aws] of orbits.toml names as service_role, then do this again."
        ) from error
    if _PROTECTED in said:
        raise StackStuck(
            f"The stack {stack} in {place} is protected against deletion. What to do: if it is really to go, run "
            f"`aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name "
            f"{stack}`, then do this again."
        ) from error


def todo_of(reason: str, stack: str) -> str:
    """What to do about a failure of which the stack is back to what it was; empty if the reason says it all."""
    if _POLICY in reason:
        return (
            f". What to do: the stack's policy forbids it; allow it with `aws cloudformation set-stack-policy "
            f"--stack-name {stack} --stack-policy-body ...`, or leave that resource as it is"
        )
    return ""


def refuse_stuck(cfn: Any, stack: Stack, place: str) -> None:
    """Raise StackStuck where the stack's state needs a person; the message names the cause and what to do."""
    todo = TODO.get(stack.status)
    if todo is None:
        return
    failure = cause(cfn, last_failure, last_operation(cfn, stack.id))
    why = f"; {failure}" if failure else ""
    what = todo.format(name=stack.name, id=stack.id)
    raise StackStuck(f"The stack {stack.name} in {place} is {stack.status}{why}. What to do: {what}.")


def _role(arn: str | None) -> dict[str, str]:
    return {"RoleARN": arn} if arn else {}


def _is_empty(cfn: Any, stack: Stack) -> bool:
    resources = cfn.items("list_stack_resources", "StackResourceSummaries", StackName=stack.id)
    return not any(each.get("PhysicalResourceId") and each["ResourceStatus"] != ABSENT for each in resources)
