"""What a record and all below it were last made of, each with the step that looks for it in the world.

Asked before something is removed, so that whoever certifies the removal can look afterwards. A target may be asked what
is still tagged in its place, too (`Inventoried`). Reads rows alone, and does nothing live itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from orbits_iac.model.bounds import given
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import Json, RecordRow, RevisionRow
from orbits_iac.model.target import Target, target_types
from orbits_iac.steps.resource import Command, Resource

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What in a place carries the tags of records.

    Attributes:
        things: each so that a person finds it.
        how: what was asked, and what that does not cover.

    """

    things: tuple[str, ...]
    how: str


@runtime_checkable
class Inventoried(Protocol):
    """A target that can be asked for what is tagged in its place."""

    def tagged(self, project: str, records: Sequence[RecordId], /) -> Tagged:
        """What there carries the tags of these records of the project; raises where it cannot be asked."""
        ...


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A record, as its last revision has it.

    Attributes:
        record: its kind and identity.
        revision: the number of that revision.
        targets: where it is.
        given: the same as it was recorded, with what it was bound to.
        look: the command that looks for it: its result says what is there, None: nothing. None: it has none of its own.
        why: why it cannot be looked for.

    """

    record: RecordId
    revision: int
    targets: tuple[Target, ...] = ()
    given: Mapping[str, Json] = field(default_factory=dict)
    look: Command[str | None] | None = None
    why: str = ""

    def __str__(self) -> str:
        return str(self.record)


async def things(orbits: "Orbits", *tops: RecordId) -> list[Thing]:
    """All that these records and those below them are made of, or were when they stood last; the parents first."""
    found: list[Thing] = []
    waiting = dict.fromkeys(tops)
    seen: set[RecordId] = set()
    while waiting:
        one = next(iter(waiting))
        del waiting[one]
        seen.add(one)
        row = await orbits.store.get(RecordRow, *one)
        number = None if row is None else row.last_number if row.revision is None else row.revision
        revision = None if number is None else await orbits.store.get(RevisionRow, *one, number)
        if row is None or number is None:
            continue
        if revision is None:
            if number:  # else nothing of it ever stood
                found.append(Thing(record=one, revision=number, why="its last revision is not kept any more"))
            continue
        found.append(await _thing(orbits, row, revision))
        below = (RecordId(child.kind, child.identity) for child in revision.children)
        waiting.update(dict.fromkeys(child for child in below if child not in seen))
    return found


async def standing(orbits: "Orbits", found: Sequence[Thing]) -> frozenset[RecordId]:
    """Those of them whose records say by now that they stand."""
    rows = [await orbits.store.get(RecordRow, *one.record) for one in found]
    return frozenset(RecordId(row.kind, row.identity) for row in rows if row is not None and row.revision is not None)


async def look_for(orbits: "Orbits", thing: Thing, *, longest: timedelta | None = None) -> str | None:
    """Look for a thing by a durable command on its record; what is there, or None.

    One that takes longer than `longest` is cancelled, and raises TimeoutError; one that fails, ExecutionFailed.
    """
    from orbits_iac.engine.requests import Asked, ask_root

    row, command = await orbits.store.get(RecordRow, *thing.record), thing.look
    if row is None or command is None:
        raise Refused(f"{thing} cannot be looked for: {thing.why or 'it has nothing of its own, or no record'}")
    codec = orbits.engine.codec
    argument = codec.encode(command.resource, type(command.resource))
    options = codec.encode(command.arguments, dict[str, Any])
    asked = Asked(
        kind=row.kind,
        command=command.command,
        argument=argument,
        identity=row.identity,
        options=options,
        digest=codec.digest(row.kind, command.command, argument, options),
        targets=dict(thing.given),
        places={type(one).__name__: one.place() for one in thing.targets},
        tenant=row.tenant,
        who=orbits.who,
    )
    await orbits.register_build()
    execution = orbits.execution(await ask_root(orbits.engine, asked))
    try:
        async with asyncio.timeout(None if longest is None else longest.total_seconds()):
            found: str | None = await execution
    except TimeoutError:
        await execution.cancel()
        raise
    return found


async def _thing(orbits: "Orbits", row: RecordRow, revision: RevisionRow) -> Thing:
    record, number = RecordId(row.kind, row.identity), revision.number
    look, why, classes = None, "", target_types()
    if unknown := [name for name in given(revision.targets) if name not in classes]:
        return Thing(record=record, revision=number, why=f"it is at a {unknown[0]}, a class that is not imported here")
    try:
        decode = orbits.engine.codec.decode
        targets = tuple(cast("Target", decode(text, classes[name])) for name, text in given(revision.targets).items())
    except Exception as error:  # noqa: BLE001 - of one thing alone it is not known where it is
        return Thing(record=record, revision=number, why=f"where it is cannot be read: {_said(error)}")
    try:
        look, why = await _look(orbits, row, number)
    except Exception as error:  # noqa: BLE001 - what was recorded with other code may not be understood any more
        why = f"what was recorded of it cannot be read: {_said(error)}"
    return Thing(record=record, revision=number, targets=targets, given=revision.targets, look=look, why=why)


async def _look(orbits: "Orbits", row: RecordRow, number: int) -> tuple[Command[str | None] | None, str]:
    from orbits_iac.engine.revisions import read_revision

    cls = cast("type[Resource[Any]] | None", orbits.registry.find(row.kind))
    if cls is None:
        return None, "its class is not in this project"
    revision = await read_revision(orbits.engine, row.kind, row.identity, number)
    look = cls.model_validate(revision.argument).define_inventory(revision)
    return cast("Command[str | None] | None", look), ""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
