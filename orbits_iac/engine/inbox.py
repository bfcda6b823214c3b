"""What others put into an execution's inbox: a child ended, a cancel, an event.

A message is turned into an outcome, and deleted in the transaction that journals that.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from orbits_iac.engine.attempts import Done, End, Failed
from orbits_iac.engine.outcomes import number
from orbits_iac.engine.requests import leave_ring
from orbits_iac.model.errors import ExecutionFailed, Failure
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import ExecutionRow, MessageRow, amended
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def read_inbox(run: "Run") -> None:
    """Take what has come since the last look."""
    run.inbox_changed = False
    for message in await run.engine.store.find(MessageRow, execution=run.pages.execution.id):
        await take(run, message)


async def take(run: "Run", message: MessageRow) -> None:
    """Turn one message into an outcome; one that is about nothing any more is dropped."""
    if message.what == "event":
        run.waits.arrive(message)
        return
    run.pages.delete(message)
    if message.what == "cancel":
        await _cancel(run)
        return
    if message.what == "ring":
        await leave_ring(run, message)
        return
    entry = run.pages.entries.get(message.key or StepKey(""))
    if entry is None or entry.seq is not None or message.child is None or message.child != entry.child:
        return
    child = await run.engine.store.get(ExecutionRow, message.child)
    if child is None:
        return
    link = replace(entry.link, revision=child.revision) if entry.link is not None else None
    run.pages.put(amended(entry, changed=child.changed, link=link, passed=child.no_return), at=run.now())
    run.arrived.append((entry.key, child_end(child)))


def child_end(child: ExecutionRow) -> End:
    """The outcome of a step that is a child execution."""
    if child.state is State.SUCCESS:
        return Done(result=child.result or "null")
    failure = child.failure or Failure(error_type="Cancelled", message=f"{child.kind} was cancelled")
    failure = replace(failure, execution_id=failure.execution_id or child.id, state=child.state)
    return Failed(error=ExecutionFailed(failure), failure=failure)


async def _cancel(run: "Run") -> None:
    if run.main is None or run.main.done() or run.closed:
        run.pages.note(at=run.now(), key="", why="asked to cancel, while it was ending already")
        return
    if run.record_id is not None:
        run.pages.change(at=run.now(), state=State.REVERTING, why="asked to cancel")
    run.stuck = None
    number(run, "cancel")
    run.cancel_main()
    await run.drain()
