"""What has changed since a plan was made: the code, what is asked for, the records, and which steps there are.

Each is told by the name of what it is about, and how it was and is. Nothing is looked at but the store and what the
outermost definition reads: what is live is looked at when it is about to be changed. Called by `approving`, before
anything is started.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.changed_fields import changed_fields
from orbits_iac.engine.names import record_kind
from orbits_iac.engine.preview import Preview, root_change
from orbits_iac.engine.preview_definition import NOTHING
from orbits_iac.engine.preview_records import command_change
from orbits_iac.engine.revisions import read_revision
from orbits_iac.model.errors import ExecutionFailed, Refused
from orbits_iac.model.marks import masked
from orbits_iac.model.plans import Change, Plan, PropertyChange, Verb
from orbits_iac.model.rows import Json, RecordRow, RevisionRow
from orbits_iac.registry import sources_of
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, kinds_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.requests import Asked

_AT_ONCE = 64  # records that are read at a time, of each that has many below it


async def changed_since(engine: "Engine", plan: Plan, step: Step[Any], asked: "Asked") -> list[str]:
    """All that has changed, each in a few words; nothing if the plan still holds."""
    found: list[str] = []
    if plan.project != engine.project:
        found.append(f"it was made for project {plan.project}, and this is {engine.project}")
    found += _code(engine, plan)
    if (plan.kind, plan.command) != (asked.kind, asked.command) or plan.root.digest != asked.digest:
        here, there = f"{asked.command} of {asked.kind}", f"{plan.command} of {plan.kind}"
        fields = _fields(_different(plan.argument, asked.argument))
        other = f"its argument is another{f' ({fields})' if fields else ''}"
        found.append(f"it is for {there}, and asked for is {here}" if here != there else other)
    if _decoded(engine, plan.targets) != _decoded(engine, asked.targets):
        found.append("its targets are others")
    same_request = not found
    found += await _records(engine, plan.root, "")
    if same_request and asked.command in {"update", "run"} and not plan.root.whole:
        found += await _steps(engine, plan.root, step, dict(asked.targets))
    if not found and asked.identity is not None and asked.command != "update":
        again = await command_change(engine, step, asked.identity)
        if again.essence != plan.root.essence:
            found.append(f"what {asked.command} would do is otherwise")
    return found


def moved(kind: str, identity: str, then: int | None, now: int | None) -> str:
    """That a record has come to another revision."""

    def named(revision: int | None) -> str:
        return f"revision {revision}" if revision is not None else "nothing"

    return f"of {kind} {identity} stood {named(then)}, and {named(now)} stands now"


def _code(engine: "Engine", plan: Plan) -> Iterator[str]:
    """That the code is another: of a module that both have, or, where there is none, of all."""
    if plan.build == engine.build:
        return
    now = sources_of(engine.registry.modules())
    common = [name for name in plan.sources if name in now]
    others = [name for name in common if plan.sources[name] != now[name]]
    if others or not common:
        where = f" ({', '.join(others)})" if others else ""
        yield f"it was made with build {plan.build}, and the code is now {engine.build}{where}"


def _decoded(engine: "Engine", texts: Mapping[str, Json]) -> dict[str, Any]:
    return {kind: engine.codec.decode(text, Any) for kind, text in texts.items()}


async def _records(engine: "Engine", change: Change, path: str) -> list[str]:
    """The records that stand at other revisions; what is below one that has moved has moved with it."""
    found: list[str] = []
    if change.identity:
        record = await engine.store.get(RecordRow, change.kind, change.identity)
        stands = record.revision if record is not None else None
        if stands != change.revision:
            said = moved(change.kind, change.identity, change.revision, stands)
            how = await _how(engine, change, stands)
            found.append(f"{path}: {said}{how}" if path else f"{said}{how}")
    if change.whole or (found and path):
        return found
    for first in range(0, len(change.below), _AT_ONCE):
        below = change.below[first : first + _AT_ONCE]
        paths = (f"{path}.{one.ref}" if path else one.ref for one in below)
        several = await asyncio.gather(*(_records(engine, one, its) for one, its in zip(below, paths, strict=True)))
        found += [said for each in several for said in each]
    return found


async def _how(engine: "Engine", change: Change, stands: int | None) -> str:
    """By whom a record came to its revision, and which of its fields are others in it."""
    now = await engine.store.get(RevisionRow, change.kind, change.identity, stands) if stands is not None else None
    if now is None:
        return ""
    then = None
    if change.revision is not None:
        then = await engine.store.get(RevisionRow, change.kind, change.identity, change.revision)
    fields = _fields(_different(then.argument, now.argument)) if then is not None else ""
    said = ": ".join(part for part in (f"by {now.who}" if now.who else "", fields) if part)
    return f" ({said})" if said else ""


def _different(then: Json, now: Json) -> list[PropertyChange]:
    """The fields that are others in two texts of arguments, as far as they may be shown."""
    before, after = masked(then), masked(now)
    return [
        PropertyChange(path=name, before=_text(before, name), after=_text(after, name))
        for name in dict.fromkeys((*after, *before))
        if before.get(name) != after.get(name)
    ]


def _text(values: Mapping[str, Any], name: str) -> Json | None:
    return json.dumps(values[name], ensure_ascii=False) if name in values else None


async def _steps(engine: "Engine", planned: Change, step: Step[Any], targets: dict[str, Json]) -> list[str]:
    """The Resources that a definition does now and did not, no longer does, or does with other fields."""
    try:
        root = await root_change(_Steps(engine), step, targets)
    except (ExecutionFailed, Refused) as error:
        return [f"it cannot be made any more: {error}"]
    then, now = ({one.key: one for one in change.below if one.key and one.identity} for change in (planned, root))
    gone = () if root.waits else [one for key, one in then.items() if key not in now]
    why = ", ".join(remark for remark in root.remarks if gone and remark not in planned.remarks)
    return [
        *[f"{_named(one)} {await _left(engine, one)}" for one in gone],
        *([f"what is said of it now: {why}"] if why else []),
        *(f"{_named(one)} has come, and the plan does not show it" for key, one in now.items() if key not in then),
        *(
            f"{_named(one)}: {_fields(list(_between(then[key], one))) or 'its fields are others'}"
            for key, one in now.items()
            if key in then and then[key].digest != one.digest
        ),
    ]


async def _left(engine: "Engine", change: Change) -> str:
    """What has become of a Resource that a definition no longer does: it may stand, and only be passed over."""
    record = await engine.store.get(RecordRow, change.kind, change.identity)
    if record is not None and record.revision is not None:
        return "still stands, and nothing is done to it any more"
    return "is no longer there" if change.revision is not None else "is not to be made any more"


def _named(change: Change) -> str:
    return f"{change.ref} ({change.kind} {change.identity})"


def _between(then: Change, now: Change) -> Iterator[PropertyChange]:
    """The fields that are others than in the plan: both are known by how they differ from the revision that stands."""
    earlier, later = ({field.path: field for field in change.fields} for change in (then, now))
    for path in dict.fromkeys((*earlier, *later)):
        before = earlier[path].after if path in earlier else later[path].before
        after = later[path].after if path in later else earlier[path].before
        if before != after:
            yield PropertyChange(path=path, before=before, after=after)


def _fields(fields: list[PropertyChange]) -> str:
    return ", ".join(f"{one.path}: {one.before or 'none'} → {one.after or 'none'}" for one in fields)


class _Steps(Preview):
    """A preview of the outermost definition alone: of the Resources that it does only the records are read."""

    async def resource(
        self,
        resource: Resource[Any],
        identity: str,
        targets: dict[str, Json],
        *,
        tenant: str | None = None,
        above: tuple[tuple[str, str], ...] = (),
        adopt: bool = False,
        adopts: Mapping[str, str] | None = None,
    ) -> tuple[Change, Any]:
        if not above:
            return await super().resource(
                resource, identity, targets, tenant=tenant, above=above, adopt=adopt, adopts=adopts
            )
        kind = await record_kind(self.engine.store, kinds_of(type(resource)), identity)
        record = await self.engine.store.get(RecordRow, kind, identity)
        standing = None
        if record is not None and record.revision is not None:
            standing = await read_revision(self.engine, kind, identity, record.revision)
        fields = changed_fields(self.engine.codec, resource, standing)
        change = Change(verb=Verb.UNKNOWN, kind=kind, identity=identity, fields=fields)
        return change, NOTHING if standing is None else standing.outputs
