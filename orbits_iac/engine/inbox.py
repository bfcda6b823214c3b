"""What others put into an execution's inbox: a child ended, an event, and what people want of it.

A message is turned into an outcome, and deleted in the transaction that journals that.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orbits_iac.engine import pausing, starting, unapproved
from orbits_iac.engine.attempts import Done, End, Failed, Waits
from orbits_iac.engine.letting_go import leave_ring
from orbits_iac.engine.outcomes import number
from orbits_iac.model.approvals import read_approval
from orbits_iac.model.errors import ExecutionFailed, Failure
from orbits_iac.model.ids import ExecutionId, StepKey
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
    if message.what == "end" and message.key is None and run.told.forced is None:
        run.told.reload = True  # the definition that is here is of no use any more
        return
    run.pages.delete(message)
    match message.what:
        case "cancel":
            await _cancel(run, message)
        case "supersede":
            _supersede(run, message)
        case "pause":
            pausing.pause(run, _said_by(message))
        case "resume":
            pausing.go_on(run, _said_by(message))
        case "approve":
            await _approved(run, message)
        case "end" | "handle":
            _instead(run, message)
        case "ring":
            await leave_ring(run, message)
        case _:
            await _child_ended(run, message)


async def _approved(run: "Run", message: MessageRow) -> None:
    """Go on with what was held, as far as it is approved now."""
    approval = read_approval(json.loads(message.body)["approval"])
    for request in unapproved.approve(run, approval, _said_by(message)):
        starting.begin(run, request)
    run.drain()


async def _child_ended(run: "Run", message: MessageRow) -> None:
    entry = run.pages.subscribed(message.key or StepKey(""))
    if entry is None or entry.seq is not None or message.child is None or message.child != entry.child:
        return
    child = await run.engine.store.get(ExecutionRow, message.child)
    if child is None:
        return
    link = replace(entry.link, revision=child.revision) if entry.link is not None else None
    of_tenant = child.tenant is not None and run.pages.execution.tenant is None
    ended = amended(entry, changed=child.changed, link=link, passed=child.no_return, of_tenant=of_tenant)
    run.pages.put(ended, at=run.now())
    run.arrived.append((entry.key, child_end(child)))


def child_end(child: ExecutionRow) -> End:
    """The outcome of a step that is a child execution."""
    if child.state is State.SUCCESS:
        return Done(result=child.result or "null")
    failure = child.failure or Failure(error_type="Cancelled", message=f"{child.kind} was cancelled")
    failure = replace(failure, execution_id=failure.execution_id or child.id, state=child.state)
    return Failed(error=ExecutionFailed(failure), failure=failure)


async def _cancel(run: "Run", message: MessageRow) -> None:
    who = _said_by(message)
    if run.main is None or run.main.done() or run.closed:
        run.pages.note(at=run.now(), key="", why="asked to cancel, while it was ending already", who=who)
        return
    pausing.go_on(run, who)
    if run.record_id is not None:
        run.pages.change(at=run.now(), state=State.REVERTING, why="asked to cancel", who=who)
    run.stuck = None
    number(run, "cancel")
    run.cancel_main()
    run.drain()


def _supersede(run: "Run", message: MessageRow) -> None:
    """Another execution is to take its place: its definition is told of the first one that is."""
    by = ExecutionId(json.loads(message.body)["by"])
    run.pages.note(at=run.now(), key="", why=f"is superseded by execution {by}", who=_said_by(message))
    if run.main is None or run.main.done() or run.closed or run.pages.execution.superseded_by is not None:
        return
    run.pages.change(at=run.now(), superseded_by=by)
    number(run, "supersede")
    run.supersede()
    run.drain()


def _instead(run: "Run", message: MessageRow) -> None:
    """A person gives a step its outcome, or another handle, in place of what it would come to by itself."""
    body = json.loads(message.body)
    entry = run.pages.entries.get(message.key or StepKey(""))
    if entry is None or entry.seq is not None or entry.child is not None:
        run.pages.note(at=run.now(), key=message.key or "", why=f"{message.what} came too late", who=body["who"])
        return
    if message.what == "handle":
        end: End = Waits(handle=body["handle"], poll=0.0)
        run.pages.note(at=run.now(), key=entry.key, why="its handle was set", who=body["who"])
    else:
        end = given(body)
        run.pages.note(at=run.now(), key=entry.key, why=f"ended as {body['state']}", who=body["who"])
    task = run.attempts.get(entry.key)
    run.due.pop(entry.key, None)
    if task is None:
        run.finish(entry.key, end)
    else:
        run.told.instead[entry.key] = end
        task.cancel()


def given(body: dict[str, Any]) -> Done | Failed:
    """The outcome that a person has given."""
    state = State(body["state"])
    if state is State.SUCCESS:
        return Done(result=body["result"])
    said = body["why"] or f"ended as {state} by {body['who']}"
    failure = Failure(error_type="Ended" if state is State.ERROR else "Cancelled", message=said, state=state)
    return Failed(error=ExecutionFailed(failure), failure=failure)


def _said_by(message: MessageRow) -> str:
    """Who has sent it, where that is known."""
    body = json.loads(message.body)
    return str(body["who"]) if isinstance(body, dict) and "who" in body else ""
