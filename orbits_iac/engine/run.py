"""One execution in memory: its definition, suspended or running, and the journal that it is replayed from.

What always holds:
- every outcome that reaches the definition has a number and is journalled; a re-run hands them out in that order;
- an outcome may reach the definition before it is durable, but no `main` starts, nobody is woken and nobody is answered
  before it is;
- without its claim the run is abandoned: whatever its definition still does is discarded.

This is the state and the course of a run. What is done in it: `starting` begins steps, `outcomes` hands out what came
of them, `inbox` takes what others send, `settling` waits for what is under way, `ending` writes the end.
"""

import asyncio
import json
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from orbits_iac.engine import starting
from orbits_iac.engine.attempts import End, Failed
from orbits_iac.engine.calls import Calls
from orbits_iac.engine.inbox import read_inbox, take
from orbits_iac.engine.loop import definition_loop
from orbits_iac.engine.outcomes import hand_out, replay
from orbits_iac.engine.pages import Pages
from orbits_iac.engine.references import Given
from orbits_iac.engine.request import Request
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.engine.waiting import Waits
from orbits_iac.model.errors import ExecutionFailed, Failure, NothingDone, Refused
from orbits_iac.model.ids import UNDO, StepKey, refs
from orbits_iac.model.rows import EntryRow, ExecutionRow, Json, LookRow, OnceRow, RecordRow, TaskRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Journal, Park

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

STAY = 1.0
"""Seconds: who waits for longer lets go of its claim meanwhile."""

LIVE = float("inf")
"""The position of a run that is past its journal."""


class Parked(NamedTuple):
    """The execution waits: until this time, or (None) for a message."""

    until: float | None


class Ended(NamedTuple):
    """The execution has ended."""

    execution: ExecutionRow


