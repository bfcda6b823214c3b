"""What a store keeps, a class a table: executions, journal entries, messages, records, revisions, events, workers.

Rows are frozen values. Values of users (arguments, results, handles, outputs) stand in them as JSON text made by the
codec, in which secrets are already encrypted: a store never sees a secret in the clear. Times are seconds since the
epoch. Engine and stores agree on these classes and on nothing else.
"""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import msgspec

from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import NOBODYS, ExecutionId, StepKey, WorkerId
from orbits_iac.model.reads import Read
from orbits_iac.model.schedule import Timing
from orbits_iac.model.states import State

Json = str  # a JSON document, as text

amended = msgspec.structs.replace
"""A row with some of its fields otherwise: `amended(entry, state=State.SUCCESS)`."""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document with a key. `KEY` names the fields that identify it, `INDEXED` those that it is found by.

    A `VERSIONED` row is written by compare-and-set: a write of version n is refused unless version n - 1 is stored
    (0 stands for none). `APART` names a field, of text or None, whose long values only who asks for whole rows gets.
    """

    KEY: ClassVar[tuple[str, ...]] = ()
    INDEXED: ClassVar[tuple[str, ...]] = ()
    VERSIONED: ClassVar[bool] = False
    APART: ClassVar[str | None] = None


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """An output that a value came from: of which record, and where in its outputs, as a JSON pointer (RFC 6901)."""

    kind: str
    identity: str
    path: str


class ExecutionRow(Row, frozen=True, kw_only=True):
    """One durable run of a root step or of a Resource's command. Only its owner writes it, under its fence."""

    KEY = ("id",)
    INDEXED = ("root", "parent", "kind", "identity", "state")
    APART = "result"

    id: ExecutionId
    kind: str
    command: str
    argument: Json
    options: Json = "{}"  # what the command was asked with: {"to": 3}, {"on_drift": "remediate"}
    identity: str | None = None  # with `kind`, the record that it is a command of
    ref: str = ""  # as its first requester named it
    targets: dict[str, Json] = {}
    parent: ExecutionId | None = None  # its first requester
    root: ExecutionId
    tenant: str | None = None
    labels: dict[str, str] = {}  # its own and those of what it is below, the nearest counts; `tenant` apart
    priority: int = 0
    build: str
    who: str
    digest: str  # of command, argument and build: equal requests are joined
    state: State = State.SLEEPING
    created_at: float
    started_at: float | None = None  # when its definition began: its clock starts there
    ended_at: float | None = None
    result: Json | None = None
    failure: Failure | None = None
    changed: bool = False  # whether anything came out otherwise than it stood before
    revision: int | None = None  # the record's, when it began; once it has ended, the one that stands
    no_return: tuple[str, ...] = ()  # steps of no return that it, or what it did, has passed
    references: dict[str, Reference] = {}  # JSON pointers in the argument to the outputs that values came from
    paused_at: float | None = None  # somebody has paused it; once nothing is under way any more, since when
    own_build: bool = False  # only workers of its build go on with it
    pruned: bool = False  # its journal was deleted: the row stays to say who made what
    token: int = 0  # the fence of its last owner, once it has ended: whoever reopens it goes on from there
    stranded: bool = False  # PAUSED since no living worker has its code: the next one that does takes it up
    approval: Json = "{}"  # what was approved of it, and by whom: see model/approvals
    executor: Json | None = None  # where Actions below it run that say nothing else
    beside: bool = False  # it holds nothing of its record, and is not in its queue: a cycle that only asks its children
    superseded_by: ExecutionId | None = None  # its definition knows that this one is to take its place


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """What a revision says of one thing that it is made of."""

    ref: str  # the refs that lead to it, joined by "/"
    kind: str
    identity: str
    owned: bool  # it belongs to the place; otherwise it is named, and may have other users
    revision: int | None  # which of its revisions stood when this one was made
    installed: bool = False  # done by `define_install`
    protect: bool = False
    retain: bool = False
    place: str = ""  # where an owned one stands now, if it was renamed: its identity tells where it stood first


