"""One execution in memory: its definition, suspended or running, and the journal that it is replayed from.

What always holds:
- every outcome that reaches the definition has a number and is journalled; a re-run hands them out in that order;
- an outcome may reach the definition before it is durable, but no `main` starts, nobody is woken and nobody is answered
  before it is;
- without its claim the run is abandoned: whatever its definition still does is discarded.

This is the state of a run; `course` is how it goes on. What is done in it: `starting` begins steps, `outcomes` hands
out what came of them, `inbox` takes what others send, `settling` waits for what is under way, `ending` writes the end.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple

from orbits_iac.engine import starting
from orbits_iac.engine.attempts import End, Failed
from orbits_iac.engine.calls import Call, Calls
from orbits_iac.engine.loop import definition_loop
from orbits_iac.engine.names import Names
from orbits_iac.engine.pages import Pages
from orbits_iac.engine.references import Given
from orbits_iac.engine.request import Request
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.engine.waiting import Waits
from orbits_iac.model.approvals import read_approval
from orbits_iac.model.errors import Failure, NothingDone, Refused
from orbits_iac.model.ids import UNDO, ExecutionId, RecordId, StepKey, refs
from orbits_iac.model.news import Stop
from orbits_iac.model.reads import Read
from orbits_iac.model.rows import (
    Child,
    EntryRow,
    Json,
    LookRow,
    OnceRow,
    RecordRow,
    amended,
)
from orbits_iac.model.states import State
from orbits_iac.store.contract import Journal

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

LIVE = float("inf")
"""The position of a run that is past its journal."""


class Forced(NamedTuple):
    """How a person has ended it."""

    state: State
    result: Json | None
    failure: Failure | None


@dataclass(kw_only=True, slots=True)
class Told:
    """What people have said of it."""

    pausing: bool  # no steps are begun, and no timer fires
    instead: dict[StepKey, End] = field(default_factory=dict)  # outcomes in place of what the attempts come to
    forced: Forced | None = None  # how it ends
    reload: bool = False  # it was ended while its definition was in memory


class BarredError(BaseException):
    """Raised by a `do` of a definition that was cancelled twice: no error that one expects, or swallows."""


class Run:
    """One execution, from its claim until it parks or ends; kept in memory while it waits."""

    def __init__(self, engine: "Engine", journal: Journal) -> None:  # noqa: PLR0915 - all that it keeps, a line each
        execution = journal.execution
        self.engine = engine
        self.pages = Pages(journal, who=execution.who)
        self.loop = definition_loop(execution.started_at or execution.created_at)
        self.main: asyncio.Task[Any] | None = None
        self.position: float = 0  # the number of the outcome that is being replayed; LIVE after the last
        # The steps.
        self.calls = Calls()  # of `do`, that nobody has awaited yet
        self.asked: dict[StepKey, Call | None] = {}  # every step, and where it stands; None: Orbits itself has asked
        self.open: dict[StepKey, Request] = {}  # those that have no outcome yet: of the others no more is kept
        self.unapproved: dict[StepKey, Request] = {}  # those that wait for somebody's approval
        self.new: list[Request] = []  # asked for since the last write
        self.given_up: list[Request] = []  # children, since the last write
        self.fresh: set[StepKey] = set()  # begun by this process
        self.worn: list[ExecutionId] = []  # executions of steps that were forgotten since the last write
        self.attempts: dict[StepKey, asyncio.Task[End]] = {}
        self.due: dict[StepKey, float] = {}
        self.arrived: deque[tuple[StepKey, End]] = deque()
        self.waits = Waits(self)
        self.once: dict[str, OnceRow] = {}
        self.claimed_at = 0.0  # or found to be held still: by the clock of its worker's lease
        self.names = Names(None, (), self.pages.entries)
        self.renamed: dict[StepKey, StepKey] = {}  # what steps were called, and are called in this run
        # The way to its end.
        self.closed = False  # no more steps are started: it is being settled
        self.reverting = False  # but for those that bring back
        self.cancelling = False
        self.barred = False  # it was cancelled again: no `do` of its way out is begun any more
        self.cancel_again: float | None = None  # when one that does not end is cancelled again
        self.told = Told(pausing=execution.paused_at is not None)
        self.abandoned = False
        self.heir: Run | None = None  # what has taken its place, after it broke off
        self.leaving = False  # the process is about to end: nothing more is begun
        self.stuck: Refused | None = None  # why it cannot go on with the code that is here
        self.settling: set[asyncio.Task[Any]] = set()  # definitions that wait for their steps to end
        self.endings: dict[StepKey, asyncio.Future[None]] = {}  # what they wait for
        self.overdue: set[StepKey] = set()  # steps that would not end within the grace
        # The record, and what this command makes of it.
        self.places: dict[str, str] = {}
        self.found: set[str] = set()  # realms of targets in outputs that its definitions were given
        self.options: dict[str, Any] = json.loads(execution.options)
        self.approval = read_approval(execution.approval)
        self.record: RecordRow | None = None  # as it stood when the run began
        self.standing: StoredRevision | None = None  # its current revision, then
        self.given = Given(engine.codec, execution.argument, execution.references)
        self.reads: dict[RecordId, Read] = {}
        self.installed_with: tuple[str, ...] = ()  # the records whose outputs its install has read
        self.payload: dict[str, Json] = {}
        self.adopting = False  # it is looking at what was there before
        self.said = ""  # the last word of its definition on how far it is
        self.rebuilt = False  # its record was made again of what is there: that is what stands
        self.outputs: Json | None = None  # of the standing revision, where it was made anew
        self.look: LookRow | None = None
        self.stops: tuple[Stop, ...] = ()  # why some of what it found is not brought back
        self.remediating = False  # this cycle brings back what has drifted
        self.left: list[str] = []  # what could not be brought back
        self.residue: list[str] = []  # what stays after an uninstall
        self.undone = False  # something was
        self.destination: StoredRevision | None = None  # of a rollback
        self.installed: int | None = None  # the install_version that this execution has done
        self.removed: set[tuple[str, str]] = set()  # children that were no longer done
        self.lost: set[tuple[str, str]] = set()  # records of which what they held is lost: this one, or children
        # What the outside has to say.
        self.inbox_changed = False
        self.woken = asyncio.Event()
        self.broken: BaseException | None = None

    @property
    def called(self) -> str:
        """What the record's thing is called where it is, if it was, or is to be, recorded under a name of its own."""
        if self.record is not None and self.record.called:
            return self.record.called
        return (self.approval.adopts or {}).get("", "")

    @property
    def record_id(self) -> tuple[str, str] | None:
        """The kind and identity of the record that this is a command of."""
        execution = self.pages.execution
        return (execution.kind, execution.identity) if execution.identity is not None else None

    @cached_property
    def superseded(self) -> asyncio.Future[str]:
        """Done once its definition is to know which execution takes its place."""
        return self.loop.create_future()

    @cached_property
    def children_before(self) -> dict[RecordId, Child]:
        """The children of the record, as it stood when the run began."""
        children = () if self.record is None else self.record.children
        return {RecordId(child.kind, child.identity): child for child in children}

    # What the definition side calls, on the definition's loop.

    def ask(self, request: Request) -> None:
        """Take up a `do`."""
        starting.ask(self, request)

    @property
    def current(self) -> "Run":
        """The run that goes on with the execution here: this one, or what has taken its place."""
        return self if self.heir is None else self.heir.current

    def finish(self, key: StepKey, end: End) -> None:
        """An attempt or a nested definition has ended: its outcome is handed out in its turn."""
        self.arrived.append((key, end))
        self.woken.set()

    def links(self) -> list[EntryRow]:
        """The entries of the children of install and update that stand, in the order in which they ended.

        One that ended badly stands too, if it is back at an earlier revision, or if it could not go back.
        """
        return [
            entry
            for entry in self.pages.handed_out()
            if entry.link is not None
            and entry.command == "update"
            and not entry.key.startswith(f"{UNDO}/")
            and (entry.state is State.SUCCESS or entry.link.revision is not None or _is_left(entry))
        ]

    def has_read(self, kind: str, identity: str, outputs: Json) -> None:
        """The definition has read the outputs of a record that somebody else keeps."""
        digest = self.engine.codec.digest(self.engine.codec.decode(outputs, Any))
        self.reads[RecordId(kind, identity)] = Read(kind=kind, identity=identity, digest=digest)

    def passed(self) -> tuple[str, ...]:
        """The steps of no return that this execution, or what it did, has passed."""
        return passed_in(self.pages.entries.values())

    def forget(self, entry: EntryRow) -> None:
        """Let go of a step that is over for good; of what it did in executions of its own too, with the next write."""
        self.pages.remove(entry)
        self.asked.pop(entry.key, None)
        self.fresh.discard(entry.key)
        self.overdue.discard(entry.key)
        if entry.child is not None:
            self.worn.append(entry.child)

    def grace_of(self, request: Request) -> float:
        """Seconds that a step may take to end when it is asked to."""
        grace = request.options.get("grace")
        return self.engine.grace if grace is None else float(grace.total_seconds())

    def note(self, *, key: StepKey, why: str) -> None:
        """Leave an event that changes no state; once, however often the definition is run."""
        if self.position == LIVE:
            self.pages.note(at=self.now(), key=key, why=self.engine.codec.mask(why))

    def note_progress(self, key: StepKey, message: str, share: float | None) -> None:
        """A definition says how far it is: an event of its execution."""
        self.said = message = message[:1000]
        self.note(key=key, why=message if share is None else f"{message} ({share:.0%})")

    def is_open(self, entry: EntryRow) -> bool:
        """Whether an entry's outcome has not been handed out, at this point of the run or of its replay."""
        return entry.seq is None or entry.seq > self.position

    def cancel_main(self) -> None:
        """Cancel the definition's own task, never single steps: gather and TaskGroup would swallow that and go on.

        Its way out may still do steps, for as long as its grace; cancelled again, it begins no more.
        """
        self.barred = self.cancelling
        self.cancelling = True
        self.cancel_again = self.loop.time() + self.engine.grace
        if self.main is not None:
            self.main.cancel()

    def supersede(self) -> None:
        """Let the definition know which execution is to take its place."""
        if self.pages.execution.superseded_by is not None and not self.superseded.done():
            self.superseded.set_result(self.pages.execution.superseded_by)

    def was_cancelled(self, error: BaseException) -> bool:
        """Whether it ends with this error because it was cancelled."""
        return self.cancelling and isinstance(error, asyncio.CancelledError | BarredError)

    def has_outlived_its_cancel(self) -> bool:
        """Whether its definition still goes on though the grace for that is over; what brings back is no part of it."""
        if self.cancel_again is None or self.main in self.settling:
            return False
        return self.cancel_again <= self.engine.clock.now()

    def failure(self, error: BaseException, request: Request | None = None) -> Failure:
        """What is recorded of an error, of a step or of the execution itself; secrets in it are masked."""
        account = request.where() if request is not None else ", ".join(self.places.values()) or None
        execution = "" if request is not None else self.pages.execution.id
        return Failure.of(error, execution_id=execution, account=account, mask=self.engine.codec.mask)

    def revert(self) -> None:
        """From here on only steps that bring back are started."""
        self.reverting = True
        self.pages.change(at=self.now(), state=State.REVERTING)

    # What the outside calls.

    def poke(self) -> None:
        """There may be something in the inbox."""
        self.inbox_changed = True
        self.woken.set()

    def refuse(self, key: StepKey, error: Refused) -> None:
        """A step was not allowed: that is its outcome."""
        self.arrived.append((key, Failed(error=error, failure=self.failure(error, self.open.get(key)))))

    def progress(self, key: StepKey, message: str, share: float | None) -> None:
        """An attempt says how far it is; written with the next transaction."""
        entry = self.pages.entries.get(key)
        if entry is not None and entry.seq is None and not self.abandoned:
            text = self.engine.codec.mask(message)[:1000].encode("utf-8", "backslashreplace").decode()
            self.pages.put(amended(entry, message=text, share=share), at=self.now())
            self.woken.set()

    def break_off(self, error: BaseException) -> None:
        """Something that is not the definition's doing went wrong: the run ends with it, to be taken up anew."""
        self.broken = error
        self.woken.set()

    def now(self) -> float:
        """Now, never before the last outcome."""
        return max(self.engine.clock.now(), self.loop.time())

    def leave(self) -> None:
        """Begin nothing more: wait for what may not be done again, keep what came of it, and let go."""
        self.leaving = True
        self.woken.set()

    def abandon(self, *, but: frozenset[StepKey] = frozenset()) -> None:
        """Let go of everything: nothing that still happens in here reaches anybody, `but` these attempts."""
        self.abandoned = True
        left = [self.attempts.pop(key) for key in [*self.attempts] if key not in but]
        if left:
            self.engine.leave_behind(self.pages.execution.id, left)
        self.calls.drop()
        asyncio.get_running_loop().call_soon(self.loop.abandon)

    def forget_all(self) -> None:
        """It has ended: it goes now, with its journal, and not once Python's collector of cycles has come to it.

        What still refers to it, as an attempt does that would not end, finds nothing open.
        """
        self.main = None
        self.settling.clear()
        del self.waits
        self.pages.forget_all()
        self.asked.clear()

    def drain(self) -> None:
        """Let the definition run until it can do nothing more by itself."""
        try:
            self.loop.drain()
        except Refused as error:
            self.stuck = error


