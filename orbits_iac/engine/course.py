"""The course of a run: from its claim until it parks or has ended.

The order in which things are looked at is what the rules of a run rest on: outcomes are handed out first, then all that
they led to is written, and only what is durable begins.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from orbits_iac.engine import pausing, starting, unapproved
from orbits_iac.engine.attempts import Done
from orbits_iac.engine.forgetting import clear
from orbits_iac.engine.inbox import given, read_inbox, take
from orbits_iac.engine.names import Names
from orbits_iac.engine.outcomes import hand_out, replay
from orbits_iac.engine.revisions import read_revision
from orbits_iac.engine.run import LIVE, Forced, staying
from orbits_iac.engine.suspects import counted_back
from orbits_iac.model.errors import ExecutionFailed, Failure, Fenced, Refused
from orbits_iac.model.rows import ExecutionRow, Json, MessageRow, OnceRow, RecordRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Park

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

STAY = 1.0
"""Seconds: who waits for longer lets go of its claim meanwhile."""


class Parked(NamedTuple):
    """The execution waits: until this time, or (None) for a message."""

    until: float | None


class Ended(NamedTuple):
    """The execution has ended."""

    execution: ExecutionRow


class ReloadError(Exception):
    """What is in memory is of no use any more: the execution is to be taken up anew from the store."""


async def advance(run: "Run", task: TaskRow) -> Parked | Ended:
    """Go on until it waits for longer than `STAY`, or has ended. Raises `Fenced` once the claim is lost.

    Whatever else is raised breaks it off, and leaves under way what may not be begun again.
    """
    run.pages.token = task.token
    _take_up(run, task.build)
    try:
        if run.main is not None:
            await read_inbox(run)  # what has come is handed out before the timers that are due
        elif (parked := await _begin(run)) is not None:
            return parked
        return await _go_on(run)
    except (Fenced, ReloadError):
        run.abandon()
        raise
    except Exception:
        run.abandon(but=staying(run))
        raise
    except BaseException:
        run.abandon()
        raise


async def _begin(run: "Run") -> Parked | None:
    """Start the definition and replay its journal; parked if it is not its turn, or its code cannot run here."""
    if run.record_id is not None:
        await _read_record(run, *run.record_id)
    if pausing.stays_paused(run) and not (run.attempts or run.arrived or run.fresh):
        pausing.paused(run)
        return await _park(run, None)
    cancelled = any(message.what == "cancel" for message in run.pages.inbox)
    run.told.forced = _forced(run.pages.inbox)
    if run.told.forced is not None and run.attempts:
        await _stop_attempts(run)
    definition = await _definition(run, cancelled=cancelled)
    if isinstance(definition, Parked):
        return definition
    if run.pages.execution.started_at is None:
        run.loop.stand_at(run.now())
        stands = run.record.revision if run.record is not None else None
        run.pages.change(at=run.now(), started_at=run.now(), revision=stands)
    state = run.pages.execution.state
    if state is State.SLEEPING or (state is State.PAUSED and not run.told.pausing):
        run.pages.change(at=run.now(), state=State.EXECUTING, stranded=False)
    run.main = run.loop.create_task(definition)
    run.drain()
    for count, entry in enumerate(run.pages.handed_out()):
        if count % 1000 == 999:  # a long journal lets others go on
            await asyncio.sleep(0)
        if run.stuck is not None and not cancelled:
            return await _pause(run, run.stuck)
        replay(run, entry)
        run.drain()
    run.position = LIVE
    for message in run.pages.inbox:
        await take(run, message)
    return None


async def _stop_attempts(run: "Run") -> None:
    """What is still under way from before, in this process, is stopped."""
    under_way = list(run.attempts.values())
    for task in under_way:
        task.cancel()
    await asyncio.wait(under_way)


def _take_up(run: "Run", build: str) -> None:
    """The claim is for code of this build: from now on the execution is of that build, and says so."""
    before = run.pages.execution.build
    if before != build:
        run.pages.change(at=run.now(), build=build)
        run.pages.note(at=run.now(), key="", why=f"goes on with build {build}; it was of build {before}")


async def _definition(run: "Run", *, cancelled: bool) -> Coroutine[Any, Any, Json] | Parked:
    """What is to be run: its code's, or, where that is not to be or cannot be, what ends it."""
    from orbits_iac.engine.commands import program

    if run.told.forced is not None:
        return _ended(None)
    if run.record is not None and run.pages.execution.id in run.record.queue[1:]:
        return _ended(None) if cancelled else await _park(run, None)
    try:
        return await program(run)
    except Refused as error:
        if not cancelled:
            return await _pause(run, error)
        return _ended(run.failure(error) if run.pages.entries else None)


