"""What the commands of a Resource do around its hooks: install before update, and the way back when an update fails.

Each runs as the main task of a definition loop: whatever it decides is decided the same on a re-run.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine import children
from orbits_iac.engine.flow import RunFlow, enter, run_root
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.model.errors import ExecutionFailed, Failure, Refused
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import Json, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.steps.resource import Resource, command_of, command_result_type
from orbits_iac.steps.step import bind, options_of, result_type

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def program(run: "Run") -> Coroutine[Any, Any, Json]:
    """The coroutine that is this execution, to be run on its definition loop; it returns the encoded result.

    Raises UsageError if the kind is not imported here, `Refused` if the recorded argument is no longer accepted.
    """
    execution, codec = run.pages.execution, run.engine.codec
    cls = run.engine.registry.find(execution.kind)
    if cls is None:
        run.engine.registry.resource(execution.kind)
        raise Refused(f"no step of kind {execution.kind!r} is imported here")
    try:
        step = codec.decode(execution.argument, cls)
    except ValidationError as error:
        raise Refused(
            f"{execution.kind} no longer accepts the argument that was recorded: {explain(error)}. Bring the field "
            f"back, or give a new one a default, and resume execution {execution.id}."
        ) from error
    if not isinstance(step, Resource):
        return _root(run, step)
    flow = RunFlow(run, execution.targets, StepKey(execution.command))
    bind(step, flow)
    match execution.command:
        case "update":
            return _update(run, flow, step)
        case "cycle":
            return _plain(run, step.define_cycle, type(None))
        case "uninstall":
            return _uninstall(run, step)
        case "rollback":
            return await _prepared_rollback(run, step)
        case name:
            return _own(run, step, name)


async def _root(run: "Run", step: Any) -> Json:
    value = await run_root(run, step, run.pages.execution.targets)
    return run.engine.codec.encode(value, result_type(type(step)))


async def _update(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Json:
    try:
        wanted = options_of(type(resource)).get("install_version", 1)
        if run.record is None or wanted > run.record.install_version:
            enter("install")
            await resource.define_install()
            run.installed = wanted
        enter("update")
        outputs = await resource.define_update()
        return run.engine.codec.encode(outputs, result_type(type(resource)))
    except (Exception, asyncio.CancelledError) as error:
        await _go_back(run, flow, resource, error)
        raise AssertionError("unreachable: going back always raises") from error


async def _go_back(run: "Run", flow: RunFlow, resource: Resource[Any], error: BaseException) -> None:
    """Settle, then bring back what the update did, and raise the first error with how it ended."""
    first = Failure.of(error, execution_id=run.pages.execution.id, account=", ".join(run.places.values()) or None)
    await run.settle()
    held = run.record.held.steps if run.record is not None and run.record.held is not None else ()
    passed = run.passed() or held
    if passed:
        raise ExecutionFailed(replace(first, state=State.QUARANTINED, no_return=passed)) from error
    run.revert()
    enter("rollback")
    left = list(first.left)
    try:
        if run.standing is not None:
            await resource.define_rollback(run.standing)
        else:
            await _remove(run, flow, resource)
    except Exception as second:  # noqa: BLE001 - it never hides the first error
        left.append(f"{run.pages.execution.kind} {run.pages.execution.identity}: {second}")
    left.extend(run.left)
    state = State.QUARANTINED if left else State.CANCELLED if run.cancelling else State.REVERTED
    raise ExecutionFailed(replace(first, state=state, left=tuple(left))) from error


async def _remove(run: "Run", flow: RunFlow, resource: Resource[Any]) -> None:
    """A first update failed: remove what it made, never what holds data or belongs to others too."""
    cls = type(resource)
    if cls.define_uninstall is Resource.define_uninstall:
        await children.remove_made(run, flow, keep=set())
        return
    protected = run.record is not None and (run.record.protect or run.record.retain)
    if not (options_of(cls).get("stateful") or protected):
        await resource.define_uninstall()


async def _prepared_rollback(run: "Run", resource: Resource[Any]) -> Coroutine[Any, Any, Json]:
    try:
        return _rollback(run, resource, await _destination(run))
    except Refused as error:
        return _refused(error)


async def _refused(error: Refused) -> Json:
    raise error


async def _destination(run: "Run") -> StoredRevision | None:
    """The revision that a rollback goes to; None if there is nothing to do."""
    if run.record is None or run.record_id is None or run.record.revision is None:
        raise Refused(f"{run.pages.execution.kind} {run.pages.execution.identity} has no revision to go back from")
    expect = run.options.get("expect")
    if expect is not None and expect != run.record.revision:
        return None
    to = run.options.get("to")
    number = await _before(run, run.record.revision) if to is None else int(to)
    if number == run.record.revision:
        return None
    found = await read_revision(run.engine, *run.record_id, number)
    if found.row.not_restorable:
        raise Refused(f"revision {number} cannot be brought back: {found.row.not_restorable}")
    return found


async def _before(run: "Run", current: int) -> int:
    """The last good revision before the current one."""
    kind, identity = run.record_id or ("", "")
    rows = await run.engine.store.find(RevisionRow, kind=kind, identity=identity)
    good = [row.number for row in rows if row.number < current and not row.abandoned]
    if not good:
        raise Refused(f"{kind} {identity} has no revision before {current} to go back to")
    return max(good)


async def _rollback(run: "Run", resource: Resource[Any], to: StoredRevision | None) -> Json:
    enter("rollback")
    declared = result_type(type(resource))
    if to is None:
        outputs = run.standing.outputs if run.standing is not None else None
        return run.engine.codec.encode(outputs, declared)
    run.destination = to
    outputs = await resource.define_rollback(to)
    if run.left:
        raise Refused("; ".join(run.left))
    return run.engine.codec.encode(outputs, declared)


async def _uninstall(run: "Run", resource: Resource[Any]) -> Json:
    if run.record is not None and run.record.protect:
        raise Refused(f"{run.record.kind} {run.record.identity} is protected: take protect=True away first")
    return await _plain(run, resource.define_uninstall, type(None))


async def _plain(run: "Run", hook: Any, returns: Any) -> Json:
    enter(run.pages.execution.command)
    return run.engine.codec.encode(await hook(), returns)


async def _own(run: "Run", resource: Resource[Any], name: str) -> Json:
    method = command_of(type(resource), name)
    if method is None:
        raise Refused(f"{run.pages.execution.kind} has no command {name!r}")
    enter(name)
    value = await cast("Any", method)(resource, **run.options)
    return run.engine.codec.encode(value, command_result_type(type(resource), name))
