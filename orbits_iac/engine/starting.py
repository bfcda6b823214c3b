"""Beginning steps: what a definition asked for is made durable, and only then does anything start.

A step that its definition has given up is not begun; one that had begun is asked to cancel, and ends all the same.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from orbits_iac.engine.attempts import Done, End, Failed, UncertainError, attempt
from orbits_iac.engine.events import WAITS
from orbits_iac.engine.forgetting import clear
from orbits_iac.engine.letting_go import let_go
from orbits_iac.engine.outcomes import resolve, token
from orbits_iac.engine.pages import is_closed
from orbits_iac.engine.rebuilding import NOT_RUN, UNKNOWN, is_left_out
from orbits_iac.engine.request import Request
from orbits_iac.engine.requests import ask_for
from orbits_iac.engine.unapproved import is_held
from orbits_iac.model.errors import Interrupted
from orbits_iac.model.rows import EntryRow, Json, amended
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


def ask(run: "Run", request: Request) -> None:
    """Take up a `do`: attach to what is known of its key, or begin it with the next write."""
    run.asked[request.key] = request.call
    entry = run.pages.entries.get(request.key)
    if entry is not None and entry.digest and entry.digest != request.digest:
        stands = "the recorded outcome stands" if entry.seq is not None else "it goes on with the new one"
        run.pages.note(at=run.now(), key=request.key, why=f"argument changed; {stands}")
    if entry is not None and entry.seq is not None and entry.seq <= run.position:
        resolve(run, request, entry)
        return
    run.open[request.key] = request
    request.future.add_done_callback(lambda future: _given_up(run, request) if future.cancelled() else None)
    if entry is None or entry.seq is None:
        begin(run, request)


def begin(run: "Run", request: Request) -> None:
    """Begin a step with the next write, unless it is held for approval; a Workflow's definition starts at once."""
    if request.key not in run.pages.entries and is_held(run, request):
        return
    if request.command == WAITS:
        run.waits.open(request)
    if request.begin is None:
        run.new.append(request)
    elif _open(run, request):
        request.task = request.begin()


async def write(run: "Run") -> None:
    """Make everything durable; then start the steps whose beginning is durable now."""
    new, run.new = run.new, []
    wanted = [request for request in new if not (request.given_up and _dropped(run, request))]
    if run.approval.rebuild:
        wanted = [request for request in wanted if not (is_left_out(run, request) and _taken_as_done(run, request))]
    steps = [request for request in wanted if request.identity is None and _open(run, request)]
    await clear(run)
    if run.pages.pending():
        await run.engine.commit(run.pages.transaction(at=run.now()))
    for request in steps:
        _start(run, request)
    for request in wanted:
        entry = run.pages.entries.get(request.key)
        if request.identity is not None and (entry is None or (entry.child is None and entry.seq is None)):
            await ask_for(run, request)
    given_up, run.given_up = run.given_up, []
    for request in given_up:
        await let_go(run, request)


def start_due(run: "Run") -> None:
    """Look after what is under way, and attempt again what has failed, where the time for it has come."""
    now = run.engine.clock.now()
    for key in [key for key, due in run.due.items() if due <= now]:
        del run.due[key]
        entry, request = run.pages.entries[key], run.open.get(key)
        if request is None or entry.seq is not None:
            continue
        if entry.state is State.IN_PROGRESS:
            _attempt(run, request, "watch", entry.handle)
        else:
            run.pages.put(amended(entry, state=State.EXECUTING, started_at=now, due=None), at=now)
            run.fresh.add(key)
            run.new.append(request)


def _open(run: "Run", request: Request) -> bool:
    """Put the entry of a new step; whether there is anything to start."""
    standing = run.names.remembered(run.once, request.key, request.kinds) if request.once is not None else None
    known = run.pages.entries.get(request.key)
    if known is not None and not is_closed(known):
        if known.skipped and standing is not None:
            run.arrived.append((request.key, Done(result=standing.result)))
            return False
        return True
    at = run.now()
    entry = _entry(run, request, 1 if known is None else known.generation, at)
    if standing is not None and standing.digest in request.kinds.values():
        run.pages.put(amended(entry, skipped=True, no_return=False), at=at, why="done once already")
        run.arrived.append((request.key, Done(result=standing.result)))
        return False
    run.pages.put(entry, at=at)
    run.fresh.add(request.key)
    return True


def _taken_as_done(run: "Run", request: Request) -> bool:
    """Journal a step that is not run, because records are made again of what is there."""
    if request.key not in run.pages.entries:
        entry = amended(_entry(run, request, 1, run.now()), skipped=True, no_return=False)
        run.pages.put(entry, at=run.now(), why=NOT_RUN)
    run.arrived.append((request.key, Done(result=UNKNOWN)))
    return True


