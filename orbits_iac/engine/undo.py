"""Undoing: the steps that take back what was done, run from the journal when something after them fails.

What always holds:
- what undoes a step is journalled with its intent or, if it is made from the result, in the same commit as the result;
  the code that asked for it may have changed since;
- undos run one after the other, the last outcome first; what a step's own `undo=` covers is not undone below it again;
- a step whose outcome is not known is recovered to one first. One that failed may have been done all the same, so an
  undo that needs no result is run for it too, unless it ended `NothingDone` or `Permanent`, or was refused;
- each ends undone or, after its grace, as something that is left for a decision; it never hides the first error.
"""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.engine.handed_executor import executor_of, text_of, with_handed
from orbits_iac.engine.naming import identity_of, result_of, subject_of
from orbits_iac.engine.request import Request, Undoing
from orbits_iac.model.errors import Error, ExecutionFailed, Refused, UsageError
from orbits_iac.model.ids import UNDO, StepKey, refs
from orbits_iac.model.rows import EntryRow, Json, amended
from orbits_iac.model.states import State
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step, kind_of, options_of

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

_DID_NOTHING = frozenset(f"orbits_iac.model.errors.{name}" for name in ("NothingDone", "Permanent", "Refused"))


def undoing(run: "Run", request: Request, given: Step[Any] | Callable[[Any], Step[Any]], above: StepKey) -> Undoing:
    """What is journalled of an `undo=`: at once if it is a step, once there is a result if it is made from that."""

    def described(step: object) -> Json:
        if not isinstance(step, Step):
            raise UsageError(f"{request.ref}: undo= takes a step, or a function that returns one; got {step!r}")
        return _described(run, request, step, above)

    if isinstance(given, Step):
        text = described(given)
        return Undoing(at_once=text, of=lambda _: text)
    return Undoing(at_once=None, of=lambda result: described(given(result)))


def to_undo(run: "Run", home: StepKey | None) -> list[EntryRow]:
    """The steps below `home` (None: all) that have to be undone, the last outcome first."""
    entries = run.pages.entries
    covered = [f"{entry.key}/" for entry in entries.values() if entry.undo is not None and entry.state is State.SUCCESS]
    found = [
        entry
        for entry in entries.values()
        if entry.undo is not None
        and not entry.undone
        and not entry.skipped
        and (home is None or entry.key.startswith(f"{home}/"))
        and not any(entry.key.startswith(above) for above in covered)
        and _may_have_been_done(entry)
    ]
    return sorted(found, key=lambda entry: run.pages.seq + 1 if entry.seq is None else entry.seq, reverse=True)


async def undo(run: "Run", home: StepKey | None = None) -> tuple[str, ...]:
    """Undo what was done below `home`; what could not be, for people. Nothing, once a step of no return was passed."""
    if run.passed():
        return ()
    await _recovered(run, home)
    left: list[str] = []
    for entry in to_undo(run, home):
        why = await _undone(run, entry)
        if why:
            left.append(f"{'.'.join(refs(entry.key))}: its undo {why}")
        else:
            run.pages.put(amended(run.pages.entries[entry.key], undone=True), at=run.now())
            run.undone = True
    return tuple(left)


def _may_have_been_done(entry: EntryRow) -> bool:
    if entry.state is State.SUCCESS:
        return True
    if entry.command != "main":  # a definition that failed has taken back itself what it had done
        return False
    failure = entry.failure
    return entry.seq is not None and failure is not None and _DID_NOTHING.isdisjoint(failure.types)


async def _recovered(run: "Run", home: StepKey | None) -> None:
    """Bring to an outcome what was under way when its process died, and that the code no longer asks for."""
    lost = [
        entry
        for entry in run.pages.entries.values()
        if entry.undo is not None
        and entry.seq is None
        and entry.key not in run.asked
        and entry.started_at is not None
        and (home is None or entry.key.startswith(f"{home}/"))
    ]
    requests = [_again(run, entry) for entry in lost if entry.argument is not None and entry.child is None]
    await asyncio.gather(*(request.future for request in requests), return_exceptions=True)


async def _undone(run: "Run", entry: EntryRow) -> str:
    """Run a step's undo; why it is not undone, or nothing."""
    try:
        request = _request(run, entry)
    except (Error, ValidationError) as error:
        return f"could not be begun: {run.failure(error).message}"
    if request.key in run.asked:  # by the definition below, which has said that it failed
        ended = run.pages.entries[request.key].failure
        return f"failed: {ended.error_type}: {ended.message}" if ended is not None else "did not end"
    grace = run.grace_of(request)
    run.ask(request)
    try:
        async with asyncio.timeout(grace):
            await request.future
    except TimeoutError:
        return f"did not end within {grace:g} s"
    except ExecutionFailed as failed:
        return f"failed: {failed.error_type}: {failed.message}"
    return ""


def _described(run: "Run", request: Request, step: Step[Any], above: StepKey) -> Json:
    codec = run.engine.codec
    subject, command = subject_of(step)
    kind, identity, owned = kind_of(type(subject)), None, False
    if request.owned and type(subject) is type(request.step):  # it is about what is done here, whatever that is called
        kind, identity, owned = request.kind, request.identity, True
    elif isinstance(subject, Resource):
        identity, owned = identity_of(subject, run.record_id, above, request.ref, None)
    return json.dumps(
        {
            "kind": kind,
            "command": command,
            "argument": codec.encode(subject, type(subject)),
            "extra": codec.encode(step.arguments, dict[str, Any]) if isinstance(step, Command) else "{}",
            "identity": identity,
            "owned": owned,
            "targets": request.targets,
            "places": request.places,
        }
    )


def _request(run: "Run", entry: EntryRow) -> Request:
    """The step that undoes `entry`; `Refused` if its code is not here."""
    kept = json.loads(entry.undo or "{}")
    return _made(run, StepKey(f"{UNDO}/{entry.key}"), refs(entry.key)[-1], kept)


def _again(run: "Run", entry: EntryRow) -> Request:
    """The step of `entry` itself, asked for from its journal."""
    kept = json.loads(entry.undo or "{}") | {
        "kind": entry.kind,
        "command": entry.command,
        "argument": entry.argument,
        "identity": None,
    }
    request = _made(run, entry.key, refs(entry.key)[-1], kept)
    run.ask(request)
    return request


def _made(run: "Run", key: StepKey, ref: str, kept: dict[str, Any]) -> Request:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.nested import begin_nested

    codec, handed = run.engine.codec, executor_of(run.engine, run.pages.execution)
    cls = run.engine.registry.find(kept["kind"])
    if cls is None:
        raise Refused(f"no step of kind {kept['kind']!r} is imported here")
    step = codec.decode(kept["argument"], cls)
    request = Request(
        key=key,
        ref=ref,
        kind=kept["kind"],
        command=kept["command"],
        step=step,
        argument=kept["argument"],
        digest=codec.digest(kept["kind"], kept["command"], step, kept["extra"]),
        returns=result_of(cls, kept["command"]),
        options=with_handed(cls, options_of(cls), handed),
        hands_down=None if kept["identity"] is None else text_of(options_of(cls).get("executor", handed)),
        targets=kept["targets"],
        places=kept["places"],
        future=run.loop.create_future(),
        identity=kept["identity"],
        owned=kept["owned"],
        extra=kept["extra"],
    )
    if kept["command"] == "define":
        flow: RunFlow = RunFlow(run, request.targets, key, request.options.get("executor", handed))
        request.begin = lambda: begin_nested(run, flow, request)
    return request