class Run:
    """One execution, from its claim until it parks or ends; kept in memory while it waits."""

    def __init__(self, engine: "Engine", journal: Journal) -> None:
        execution = journal.execution
        self.engine = engine
        self.pages = Pages(journal, who=execution.who)
        self.loop = definition_loop(execution.started_at or execution.created_at)
        self.main: asyncio.Task[Any] | None = None
        self.position: float = 0  # the number of the outcome that is being replayed; LIVE after the last
        # The steps.
        self.calls = Calls()  # of `do`, that nobody has awaited yet
        self.asked: dict[StepKey, Request] = {}
        self.open: dict[StepKey, Request] = {}  # of them, those that have no outcome yet
        self.new: list[Request] = []  # asked for since the last write
        self.given_up: list[Request] = []  # children, since the last write
        self.fresh: set[StepKey] = set()  # begun by this process
        self.attempts: dict[StepKey, asyncio.Task[None]] = {}
        self.due: dict[StepKey, float] = {}
        self.arrived: deque[tuple[StepKey, End]] = deque()
        self.waits = Waits(self)
        self.once: dict[str, OnceRow] = {}
        # The way to its end.
        self.closed = False  # no more steps are started: it is being settled
        self.reverting = False  # but for those that bring back
        self.cancelling = False
        self.abandoned = False
        self.leaving = False  # the process is about to end: nothing more is begun
        self.stuck: Refused | None = None  # why it cannot go on with the code that is here
        self.settling: set[asyncio.Task[Any]] = set()  # definitions that wait for their steps to end
        self.endings: dict[StepKey, asyncio.Future[None]] = {}  # what they wait for
        self.overdue: set[StepKey] = set()  # steps that would not end within the grace
        # The record, and what this command makes of it.
        self.places: dict[str, str] = {}
        self.options: dict[str, Any] = json.loads(execution.options)
        self.record: RecordRow | None = None  # as it stood when the run began
        self.standing: StoredRevision | None = None  # its current revision, then
        self.given = Given(engine.codec, execution.argument, execution.references)
        self.payload: dict[str, Json] = {}
        self.adopting = False  # it is looking at what was there before
        self.outputs: Json | None = None  # of the standing revision, where it was made anew
        self.look: LookRow | None = None
        self.left: list[str] = []  # what could not be brought back
        self.undone = False  # something was
        self.destination: StoredRevision | None = None  # of a rollback
        self.installed: int | None = None  # the install_version that this execution has done
        # What the outside has to say.
        self.inbox_changed = False
        self._woken = asyncio.Event()
        self._broken: Exception | None = None

    @property
    def record_id(self) -> tuple[str, str] | None:
        """The kind and identity of the record that this is a command of."""
        execution = self.pages.execution
        return (execution.kind, execution.identity) if execution.identity is not None else None

    # What the definition side calls, on the definition's loop.

    def ask(self, request: Request) -> None:
        """Take up a `do`."""
        starting.ask(self, request)

    def finish(self, key: StepKey, end: End) -> None:
        """An attempt or a nested definition has ended: its outcome is handed out in its turn."""
        self.arrived.append((key, end))
        self._woken.set()

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

    def passed(self) -> tuple[str, ...]:
        """The steps of no return that this execution, or what it did, has passed."""
        found: dict[str, None] = {}
        for entry in self.pages.entries.values():
            path = ".".join(refs(entry.key))
            if entry.no_return and not entry.skipped and not _nothing_done(entry):
                found[path] = None
            found.update(dict.fromkeys(f"{path}.{step}" for step in entry.passed))
        return tuple(found)

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
        self.note(key=key, why=message if share is None else f"{message} ({share:.0%})")

    def is_open(self, entry: EntryRow) -> bool:
        """Whether an entry's outcome has not been handed out, at this point of the run or of its replay."""
        return entry.seq is None or entry.seq > self.position

    def cancel_main(self) -> None:
        """Cancel the definition's own task, never single steps: gather and TaskGroup would swallow that and go on."""
        self.cancelling = True
        if self.main is not None:
            self.main.cancel()

    def failure(self, error: BaseException, request: Request | None = None) -> Failure:
        """What is recorded of an error, of a step or of the execution itself; secrets in it are masked."""
        account = request.where() if request is not None else ", ".join(self.places.values()) or None
        execution = "" if request is not None else self.pages.execution.id
        failure = Failure.of(error, execution_id=execution, account=account)
        masked = self.engine.codec.mask(failure.message)
        return failure if masked == failure.message else replace(failure, message=masked)

    def revert(self) -> None:
        """From here on only steps that bring back are started."""
        self.reverting = True
        self.pages.change(at=self.now(), state=State.REVERTING)

    # What the outside calls.

    def poke(self) -> None:
        """There may be something in the inbox."""
        self.inbox_changed = True
        self._woken.set()

    def refuse(self, key: StepKey, error: Refused) -> None:
        """A step was not allowed: that is its outcome."""
        self.arrived.append((key, Failed(error=error, failure=self.failure(error, self.asked.get(key)))))

    def progress(self, key: StepKey, message: str, share: float | None) -> None:
        """An attempt says how far it is; written with the next transaction."""
        entry = self.pages.entries.get(key)
        if entry is not None and entry.seq is None and not self.abandoned:
            text = self.engine.codec.mask(message)[:1000].encode("utf-8", "backslashreplace").decode()
            self.pages.put(amended(entry, message=text, share=share), at=self.now())
            self._woken.set()

    def break_off(self, error: Exception) -> None:
        """Something that is not the definition's doing went wrong: the run ends with it, to be taken up anew."""
        self._broken = error
        self._woken.set()

    def now(self) -> float:
        """Now, never before the last outcome."""
        return max(self.engine.clock.now(), self.loop.time())

    def leave(self) -> bool:
        """Begin nothing more: wait for what may not be done again, keep what came of it, and let go.

        Returns whether there is anything to wait for.
        """
        self.leaving = True
        self._woken.set()
        return self._has_to_stay()

    def abandon(self) -> None:
        """Let go of everything: nothing that still happens in here reaches anybody."""
        self.abandoned = True
        for task in self.attempts.values():
            task.cancel()
        self.calls.drop()
        asyncio.get_running_loop().call_soon(self.loop.abandon)

    async def drain(self) -> None:
        """Let the definition run until it can do nothing more by itself."""
        try:
            await self.loop.run_dry()
        except Refused as error:
            self.stuck = error

    # Its course.

    async def advance(self, task: TaskRow) -> Parked | Ended:
        """Go on until it waits for longer than `STAY`, or has ended. Raises `Fenced` once the claim is lost."""
        self.pages.token = task.token
        try:
            if self.main is not None:
                await read_inbox(self)  # what has come is handed out before the timers that are due
            elif (parked := await self._begin()) is not None:
                return parked
            return await self._go_on()
        except BaseException:
            self.abandon()
            raise

    async def _begin(self) -> Parked | None:
        """Start the definition and replay its journal; parked if it is not its turn, or its code cannot run here."""
        from orbits_iac.engine.commands import program

        if self.record_id is not None:
            await self._read_record(*self.record_id)
        cancelled = any(message.what == "cancel" for message in self.pages.inbox)
        queue = self.record.queue if self.record is not None else ()
        me = self.pages.execution.id
        if me in queue[1:]:
            if not cancelled:
                return await self._park(None)
            definition = _ended(None)
        else:
            try:
                definition = await program(self)
            except Refused as error:
                if not cancelled:
                    return await self._pause(error)
                definition = _ended(self.failure(error) if self.pages.entries else None)
        if self.pages.execution.started_at is None:
            self.loop.stand_at(self.now())
            stands = self.record.revision if self.record is not None else None
            self.pages.change(at=self.now(), started_at=self.now(), revision=stands)
        if self.pages.execution.state in {State.SLEEPING, State.PAUSED}:
            self.pages.change(at=self.now(), state=State.EXECUTING)
        self.main = self.loop.create_task(definition)
        await self.drain()
        for entry in self.pages.handed_out():
            if self.stuck is not None and not cancelled:
                return await self._pause(self.stuck)
            replay(self, entry)
            await self.drain()
        self.position = LIVE
        for message in self.pages.inbox:
            await take(self, message)
        return None

    async def _park(self, until: float | None) -> Parked:
        seen = frozenset(message.id for message in self.pages.inbox) if self.main is None else self.waits.seen
        await self.engine.commit(self.pages.transaction(park=Park(due=until, seen=seen), at=self.now()))
        return Parked(until)

    async def _pause(self, error: Refused) -> Parked:
        """Leave it as the journal has it, paused with the reason, until it is resumed."""
        seen = frozenset(message.id for message in self.pages.inbox) | self.waits.seen
        self.pages.change(at=self.now(), state=State.PAUSED, why=self.engine.codec.mask(str(error)))
        await self.engine.commit(self.pages.transaction(park=Park(due=None, seen=seen), at=self.now()))
        self.abandon()
        self.main = None
        return Parked(None)

    async def _read_record(self, kind: str, identity: str) -> None:
        store = self.engine.store
        self.once = {row.place: row for row in await store.find(OnceRow, kind=kind, identity=identity)}
        self.record = await store.get(RecordRow, kind, identity)
        self.places = dict(self.record.places) if self.record is not None else {}
        began = self.pages.execution.started_at is not None
        number = self.pages.execution.revision if began or self.record is None else self.record.revision
        if number is not None:
            self.standing = await read_revision(self.engine, kind, identity, number)

    async def _go_on(self) -> Parked | Ended:
        from orbits_iac.engine.ending import end

        while True:
            await hand_out(self)
            if self.stuck is not None:
                return await self._pause(self.stuck)
            if self._broken is not None:
                raise self._broken
            if self.main is not None and self.main.done():
                ended = await end(self)
                self.abandon()
                return Ended(ended)
            if self.leaving:
                if not self._has_to_stay():
                    parked = await self._park(self.now())
                    self.abandon()
                    return parked
                await self._rest(None)
                continue
            await starting.write(self)
            if self.inbox_changed:
                await read_inbox(self)
            starting.start_due(self)
            if self._has_more():
                continue
            until = self._until()
            if until is not None and until <= self.engine.clock.now():
                continue
            if not self.attempts and (until is None or until - self.engine.clock.now() > STAY):
                return await self._park(until)
            await self._rest(until)

    async def _rest(self, until: float | None) -> None:
        """Wait until something has happened, or the time has come."""
        await self.engine.clock.wait(self._woken, until)
        self._woken.clear()

    def _has_to_stay(self) -> bool:
        """Whether an attempt is under way that another process could not begin again."""
        under_way = [(self.pages.entries[key], self.asked.get(key)) for key in self.attempts]
        return any(
            entry.state is State.EXECUTING
            and request is not None
            and request.ask is None
            and not request.options.get("idempotent")
            for entry, request in under_way
        )

    def _has_more(self) -> bool:
        """Whether there is something to do at once: what was read from the inbox may have ended the definition."""
        ended = self.main is not None and self.main.done()
        return bool(self.arrived or self.waits.untried or self.new or self.given_up or self.stuck or ended)

    def _until(self) -> float | None:
        """When something is due by itself."""
        times = list(self.due.values())
        timer = self.loop.next_timer()
        if timer is not None:
            times.append(timer)
        return min(times, default=None)


async def _ended(failure: Failure | None) -> Json:
    """The definition of an execution that is cancelled where its own cannot run: what it has done is left as it is."""
    if failure is None:
        raise asyncio.CancelledError
    raise ExecutionFailed(replace(failure, state=State.QUARANTINED, left=("what it had done until then",)))


def _nothing_done(entry: EntryRow) -> bool:
    failure = entry.failure
    return failure is not None and failure.error_type == NothingDone.__name__


def _is_left(entry: EntryRow) -> bool:
    """Whether something of a child that failed is still there, for a decision or forward only."""
    return entry.failure is not None and entry.failure.state is State.QUARANTINED
