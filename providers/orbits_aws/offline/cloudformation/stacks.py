"""The stacks of all accounts and regions, and what an operation on one of them is.

Every operation is carried out while its caller waits, one at a time for a stack; what callers then see of it unfolds
over the set number of DescribeStacks (`Stack.hidden`). The operations themselves are in `direct`, `change_sets`,
`deletion` and `recovery`; they take the API's own argument names.
"""

import uuid
from _thread import LockType
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock

from .errors import CloudFormationError, StackMissing, ValidationError
from .goals import Goals
from .model import Stack
from .place import Place
from .work import Work
from .world import World

_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
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
                stack.begin("CREATE_CHANGESET")
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

    def forget(self, stack: Stack) -> None:
        """Forget a stack that was never deployed."""
        with self._lock:
            self._stacks.pop(stack.id, None)

    def clear(self) -> None:
        """Forget all stacks, without touching their resources."""
        with self._lock:
            self._stacks.clear()
            self._locks.clear()

    @contextmanager
    def alone(self, stack: Stack) -> Generator[Work]:
        """A part of an operation on the stack that this one is nested in."""
        with self._locked(stack):
            yield Work(self.world(), stack)

    @contextmanager
    def operation(self, stack: Stack, token: object, what: str, kind: str) -> Generator[Work]:
        """One operation on a stack: alone with it, in its account, and shown step by step afterwards.

        `what` is kept for its token, `kind` is what DescribeEvents calls it. Raises ValidationError while another
        operation goes on.
        """
        with self._locked(stack):
            yield from self._alone(stack, None if token is None else str(token), what, kind)

    @contextmanager
    def _locked(self, stack: Stack) -> Generator[None]:
        with self._lock:
            lock = self._locks.setdefault(stack.id, Lock())
        if not lock.acquire(blocking=False):
            raise self._busy(stack)
        try:
            yield
        finally:
            lock.release()

    @staticmethod
    def _busy(stack: Stack) -> ValidationError:
        return ValidationError(f"Stack:{stack.id} is in {stack.shown_status[0]} state and can not be updated.")

    def _alone(self, stack: Stack, token: str | None, what: str, kind: str) -> Generator[Work]:
        with self.world().acting_for(stack):
            if stack.unfolding:
                raise self._busy(stack)
            stack.begin(kind, token)
            if token is not None:
                stack.tokens[token] = what
            stack.old_outputs = stack.outputs
            before = len(stack.events)
            try:
                yield Work(self.world(), stack)
                if not self.polls:
                    stack.finish()
            finally:
                if self.polls:
                    stack.unfold(self.polls, len(stack.events) - before)

    def poll(self, stack: Stack) -> None:
        """Show more of the operation that is under way; its last step may be done by that."""
        with self._lock:
            lock = self._locks.setdefault(stack.id, Lock())
        if lock.acquire(blocking=False):
            try:
                if stack.poll():
                    with self.world().acting_for(stack):
                        stack.finish()
            finally:
                lock.release()

    def check_updatable(self, stack: Stack) -> None:
        """Raise ValidationError if the stack's state admits no update."""
        status, _ = stack.shown_status
        if status not in _UPDATABLE or stack.unfolding:
            raise ValidationError(f"Stack:{stack.id} is in {status} state and can not be updated.")

    def root_of(self, stack: Stack) -> Stack:
        """The stack at the top of those that a stack is nested in."""
        return self._stacks.get(stack.root_id or stack.id, stack)

    def nested_as(self, parent: Stack, logical_id: str) -> Stack | None:
        """The living stack that is, or is to become, a resource of another."""
        for stack in self.living(Place(account=parent.account, region=parent.region)):
            if (stack.parent_id, stack.logical_id) == (parent.id, logical_id):
                return stack
        return None

    def nested_in(self, place: Place, stack: Stack, name: str) -> Stack | None:
        """A stack nested in another, by the name of its root's resource or by its own name."""
        for other in self.living(place):
            if other.root_id == (stack.root_id or stack.id) and name in (other.name, other.logical_id):
                return other
        return None

    @staticmethod
    def repeated(stack: Stack, token: object, what: str) -> bool:
        """Whether a request was accepted before, under its token.

        Raises CloudFormationError for a token that stood for something else.
        """
        accepted = stack.tokens.get(str(token)) if token else None
        if accepted not in (None, what):
            raise CloudFormationError("TokenAlreadyExistsException", f"Token {token} already exists for this stack")
        return accepted is not None
