"""The stacks of all accounts and regions, and the operations on them.

Every operation is carried out while its caller waits, one at a time for a stack; what callers then see of it unfolds
over the set number of DescribeStacks (`Stack.hidden`). Operations take the API's own argument names.
"""

import uuid
from _thread import LockType
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock

from .changes import is_change
from .deploy import Deployment
from .errors import CloudFormationError, StackMissing, ValidationError
from .goals import Goals
from .model import Goal, Stack, now
from .place import Place, Request
from .removal import remove
from .rollback import Options
from .work import Work
from .world import World

_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    }
)


@dataclass
class Stacks:
    """All stacks, and what changes them."""

    world: Callable[[], World]
    goals: Goals
    polls: int = 0
    """How many DescribeStacks show an operation as going on."""
    _stacks: dict[str, Stack] = field(default_factory=dict[str, Stack])
    _locks: dict[str, LockType] = field(default_factory=dict[str, LockType])
    _lock: RLock = field(default_factory=RLock)

    def all(self, place: Place) -> list[Stack]:
        """The stacks of a place, the deleted ones included, newest first."""
        with self._lock:
            found = [s for s in self._stacks.values() if (s.account, s.region) == (place.account, place.region)]
        return found[::-1]

    def living(self, place: Place) -> list[Stack]:
        """The stacks of a place that are not deleted, newest first."""
        return [stack for stack in self.all(place) if stack.deleted is None or stack.hidden]

    def find(self, place: Place, name: str) -> Stack:
        """A stack by name, or alive or deleted by its id. Raises StackMissing."""
        if name.startswith("arn:"):
            stack = self._stacks.get(name)
            if stack is not None and (stack.account, stack.region) == (place.account, place.region):
                return stack
        else:
            for stack in self.living(place):
                if stack.name == name:
                    return stack
        raise StackMissing(name)

    def maybe(self, place: Place, name: str) -> Stack | None:
        """A living stack by name or id, None if there is none."""
        try:
            stack = self.find(place, name)
        except StackMissing:
            return None
        return None if stack.deleted is not None and not stack.hidden else stack

    def add(self, place: Place, name: str, status: str) -> Stack:
        """A new stack. Raises CloudFormationError if a living one has the name."""
        with self._lock:
            if self.maybe(place, name) is not None:
                raise CloudFormationError("AlreadyExistsException", f"Stack [{name}] already exists")
            stack = Stack(
                id=f"{place.prefix}:stack/{name}/{uuid.uuid4()}",
                name=name,
                account=place.account,
                region=place.region,
                status=status,
            )
            self._stacks[stack.id] = stack
            return stack

    def in_review(self, place: Place, name: str) -> Stack:
        """The stack that change sets are to create: a new one, or the one that an earlier change set made."""
        with self._lock:
            stack = self.maybe(place, name)
            if stack is None:
                stack = self.add(place, name, "REVIEW_IN_PROGRESS")
                stack.record("REVIEW_IN_PROGRESS", "User Initiated")
            return stack

    def state(self) -> dict[str, Stack]:
        """All stacks by id, for `restore`."""
        with self._lock:
            return dict(self._stacks)

    def restore(self, state: dict[str, Stack]) -> None:
        """Have these stacks besides those there are."""
        with self._lock:
            self._stacks.update(state)

    def clear(self) -> None:
        """Forget all stacks, without touching their resources."""
        with self._lock:
            self._stacks.clear()
            self._locks.clear()

    @contextmanager
    def operation(self, stack: Stack, token: str | None = None) -> Generator[Work]:
        """One operation on a stack: alone with it, in its account, and shown step by step afterwards."""
        with self._lock:
            lock = self._locks.setdefault(stack.id, Lock())
        if not lock.acquire(blocking=False):
            raise self._busy(stack)
        try:
            yield from self._alone(stack, token)
        finally:
            lock.release()

    @staticmethod
    def _busy(stack: Stack) -> ValidationError:
        return ValidationError(f"Stack:{stack.id} is in {stack.shown_status[0]} state and can not be updated.")

    def _alone(self, stack: Stack, token: str | None) -> Generator[Work]:
        with self.world().acting_for(stack):
            if stack.hidden:
                raise self._busy(stack)
            stack.token = token
            stack.old_outputs = stack.outputs
            before = len(stack.events)
            try:
                yield Work(self.world(), stack)
            finally:
                new = len(stack.events) - before
                if self.polls and new > 1:
                    stack.hidden, stack.polls = new - 1, self.polls

    def create(self, place: Place, request: Request) -> Stack:
        """CreateStack."""
        name = str(request["StackName"])
        existing = self.maybe(place, name)
        token = request.get("ClientRequestToken")
        if existing is not None and token and existing.tokens.get(str(token)) == "create":
            return existing
        goal = self.goals.goal(place, None, request, name)
        stack = self.add(place, name, "CREATE_IN_PROGRESS")
        stack.termination_protection = bool(request.get("EnableTerminationProtection", False))
        on_failure = request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")
        options = Options(
            on_failure=str(on_failure), retain_except_on_create=bool(request.get("RetainExceptOnCreate", False))
        )
        if token:
            stack.tokens[str(token)] = "create"
        with self.operation(stack, token):
            self.deploy_new(stack, goal, options)
        return stack

    def deploy_new(self, stack: Stack, goal: Goal, options: Options) -> None:
        """The first deployment of a stack, inside an operation on it."""
        stack.disable_rollback = options.on_failure == "DO_NOTHING"
        stack.role_arn, stack.wanted = goal.role_arn, goal
        Deployment(self.world(), stack, goal, options).create()

    def update(self, place: Place, request: Request) -> Stack:
        """UpdateStack."""
        stack = self.find(place, str(request["StackName"]))
        token = request.get("ClientRequestToken")
        if token and stack.tokens.get(str(token)) == "update":
            return stack
        self.check_updatable(stack)
        goal = self.goals.goal(place, stack, request, stack.name)
        if not is_change(self.world(), stack, goal):
            raise ValidationError("No updates are to be performed.")
        if token:
            stack.tokens[str(token)] = "update"
        options = Options(
            on_failure="DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK",
            retain_except_on_create=bool(request.get("RetainExceptOnCreate", False)),
        )
        with self.operation(stack, token):
            Deployment(self.world(), stack, goal, options).update()
        return stack

    def check_updatable(self, stack: Stack) -> None:
        """Raise ValidationError if the stack's state admits no update."""
        status, _ = stack.shown_status
        if status not in _UPDATABLE:
            raise ValidationError(f"Stack:{stack.id} is in {status} state and can not be updated.")

    def delete(self, place: Place, request: Request) -> None:
        """DeleteStack; a stack that does not exist is deleted already."""
        stack = self.maybe(place, str(request["StackName"]))
        if stack is None or (stack.hidden and stack.status.startswith("DELETE")):
            return
        if stack.termination_protection:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        retained = {str(name) for name in request.get("RetainResources") or ()}
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError(
                "Invalid operation on stack. RetainResources can be specified only for stacks in DELETE_FAILED state"
            )
        with self.operation(stack, request.get("ClientRequestToken")) as work:
            self._check_exports(stack)
            stack.record("DELETE_IN_PROGRESS", "User Initiated")
            removal = remove(
                work,
                list(stack.resources.values()),
                lambda resource: (
                    resource.logical_id in retained or resource.deletion_policy in ("Retain", "RetainExceptOnCreate")
                ),
            )
            kept = {resource.logical_id for resource in removal.left}
            stack.resources = {name: resource for name, resource in stack.resources.items() if name in kept}
            if removal.failed:
                stack.record("DELETE_FAILED", removal.reason)
            else:
                stack.outputs = []
                stack.record("DELETE_COMPLETE")
                stack.deleted = now()

    def _check_exports(self, stack: Stack) -> None:
        own = {output.export for output in stack.outputs if output.export}
        for other in self.living(Place(account=stack.account, region=stack.region)):
            for name in sorted(own & other.imports):
                raise ValidationError(f"Export {name} cannot be deleted as it is in use by {other.name}")
