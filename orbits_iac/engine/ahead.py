"""What doing children would do, found out by reading alone while their parent goes on: before any of them is begun.

It is a question of the engine's own (`flow.ask`), so that a re-run goes on with the same answer. Only what a judge says
of each is kept, not the plan itself: of a thousand tenants that is a line, or none. What cannot be previewed is no
error of the parent: that is what is said of it then.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orbits_iac.engine import at_rest
from orbits_iac.engine.labels import TENANT
from orbits_iac.engine.names import Name
from orbits_iac.engine.preview import Preview
from orbits_iac.engine.preview_definition import AT_ONCE, Judge, judged, unseen
from orbits_iac.model.errors import ExecutionFailed, OutOfReach
from orbits_iac.model.rows import Json
from orbits_iac.steps.execution import Left

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def look(
    run: "Run", targets: Mapping[str, Json], asked: Mapping[str, at_rest.Asked], judge: Judge
) -> dict[str, str]:
    """What the judge says of what each would do; those of which it says nothing are left out.

    Those that are at rest will be passed over: nothing would be done to them, and they are not looked at. What is out
    of reach is among them with "": nobody has looked at that.
    """
    engine, codec = run.engine, run.engine.codec
    preview, slots = Preview(engine, takes_over=run.approval.take_over), asyncio.Semaphore(AT_ONCE)
    above = (run.record_id,) if run.record_id is not None else ()

    async def one(key: str, name: Name, left: Left) -> str | None:
        cls, tenant = type(left.resource), left.labels.get(TENANT)
        own = {type(target).__name__: codec.encode(target, type(target)) for target in reversed(left.targets)}
        async with slots:
            try:
                fresh = codec.decode(codec.encode(left.resource, cls), cls)
                change, _ = await preview.resource(
                    fresh, name.identity or "", {**targets, **own}, tenant=tenant, above=above
                )
            except Exception as error:  # noqa: BLE001 - whatever a user's hook raises
                if _is_out_of_reach(error):  # nothing will be done to it, and it says nothing of the rest
                    return ""
                return unseen(codec, error)
            return await judged(engine, tenant, judge, key, change) or None

    rests = await at_rest.find(run, targets, asked)
    moving = {key: ahead for key, ahead in asked.items() if rests[key].looked_at is None}
    found = await asyncio.gather(*(one(key, ahead.name, ahead.left) for key, ahead in moving.items()))
    return {key: said for key, said in zip(moving, found, strict=True) if said is not None}


def _is_out_of_reach(error: Exception) -> bool:
    return isinstance(error, OutOfReach) or (isinstance(error, ExecutionFailed) and error.caused_by(OutOfReach))
