"""What people do to an execution while it goes on or waits: pause, resume, cancel, end it, set a step's handle.

Each is a message in the execution's inbox, written with the wake in one transaction: whoever holds the execution, now
or next, carries it out, under its fence. What has ended is refused here, with what to do instead; a message that comes
too late all the same is dropped, with an event. Called by `handles.Execution`, and so by the command line.
"""

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine.events import WAITS
from orbits_iac.engine.steps_of import Found, execution_of, find_step
from orbits_iac.model.approvals import Approved, read_approval
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.plans import Plan
from orbits_iac.model.rows import ExecutionRow, Json, MessageRow, SubscriberRow, amended
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

ENDINGS = frozenset({State.SUCCESS, State.ERROR, State.CANCELLED})
"""How a person may end an execution or a step."""


async def pause(engine: "Engine", execution: ExecutionId, who: str) -> None:
    """Let it and what it alone waits for begin no more steps; attempts under way come to their outcome first."""
    await _under_way(engine, execution, "paused")
    tree = await _tree(engine, execution)
    await _tell(engine, [_message(row.id, "pause", who) for row in tree], instead_of="resume")


async def resume(engine: "Engine", execution: ExecutionId, who: str) -> None:
    """Let it go on, and what was paused with it; one that is paused since its code could not run is tried again."""
    await _under_way(engine, execution, "resumed")
    tree = await _tree(engine, execution)
    await _tell(engine, [_message(row.id, "resume", who) for row in tree], instead_of="pause")


async def preview(engine: "Engine", execution: ExecutionId, who: str) -> Plan:
    """What it is still to do."""
    from orbits_iac.engine.preview import preview_under_way

    await _under_way(engine, execution, "previewed")
    return await preview_under_way(engine, await _tree(engine, execution), who)


async def approve(
    engine: "Engine", execution: ExecutionId, who: str, plan: Plan | None, losses: tuple[str, ...] = ()
) -> None:
    """Approve what it, and what is below it, waits for: what a plan of it shows now; without one, all that follows."""
    from orbits_iac.engine.approving import refuse_losses

    root = await _under_way(engine, execution, "approved")
    if plan is not None:
        refuse_losses(plan, (*losses, *read_approval(root.approval).losses))
    messages: list[MessageRow] = []
    for row in await _tree(engine, execution):
        standing = read_approval(row.approval)
        standing = amended(standing, losses=tuple(dict.fromkeys((*standing.losses, *losses))))
        if plan is None:
            approval = amended(standing, deferred=True)
        else:
            change = next((one for one in plan.root.walk() if (one.kind, one.identity) == _named(row)), None)
            if change is None:
                continue
            approval = amended(standing, plan=plan.digest, by=who, change=Approved.of(change))
        if standing.plan:
            messages.append(_message(row.id, "approve", who, {"approval": approval.text()}))
    await _tell(engine, messages)


def _named(row: ExecutionRow) -> tuple[str, str]:
    return row.kind, row.identity or ""


async def cancel(engine: "Engine", execution: ExecutionId, who: str) -> None:
    """Ask it to cancel: it settles, goes back, and ends as CANCELLED. UsageError if it has ended."""
    await _under_way(engine, execution, "cancelled")
    await _tell(engine, [_message(execution, "cancel", who)])


async def end(
    engine: "Engine",
    execution: ExecutionId,
    state: State,
    *,
    path: str = "",
    result: Any = None,
    why: str = "",
    who: str,
) -> None:
    """End an execution, or the step at `path`, as a person says, without what its code would still do.

    What is under way is stopped first. Nothing is brought back. UsageError if it has ended, or cannot end so.
    """
    if state not in ENDINGS:
        raise UsageError(f"{state} is no way to end it: give one of {', '.join(sorted(ENDINGS))}")
    row = await _under_way(engine, execution, "ended")
    body: dict[str, Any] = {"state": state, "why": why}
    if path:
        found = await _open_step(engine, execution, path)
        if state is State.SUCCESS:
            body["result"] = _recorded(engine, result, found.entry.kind, "main")
        await _tell(engine, [_message(found.execution.id, f"end {found.entry.key}", who, body, key=found.entry.key)])
        return
    if row.identity is not None and state is State.SUCCESS:
        raise UsageError(
            f"{row.kind} {row.identity}: a command cannot be declared a success, since its record would say what does "
            f"not stand; end it as ERROR or CANCELLED, and run it again"
        )
    if state is State.SUCCESS:
        body["result"] = _recorded(engine, result, row.kind, row.command)
    alone = await _children_of_its_own(engine, execution)
    await _tell(engine, [_message(execution, "end", who, body), *(_message(one, "cancel", who) for one in alone)])


