"""Getting a stack out of a failed state: RollbackStack and ContinueUpdateRollback."""

from dataclasses import dataclass

from .errors import ValidationError
from .model import Stack
from .place import Place, Request
from .stacks import Stacks

_ROLLS_BACK = ("CREATE_FAILED", "UPDATE_FAILED")


@dataclass(frozen=True)
class Recovery:
    """The operations on stacks that failed without going back, or failed to go back."""

    stacks: Stacks

    def roll_back(self, place: Place, request: Request) -> Stack:
        """RollbackStack: what DisableRollback kept from happening."""
        stack = self.stacks.find(place, str(request["StackName"]))
        if stack.status not in _ROLLS_BACK or stack.unfinished is None:
            raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        self._go_on(stack, request, frozenset())
        return stack

    def continue_rollback(self, place: Place, request: Request) -> Stack:
        """ContinueUpdateRollback: once more for what failed, except the resources to skip."""
        stack = self.stacks.find(place, str(request["StackName"]))
        if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.unfinished is None:
            raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not continue update rollback.")
        skipped = frozenset(str(name) for name in request.get("ResourcesToSkip") or ())
        failed = {name for name, resource in stack.resources.items() if resource.status == "UPDATE_FAILED"}
        if wrong := sorted(skipped - failed):
            raise ValidationError(f"ResourcesToSkip [{', '.join(wrong)}] are not in UPDATE_FAILED state")
        self._go_on(stack, request, skipped)
        return stack

    def _go_on(self, stack: Stack, request: Request, skipped: frozenset[str]) -> None:
        with self.stacks.operation(stack, request.get("ClientRequestToken")):
            if stack.unfinished is not None:
                if skipped:
                    stack.unfinished("", skipped)
                else:
                    stack.unfinished("")
