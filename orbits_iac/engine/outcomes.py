"""Handing outcomes to a definition, one by one: live, and in the same order on a re-run.

What always holds: an outcome has a number and is in the journal's pages before the definition sees it; a value that the
definition gets is decoded from what is journalled.
"""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.attempts import Done, End, Failed, Waits, is_final
from orbits_iac.engine.bounds import published
from orbits_iac.engine.limits import attempt_ends_at, may_begin_at
from orbits_iac.engine.rebuilding import is_unknown
from orbits_iac.engine.request import Request, Undoing
from orbits_iac.model.errors import ExecutionFailed, Failure, NothingDone, Refused, message_of
from orbits_iac.model.ids import TIMER, ExecutionId, StepKey, refs
from orbits_iac.model.retry import Retry
from orbits_iac.model.rows import EntryRow, OnceRow, amended
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


def hand_out(run: "Run") -> None:
    """Give the definition, one by one, what has arrived, events last; then the timers that are due, in order."""
    while True:
        if run.arrived:
            outcome(run, *run.arrived.popleft())
        elif (found := run.waits.match()) is not None:
            outcome(run, *found)
        elif run.told.pausing:
            return
        elif (timer := run.loop.next_timer()) is not None and timer <= run.engine.clock.now():
            number(run, TIMER, due=timer, above=_home(run))
            run.loop.fire()
        elif run.has_outlived_its_cancel():
            number(run, "cancel")
            run.cancel_main()
        else:
            return
        run.drain()


def number(run: "Run", kind: str, *, due: float | None = None, above: str = "") -> None:
    """Journal an outcome that is no step's: a timer that fired, set by the definition `above`; what people want."""
    run.pages.seq += 1
    at = run.now()
    entry = EntryRow(
        execution=run.pages.execution.id,
        key=StepKey(f"{above}/~{kind}/{run.pages.seq}" if above else f"~{kind}/{run.pages.seq}"),
        kind=kind,
        state=State.SUCCESS,
        seq=run.pages.seq,
        at=at,
        due=due,
    )
    run.pages.put(entry, at=at)
    run.loop.stand_at(at)


def outcome(run: "Run", key: StepKey, end: End) -> None:
    """Journal a step's outcome, or what it goes on with, and hand it to who waits."""
    entry, request, at = run.pages.entries[key], run.open.get(key), run.now()
    if entry.seq is not None:
        return
    end = run.told.instead.pop(key, end)
    if isinstance(end, Waits):
        ends = None if request is None else attempt_ends_at(request, entry)
        due = at + end.poll if ends is None else min(at + end.poll, ends)
        run.due[key] = due
        run.pages.put(amended(entry, state=State.IN_PROGRESS, handle=end.handle, due=due), at=at)
        return
    if isinstance(end, Failed) and request is not None and not is_final(end.error, request, entry.attempt):
        due = at + (request.retry or Retry()).wait(entry.attempt, run.engine.chance())
        if may_begin_at(request, entry, due):
            _again(run, entry, request, end.error, at, due)
            return
    run.pages.seq += 1
    value = None
    if isinstance(end, Done) and request is not None and not is_unknown(entry, end.result):
        try:
            value = run.engine.codec.decode(end.result, request.returns)
        except ValidationError as error:
            refused = Refused(f"{request.kind} does not accept its own result again: {explain(error)}")
            end = Failed(error=refused, failure=run.failure(refused, request))
    ended = amended(entry, seq=run.pages.seq, at=at, due=None)
    if isinstance(end, Done) and request is not None and request.undo is not None and entry.undo is None:
        ended, end = _with_undo(run, request.undo, ended, end, value)
    if isinstance(end, Done):
        ended = amended(ended, state=State.SUCCESS, result=end.result)
        _remember_once(run, request, ended)
    else:
        ended = amended(ended, state=State.ERROR, failure=end.failure)
    run.pages.put(ended, at=at, why=ended.failure.message if ended.failure else "")
    run.loop.stand_at(at)
    if request is None or request.ask is None:
        run.engine.measures.step_ended(run.pages.execution, ended)
    if request is not None:
        _give(run, request, ended, value)


