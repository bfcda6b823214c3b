"""States that CloudFormation does not leave by itself, and the one thing that a person has to do about each.

Nothing is skipped, forced or abandoned here: what stands in the way may hold data.
"""

from typing import Any

from orbits_cdk.cloudformation import Stack, last_failure, last_operation
from orbits_cdk.errors import StackStuck

_TODO = {
    "CREATE_FAILED": "it was created with rollback disabled. When nobody needs what is there, run "
    "`aws cloudformation delete-stack --stack-name {name}`, then this again",
    "DELETE_FAILED": "it could not be deleted whole. Remove what stands in the way, then uninstall it again",
    "IMPORT_ROLLBACK_FAILED": "an import could not be taken back. Run `aws cloudformation "
    "continue-update-rollback --stack-name {name}` once its cause is removed, then this again",
    "UPDATE_FAILED": "it was updated with rollback disabled. Run `aws cloudformation rollback-stack "
    "--stack-name {name}`, then this again",
    "UPDATE_ROLLBACK_FAILED": "CloudFormation could not go back. Remove the cause, run `aws cloudformation "
    "continue-update-rollback --stack-name {name}`, then this again",
}


def refuse_stuck(cfn: Any, stack: Stack, place: str) -> None:
    """Raise StackStuck where the stack's state needs a person; the message names the cause and what to do."""
    todo = _TODO.get(stack.status)
    if todo is None:
        return
    failure = last_failure(last_operation(cfn, stack.id))
    cause = f"; {failure}" if failure else ""
    raise StackStuck(
        f"The stack {stack.name} in {place} is {stack.status}{cause}. What to do: {todo.format(name=stack.name)}."
    )
