"""Adopting: taking a thing that is there already into a record, without changing it.

What always holds:
- what is live is written down as revision 0 before anything is changed: an update that fails goes back to it;
- until one update has succeeded the record is `adopted`, and nothing removes the thing; what an update that failed
  around it would remove is brought back to revision 0 instead, and so is what goes back to nothing later on.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.rows import Json, RecordRow, RevisionRow, amended
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, kind_of, options_of, result_type
from orbits_iac.store.contract import Store, Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run


def check_adopts(ref: str, step: Step[Any], given: Mapping[str, Any]) -> None:
    """Raise `Refused` where what is to be adopted, or recorded as it is found, cannot say what is live of it."""
    cls = type(step)
    if "as_found" in given and not isinstance(step, Resource):
        raise Refused(f"{ref}: {kind_of(cls)} is no Resource, and nothing of it is recorded; leave as_found= out")
    if not given.get("adopt", options_of(cls).get("adopt", False)):
        return
    if not isinstance(step, Resource):
        raise Refused(f"{ref}: {kind_of(cls)} is no Resource, and only a Resource is adopted; leave adopt=True out")
    if type(step).define_adopt is Resource.define_adopt:
        raise Refused(
            f"{ref}: {kind_of(cls)} has no define_adopt(), so nobody knows what is live of it: give it one, or adopt "
            f"what it consists of"
        )


async def adopt(run: "Run", flow: "RunFlow", resource: Resource[Any], found: Callable[[], Awaitable[Any]]) -> None:
    """Write down as revision 0 what is `found` live, if anything is; from then on that is what stands."""
    run.adopting = True
    live = await found()
    there = live is not None or bool(run.payload)
    argument = _as_it_is(run, resource, live) if there else None
    run.adopting = False
    payload, run.payload = run.payload, {}
    if argument is None:
        return
    codec, cls, execution = run.engine.codec, type(resource), run.pages.execution
    row = RevisionRow(
        kind=execution.kind,
        identity=execution.identity or "",
        number=0,
        argument=argument,
        payload=json.dumps(payload, sort_keys=True),
        outputs=codec.encode(live, result_type(cls)),
        targets=execution.targets,
        build=execution.build,
        who=execution.who,
        at=run.loop.time(),
        why="adopted",
        execution=execution.id,
    )
    await flow.ask("adopt", partial(_write, run, row), bool)
    run.standing = StoredRevision(row, codec, cls)


def _as_it_is(run: "Run", resource: Resource[Any], live: Any) -> Json:
    """The argument that would have made what is live: the fields of the same names as it has them."""
    codec, cls = run.engine.codec, type(resource)
    wanted, found = json.loads(codec.encode(resource, cls)), json.loads(codec.encode(live, type(live))) or {}
    text = json.dumps({name: found.get(name, value) for name, value in wanted.items()})
    try:
        return codec.encode(codec.decode(text, cls), cls)
    except ValidationError as error:
        raise Refused(
            f"{kind_of(cls)} cannot be adopted: its fields do not take what is live: {explain(error)}"
        ) from error


async def was_there(store: Store, kind: str, identity: str) -> bool:
    """Whether what stands of a record, or stood last, was there before: as revision 0 has it."""
    row = await store.get(RevisionRow, kind, identity, 0)
    return row is not None and not row.abandoned


async def _write(run: "Run", row: RevisionRow) -> bool:
    """Write revision 0; safe to be done twice."""
    while True:
        record = await run.engine.store.get(RecordRow, row.kind, row.identity)
        if record is None or record.revision is not None:
            return False
        adopted = amended(
            record,
            version=record.version + 1,
            revision=0,
            since=row.at,
            by=row.who,
            adopted=True,
            called=run.called,
            targets=row.targets,
        )
        try:
            await run.engine.commit(Transaction(fence=run.pages.fence, put=[adopted, row]))
        except Conflict:
            continue
        return True
