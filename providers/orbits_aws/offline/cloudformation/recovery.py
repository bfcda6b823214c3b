"""Bringing a stack back by hand: CancelUpdateStack, RollbackStack and ContinueUpdateRollback."""

from dataclasses import dataclass

from .errors import ValidationError
from .model import Stack
from .place import Place, Request
from .stacks import Stacks

_ROLLS_BACK = ("CREATE_FAILED", "UPDATE_FAILED")


@dataclass(frozen=True)
class Recovery:
    """The operations on stacks that are to leave, or failed to leave, what an operation made of them."""

    stacks: Stacks

    def cancel(self, place: Place, request: Request) -> None:
        """CancelUpdateStack: back to what was before an update whose cleanup has not begun.

        One that has failed meanwhile is on its way back already.
        """
        stack, token = self.stacks.find(place, str(request["StackName"])), request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, "cancel"):
            return
        if stack.shown_status[0] != "UPDATE_IN_PROGRESS" or not stack.unfolding:
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        remaining = stack.remaining
        if remaining is None:
            return
        stack.remaining, stack.hidden = None, 0
        with self.stacks.operation(stack, token, "cancel", "ROLLBACK"):
            remaining.take_back("User Initiated")

    def roll_back(self, place: Place, request: Request) -> Stack:
        """RollbackStack: what DisableRollback kept from happening."""
        stack, token = self.stacks.find(place, str(request["StackName"])), request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, "rollback"):
            return stack
        status, _ = stack.shown_status
        if status not in _ROLLS_BACK or stack.unfinished is None:
            raise ValidationError(f"Stack:{stack.id} is in {status} state and can not be rolled back.")
        with self.stacks.operation(stack, token, "rollback", "ROLLBACK"):
            stack.role_arn = request.get("RoleARN") or stack.role_arn
            stack.unfinished("", frozenset())
        return stack

    def continue_rollback(self, place: Place, request: Request) -> Stack:
        """ContinueUpdateRollback: once more for what failed, except the resources to skip."""
        stack, token = self.stacks.find(place, str(request["StackName"])), request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, "continue"):
            return stack
        status, _ = stack.shown_status
        if stack.parent_id is not None:
            raise ValidationError(
                f"RollbackUpdatedStack cannot be invoked on child stacks: continue that of [{stack.root_id}]"
            )
        if status != "UPDATE_ROLLBACK_FAILED" or stack.unfinished is None:
            raise ValidationError(f"Stack:{stack.id} is in {status} state and can not continue update rollback.")
        skipped = frozenset(str(name) for name in request.get("ResourcesToSkip") or ())
        self._check_skipped(place, stack, skipped)
        with self.stacks.operation(stack, token, "continue", "CONTINUE_ROLLBACK"):
            stack.role_arn, stack.skipping = request.get("RoleARN") or stack.role_arn, skipped
            stack.unfinished("", skipped)
        return stack

    def _check_skipped(self, place: Place, stack: Stack, skipped: frozenset[str]) -> None:
        """Raise ValidationError for what did not fail to be rolled back; `Nested.Resource` is one of a nested stack."""
        wrong: list[str] = []
        for name in sorted(skipped):
            holder, _, logical_id = name.rpartition(".")
            owner = self.stacks.nested_in(place, stack, holder) if holder else stack
            resource = owner.resources.get(logical_id) if owner else None
            if resource is None or resource.status != "UPDATE_FAILED":
                wrong.append(name)
        if wrong:
            raise ValidationError(
                f"ResourcesToSkip [{', '.join(wrong)}] are not in UPDATE_FAILED state: only resources that failed "
                "because of the rollback can be skipped"
            )