def replay(run: "Run", entry: EntryRow) -> None:
    """Hand out an outcome of the journal once more, at the time at which it was handed out first."""
    run.position = entry.seq or 0
    run.loop.stand_at(entry.at or 0.0)
    if entry.kind == TIMER:
        timer = run.loop.next_timer()
        # That of a definition which has ended is not set again: it is not to be taken for another one.
        if timer is not None and timer <= run.loop.time() and _home(run) == entry.key.rpartition("/~")[0]:
            run.loop.fire()
    elif entry.kind == "cancel":
        run.cancel_main()
    elif entry.kind == "supersede":
        run.supersede()
    elif (request := run.open.get(run.pages.called(entry.key))) is not None:
        resolve(run, request, entry)


def _home(run: "Run") -> str:
    """The key of the definition that has set the earliest timer."""
    return run.loop.timer_context().get(ABOVE, "")


def resolve(run: "Run", request: Request, entry: EntryRow) -> None:
    """Give a recorded outcome to who waits for it; what can no longer be read stops the run until that is mended."""
    value = None
    if entry.state is State.SUCCESS and not is_unknown(entry, entry.result):
        try:
            value = run.engine.codec.decode(entry.result or "null", request.returns)
        except ValidationError as error:
            run.stuck = Refused(
                f"{'.'.join(refs(entry.key))}: {request.kind} no longer accepts the result that was recorded: "
                f"{explain(error)}. Bring the field back, or give a new one a default, and resume execution "
                f"{run.pages.execution.id}."
            )
            return
    _give(run, request, entry, value)


def token(execution: ExecutionId, key: StepKey, generation: int, attempt: int) -> str:
    """What tells a service that two attempts are one; `attempt` is the first of the generation that has it."""
    text = f"{execution}\0{key}\0{generation}\0{attempt}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _give(run: "Run", request: Request, entry: EntryRow, value: Any) -> None:
    run.open.pop(request.key, None)
    ending = run.endings.pop(request.key, None)
    if ending is not None and not ending.done():
        ending.set_result(None)
    future = request.future
    if future.done():
        return
    if entry.state is State.SUCCESS:
        if entry.link is not None and request.command in {"update", "rollback"}:
            outputs = entry.result or "null"
            run.given.take(entry.link.kind, entry.link.identity, outputs, argument=request.argument)
            if request.tenant in (None, run.pages.execution.tenant):
                run.found |= published(value)
        future.set_result(value)
        return
    failure = entry.failure or Failure(error_type="Error", message="failed without a reason")
    future.set_exception(ExecutionFailed(failure if request.hidden else failure.above(request.ref)))


def _with_undo(run: "Run", undo: Undoing, ended: EntryRow, end: Done, value: Any) -> tuple[EntryRow, Done | Failed]:
    """The outcome of a step with what undoes it; a failure that says what is left if that cannot be made."""
    try:
        return amended(ended, undo=undo.of(value)), end
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises
        failure = run.failure(error, run.open[ended.key])
        path = ".".join(refs(ended.key))
        left = f"{path}: it was done, and what undoes it could not be made: {failure.error_type}: {failure.message}"
        return ended, Failed(error=error, failure=replace(failure, left=(left,)))


def _again(run: "Run", entry: EntryRow, request: Request, error: BaseException, at: float, due: float) -> None:
    message = f"{type(error).__name__}: {message_of(error, run.engine.codec.mask)}"[:1000]
    run.due[request.key] = due
    run.pages.put(
        amended(
            entry,
            state=State.SLEEPING,
            attempt=entry.attempt + 1,
            due=due,
            token=token(run.pages.execution.id, request.key, entry.generation, entry.attempt + 1)
            if isinstance(error, NothingDone)
            else entry.token,
            handle=None,
            message=message,
            taken_up=0,
        ),
        at=at,
        why=f"attempt {entry.attempt} failed: {message}",
    )
    run.engine.measures.attempt_failed(entry)


def _remember_once(run: "Run", request: Request | None, ended: EntryRow) -> None:
    if (
        request is None
        or request.once is None
        or run.record_id is None
        or (ended.skipped and not is_unknown(ended, ended.result))
    ):
        return
    kind, identity = run.record_id
    row = OnceRow(
        kind=kind,
        identity=identity,
        place=request.once,
        digest=request.digest,
        result=ended.result or "null",
        execution=run.pages.execution.id,
        no_return=ended.no_return,
    )
    run.once[request.once] = row
    run.pages.add(row, request.once)
