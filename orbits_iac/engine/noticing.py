"""What of an execution somebody has to know: written as notices in the transaction that ends it, or begins a wait.

What always holds: a problem is told of once. Drift is news when nobody was told of it (`looking.tell`); an execution
that failed is, unless the one before it with the same command on the same record failed in the same way; and what
failed before and has ended well is told of as healed. Nobody is asked more than the store where nobody wants to be
told.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.engine.naming import result_of
from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import NOTIFICATION
from orbits_iac.model.news import DriftNews
from orbits_iac.model.outputs import Outputs
from orbits_iac.model.rows import ExecutionRow, Json, LookRow, MessageRow, amended
from orbits_iac.model.states import State
from orbits_iac.notify.notices import (
    News,
    Notice,
    Scene,
    as_row,
    of_drift,
    of_failure,
    of_part,
    of_recovery,
    of_wait,
)

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

_BAD = frozenset({State.ERROR, State.REVERTED, State.QUARANTINED})
_PAGE = 20  # executions of a record, among which the last ones of the same command are
_PAGES = 100  # that are read at most: between two updates there may be the cycles of a schedule


async def notices(
    run: "Run", result: Json | None, failure: Failure | None, state: State, news: DriftNews | None
) -> list[MessageRow]:
    """The notices of an execution that is about to end so, as rows to be written with its end."""
    settings = run.engine.notify
    row = run.pages.execution
    if not settings.to or row.kind == NOTIFICATION:
        return []
    alone = await _is_alone(run)
    if news is None and not alone:
        return []
    root = row if row.parent is None else await run.engine.store.get(ExecutionRow, row.root)
    scene = Scene(
        execution=amended(row, state=state, failure=failure),
        stack=f"{root.kind} {root.identity or ''}".rstrip() if root is not None and root.id != row.id else "",
        where=", ".join(run.places.values()),
        at=run.now(),
    )
    found: list[Notice] = []
    if news is not None:
        before = await run.engine.store.get(LookRow, news.kind, news.identity)
        found += of_drift(scene, news, before=None if before is None else before.at)
    if alone:
        found += await _of_the_end(run, scene, result)
    return [as_row(notice) for notice in found if settings.wants(notice)]


def waits_for(run: "Run", event: str) -> MessageRow | None:
    """The notice that an execution waits for an event, to be written with the wait; None if nobody wants it."""
    scene = Scene(execution=run.pages.execution, stack="", where=", ".join(run.places.values()), at=run.now())
    notice = of_wait(scene, event, run.engine.codec.mask(run.said))
    return as_row(notice) if run.engine.notify.wants(notice) else None


async def _is_alone(run: "Run") -> bool:
    """Whether nobody else tells how it ended: it was asked for by itself, or is one of many that a fleet looks at."""
    row = run.pages.execution
    if row.parent is None or row.command != "cycle":
        return row.parent is None
    above = await run.engine.store.get(ExecutionRow, row.parent)
    return above is not None and above.beside


async def _of_the_end(run: "Run", scene: Scene, result: Json | None) -> list[Notice]:
    row = scene.execution
    if row.state in _BAD:
        before = await _before(run)
        return [] if before and _same(before[0].failure, row.failure) else [of_failure(scene)]
    if row.state is not State.SUCCESS:
        return []
    problem = _problem(run, row, result)
    if problem:
        return [of_part(scene, problem)]
    if News.HEALED not in run.engine.notify.news:
        return []
    before = await _before(run)
    failed = list(takewhile(lambda one: one.state in _BAD, before))
    if failed and News.FAILED in run.engine.notify.news:
        return [of_recovery(scene, since=failed[-1].ended_at)]
    if before and News.ROLLOUT in run.engine.notify.news and await _was_in_part(run, before[0]):
        return [of_recovery(scene, since=before[0].ended_at)]
    return []


async def _was_in_part(run: "Run", before: ExecutionRow) -> bool:
    """Whether an execution that ended well had a problem all the same; what it returned is read only if it may have."""
    if not _may_have_problems(run, before):
        return False
    row = await run.engine.store.get(ExecutionRow, before.id)
    return row is not None and bool(_problem(run, row, row.result))


def _same(one: Failure | None, other: Failure | None) -> bool:
    """Whether two failures are one problem: the same error at the same step."""
    if one is None or other is None:
        return False
    return (one.path, one.error_type, one.no_return) == (other.path, other.error_type, other.no_return)


async def _before(run: "Run") -> Sequence[ExecutionRow]:
    """The executions with the same command of the same record that nobody else tells of, the last one first.

    They go back to one that ended well, at least. Those that somebody has cancelled say nothing of it.
    """
    me = run.pages.execution
    if me.identity is None:
        return ()
    told, after = (State.SUCCESS, *_BAD), tuple[str, ...]()
    ended: list[ExecutionRow] = []
    for _ in range(_PAGES):
        rows = await run.engine.store.find(
            ExecutionRow, kind=me.kind, identity=me.identity, newest=True, limit=_PAGE, after=after, whole=False
        )
        same = [row for row in rows if row.command == me.command and row.state in told]
        ended += [row for row in same if row.parent is None or row.command == "cycle"]
        if len(rows) < _PAGE or any(row.state is State.SUCCESS for row in ended):
            break
        after = (rows[-1].id,)
    return sorted(ended, key=lambda row: row.ended_at or 0.0, reverse=True)  # ids of one second are in no order


def _problem(run: "Run", row: ExecutionRow, result: Json | None) -> str:
    """What the outputs of an execution that ended well say is wrong all the same; "" for nothing."""
    declared = _may_have_problems(run, row)
    if declared is None or result is None:
        return ""
    try:
        return run.engine.codec.mask(run.engine.codec.decode(result, declared).problem())
    except ValidationError:  # of code that has changed since: it was told of by that
        return ""


def _may_have_problems(run: "Run", row: ExecutionRow) -> type[Outputs] | None:
    """The class of an execution's outputs, if it says what is wrong with them."""
    cls: Any = run.engine.registry.find(row.kind)
    declared = None if cls is None else result_of(cls, row.command)
    if not (isinstance(declared, type) and issubclass(declared, Outputs)) or declared.problem is Outputs.problem:
        return None
    return declared