def passed_in(entries: Iterable[EntryRow]) -> tuple[str, ...]:
    """The paths of the steps of no return among these entries, and of those that their children have passed.

    What a tenant has passed is not there above the tenant: a roll-out is brought to its end without it.
    """
    found: dict[str, None] = {}
    for entry in entries:
        if not (entry.no_return or entry.passed):
            continue
        path = ".".join(refs(entry.key))
        if entry.no_return and not entry.skipped and not _nothing_done(entry):
            found[path] = None
        found.update(dict.fromkeys(f"{path}.{step}" for step in entry.passed if not entry.of_tenant))
    return tuple(found)


def staying(run: Run) -> frozenset[StepKey]:
    """The attempts under way that another process could not begin again, or not yet: a thread runs to its end."""
    return frozenset(
        key
        for key in run.attempts
        if run.pages.entries[key].state is State.EXECUTING
        and ((request := run.open.get(key)) is None or _may_be_made_once(request))
    )


def _may_be_made_once(request: Request) -> bool:
    if request.ask is not None or request.elsewhere:
        return False
    return not request.options.get("idempotent") or not iscoroutinefunction(getattr(request.step, "main", None))


def _nothing_done(entry: EntryRow) -> bool:
    failure = entry.failure
    return failure is not None and failure.error_type == NothingDone.__name__


def _is_left(entry: EntryRow) -> bool:
    """Whether something of a child that failed is still there, for a decision or forward only."""
    return entry.failure is not None and entry.failure.state is State.QUARANTINED
