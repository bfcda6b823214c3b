"""What CloudFormation keeps: stacks, their resources and events, change sets. Pure data, no I/O.

A stack's operations are carried out at once; what callers see of them is a prefix of the stack's events, which grows
with each DescribeStacks until all are shown (`Stack.hidden`). The status that is shown is that of the last stack event
in the prefix, so states follow each other as they really did.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .template import Template

Properties = Mapping[str, Any]

STACK_TYPE = "AWS::CloudFormation::Stack"


def now() -> datetime:
    """The time of an event."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class ParameterValue:
    """A parameter's value: what was given, and what it stands for if it names an SSM parameter."""

    given: Any
    resolved: Any = None
    secret: bool = False

    @property
    def value(self) -> Any:
        """What the template sees."""
        return self.given if self.resolved is None else self.resolved


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a stack is to be: everything that a create, an update or a change set hands over."""

    template: Template
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict[str, ParameterValue])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    role_arn: str | None = None
    capabilities: tuple[str, ...] = ()
    notification_arns: tuple[str, ...] = ()
    rollback: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The rollback triggers and the monitoring time; shown, not watched."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a stack, as resolved."""

    key: str
    value: str
    description: str | None = None
    export: str | None = None


@dataclass(kw_only=True)
class StackResource:
    """One resource as it was last made or changed."""

    logical_id: str
    type: str
    physical_id: str
    properties: Properties
    """Resolved, with the stack's tags; what the handler was last called with."""
    shown: Properties
    """The properties as events and change sets show them, without secrets."""
    attributes: Mapping[str, Any]
    depends_on: frozenset[str]
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str | None = None
    metadata: Any = None
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    updated: datetime = field(default_factory=now)
    partial: bool = False
    """Whether its last update failed, so that it may have some of the new values and some of the old ones."""
    drift: Mapping[str, Any] | None = None
    """The last drift detection's answer for it, None if it was never looked at."""

    @property
    def unmade(self) -> bool:
        """Whether an operation that was not taken back failed to make it, so that the next one makes it anew."""
        return self.status == "CREATE_FAILED" or not self.physical_id

    def copy(self) -> "StackResource":
        """A copy to go back to."""
        return replace(self)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a stack's history."""

    id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    properties: str | None
    time: datetime
    token: str | None
    operation: str | None
    """The id of the operation that it is a part of."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that was done to a stack, by one call."""

    id: str
    type: str


@dataclass(kw_only=True)
class Undo:
    """What an update has done so far, and what was before."""

    before: dict[str, StackResource]
    """The stack's resources as they were."""
    goal: Goal | None
    outputs: list[Output]
    imports: frozenset[str]
    role_arn: str | None
    made: list[str] = field(default_factory=list[str])
    touched: list[str] = field(default_factory=list[str])
    imported: list[str] = field(default_factory=list[str])
    """Those that were not made but taken: the stack lets go of them again."""
    discarded: list[StackResource] = field(default_factory=list[StackResource])
    """New ones of what was replaced, to be removed after the way back."""
    lost: set[str] = field(default_factory=set[str])
    """Those that had been removed behind the stack's back, and are made anew."""


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """What an update has still to do when all its changes are made, and the way back from there."""

    finish: Callable[[], None]
    take_back: Callable[[str], None]
    """With the reason."""


