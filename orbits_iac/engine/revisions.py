"""Revisions: making one when an update changed something, and reading one back."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, JsonValue, ValidationError
from typing_extensions import TypeVar

from orbits_iac.codec import Codec
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import RecordId
from orbits_iac.model.outputs import Outputs
from orbits_iac.model.rows import Child, ExecutionRow, Json, RecordRow, RevisionRow, amended
from orbits_iac.steps.resource import Resource, Revision
from orbits_iac.steps.step import result_type

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.run import Run

B = TypeVar("B", bound=BaseModel)


class StoredRevision(Revision[Any]):
    """A revision as the store has it, decoded when it is asked for."""

    def __init__(self, row: RevisionRow, codec: Codec, cls: type[Resource[Any]] | None) -> None:
        self.row = row
        self.number = row.number
        self.at = datetime.fromtimestamp(row.at, UTC)
        self.who = row.who
        self.build = row.build
        self.argument = cast("Mapping[str, JsonValue]", codec.decode(row.argument, dict[str, Any]))
        self._codec = codec
        self._cls = cls

    def asked_for(self, argument: Json) -> "StoredRevision":
        """The same revision, asked for with another argument."""
        return StoredRevision(amended(self.row, argument=argument), self._codec, self._cls)

    @property
    def outputs(self) -> Any:
        declared = result_type(self._cls) if self._cls is not None else dict[str, Any] | None
        return self._codec.decode(self.row.outputs, declared)

    def payload(self, kind: type[B]) -> B:
        kept = json.loads(self.row.payload)
        if kind.__name__ not in kept:
            raise Refused(f"revision {self.number} of {self.row.kind} {self.row.identity} kept no {kind.__name__}")
        return cast("B", self._codec.decode(kept[kind.__name__], kind))


async def read_revision(engine: "Engine", kind: str, identity: str, number: int) -> StoredRevision:
    """One revision of a record; `Refused` names what was asked for if there is none."""
    row = await engine.store.get(RevisionRow, kind, identity, number)
    if row is None:
        raise Refused(f"{kind} {identity} has no revision {number}")
    cls = engine.registry.find(kind)
    return StoredRevision(row, engine.codec, cast("type[Resource[Any]] | None", cls))


async def last_argument(engine: "Engine", record: RecordRow) -> Json | None:
    """What a record's commands are given: its revision's argument, or, before the first, that of its last update."""
    number = record.revision if record.revision is not None else record.last_number
    row = await engine.store.get(RevisionRow, record.kind, record.identity, number)
    if row is not None:
        return row.argument
    asked = await engine.store.find(ExecutionRow, kind=record.kind, identity=record.identity)
    updates = [execution for execution in asked if execution.command == "update"]
    return max(updates, key=lambda update: (update.created_at, update.id)).argument if updates else None


def make_revision(run: "Run", record: RecordRow, outputs: Json, children: tuple[Child, ...]) -> RevisionRow | None:
    """The revision that a successful update makes; None if nothing is otherwise than in the one that stands."""
    if run.rebuilt and run.standing is not None:
        return amended(run.standing.row, children=children) if children else None
    execution = run.pages.execution
    found = run.approval.adopts is not None and record.revision is None
    made = RevisionRow(
        kind=record.kind,
        identity=record.identity,
        number=0 if found else record.last_number + 1,
        argument=execution.argument,
        payload=json.dumps(run.payload, sort_keys=True),
        outputs=outputs,
        children=children,
        references=execution.references,
        origins=run.given.references(outputs, of=RecordId(record.kind, record.identity)),
        targets=execution.targets,
        build=execution.build,
        who=execution.who,
        at=run.now(),
        why="adopted" if found else "",
        execution=execution.id,
    )
    declared = result_type(run.engine.registry.resource(record.kind))
    if run.standing is not None and _same(run.engine.codec, run.standing.row, made, declared):
        return None
    return made


def _same(codec: Codec, standing: RevisionRow, made: RevisionRow, declared: Any) -> bool:
    def plain(row: RevisionRow) -> tuple[Any, ...]:
        kept = {name: codec.decode(text, Any) for name, text in json.loads(row.payload).items()}
        return codec.decode(row.argument, Any), kept, _compared(codec, row.outputs, declared), _by_place(row)

    return plain(standing) == plain(made)


def _compared(codec: Codec, outputs: Json, declared: Any) -> object:
    try:
        value = codec.decode(outputs, declared)
    except ValidationError:  # a class that has changed since: it is compared as it was written
        return codec.decode(outputs, Any)
    return value.compared() if isinstance(value, Outputs) else value


def _by_place(row: RevisionRow) -> dict[tuple[str, str, str], Any]:
    return {(child.ref, child.kind, child.identity): child for child in row.children}
