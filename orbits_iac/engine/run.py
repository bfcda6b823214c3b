"""One execution in memory: its definition, suspended or running, and the journal that it is replayed from.

What always holds:
- every outcome that reaches the definition has a number and is journalled; a re-run hands them out in that order;
- an outcome may reach the definition before it is durable, but no `main` starts, nobody is woken and nobody is answered
  before it is;
- without its claim the run is abandoned: whatever its definition still does is discarded.
"""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from orbits_iac.engine.attempts import Done, End, Failed, Waits, attempt, is_final
from orbits_iac.engine.loop import definition_loop
from orbits_iac.engine.pages import Pages
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.model.errors import ExecutionFailed, Failure, Fenced, Interrupted, NothingDone, Refused
from orbits_iac.model.ids import StepKey, refs
from orbits_iac.model.retry import Retry
from orbits_iac.model.rows import EntryRow, ExecutionRow, Json, LookRow, MessageRow, OnceRow, RecordRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import Step
from orbits_iac.store.contract import Journal, Park

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

STAY = 1.0
"""Seconds: who waits for longer lets go of its claim meanwhile."""


class Parked(NamedTuple):
    """The execution waits: until this time, or (None) for a message."""

    until: float | None


class Ended(NamedTuple):
    """The execution has ended."""

    execution: ExecutionRow


@dataclass(kw_only=True, eq=False)
class Request:
    """One `do`, as the definition asked for it."""

    key: StepKey
    ref: str
    kind: str
    command: str
    step: Step[Any] | None  # fresh and bound; None for what the engine itself asks
    argument: Json
    digest: str
    returns: Any
    options: Options
    targets: dict[str, Json]
    future: "asyncio.Future[Any]"
    identity: str | None = None  # of a Resource's command
    owned: bool = False
    extra: Json = "{}"  # of a command: its own arguments
    once: str | None = None  # the place, if it is done once
    hidden: bool = False  # a provider's hook: no part of the path that people see
    ask: Callable[[], Awaitable[Any]] | None = None
    tenant: str | None = None

    @property
    def retry(self) -> Retry | None:
        """When a failed attempt is made again; only Actions are."""
        return self.options.get("retry") if self.command == "main" else None

    @property
    def timeout(self) -> timedelta | None:
        """How long an attempt may take."""
        return self.options.get("timeout")

    def failure(self, error: BaseException) -> Failure:
        """What is recorded of an error of this step."""
        return Failure.of(error, account=self.where())

    def where(self) -> str | None:
        """The places of its targets, for people."""
        return ", ".join(self.places.values()) or None

    places: dict[str, str] = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None  # the definition of a Workflow