async def _go_on(run: "Run") -> Parked | Ended:
    from orbits_iac.engine.ending import end

    while True:
        hand_out(run)
        if run.told.reload:
            raise ReloadError
        if run.stuck is not None:
            return await _pause(run, run.stuck)
        if run.broken is not None:
            raise run.broken
        if run.main is not None and run.main.done():
            ended = await end(run)
            run.abandon()
            asyncio.get_running_loop().call_soon(run.forget_all)  # once its definition has been let go of
            return Ended(ended)
        if run.leaving or run.told.pausing:
            parked = await _hold_still(run)
        else:
            parked = await _begin_more(run)
        if parked is not None:
            return parked


async def _hold_still(run: "Run") -> Parked | None:
    """Begin nothing more; parked once nothing is under way that has to come to its outcome here."""
    if run.leaving:
        if not staying(run):
            _give_back(run)
            parked = await _park(run, run.now())
            run.abandon()
            return parked
    elif run.inbox_changed:
        await read_inbox(run)
        return None
    elif not run.attempts and not run.arrived:
        pausing.paused(run)
        return await _park(run, None)
    await clear(run)
    if run.pages.pending():
        await run.engine.commit(run.pages.transaction(at=run.now()))
    await _rest(run, None)
    return None


def _give_back(run: "Run") -> None:
    """What is under way is begun again elsewhere, and not because its process has died."""
    for key in run.attempts:
        if (entry := run.pages.entries[key]).state is State.EXECUTING:
            run.pages.put(counted_back(entry), at=run.now())


async def _begin_more(run: "Run") -> Parked | None:
    """Write what there is, begin what is durable, and wait; parked if it has to wait for long."""
    await starting.write(run)
    if run.inbox_changed:
        await read_inbox(run)
    starting.start_due(run)
    if _has_more(run):
        return None
    until, now = _until(run), run.engine.clock.now()
    if until is not None and until <= now:
        return None
    if not run.attempts and (until is None or until - now > STAY):
        unapproved.rest(run)
        return await _park(run, until)
    await _rest(run, until)
    return None


async def _park(run: "Run", until: float | None) -> Parked:
    seen = frozenset(message.id for message in run.pages.inbox) if run.main is None else run.waits.seen
    await run.engine.commit(run.pages.transaction(park=Park(due=until, seen=seen), at=run.now()))
    return Parked(until)


async def _pause(run: "Run", error: Refused) -> Parked:
    """Leave it as the journal has it, paused with the reason, until it is resumed."""
    seen = frozenset(message.id for message in run.pages.inbox) | run.waits.seen
    run.pages.change(at=run.now(), state=State.PAUSED, why=run.engine.codec.mask(str(error)))
    await run.engine.commit(run.pages.transaction(park=Park(due=None, seen=seen), at=run.now()))
    run.abandon()
    run.main = None
    return Parked(None)


async def _read_record(run: "Run", kind: str, identity: str) -> None:
    store = run.engine.store
    run.once = {row.place: row for row in await store.find(OnceRow, kind=kind, identity=identity)}
    run.record = await store.get(RecordRow, kind, identity)
    run.places = dict(run.record.places) if run.record is not None else {}
    run.names = Names((kind, identity), run.record.children if run.record is not None else (), run.pages.entries)
    began = run.pages.execution.started_at is not None
    number = run.pages.execution.revision if began or run.record is None else run.record.revision
    if number is not None:
        run.standing = await read_revision(run.engine, kind, identity, number)


async def _rest(run: "Run", until: float | None) -> None:
    """Wait until something has happened, or the time has come."""
    await run.engine.clock.wait(run.woken, until)
    run.woken.clear()


def _has_more(run: "Run") -> bool:
    """Whether there is something to do at once: what was read from the inbox may have ended the definition."""
    ended = run.main is not None and run.main.done()
    arrived = run.arrived or run.waits.untried
    return bool(arrived or run.new or run.given_up or run.stuck or run.told.reload or run.told.pausing or ended)


def _until(run: "Run") -> float | None:
    """When something is due by itself."""
    times = list(run.due.values())
    timer = run.loop.next_timer()
    if timer is not None:
        times.append(timer)
    if run.cancel_again is not None and run.main not in run.settling:
        times.append(run.cancel_again)
    return min(times, default=None)


def _forced(inbox: list[MessageRow]) -> Forced | None:
    """How a person has ended the execution, if one has."""
    for message in inbox:
        if message.what == "end" and message.key is None:
            end = given(json.loads(message.body))
            if isinstance(end, Done):
                return Forced(State.SUCCESS, end.result, None)
            return Forced(end.failure.state, None, end.failure)
    return None


async def _ended(failure: Failure | None) -> Json:
    """The definition of an execution that ends where its own cannot run: what it has done is left as it is."""
    if failure is None:
        raise asyncio.CancelledError
    raise ExecutionFailed(replace(failure, state=State.QUARANTINED, left=("what it had done until then",)))