def _entry(run: "Run", request: Request, generation: int, at: float) -> EntryRow:
    entry = EntryRow(
        execution=run.pages.execution.id,
        key=request.key,
        kind=request.kind,
        command=request.command,
        generation=generation,
        digest=request.digest,
        # A question of the engine's own is put to the store alone, which is told of no token.
        token=token(run.pages.execution.id, request.key, generation, 1) if request.ask is None else "",
        started_at=at,
        no_return=bool(request.options.get("no_return")),
    )
    if request.options.get("deadline") is not None:
        entry = amended(entry, asked_at=at)
    if request.undo is not None:
        entry = amended(entry, undo=request.undo.at_once, argument=request.argument)
    return entry


def _start(run: "Run", request: Request) -> None:
    """Start a step, or take it up where its process left it."""
    entry = run.pages.entries[request.key]
    if entry.seq is not None or request.key in run.attempts or request.command == WAITS:
        return
    if entry.state in {State.IN_PROGRESS, State.SLEEPING}:
        run.due[request.key] = entry.due or 0.0
    elif request.key in run.fresh or request.ask is not None:
        _attempt(run, request, "main")
    else:
        again = not request.elsewhere
        _attempt(run, request, "main" if request.options.get("idempotent") else "on_interrupted", again=again)
    if request.given_up and request.elsewhere and (task := run.attempts.get(request.key)) is not None:
        asyncio.get_running_loop().call_soon(task.cancel)  # once it has found its process


def _attempt(run: "Run", request: Request, hook: str, handle: Json | None = None, *, again: bool = False) -> None:
    """`again`: it has begun already, in a process that is gone."""
    run.fresh.discard(request.key)
    held = partial(_held_attempt, run, request, hook, handle)
    attempted = run.engine.suspects.attempt(run, request, held) if again else held()
    task = run.attempts[request.key] = asyncio.get_running_loop().create_task(attempted, name=request.key)
    task.add_done_callback(lambda done: _attempted(run.current, request, done))


def _attempted(run: "Run", request: Request, task: asyncio.Task[End]) -> None:
    """Hand on what an attempt has come to; one that was cancelled before it could begin comes to something too."""
    run.attempts.pop(request.key, None)
    if task.cancelled():
        if not run.abandoned:
            failure = run.failure(Interrupted("cancelled while it ran"), request)
            run.finish(request.key, Failed(error=asyncio.CancelledError(), failure=failure))
    elif (error := task.exception()) is None:
        run.finish(request.key, task.result())
    else:  # the engine's or the store's: the run ends with it and is taken up anew
        run.break_off(error)


async def _held_attempt(run: "Run", request: Request, hook: str, handle: Json | None) -> End:
    """An attempt that is called under a certain claim, however long it has to wait for that."""
    while request.ask is None:
        try:
            await run.engine.hold(run)
        except Exception:
            if hook == "main":
                run.current.fresh.add(request.key)  # it was not called
            raise
        try:
            return await attempt(run, request, hook, handle)
        except UncertainError:
            continue
    return await attempt(run, request, hook, handle)


def _given_up(run: "Run", request: Request) -> None:
    """The definition has cancelled its `do`: ask the step to cancel; its outcome is journalled all the same."""
    entry = run.pages.entries.get(request.key)
    if run.abandoned or (entry is not None and entry.seq is not None) or run.waits.give_up(request):
        return
    task = run.attempts.get(request.key)
    if task is not None:
        task.cancel()
    elif request.task is not None:
        if request.task not in run.settling:
            request.task.cancel()
    elif entry is None:
        run.open.pop(request.key, None)
    elif entry.child is not None:
        run.given_up.append(request)
    elif request.key in run.due and entry.state is State.SLEEPING:
        del run.due[request.key]
        _interrupted(run, request)


def _dropped(run: "Run", request: Request) -> bool:
    """Whether a step that was given up need not be started; one that may have begun gets an outcome."""
    entry = run.pages.entries.get(request.key)
    if entry is None:
        run.open.pop(request.key, None)
        return True
    if entry.state is State.IN_PROGRESS or entry.child is not None:
        return False
    if request.elsewhere and entry.state is State.EXECUTING:
        return False  # its process may be running: it is found, and stopped
    if entry.seq is None and request.key not in run.due:
        _interrupted(run, request)
    return True


def _interrupted(run: "Run", request: Request) -> None:
    error = Interrupted("given up by its definition before it had ended")
    run.arrived.append((request.key, Failed(error=error, failure=run.failure(error, request))))