class Run:
    """One execution, from its claim until it parks or ends; kept in memory while it waits."""

    def __init__(self, engine: "Engine", journal: Journal) -> None:
        self.engine = engine
        self.pages = Pages(journal, who=journal.execution.who)
        self.loop = definition_loop(journal.execution.created_at)
        self.main: asyncio.Task[Any] | None = None
        self.asked: dict[StepKey, Request] = {}
        self.arrived: deque[tuple[StepKey, End]] = deque()
        self.closed = False  # no more steps are started: it is being settled
        self.reverting = False  # but for those that bring back
        self.cancelling = False
        self.once: dict[str, OnceRow] = {}
        self.places: dict[str, str] = {}
        self.options: dict[str, Any] = json.loads(journal.execution.options)
        self.record: RecordRow | None = None  # as it stood when the run began
        self.standing: StoredRevision | None = None  # its current revision, then
        self.payload: dict[str, Json] = {}
        self.look: LookRow | None = None
        self.left: list[str] = []  # what could not be brought back
        self.destination: StoredRevision | None = None  # of a rollback
        self.installed: int | None = None  # the install_version that this execution has done
        self._new: list[Request] = []
        self._attempts: dict[StepKey, asyncio.Task[None]] = {}
        self._due: dict[StepKey, float] = {}
        self._fresh: set[StepKey] = set()
        self._endings: dict[StepKey, asyncio.Future[None]] = {}
        self._position: float = 0  # the number of the outcome that is being replayed
        self._woken = asyncio.Event()
        self._inbox_changed = False

    @property
    def record_id(self) -> tuple[str, str] | None:
        """The kind and identity of the record that this is a command of."""
        execution = self.pages.execution
        return (execution.kind, execution.identity) if execution.identity is not None else None

    # What the definition side calls, on the definition's loop.

    def ask(self, request: Request) -> None:
        """Take up a `do`: attach to what is known of its key, or begin it with the next write."""
        self.asked[request.key] = request
        entry = self.pages.entries.get(request.key)
        if entry is not None and entry.digest and entry.digest != request.digest:
            self.pages.note(at=self.now(), key=request.key, why="argument changed; the recorded outcome stands")
        if entry is not None and entry.seq is not None:
            if entry.seq <= self._position:
                self._resolve(request, entry)
        else:
            self._new.append(request)
        request.future.add_done_callback(lambda future: self._given_up(request) if future.cancelled() else None)

    def finish(self, key: StepKey, end: End) -> None:
        """A nested definition has ended: its outcome is handed out in its turn."""
        self.arrived.append((key, end))
        self._woken.set()

    def links(self) -> list[EntryRow]:
        """The entries of the children of install and update that stand, in the order in which they ended.

        One that ended badly stands too, if it is back at an earlier revision.
        """
        return [
            entry
            for entry in self.pages.handed_out()
            if entry.link is not None
            and entry.command == "update"
            and (entry.state is State.SUCCESS or entry.link.revision is not None)
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

    def note_progress(self, key: StepKey, message: str, share: float | None) -> None:
        """A definition says how far it is: an event of its execution."""
        if self._position == float("inf"):
            text = message if share is None else f"{message} ({share:.0%})"
            self.pages.note(at=self.now(), key=key, why=text)

    async def settle(self) -> None:
        """On the definition's loop: start no more steps, cancel what remains of it, wait for the steps in flight."""
        self.closed = True
        here = asyncio.current_task()
        for task in list(self.loop.tasks):
            if task is not here and not task.done():
                task.cancel()
        self._new = [request for request in self._new if request.key in self.pages.entries]
        open_ = [entry.key for entry in self.pages.entries.values() if entry.key in self.asked and self._open_at(entry)]
        self._endings = {key: self.loop.create_future() for key in open_}
        if self._endings:
            await asyncio.wait(self._endings.values())

    def _open_at(self, entry: EntryRow) -> bool:
        """Whether an entry's outcome has not been handed out, at this point of the run or of its replay."""
        return entry.seq is None or entry.seq > self._position

    # What the outside calls.

    def poke(self) -> None:
        """There may be something in the inbox."""
        self._inbox_changed = True
        self._woken.set()

    def refuse(self, key: StepKey, error: Refused) -> None:
        """A step was not allowed: that is its outcome."""
        self.arrived.append((key, Failed(error=error, failure=Failure.of(error))))

    def progress(self, key: StepKey, message: str, share: float | None) -> None:
        """An attempt says how far it is; written with the next transaction."""
        entry = self.pages.entries.get(key)
        if entry is not None and entry.seq is None:
            self.pages.put(replace(entry, message=message[:1000], share=share), at=self.now())
            self._woken.set()

    def revert(self) -> None:
        """From here on only steps that bring back are started."""
        self.reverting = True
        self.pages.change(at=self.now(), state=State.REVERTING)

    def now(self) -> float:
        """Now, never before the last outcome."""
        return max(self.engine.clock.now(), self.loop.time())

    def abandon(self) -> None:
        """Let go of everything: nothing that still happens in here reaches anybody."""
        for task in self._attempts.values():
            task.cancel()
        self.closed = True
        asyncio.get_running_loop().call_soon(self.loop.abandon)

    async def advance(self, task: TaskRow) -> Parked | Ended:
        """Go on until it waits for longer than `STAY`, or has ended. Raises `Fenced` once the claim is lost."""
        self.pages.token = task.token
        try:
            if self.main is not None:
                self._inbox_changed = True
            elif not await self._begin():
                return Parked(None)
            return await self._go_on()
        except (Fenced, asyncio.CancelledError):
            self.abandon()
            raise

    # The run itself.

    async def _begin(self) -> bool:
        """Start the definition and replay its journal; False if its code cannot run here, and it was paused."""
        from orbits_iac.engine.commands import program

        if self.record_id is not None:
            await self._read_record(*self.record_id)
        try:
            definition = await program(self)
        except Refused as error:
            return await self._pause(error)
        if self.pages.execution.state in {State.SLEEPING, State.PAUSED}:
            self.pages.change(at=self.now(), state=State.EXECUTING)
        self.main = self.loop.create_task(definition)
        await self._drain()
        for entry in self.pages.handed_out():
            self._position = entry.seq or 0
            self.loop.stand_at(entry.at or 0.0)
            self._replay(entry)
            await self._drain()
        self._position = float("inf")
        for message in self.pages.inbox:
            await self._take(message)
        return True

    async def _pause(self, error: Refused) -> bool:
        self.pages.change(at=self.now(), state=State.PAUSED, why=str(error))
        seen = frozenset(message.id for message in self.pages.inbox)
        await self.engine.commit(self.pages.transaction(park=Park(due=None, seen=seen), at=self.now()))
        return False

    async def _read_record(self, kind: str, identity: str) -> None:
        store = self.engine.store
        self.once = {row.place: row for row in await store.find(OnceRow, kind=kind, identity=identity)}
        self.record = await store.get(RecordRow, kind, identity)
        self.places = dict(self.record.places) if self.record is not None else {}
        if self.record is not None and self.record.revision is not None:
            self.standing = await read_revision(self.engine, kind, identity, self.record.revision)

    def _replay(self, entry: EntryRow) -> None:
        if entry.kind == "timer":
            self.loop.fire()
        elif entry.kind == "cancel":
            self._cancel_main()
        elif (request := self.asked.get(entry.key)) is not None:
            self._resolve(request, entry)

    async def _go_on(self) -> Parked | Ended:
        from orbits_iac.engine.ending import end

        while True:
            await self._hand_out()
            if self.main is not None and self.main.done() and not self._attempts:
                return Ended(await end(self))
            await self._write()
            if self._inbox_changed:
                await self._read_inbox()
            self._start_due()
            if self.arrived or self._new:
                continue
            until = self._until()
            if until is not None and until <= self.engine.clock.now():
                continue
            if not self._attempts and (until is None or until - self.engine.clock.now() > STAY):
                await self.engine.commit(self.pages.transaction(park=Park(due=until), at=self.now()))
                return Parked(until)
            await self.engine.clock.wait(self._woken, until)
            self._woken.clear()

    async def _hand_out(self) -> None:
        """Give the definition, one by one, what has arrived; then the timers that are due, in order."""
        while True:
            if self.arrived:
                self._outcome(*self.arrived.popleft())
            elif (timer := self.loop.next_timer()) is not None and timer <= self.engine.clock.now():
                self._number("timer", due=timer)
                self.loop.fire()
            else:
                return
            await self._drain()

    def _number(self, kind: str, *, due: float | None = None) -> None:
        """Journal an outcome that is no step's: a timer that fired, a cancel."""
        self.pages.seq += 1
        at = self.now()
        key = StepKey(f"~{kind}/{self.pages.seq}")
        self.pages.put(
            EntryRow(
                execution=self.pages.execution.id,
                key=key,
                kind=kind,
                state=State.SUCCESS,
                seq=self.pages.seq,
                at=at,
                due=due,
            ),
            at=at,
        )
        self.loop.stand_at(at)

    def _outcome(self, key: StepKey, end: End) -> None:
        """Journal a step's outcome, or what it goes on with, and hand it to who waits."""
        entry, request, at = self.pages.entries[key], self.asked.get(key), self.now()
        if isinstance(end, Waits):
            self._due[key] = at + end.poll
            self.pages.put(replace(entry, state=State.IN_PROGRESS, handle=end.handle, due=at + end.poll), at=at)
            return
        if isinstance(end, Failed) and request is not None and not is_final(end.error, request, entry.attempt):
            self._again(entry, request, end.error, at)
            return
        self.pages.seq += 1
        ended = replace(entry, seq=self.pages.seq, at=at, due=None)
        if isinstance(end, Done):
            ended = replace(ended, state=State.SUCCESS, result=end.result)
            self._remember_once(request, ended)
        else:
            ended = replace(ended, state=State.ERROR, failure=end.failure)
        self.pages.put(ended, at=at, why=ended.failure.message if ended.failure else "")
        self.loop.stand_at(at)
        if request is not None:
            self._resolve(request, ended)

    def _again(self, entry: EntryRow, request: Request, error: BaseException, at: float) -> None:
        retry = request.retry or Retry()
        due = at + retry.wait(entry.attempt, self.engine.chance())
        token = entry.token if not isinstance(error, NothingDone) else self._token(request, entry.attempt + 1)
        self._due[request.key] = due
        self.pages.put(
            replace(
                entry,
                state=State.SLEEPING,
                attempt=entry.attempt + 1,
                due=due,
                token=token,
                handle=None,
                message=f"{type(error).__name__}: {error}"[:1000],
            ),
            at=at,
            why=f"attempt {entry.attempt} failed: {type(error).__name__}: {error}",
        )

    def _remember_once(self, request: Request | None, ended: EntryRow) -> None:
        if request is None or request.once is None or ended.skipped or self.record_id is None:
            return
        kind, identity = self.record_id
        row = OnceRow(
            kind=kind,
            identity=identity,
            place=request.once,
            digest=request.digest,
            result=ended.result or "null",
            execution=self.pages.execution.id,
            no_return=ended.no_return,
        )
        self.once[request.once] = row
        self.pages.add(row, request.once)

    def _resolve(self, request: Request, entry: EntryRow) -> None:
        ending = self._endings.pop(request.key, None)
        if ending is not None and not ending.done():
            ending.set_result(None)
        future = request.future
        if future.done():
            return
        if entry.state is State.SUCCESS:
            future.set_result(self.engine.codec.decode(entry.result or "null", request.returns))
            return
        failure = entry.failure or Failure(error_type="Error", message="failed without a reason")
        future.set_exception(ExecutionFailed(failure if request.hidden else failure.above(request.ref)))

    def _given_up(self, request: Request) -> None:
        """The definition has cancelled its `do`: ask the step to cancel; its outcome is journalled all the same."""
        task = self._attempts.get(request.key)
        if task is not None and request.step is not None:
            task.cancel()

    # Writing, and starting what was written.

    async def _write(self) -> None:
        """Make everything durable; then start the steps whose beginning is durable now."""
        from orbits_iac.engine.requests import ask_for

        new, self._new = self._new, []
        steps = [request for request in new if request.identity is None and self._open(request)]
        if self.pages.pending():
            await self.engine.commit(self.pages.transaction(at=self.now()))
        for request in steps:
            self._start(request)
        for request in new:
            if request.identity is not None and request.key not in self.pages.entries:
                await ask_for(self, request)

    def _open(self, request: Request) -> bool:
        """Put the entry of a new step; whether there is anything to start."""
        if request.key in self.pages.entries:
            return request.command == "main"
        at = self.now()
        entry = EntryRow(
            execution=self.pages.execution.id,
            key=request.key,
            kind=request.kind,
            digest=request.digest,
            token=self._token(request, 1),
            started_at=at,
            no_return=bool(request.options.get("no_return")),
        )
        standing = self.once.get(request.once) if request.once is not None else None
        if standing is not None and standing.digest == request.digest:
            self.pages.put(replace(entry, skipped=True, no_return=False), at=at, why="done once already")
            self.arrived.append((request.key, Done(result=standing.result)))
            return False
        self.pages.put(entry, at=at)
        self._fresh.add(request.key)
        return request.command == "main"

    def _token(self, request: Request, attempt: int) -> str:
        text = f"{self.pages.execution.id}\0{request.key}\0{1}\0{attempt}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _start(self, request: Request) -> None:
        """Start a step, or take it up where its process left it."""
        entry = self.pages.entries[request.key]
        if entry.state in {State.IN_PROGRESS, State.SLEEPING}:
            self._due[request.key] = entry.due or 0.0
        elif request.key in self._fresh or request.options.get("idempotent") or request.ask is not None:
            self._attempt(request, "main")
        else:
            self._attempt(request, "on_interrupted")

    def _start_due(self) -> None:
        now = self.engine.clock.now()
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
            entry, request = self.pages.entries[key], self.asked.get(key)
            if request is None or entry.seq is not None:
                continue
            if entry.state is State.IN_PROGRESS:
                self._attempt(request, "watch", entry.handle)
            else:
                self.pages.put(replace(entry, state=State.EXECUTING, started_at=now, due=None), at=now)
                self._fresh.add(key)
                self._new.append(request)

    def _attempt(self, request: Request, hook: str, handle: Json | None = None) -> None:
        async def run() -> None:
            try:
                end = await attempt(self, request, hook, handle)
            except asyncio.CancelledError as error:
                if self.closed and self.main is not None and not self.main.done():
                    raise
                end = Failed(error=error, failure=request.failure(Interrupted("cancelled while it ran")))
            del self._attempts[request.key]
            self.finish(request.key, end)

        self._attempts[request.key] = asyncio.get_running_loop().create_task(run(), name=request.key)

    # The inbox.

    async def _read_inbox(self) -> None:
        self._inbox_changed = False
        for message in await self.engine.store.find(MessageRow, execution=self.pages.execution.id):
            await self._take(message)

    async def _take(self, message: MessageRow) -> None:
        """Turn a message into an outcome; it is deleted in the transaction that journals that."""
        self.pages.delete(message)
        if message.what == "cancel":
            self._number("cancel")
            self._cancel_main()
            await self._drain()
            return
        entry = self.pages.entries.get(message.key or StepKey(""))
        if entry is None or entry.seq is not None or message.child is None:
            return
        child = await self.engine.store.get(ExecutionRow, message.child)
        if child is None:
            return
        link = replace(entry.link, revision=child.revision) if entry.link is not None else None
        self.pages.put(replace(entry, changed=child.changed, link=link, passed=child.no_return), at=self.now())
        self.arrived.append((entry.key, child_end(child)))

    def _cancel_main(self) -> None:
        self.cancelling = True
        if self.main is not None:
            self.main.cancel()

    def _until(self) -> float | None:
        """When something is due by itself."""
        times = list(self._due.values())
        timer = self.loop.next_timer()
        if timer is not None:
            times.append(timer)
        return min(times, default=None)

    async def _drain(self) -> None:
        """Let the definition run until it can do nothing more by itself."""
        loop = asyncio.get_running_loop()
        drained: asyncio.Future[None] = loop.create_future()

        def drain() -> None:
            self.loop.drain()
            if not drained.done():
                drained.set_result(None)

        loop.call_soon(drain)
        await drained


def _nothing_done(entry: EntryRow) -> bool:
    failure = entry.failure
    return failure is not None and failure.error_type == NothingDone.__name__


def child_end(child: ExecutionRow) -> End:
    """The outcome of a step that is a child execution."""
    if child.state is State.SUCCESS:
        return Done(result=child.result or "null")
    failure = child.failure or Failure(error_type="Cancelled", message=f"{child.kind} was cancelled")
    failure = replace(failure, execution_id=failure.execution_id or child.id, state=child.state)
    return Failed(error=ExecutionFailed(failure), failure=failure)
