"""What the commands of a Resource do around its hooks: install before update, and the way back when an update fails.

Each runs as the main task of a definition loop: whatever it decides is decided the same on a re-run.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine import restoring
from orbits_iac.engine.above import enter
from orbits_iac.engine.adopting import adopt, was_there
from orbits_iac.engine.approving import look_again, refuse_stale
from orbits_iac.engine.attempting import within_own_limits
from orbits_iac.engine.flow import RunFlow, run_root
from orbits_iac.engine.handed_executor import executor_of
from orbits_iac.engine.losses import losses
from orbits_iac.engine.naming import result_of
from orbits_iac.engine.pruning import bring_back, prune
from orbits_iac.engine.rebuilding import rebuild
from orbits_iac.engine.references import is_stale, resolved
from orbits_iac.engine.returned import recorded
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.engine.settling import lost, settled
from orbits_iac.engine.undo import undo
from orbits_iac.model.errors import ExecutionFailed, Failure, Refused, UsageError
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import ExecutionRow, Json, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.steps.managed import Managed
from orbits_iac.steps.resource import Resource, command_arguments, command_of, command_result_type
from orbits_iac.steps.step import Step, bind, kinds_of, options_of, result_type
from orbits_iac.steps.workflow import Workflow
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def program(run: "Run") -> Coroutine[Any, Any, Json]:
    """The coroutine that is this execution, to be run on its definition loop; it returns the encoded result.

    Raises UsageError if the kind is not imported here; `Refused` if several classes claim it, or it no longer accepts
    the argument that was recorded.
    """
    execution, codec = run.pages.execution, run.engine.codec
    try:
        cls = run.engine.registry.find(execution.kind)
    except UsageError as error:
        raise Refused(f"{error}, and resume execution {execution.id}.") from error
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
        return _whole(run, _root(run, step), cls)
    executor = executor_of(run.engine, execution)
    flow = RunFlow(run, execution.targets, StepKey(execution.command), executor)
    bind(step, flow)
    stale = await refuse_stale(run)
    if stale is not None:
        return _refused(stale)
    match execution.command:
        case "update" if run.approval.rebuild:
            return _whole(run, _plain(run, flow, partial(rebuild, run, flow, step), result_type(cls)), cls)
        case "update":
            return _update(run, flow, step)
        case "cycle":
            return _whole(run, _plain(run, flow, step.define_cycle, type(None)), cls)
        case "uninstall":
            return _whole(run, await _uninstall(run, flow, step), cls)
        case "rollback":
            return _whole(run, await _prepared_rollback(run, flow, step), cls)
        case name:
            return _whole(run, _own(run, flow, step, name, _arguments(run, type(step), name)), cls)


async def _whole(run: "Run", definition: Coroutine[Any, Any, Json], cls: type[Step[Any]]) -> Json:
    """A definition with whatever it began. One that was cancelled has not succeeded, even if it swallowed that."""
    try:
        async with within_own_limits(run, cls):
            result = await definition
        _check(run)
    except BaseException as error:
        if _is_cut_off(run):
            raise
        first = _first(run, error)
        left = (*first.left, *await settled(run), *await undo(run))
        if left:
            raise ExecutionFailed(replace(first, state=State.QUARANTINED, left=_once(left))) from error
        raise
    await settled(run)
    return result


def _first(run: "Run", error: BaseException) -> Failure:
    """How a definition has failed, before anything is brought back."""
    failure = run.failure(error)
    if not run.was_cancelled(error):
        return failure
    return replace(failure, error_type="Cancelled", message="it was cancelled")


def _is_cut_off(run: "Run") -> bool:
    """Whether nobody goes on with this definition: it is on its way out of memory."""
    return run.abandoned or asyncio._get_running_loop() is not run.loop  # noqa: SLF001 - None where there is none


def _check(run: "Run") -> None:
    """Raise what a definition that came to its end has lost, or that it was cancelled."""
    if run.cancelling:
        raise asyncio.CancelledError
    error = lost(run)
    if error is not None:
        raise error


def _once(left: Iterable[str]) -> tuple[str, ...]:
    """What is left, each once: a level may name again what the one below has named."""
    return tuple(dict.fromkeys(left))


async def _root(run: "Run", step: Any) -> Json:
    value = await run_root(run, step, run.pages.execution.targets)
    cls: type[Step[Any]] = type(step)
    hook = step.define if isinstance(step, Workflow) else step.main
    return recorded(run.engine.codec, value, result_type(cls), hook)


async def _update(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Json:
    enter("plan", flow)
    await look_again(run, flow, resource)  # before anything is done, so that there is nothing to bring back
    try:
        async with within_own_limits(run, type(resource)):
            outputs = await _installed_and_updated(run, flow, resource)
        _check(run)
        result = recorded(run.engine.codec, outputs, result_type(type(resource)), resource.define_update)
        await prune(run, flow)
    except BaseException as error:
        if _is_cut_off(run):
            raise
        await _go_back(run, flow, resource, error)
        raise AssertionError("unreachable: going back always raises") from error
    await settled(run)
    return result


async def _installed_and_updated(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Any:
    if run.standing is None and run.options.get("adopt"):
        enter("adopt", flow)
        await adopt(run, flow, resource, resource.define_adopt)
    wanted = options_of(type(resource)).get("install_version", 1)
    if run.record is None or wanted > run.record.install_version:
        enter("install", flow)
        await resource.define_install()
        run.installed, run.installed_with = wanted, tuple(map(str, run.reads))
    enter("update", flow)
    return await resource.define_update()


async def _go_back(run: "Run", flow: RunFlow, resource: Resource[Any], error: BaseException) -> None:
    """Settle, then bring back what the update did, and raise the first error with how it ended."""
    first = _first(run, error)
    left = [*first.left, *await settled(run)]
    held = run.record.held.steps if run.record is not None and run.record.held is not None else ()
    passed = run.passed() or held
    if passed:
        raise ExecutionFailed(replace(first, state=State.QUARANTINED, no_return=passed, left=_once(left))) from error
    run.revert()
    left.extend(await undo(run))
    enter("rollback", flow)
    try:
        await bring_back(run, flow)
        if run.standing is not None:
            to = run.standing = await _as_it_is_now(run, flow, run.standing)
            run.outputs = run.engine.codec.encode(await resource.define_rollback(to), result_type(type(resource)))
        else:
            await _remove(run, flow, resource)
    except BaseException as second:
        if _is_cut_off(run):
            raise
        why = run.failure(second).message
        left.append(f"{run.pages.execution.kind} {run.pages.execution.identity}: {why}")
    left.extend(run.left)
    left.extend(await settled(run))
    state = State.QUARANTINED if left else State.CANCELLED if run.cancelling else State.REVERTED
    raise ExecutionFailed(replace(first, state=state, left=_once(left))) from error


async def _remove(run: "Run", flow: RunFlow, resource: Resource[Any]) -> None:
    """A first update failed: remove what it made, never what holds data or belongs to others too."""
    cls = type(resource)
    if run.adopting:  # what was found could not be read: it is not this update's
        return
    if cls.define_uninstall is Resource.define_uninstall:
        await restoring.remove_made(run, flow, keep=set())
        return
    protected = run.record is not None and (run.record.protect or run.record.retain)
    if isinstance(resource, Managed) and not _created(run, resource):
        return
    if not (options_of(cls).get("stateful") or protected):
        await resource.define_uninstall()


def _created(run: "Run", resource: Resource[Any]) -> bool:
    """Whether this update began to make the thing: what was there before it is not its own."""
    kinds = {f"{kind}.create" for kind in kinds_of(type(resource))}
    return any(entry.kind in kinds for entry in run.pages.entries.values())


async def _prepared_rollback(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Coroutine[Any, Any, Json]:
    try:
        return _rollback(run, flow, resource, await _destination(run))
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
    inside = run.pages.execution.id not in run.record.queue  # of a command above, which has not ended yet
    number = int(to) if to is not None else await _before(run, run.record.revision, inside=inside)
    found = await read_revision(run.engine, *run.record_id, number)
    if found.row.not_restorable:
        raise Refused(f"revision {number} cannot be brought back: {found.row.not_restorable}")
    return found


async def _before(run: "Run", current: int, *, inside: bool) -> int:
    """The last good revision before the current one; from a definition, what stood when its execution began."""
    kind, identity = run.record_id or ("", "")
    rows = await run.engine.store.find(RevisionRow, kind=kind, identity=identity)
    good = [row for row in rows if row.number <= current and not row.abandoned]
    parent = run.pages.execution.parent
    if inside:
        return current
    if parent is None:
        numbers = [row.number for row in good if row.number < current]
        when = f"before {current}"
    else:
        above = await run.engine.store.get(ExecutionRow, parent)
        began = above.created_at if above is not None else 0.0
        numbers = [row.number for row in good if row.at <= began]
        when = f"from before execution {parent} began; say which with to="
    if not numbers:
        raise Refused(f"{kind} {identity} has no revision {when} to go back to")
    return max(numbers)


async def _rollback(run: "Run", flow: RunFlow, resource: Resource[Any], to: StoredRevision | None) -> Json:
    enter("rollback", flow)
    declared = result_type(type(resource))
    if to is None or not await _is_otherwise(run, flow, to):
        outputs = run.standing.outputs if run.standing is not None else None
        return run.engine.codec.encode(outputs, declared)
    to = run.destination = await _as_it_is_now(run, flow, to)
    outputs = await resource.define_rollback(to)
    if run.left:
        raise Refused("; ".join(run.left))
    return recorded(run.engine.codec, outputs, declared, resource.define_rollback)


async def _is_otherwise(run: "Run", flow: RunFlow, to: StoredRevision) -> bool:
    """Whether there is anything to bring back; a command above may have done what has no revision yet."""
    kind, identity = run.record_id or ("", "")
    inside = run.record is not None and run.pages.execution.id not in run.record.queue
    if inside or run.record is None or to.number != run.record.revision:
        return True
    return bool(await flow.ask("stale", lambda: is_stale(run.engine, kind, identity, None), bool))


async def _as_it_is_now(run: "Run", flow: RunFlow, to: StoredRevision) -> StoredRevision:
    """A revision whose argument has the outputs that it came from as they stand now."""
    if not to.row.references:
        return to
    question = partial(resolved, run.engine, to.row.argument, to.row.references)
    return to.asked_for(await flow.ask("argument", question, str))


async def _uninstall(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Coroutine[Any, Any, Json]:
    record = run.record
    if record is not None and record.adopted:
        return _refused(
            Refused(
                f"{record.kind} {record.identity} was there before, and no update of it has succeeded: it is left as "
                f"it was found; update it first"
            )
        )
    if record is not None and not run.pages.entries and run.options.get("keep_data"):
        if await was_there(run.engine.store, record.kind, record.identity):
            return _refused(
                Refused(
                    f"{record.kind} {record.identity} was there before: rollback(to=0) brings it back to what was "
                    f"found, and without keep_data=True it is removed"
                )
            )
    elif record is not None and not run.pages.entries:
        lost = await losses(run.engine, record.kind, record.identity, run.approval)
        if lost:
            return _refused(Refused(f"{'; '.join(lost)}; or accept the loss by name (--accept-loss 'KIND IDENTITY')"))
    others = await _others(run)
    if record is not None and others:
        return _refused(
            Refused(f"{record.kind} {record.identity} is used by {', '.join(others)}: uninstall what uses it first")
        )
    return _gone(run, flow, resource)


async def _gone(run: "Run", flow: RunFlow, resource: Resource[Any]) -> Json:
    """Remove it; the result is what stays of it and of what belongs to it."""
    await _plain(run, flow, resource.define_uninstall, type(None))
    return run.engine.codec.encode(run.residue or None, result_of(type(resource), "uninstall"))


async def _others(run: "Run") -> list[str]:
    """Who uses the record, but for whoever asks for this command. Asked once: a re-run goes on with what it began."""
    if run.record is None or run.pages.entries:
        return []
    asking = {"direct"}
    if run.pages.execution.parent is not None:
        above = await run.engine.store.get(ExecutionRow, run.pages.execution.parent)
        asking |= {f"{above.kind} {above.identity}"} if above is not None else set()
    return [user for user in await users_of(run.engine.store, run.record) if user not in asking]


async def _plain(run: "Run", flow: RunFlow, hook: Any, returns: Any) -> Json:
    enter(run.pages.execution.command, flow)
    return recorded(run.engine.codec, await hook(), returns, hook)


def _arguments(run: "Run", cls: type[Resource[Any]], name: str) -> dict[str, Any]:
    """What the user's own command was asked with; `Refused` if the method no longer takes that."""
    execution = run.pages.execution
    try:
        given: dict[str, Any] = run.engine.codec.decode(execution.options, command_arguments(cls, name))
    except ValidationError as error:
        raise Refused(
            f"{execution.kind}.{name}() no longer accepts the arguments that were recorded: {explain(error)}. Bring "
            f"them back, or give a new one a default, and resume execution {execution.id}."
        ) from error
    return given


async def _own(run: "Run", flow: RunFlow, resource: Resource[Any], name: str, given: dict[str, Any]) -> Json:
    method = command_of(type(resource), name)
    if method is None:
        raise Refused(f"{run.pages.execution.kind} has no command {name!r}")
    enter(name, flow)
    value = await cast("Any", method)(resource, **given)
    return recorded(run.engine.codec, value, command_result_type(type(resource), name), method)
