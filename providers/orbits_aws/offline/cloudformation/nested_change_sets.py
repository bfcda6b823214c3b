"""Change sets of the stacks in a stack, made with the change set of the stack around them (IncludeNestedStacks).

What always holds: they are executed and deleted with their root alone; one without changes hinders nothing, any other
that fails fails the one around it. A stack that does not exist yet is made in REVIEW_IN_PROGRESS.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .errors import ValidationError
from .model import STACK_TYPE, ChangeSet, Stack
from .nested import Nesting
from .place import Place

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


@dataclass(frozen=True)
class NestedChangeSets:
    """Makes them, and removes the stacks that they made."""

    nesting: Nesting
    judge: Callable[[ChangeSet], None]
    """Finds out what a change set changes, or that it has failed."""

    def of(self, change_set: ChangeSet) -> Iterator[ChangeSet]:
        """Make a change set for each nested stack that is made or changed, and for those inside them."""
        for change in change_set.changes:
            shown = change["ResourceChange"]
            if shown["ResourceType"] != STACK_TYPE or shown["Action"] not in ("Add", "Modify"):
                continue
            nested = self._make(change_set, shown)
            shown["ChangeSetId"] = nested.id
            yield nested
            if nested.status == "CREATE_COMPLETE":
                yield from self.of(nested)
            if nested.status == "FAILED" and nested.reason != NO_CHANGES:
                change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
                change_set.reason = (
                    f"Nested change set {nested.id} was not successfully created: Currently in FAILED. {nested.reason}"
                )

    def _make(self, around: ChangeSet, shown: dict[str, Any]) -> ChangeSet:
        parent, name = around.stack, str(shown["LogicalResourceId"])
        place = Place(account=parent.account, region=parent.region)
        existing = self.nesting.stacks.nested_as(parent, name)
        properties = json.loads(shown["AfterContext"])["Properties"]
        goal = self.nesting.goal(parent, around.goal, existing, properties)
        child = existing or self._in_review(parent, name)
        own_name = f"{around.name}-{name}-{uuid.uuid4().hex[:12].upper()}"[-128:]
        nested = ChangeSet(
            id=f"{place.prefix}:changeSet/{own_name}/{uuid.uuid4()}",
            name=own_name,
            type="UPDATE" if child.goal else "CREATE",
            stack=child,
            goal=goal,
            status="CREATE_COMPLETE",
            execution_status="AVAILABLE",
            includes_nested=True,
            parent=around,
        )
        self.judge(nested)
        return nested

    def _in_review(self, parent: Stack, name: str) -> Stack:
        child = self.nesting.add(parent, self.nesting.stacks.world().site(parent, name), "REVIEW_IN_PROGRESS")
        child.begin("CREATE_CHANGESET")
        child.record("REVIEW_IN_PROGRESS", "User Initiated")
        return child

    @staticmethod
    def refuse_alone(change_set: ChangeSet, verb: str) -> None:
        """Raise ValidationError for a change set that goes with its root."""
        if change_set.parent is not None:
            raise ValidationError(
                f"ChangeSet [{change_set.id}] cannot be {verb} because it is a nested change set: its root is "
                f"[{change_set.root.id}]"
            )

    def forget_stack(self, stack: Stack) -> None:
        """Remove a nested stack that a change set made and nothing deployed."""
        if stack.parent_id is not None and stack.status == "REVIEW_IN_PROGRESS":
            self.nesting.stacks.forget(stack)