class EntryRow(Row, frozen=True, kw_only=True):
    """A line of an execution's journal: a step, a child command, or a timer, under its key.

    An entry with a `seq` has an outcome that was handed to the definition, the `seq`-th of all, at `at`.
    """

    KEY = ("execution", "key")
    INDEXED = ()
    APART = "result"

    execution: ExecutionId
    key: StepKey
    kind: str  # the step's kind; "timer" for a timer
    command: str = "main"
    generation: int = 1
    digest: str = ""  # of kind and argument
    argument: Json | None = None
    state: State = State.EXECUTING
    attempt: int = 1
    token: str = ""
    handle: Json | None = None
    child: ExecutionId | None = None
    subscribed: StepKey | None = None  # the key that its subscription to the child has, if it was renamed since
    due: float | None = None  # when the next attempt or look is due
    result: Json | None = None
    failure: Failure | None = None
    seq: int | None = None
    at: float | None = None
    started_at: float | None = None
    message: str = ""  # the last progress
    share: float | None = None  # how much of it is done, 0 to 1
    skipped: bool = False  # `once`: its earlier success stands
    changed: bool = False
    link: Child | None = None  # a child's record, with the revision that stands now
    no_return: bool = False  # it is a step of no return itself
    passed: tuple[str, ...] = ()  # of a child: steps of no return that were passed in it
    of_tenant: bool = False  # it is a tenant's, and this execution nobody's: what it has passed holds nothing here
    undo: Json | None = None  # {"kind", "command", "argument", ...} of the step that undoes it
    undone: bool = False
    asked_at: float | None = None  # when its definition asked for it: its deadline counts from there
    count: int = 0  # of a `repeat`: how often it was done
    taken_up: int = 0  # how often its attempt was begun again after its process had died


class MessageRow(Row, frozen=True, kw_only=True):
    """Something put into an execution's inbox: a child ended, a cancel, an event. Deleted with what it caused."""

    KEY = ("execution", "id")

    execution: ExecutionId
    id: str
    what: str  # "ended", "cancel", "supersede", "event"
    key: StepKey | None = None
    child: ExecutionId | None = None
    body: Json = "null"


class SubscriberRow(Row, frozen=True, kw_only=True):
    """An execution that waits for another to end; written with the record of the other, so that none is missed."""

    KEY = ("execution", "subscriber", "key")

    execution: ExecutionId
    subscriber: ExecutionId
    key: StepKey  # of the step in the subscriber


class WaitRow(Row, frozen=True, kw_only=True):
    """A step that waits for an event of this kind: who emits one to all finds them by it."""

    KEY = ("event", "execution", "key")
    INDEXED = ("execution",)

    event: str  # the event's kind
    execution: ExecutionId
    key: StepKey
    root: ExecutionId  # of the execution