async def set_handle(engine: "Engine", execution: ExecutionId, path: str, handle: Any, who: str) -> None:
    """Give the step at `path` another handle: an attempt under way is stopped, and `watch` is called with it next."""
    from orbits_iac.steps.action import Action, handle_type

    await _under_way(engine, execution, "given a handle")
    found = await _open_step(engine, execution, path)
    cls = engine.registry.find(found.entry.kind)
    if cls is None or not issubclass(cls, Action):
        raise UsageError(f"{path} is a {found.entry.kind}, which has no handle, or whose code is not imported here")
    body = {"handle": _checked(engine, handle, handle_type(cls), f"the handle of {path}")}
    await _tell(engine, [_message(found.execution.id, f"handle {found.entry.key}", who, body, key=found.entry.key)])


def _message(
    execution: ExecutionId, name: str, who: str, body: dict[str, Any] | None = None, *, key: StepKey | None = None
) -> MessageRow:
    text = json.dumps({"who": who, **(body or {})})
    return MessageRow(execution=execution, id=name, what=name.partition(" ")[0], key=key, body=text)


async def _tell(engine: "Engine", messages: list[MessageRow], *, instead_of: str | None = None) -> None:
    """Put messages into inboxes, in place of unread ones named `instead_of`: the last word counts."""
    unread = [amended(message, id=instead_of) for message in messages] if instead_of is not None else []
    wake = [message.execution for message in messages]
    await engine.commit(Transaction(put=messages, delete=unread), wake=wake)
    ended = [message for message in messages if (await execution_of(engine.store, message.execution)).state in ENDED]
    if ended:  # meanwhile: nobody reads them any more
        await engine.store.commit(Transaction(delete=ended))


async def _under_way(engine: "Engine", execution: ExecutionId, what: str) -> ExecutionRow:
    row = await execution_of(engine.store, execution)
    if row.state in ENDED:
        raise UsageError(
            f"execution {execution} has ended ({row.state}) and cannot be {what}; `orbits replay {execution}` lets it "
            f"go on again"
        )
    return row


async def _open_step(engine: "Engine", execution: ExecutionId, path: str) -> Found:
    found = await find_step(engine.store, execution, path)
    if found.entry.seq is not None:
        raise UsageError(f"{path} has ended ({found.entry.state}); `orbits replay {execution} -p {path}` does it again")
    if found.entry.child is not None:
        raise UsageError(f"{path} is an execution of its own: say it of {found.entry.child}")
    if found.entry.command == WAITS:
        raise UsageError(f"{path} waits for {found.entry.kind}: orbits answer {execution} {found.entry.kind} ...")
    if found.entry.command != "main":
        raise UsageError(f"{path} is a {found.entry.kind}: say it of one of its steps")
    return found


def _recorded(engine: "Engine", result: Any, kind: str, command: str) -> Json:
    """The result that a person gives, checked against what the step declares, as it is recorded."""
    from orbits_iac.engine.naming import result_of

    cls = engine.registry.find(kind)
    if cls is None:
        raise UsageError(f"no step of kind {kind!r} is imported here, so its result cannot be checked")
    return _checked(engine, result, result_of(cls, command), f"the result of {kind}")


def _checked(engine: "Engine", value: Any, declared: Any, what: str) -> Json:
    """A value that a person gives, as it is recorded; UsageError if the declared type does not admit it."""
    try:
        return engine.codec.encode(TypeAdapter(declared).validate_python(value), declared)
    except ValidationError as error:
        raise UsageError(f"{what} cannot be that: {explain(error)}") from error


async def _tree(engine: "Engine", execution: ExecutionId) -> list[ExecutionRow]:
    """The execution and those below it that have not ended and that nobody outside waits for."""
    row = await execution_of(engine.store, execution)
    found = [row]
    names = {row.id}
    for one in found:
        for child in await engine.store.find(ExecutionRow, parent=one.id):
            waiting = await engine.store.find(SubscriberRow, execution=child.id)
            if child.state not in ENDED and {other.subscriber for other in waiting} <= names:
                names.add(child.id)
                found.append(child)
    return found


async def _children_of_its_own(engine: "Engine", execution: ExecutionId) -> list[ExecutionId]:
    return [row.id for row in await _tree(engine, execution) if row.parent == execution]