@dataclass(kw_only=True)
class Stack:
    """A stack, alive or deleted."""

    id: str
    name: str
    account: str
    region: str
    status: str
    reason: str | None = None
    goal: Goal | None = None
    """What was last deployed with success; None before the first deployment."""
    wanted: Goal | None = None
    """What the first deployment was to make of it, whether it succeeded or not."""
    imports: frozenset[str] = frozenset()
    """The exports of other stacks that it uses."""
    resources: dict[str, StackResource] = field(default_factory=dict[str, StackResource])
    removed: dict[str, StackResource] = field(default_factory=dict[str, StackResource])
    """The resources that went with the stack, or with its creation: they are still listed, as deleted."""
    outputs: list[Output] = field(default_factory=list[Output])
    events: list[Event] = field(default_factory=list[Event])
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    role_arn: str | None = None
    disable_rollback: bool = False
    termination_protection: bool = False
    parent_id: str | None = None
    root_id: str | None = None
    """The stacks that it is nested in: the next one, and the one at the top."""
    logical_id: str | None = None
    """What it is called in the stack that it is nested in."""
    deploying: Goal | None = None
    """What the operation under way is to make of it."""
    skipping: frozenset[str] = frozenset()
    """What the rollback that is being continued leaves out, in the stacks nested in it too."""
    policy: str | None = None
    """The stack policy, as text."""
    timeout: int | None = None
    retain_except_on_create: bool = False
    deletion_mode: str | None = None
    change_set_id: str | None = None
    """The change set that made or last changed it."""
    drift_status: str = "NOT_CHECKED"
    drift_checked: datetime | None = None
    unfinished: Callable[[str, frozenset[str]], None] | None = None
    """What goes on with a rollback that failed, or begins one that was not wanted at first: given the reason, and the
    resources to skip."""
    undo: Undo | None = None
    """What was done since the last stable state, where that is not taken back yet."""
    remaining: Remaining | None = None
    """The cleanup of an update under way, which can be cancelled until it has begun."""
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    """Client request tokens of its operations, and what each stood for."""
    token: str | None = None
    operations: list[Operation] = field(default_factory=list[Operation])
    """What was done to it, oldest first."""
    hidden: int = 0
    """How many of the newest events are not shown yet."""
    polls: int = 0
    """How many DescribeStacks it takes until they are."""
    window: int = 0
    """How many it took when the operation began; 0 for what is a part of an operation on the stack around it."""
    old_outputs: list[Output] = field(default_factory=list[Output])

    @property
    def tags(self) -> Mapping[str, str]:
        """The stack's tags."""
        return self.goal.tags if self.goal else {}

    @property
    def shown_events(self) -> list[Event]:
        """The events that callers may see, oldest first."""
        return self.events[: len(self.events) - self.hidden]

    @property
    def shown_status(self) -> tuple[str, str | None]:
        """The status that callers see, with its reason."""
        if not self.hidden:
            return self.status, self.reason
        shown = [event for event in self.shown_events if event.type == STACK_TYPE and event.physical_id == self.id]
        return (shown[-1].status, shown[-1].reason) if shown else (self.status, self.reason)

    @property
    def shown_outputs(self) -> list[Output]:
        """The outputs that callers see: while an operation is under way, those from before."""
        return self.old_outputs if self.hidden else self.outputs

    @property
    def listed(self) -> list[StackResource]:
        """The resources as they are listed: those of a stack that is gone, or was never made, too."""
        gone = () if self.goal is not None and self.deleted is None else self.removed.values()
        return [*self.resources.values(), *(one for one in gone if one.logical_id not in self.resources)]

    def finish(self) -> None:
        """Do what an update has still to do."""
        remaining, self.remaining = self.remaining, None
        if remaining is not None:
            remaining.finish()

    def begin(self, kind: str, token: str | None = None) -> None:
        """Let what is recorded from now on be a part of a new operation."""
        self.token = token
        self.operations.append(Operation(id=str(uuid.uuid4()), type=kind))

    @property
    def unfolding(self) -> bool:
        """Whether the last operation is still shown as going on."""
        return bool(self.hidden) or self.remaining is not None

    def unfold(self, polls: int, new: int) -> None:
        """Show an operation that wrote `new` events step by step, over a number of DescribeStacks."""
        self.hidden, self.polls, self.window = max(new - 1, 0), polls, polls

    def poll(self) -> bool:
        """Show more of what has happened; returns whether what remains is to be done now.

        The cleanup of an update is seen once, if the operation is seen more than once.
        """
        if not self.unfolding or not self.window:
            return False
        self.polls -= 1
        if self.polls < 0 or (self.polls == 0 and self.remaining and self.window > 1):
            self.hidden = 0
        else:
            self.hidden -= self.hidden // (self.polls + 2)
        return self.polls < 0 and self.remaining is not None

    def record(  # the columns of an event
        self,
        status: str,
        reason: str | None = None,
        *,
        resource: StackResource | None = None,
        properties: str | None = None,
    ) -> None:
        """Append an event, of a resource or of the stack itself, and set the status that it names."""
        if resource is None:
            self.status, self.reason = status, reason
        else:
            resource.status, resource.reason, resource.updated = status, reason, now()
        self.events.append(
            Event(
                id=str(uuid.uuid4()) if resource is None else f"{resource.logical_id}-{status}-{uuid.uuid4()}",
                logical_id=resource.logical_id if resource else self.name,
                physical_id=resource.physical_id if resource else self.id,
                type=resource.type if resource else STACK_TYPE,
                status=status,
                reason=reason,
                properties=properties,
                time=self._next_time(),
                token=self.token,
                operation=self.operations[-1].id if self.operations else None,
            )
        )

    def _next_time(self) -> datetime:
        """The time of the next event: later than the last one, as the API shows it."""
        time = now()
        return max(time, self.events[-1].time + timedelta(milliseconds=1)) if self.events else time


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that the early validation found wrong with a change set."""

    logical_id: str
    type: str
    name: str
    """Which check it was."""
    reason: str
    path: str


@dataclass(kw_only=True)
class ChangeSet:
    """A change set, kept by the id of its stack and its name."""

    id: str
    name: str
    type: str
    stack: Stack
    goal: Goal
    status: str
    execution_status: str
    reason: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    findings: list[Finding] = field(default_factory=list[Finding])
    """Why the early validation did not let it pass."""
    description: str | None = None
    on_stack_failure: str | None = None
    imports: Mapping[str, str] = field(default_factory=dict[str, str])
    """The existing resources that it takes into the stack: logical id to physical id."""
    reverts_drift: bool = False
    token: str | None = None
    validates: bool = True
    """Whether the early validation looks at it."""
    imports_existing: bool = False
    includes_nested: bool = False
    """Whether it has change sets for the stacks that are resources of its stack."""
    parent: "ChangeSet | None" = None
    """The one whose stack has this one's stack as a resource."""
    created: datetime = field(default_factory=now)

    @property
    def root(self) -> "ChangeSet":
        """The one at the top, itself if it is in no other."""
        return self if self.parent is None else self.parent.root

    @property
    def executing(self) -> bool:
        """Whether its execution is still shown as going on."""
        root = self.root
        return root.stack.change_set_id == root.id and root.stack.unfolding
