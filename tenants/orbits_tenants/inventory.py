"""What is left in the world of a tenant that was removed: each thing is looked for, and each place asked by its tags.

What always holds: only what was looked for and not found is gone; what could not be looked for says why. Each question
is a durable Action of its own. Called by `removal`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Target
from orbits_iac.provider import Inventoried, RecordId, Refused, Thing, look_for, target_types

_AT_ONCE = 10
_LONGEST = timedelta(minutes=5)


class TagsFound(BaseModel):
    """What a place says; `how` it was asked."""

    things: tuple[str, ...] = ()
    how: str


class AskForTags(Action[TagsFound]):
    """Asks a target what in its place carries the tags of records, each given as its kind and identity."""

    options = Options(idempotent=True, timeout=_LONGEST)
    of: str
    records: tuple[tuple[str, str], ...]

    def main(self) -> TagsFound:
        """Ask."""
        target = self.execution.target(target_types()[self.of])
        if not isinstance(target, Inventoried):
            raise Refused(f"a {self.of} cannot be asked for tags")
        found = target.tagged(self.execution.project, [RecordId(*record) for record in self.records])
        return TagsFound(things=found.things, how=found.how)


@dataclass(kw_only=True)
class Inventory:
    """What came of it, by the names of things.

    Attributes:
        gone: was looked for, and is not there.
        there: was looked for, and is there: what it is.
        unknown: could not be looked for: why.
        alone: has nothing of its own that could be looked for: its record says all there is.
        tagged: what places still have tags on.
        asked: how places were asked, and those that could not be: why.

    """

    gone: set[str] = field(default_factory=set)
    there: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    tagged: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


async def inventory(orbits: Orbits, removed: Sequence[Thing], places: Iterable[Target]) -> Inventory:
    """Look for each of these, and ask these targets and those of the things what is still tagged as of them."""
    found, slots = Inventory(), asyncio.Semaphore(_AT_ONCE)

    async def look(thing: Thing) -> None:
        async with slots:
            await _look(orbits, thing, found)

    await asyncio.gather(*(look(thing) for thing in removed))
    targets = {(type(one).__name__, one.place()): one for thing in removed for one in thing.targets}
    targets |= {(type(one).__name__, one.place()): one for one in places}
    for (name, place), target in targets.items():
        await _ask(orbits, removed, target, f"{place} ({name})", found)
    return found


async def _look(orbits: Orbits, thing: Thing, found: Inventory) -> None:
    name = str(thing)
    if thing.why:
        found.unknown[name] = thing.why
        return
    if thing.look is None:
        found.alone.add(name)
        return
    try:
        there = await look_for(orbits, thing, longest=_LONGEST)
    except TimeoutError:
        found.unknown[name] = f"no answer within {_LONGEST}"
        return
    except ExecutionFailed as error:
        found.unknown[name] = f"{error.error_type}: {error.message}"
        return
    if there is None:
        found.gone.add(name)
    else:
        found.there[name] = there


async def _ask(orbits: Orbits, removed: Sequence[Thing], target: Target, where: str, found: Inventory) -> None:
    if not isinstance(target, Inventoried):
        found.asked.append(f"tags: {where} cannot be asked for them")
        return
    records = tuple((thing.record.kind, thing.record.identity) for thing in removed)
    if not records:
        return
    try:
        tags = await orbits.run(AskForTags(of=type(target).__name__, records=records), target=target)
    except ExecutionFailed as error:
        found.asked.append(f"tags: {where} could not be asked: {error.error_type}: {error.message}")
        return
    found.tagged += tags.things
    count = f"{len(tags.things)} things are" if tags.things else "nothing is"
    found.asked.append(f"tags: {count} tagged as of them in {where}, by {tags.how}")
