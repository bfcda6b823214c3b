"""Promotion by hand: a roll-out waits between two waves for a person, and goes on once that person says so.

`Promoted` is what it waits for; `promote` sends it, for `orbits tenants promote` and whoever does that from Python.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from orbits_iac import Event
from orbits_iac.provider import RecordRow, UsageError, kind_of

if TYPE_CHECKING:
    from orbits_iac import Orbits
    from orbits_tenants.tenants import Tenants

PROMOTE = "promote"
"""What the wait for a person is called between waves, with the wave's number behind it, and how often it was asked."""


class Promoted(Event):
    """That the wave after this one, counted from 1, may begin: what `orbits tenants promote` sends.

    `asked`: to which of the questions about it that is the answer, where a policy has asked again, counted from 1. Two
    people who answer the first one at a time have not answered the second.
    """

    wave: int
    asked: int = 1


class Waiting(NamedTuple):
    """A roll-out that waits for a person, and after which of its waves, counted from 1."""

    execution: str
    wave: int


async def promote(orbits: "Orbits", fleet: "type[Tenants[Any]] | str", *, wave: int | None = None) -> Waiting:
    """Let the next wave of the fleet's roll-out begin; durable on return. UsageError if none waits for that.

    The fleet may be named by its kind: whoever was told that it waits need not have its code. `wave`: the one that is
    over, counted from 1: what waits after another one, since somebody was quicker, is refused.
    """
    if isinstance(fleet, str):
        kind, row = fleet, await orbits.store.get(RecordRow, fleet, fleet)
        if row is None:
            raise UsageError(f"there is no record of {kind} {kind!r} in {orbits.store.url}")
    else:
        kind, row = kind_of(fleet), await orbits.record(fleet, kind_of(fleet)).row()
    for id_ in row.queue:
        execution = orbits.execution(id_)
        for wait in await execution.waits():
            if wait.entry.execution == id_ and wait.entry.kind == Promoted.__name__:
                over, *asked = (int(number) for number in wait.what.rpartition(PROMOTE)[2].split())
                if wave not in {None, over}:
                    raise UsageError(f"the roll-out of {kind} waits after wave {over}, and not after wave {wave}")
                await execution.answer(Promoted(wave=over, asked=asked[0] if asked else 1))
                return Waiting(id_, over)
    raise UsageError(f"no roll-out of {kind} waits to be promoted")