class TaskRow(Row, frozen=True, kw_only=True):
    """What a dispatcher knows of an execution that has not ended: when it is due, who holds it, with which token."""

    KEY = ("id",)
    INDEXED = ("owner", "due")

    id: ExecutionId
    kind: str
    build: str
    tenant: str | None = None
    priority: int = 0
    due: float | None = None  # None: only a message makes it due
    owner: WorkerId | None = None
    token: int = 0  # goes up with every claim: the fence
    own_build: bool = False  # only workers of its build claim it
    needs: str | None = None  # the label that a worker must have to claim it
    labels: tuple[str, ...] = ()  # "key=value", sorted: what it is limited by


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Why a record goes forward only: steps of no return that were passed before something failed."""

    by: ExecutionId
    steps: tuple[str, ...]
    at: float


class RecordRow(Row, frozen=True, kw_only=True):
    """What is kept of a Resource beyond its executions."""

    KEY = ("kind", "identity")
    INDEXED = ("tenant",)
    VERSIONED = True

    kind: str
    identity: str
    version: int = 1
    places: dict[str, str] = {}  # a target's type to its place: it stays, unless nothing may stand there
    targets: dict[str, Json] = {}
    tenant: str | None = None
    labels: dict[str, str] = {}  # that its last `do` gave it or handed down to it
    executor: Json | None = None  # the same
    revision: int | None = None  # the number of the current one; None: nothing stands
    last_number: int = 0  # the highest ever given
    install_version: int = 0
    children: tuple[Child, ...] = ()  # of the current revision, and what is left of earlier ones
    users: tuple[str, ...] = ()  # the records (as "kind identity") and "direct" requests that do it, the first leads
    has_readers: bool = False  # others use it as well: they read its outputs, and stand in rows of their own
    queue: tuple[ExecutionId, ...] = ()  # the first holds it, the others wait their turn
    held: Held | None = None  # forward only
    made_by: ExecutionId | None = None  # the execution that first asked for it since nothing of it stood
    brought_by: ExecutionId | None = None  # the command that brought it to where it stands
    since: float | None = None  # when it was last changed: made, brought back or removed; None: before that was kept
    by: str = ""  # at whose request
    build: str = ""  # of its last successful update, even if that changed nothing
    retain: bool = False
    protect: bool = False
    retained_by: tuple[str, ...] = ()  # the users that want it to stay
    protected_by: tuple[str, ...] = ()  # the users that do not let it be removed
    adopted: bool = False  # what stands was there before: protected until one update has succeeded
    called: str = ""  # where it is, if it was recorded under a name that its class would not give it
    remediated: tuple[float, ...] = ()  # when drift was brought back, since the last update
    reads: tuple[Read, ...] | None = None  # by the update that brought it to where it stands; None: not known
    uses: tuple[str, ...] = ()  # the records (as "kind identity") whose outputs it has read: it is one of their users
    installed_with: tuple[str, ...] = ()  # those of them that its install has read
    unsettled: ExecutionId | None = None  # the command that has left something for a decision, and none succeeded since


class ReaderRow(Row, frozen=True, kw_only=True):
    """A user of a record that reads its outputs: a row each, since there may be thousands of one record."""

    KEY = ("kind", "identity", "reader")

    kind: str
    identity: str
    reader: str  # a record, as "kind identity": it has the one read among its `uses`


class RevisionRow(Row, frozen=True, kw_only=True):
    """One successful update: enough to bring it back without the code that made it."""

    KEY = ("kind", "identity", "number")

    kind: str
    identity: str
    number: int
    argument: Json
    payload: Json = "{}"  # what the hooks kept, by the name of its model
    outputs: Json = "null"
    children: tuple[Child, ...] = ()
    references: dict[str, Reference] = {}  # JSON pointers in the argument to the outputs that values came from
    origins: dict[str, Reference] = {}  # the same of its outputs, to those of others
    targets: dict[str, Json] = {}
    build: str = ""
    who: str = ""
    at: float = 0.0
    why: str = ""
    execution: ExecutionId | None = None
    abandoned: bool = False  # it was gone back from: never the last good one
    not_restorable: str | None = None  # the reason, where it cannot be brought back
    uses: tuple[str, ...] | None = None  # the records whose outputs its update has read; None: not known


class OnceRow(Row, frozen=True, kw_only=True):
    """The last success of a step done with `once=True`, at its place."""

    KEY = ("kind", "identity", "place")

    kind: str
    identity: str
    place: str
    digest: str
    result: Json
    execution: ExecutionId
    no_return: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A property that is not as it was recorded."""

    path: str
    recorded: Json
    live: Json
    resource: str = ""  # inside a stack: the logical id, and its type in `type`
    type: str = ""
    remediated: bool = False
    since: float = 0.0  # when a look has first found it; 0 for not known


class LookRow(Row, frozen=True, kw_only=True):
    """The last comparison of a record with what is live."""

    KEY = ("kind", "identity")

    kind: str
    identity: str
    at: float
    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()  # "resource type property: why"
    ignored: tuple[str, ...] = ()  # in the same form: what differs, or may, and does not count
    checked: int = 0  # properties that were compared
    error: str | None = None  # why the look itself failed
    stopped: str = ""  # why what differs was not brought back, though that is asked for
    before: tuple[Difference, ...] = ()  # of a look that failed: what had drifted at the last one that did not
    healed: tuple[Difference, ...] = ()  # what had drifted at the look before, and is as it was recorded
    told: tuple[Difference, ...] | None = None  # of what was told, what is not told to be healed; None: not known
    stops: tuple[str, ...] = ()  # those of its stops that stand and were told of, if `told` is known
    execution: ExecutionId | None = None


class EventRow(Row, frozen=True, kw_only=True):
    """A change of state, written in the same commit as the change. `seq` is given by the store and only goes up.

    0 stands for none yet: only what moves a store brings numbers.
    """

    KEY = ("seq",)
    INDEXED = ("root",)

    seq: int = 0
    at: float
    execution: ExecutionId
    root: ExecutionId
    key: str = ""  # of the step; empty for the execution itself
    kind: str = ""
    before: State | None = None
    after: State | None = None
    who: str = ""
    why: str = ""


