"""DeleteStack: everything that a stack has is removed, but for what its policies or the caller keep.

What always holds: a resource is removed before what it depends on; what fails stays in the stack, in DELETE_FAILED,
with all that it needs; only then can resources be left behind by name, or all that still fail by force.
"""

from dataclasses import dataclass

from .errors import ValidationError
from .model import Stack, StackResource, now
from .outputs import refuse_used
from .place import Place, Request
from .removal import remove
from .rollback import policy_on_creation
from .stacks import Stacks
from .work import Work

_FORCE = "FORCE_DELETE_STACK"
_CANCELLED = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"})
"""What a deletion puts an end to; it waits for no other operation, and is refused during one."""


@dataclass(frozen=True)
class Deletion:
    """The operation on all stacks."""

    stacks: Stacks

    def delete(self, place: Place, request: Request) -> None:
        """DeleteStack; a stack that does not exist, or is being deleted, is deleted already."""
        stack = self.stacks.maybe(place, str(request["StackName"]))
        if stack is None or (stack.unfolding and stack.status.startswith("DELETE")):
            return
        token = request.get("ClientRequestToken")
        if self.stacks.repeated(stack, token, "delete"):
            return
        if self.stacks.root_of(stack).termination_protection:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        retained = self._retained(stack, request)
        force = request.get("DeletionMode") == _FORCE
        if force and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.id}]. DeletionMode {_FORCE} can be specified only for stacks in "
                "DELETE_FAILED state"
            )
        self._make_way(stack)
        with self.stacks.operation(stack, token, "delete", "DELETE_STACK") as work:
            exports = {output.export for output in stack.outputs if output.export}
            refuse_used(self.stacks.world(), stack, exports, "deleted")
            stack.deletion_mode = request.get("DeletionMode")
            stack.role_arn = request.get("RoleARN") or stack.role_arn
            self.remove_all(stack, work, retained, force=force)

    def _retained(self, stack: Stack, request: Request) -> frozenset[str]:
        retained = frozenset(str(name) for name in request.get("RetainResources") or ())
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.id}]. RetainResources can be specified only for stacks in "
                "DELETE_FAILED state"
            )
        if gone := sorted(retained - set(stack.resources)):
            raise ValidationError(
                "The specified resources to retain must be in a valid state. Do not specify resources that do not "
                f"exist or were deleted: [{', '.join(gone)}]"
            )
        return retained

    @staticmethod
    def _make_way(stack: Stack) -> None:
        """Let a deletion end the stack's creation. Raises ValidationError during anything else."""
        status, _ = stack.shown_status
        if stack.unfolding and status not in _CANCELLED:
            raise ValidationError(f"Stack [{stack.id}] cannot be deleted while in status {status}")
        stack.hidden = 0

    @staticmethod
    def remove_all(
        stack: Stack,
        work: Work,
        retained: frozenset[str] = frozenset(),
        *,
        force: bool = False,
        made_anew: bool = False,
    ) -> None:
        """Remove what the stack has, inside an operation on it; `made_anew`: because its creation is taken back."""

        def policy(resource: StackResource) -> str:
            if resource.logical_id in retained:
                return "Retain"
            if made_anew:
                return policy_on_creation(resource, retain=not stack.retain_except_on_create)
            return resource.deletion_policy

        stack.record("DELETE_IN_PROGRESS", "User Initiated")
        removal = remove(work, list(stack.resources.values()), policy, force=force)
        stack.removed.update({resource.logical_id: resource for resource in removal.gone})
        left = {resource.logical_id for resource in removal.left}
        stack.resources = {name: resource for name, resource in stack.resources.items() if name in left}
        if removal.failed:
            stack.record("DELETE_FAILED", removal.reason)
            return
        stack.outputs, stack.imports = [], frozenset()
        stack.record("DELETE_COMPLETE")
        stack.deleted = now()
