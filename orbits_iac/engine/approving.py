"""Holding an execution to the plan that was approved: what is done is what was shown, or nothing.

Looked at three times: before anything is started (`refuse_changed`); when a command begins, against the record and, of
a thing that says by itself what would be done to it, against what is live (`refuse_stale`, `look_again`); and at each
step that a definition asks for (`unapproved`). What a look found is journalled: a re-run decides the same.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.codec import Codec, explain
from orbits_iac.engine.preview import look_at
from orbits_iac.engine.since import changed_since, moved
from orbits_iac.model.approvals import Approval, read_approval
from orbits_iac.model.errors import Refused
from orbits_iac.model.plans import Plan
from orbits_iac.model.rows import ExecutionRow, RecordRow, RevisionRow
from orbits_iac.model.states import ENDED
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.requests import Asked
    from orbits_iac.engine.run import Run


_TOLD = 20  # of what has changed


async def refuse_changed(
    engine: "Engine", plan: Plan, step: Step[Any], asked: "Asked", losses: tuple[str, ...]
) -> None:
    """Raise `Refused` if a plan no longer holds for what is asked for, saying all that has changed since."""
    found = await changed_since(engine, plan, step, asked)
    if found:
        said = "; ".join((*found[:_TOLD], *([f"and {len(found) - _TOLD:,} more"] if len(found) > _TOLD else [])))
        raise Refused(f"plan {plan.digest} no longer holds: {said}. Make a new one with `orbits preview`.")
    refuse_losses(plan, losses)


async def under_way(engine: "Engine", plan: Plan, asked: "Asked") -> Approval | None:
    """What was approved of the execution that does a plan already, where one has not ended.

    Who asks for the plan once more, after a pipeline's job has died for example, joins it, whoever asked first. What it
    has done until then is no change since the plan was made.
    """
    record = await engine.store.get(RecordRow, asked.kind, asked.identity) if asked.identity is not None else None
    for execution in record.queue if record is not None else ():
        row = await engine.store.get(ExecutionRow, execution)
        if row is not None and row.state not in ENDED and row.digest == asked.digest:
            approval = read_approval(row.approval)
            if approval.plan == plan.digest:
                return approval
    return None


def refuse_losses(plan: Plan, accepted: Collection[str]) -> None:
    """Raise `Refused` if a plan would lose what was not accepted by name."""
    lost = [loss for loss in plan.losses if not {loss.identity, f"{loss.kind} {loss.identity}"} & {*accepted}]
    if lost:
        said = "; ".join(str(loss) for loss in lost)
        flags = " ".join(f"--accept-loss '{loss.kind} {loss.identity}'" for loss in lost)
        raise Refused(f"this would lose what has to be accepted by name: {said}. To accept: {flags}")


def step_of(plan: Plan, cls: type[Step[Any]], codec: Codec) -> Step[Any]:
    """The step that a kept plan is for, an instance of its class or a command of that; `Refused` if it is none now."""
    try:
        step: Step[Any] = codec.decode(plan.argument, cls)
    except ValidationError as error:
        raise Refused(f"{plan.kind} no longer accepts the fields that are in the plan: {explain(error)}") from error
    if not isinstance(step, Resource) or plan.command == "update":
        return step
    return Command[Any](resource=step, command=plan.command, arguments=codec.decode(plan.options, dict[str, Any]))


async def refuse_stale(run: "Run") -> Refused | None:
    """Why a command may not begin under its plan: the record has moved on. Asked once: a re-run goes on."""
    approval, change = run.approval, run.approval.change
    if change is None or run.record_id is None:
        return None
    stands = run.record.revision if run.record is not None else None
    if run.pages.entries or stands == change.revision or await _made_here(run, stands):
        return None
    return Refused(f"plan {approval.plan}: {moved(*run.record_id, change.revision, stands)}. Preview again.")


async def look_again(run: "Run", flow: "RunFlow", step: Step[Any]) -> None:
    """Raise `Refused` if what would be done to a thing, now that it is about to be, is not what was approved.

    Nothing where something was approved is no change of what was: it has been brought about meanwhile.
    """
    change = run.approval.change
    if change is None or not change.essence or run.record_id is None:
        return
    found = await flow.ask("plan", lambda: _look(run, step), Found)
    if found.pending and found.essence != change.essence:
        name = " ".join(run.record_id)
        raise Refused(
            f"{name}: plan {run.approval.plan} has {change.verb}, and what would be done now is another: {found.said}. "
            f"Preview again."
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What would be done to a thing now."""

    pending: bool
    essence: str
    said: str


async def _look(run: "Run", step: Step[Any]) -> Found:
    execution, codec = run.pages.execution, run.engine.codec
    fresh = codec.decode(execution.argument, type(step))
    record = (execution.kind, execution.identity or "")
    takes_over = run.approval.take_over
    adopt = bool(run.options.get("adopt"))
    change = await look_at(
        run.engine,
        fresh,
        record,
        run.standing,
        execution.targets,
        takes_over=takes_over,
        adopt=adopt,
        name=run.called,
    )
    if change is None:
        return Found(pending=True, essence="", said="what its steps do")
    properties = [
        f"{one.path}: {one.before or 'none'} → {one.after or 'none'}" + (f" over {one.live}" if one.live else "")
        for one in change.properties
    ]
    said = " ".join(part for part in (change.verb.value, change.detail, *properties) if part)
    return Found(pending=bool(change), essence=change.essence, said=said)


async def _made_here(run: "Run", revision: int | None) -> bool:
    """Whether the record came to this revision below the same root, which is what the plan shows as well."""
    if revision is None or run.record_id is None:
        return False
    row = await run.engine.store.get(RevisionRow, *run.record_id, revision)
    made = await run.engine.store.get(ExecutionRow, row.execution) if row is not None and row.execution else None
    return made is not None and made.root == run.pages.execution.root