class WorkerRow(Row, frozen=True, kw_only=True):
    """A process that advances executions, with the counter that its own thread keeps raising."""

    KEY = ("id",)

    id: WorkerId
    build: str
    kinds: tuple[str, ...] = ()
    boot: str = ""  # the machine's boot id and pid namespace: in it a pid means one process
    pid: int = 0
    pid_started: float = 0.0
    counter: int = 0
    host: str = ""  # the machine's name, for people
    labels: tuple[str, ...] = ()  # it claims what asks for one of these, too
    concurrency: int = 0  # how many executions it advances at a time; 0 if it did not say
    lease: float = 0.0  # seconds: silent for longer, it is taken over
    started_at: float = 0.0
    draining: bool = False  # it claims nothing more, and ends
    alone: bool = False  # it goes on with what was asked for in it, and fires no schedules
    orbits: str = ""  # the version of Orbits that it runs
    wall: float = 0.0  # what its machine's clock said when it was renewed


class BuildRow(Row, frozen=True, kw_only=True):
    """A build that was seen, with its place in the order in which builds came."""

    KEY = ("digest",)

    digest: str
    order: int
    modules: tuple[str, ...] = ()  # what has to be imported to have its kinds
    sources: dict[str, str] = {}  # of the modules with its steps, a digest of their code
    renamed: dict[str, tuple[str, ...]] = {}  # kinds, with those that they had before: for who reads without the code
    at: float = 0.0  # when it was last registered, give or take `builds.REGISTERED_AGAIN`


class ScheduleRow(Row, frozen=True, kw_only=True):
    """When a record's next cycle is due, and the schedule that it follows: enough to ask for it without the code."""

    KEY = ("kind", "identity")
    INDEXED = ("due",)
    VERSIONED = True

    kind: str
    identity: str
    version: int = 1
    due: float
    paused: bool = False
    slot: float = 0.0  # the time that the schedule names, at or after `due`
    since: float = 0.0  # when that was chosen: at the cycle before, or when the schedule was set
    timing: Timing | None = None
    on_drift: str = "report"
    policy: str = ""  # what the class says by itself is done about drift, for people; then `on_drift` says nothing
    build: str = ""  # the one that the schedule came with
    by: str = ""  # who has paused or resumed it last, when, and why
    at: float = 0.0
    why: str = ""


class DataKeyRow(Row, frozen=True, kw_only=True):
    """What the store's secrets are encrypted with, itself encrypted with each secret key that opens the store."""

    KEY = ("name",)
    VERSIONED = True

    name: str = "data"
    version: int = 1
    wrapped: tuple[str, ...]


class ImportRow(Row, frozen=True, kw_only=True):
    """An import into this store that has not finished: while it is there, nobody works on the store."""

    KEY = ("name",)

    name: str = "import"
    file: str = ""  # where it was imported from
    sha256: str = ""  # of the rows in that file
    began_at: float = 0.0


class PermitRow(Row, frozen=True, kw_only=True):
    """What lets an execution that counts for a limit be under way: one of as many slots as the limit has."""

    KEY = ("name", "slot")
    INDEXED = ("execution",)

    name: str  # of the limit: see model/limits
    slot: int
    execution: ExecutionId
    token: int  # of the claim that took it


class LineRow(Row, frozen=True, kw_only=True):
    """An execution that waits for a permit, in the order in which they get one."""

    KEY = ("name", "rank", "turn", "execution")
    INDEXED = ("execution", "tenant")

    name: str
    rank: int  # the lower its priority, the higher
    turn: int = 0  # one after that of the one before it of its tenant, and at least that of who is first in line
    execution: ExecutionId
    tenant: str = NOBODYS
    passed: bool = False  # it was woken, and nobody took it up: others may go before it


class ShareRow(Row, frozen=True, kw_only=True):
    """What a worker keeps to of a rate that it shares with others: it counts as long as the worker lives."""

    KEY = ("bucket", "worker")
    INDEXED = ("worker",)

    bucket: str  # whose rate it is, as a provider names it
    worker: WorkerId
    rate: float  # in calls a second


TABLES: dict[type[Row], str] = {
    ExecutionRow: "execution",
    EntryRow: "entry",
    MessageRow: "message",
    SubscriberRow: "subscriber",
    WaitRow: "wait",
    TaskRow: "task",
    RecordRow: "record",
    ReaderRow: "reader",
    RevisionRow: "revision",
    OnceRow: "once",
    LookRow: "look",
    EventRow: "event",
    WorkerRow: "worker",
    BuildRow: "build",
    ScheduleRow: "schedule",
    DataKeyRow: "data_key",
    PermitRow: "permit",
    LineRow: "line",
    ShareRow: "share",
    ImportRow: "importing",
}
