"""What would be lost with a record: what holds data (`stateful`, or as `data_in` says), and what is protected.

Losing either has to be accepted by name. A change of mind about everything else is no such acceptance.
"""

from typing import TYPE_CHECKING

from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.rows import RecordRow, RevisionRow
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import options_of
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.model.approvals import Approval

WHOLE = ("data",)  # of a thing that is stateful as a whole


async def data_held(engine: "Engine", record: RecordRow) -> tuple[str, ...]:
    """The data that would go with a record's thing, as far as its class is known here; not what it retains."""
    cls = engine.registry.find(record.kind)
    if cls is None or not issubclass(cls, Resource) or options_of(cls).get("retain"):
        return ()
    if options_of(cls).get("stateful"):
        return WHOLE
    number = record.revision if record.revision is not None else record.last_number
    row = await engine.store.get(RevisionRow, record.kind, record.identity, number)
    return tuple(cls.data_in(StoredRevision(row, engine.codec, cls))) if row is not None else ()


async def losses(
    engine: "Engine", kind: str, identity: str, approval: "Approval", *, protected: bool = False
) -> list[str]:
    """What uninstalling a record, and with it what belongs to it, would lose and nobody has accepted."""
    found: list[str] = []
    waiting = [(kind, identity, protected)]
    seen = {(kind, identity)}
    used: dict[tuple[str, str], tuple[bool, tuple[str, ...]]] = {}  # by others too, who may go as well
    while waiting:
        for one, name, kept in waiting:
            record = await engine.store.get(RecordRow, one, name)
            if record is None or (record.revision is None and not record.children):
                continue
            if approval.accepts(one, name):
                pass
            elif kept or record.protect:
                found.append(f"{one} {name} is protected: take protect=True away first")
            elif record.revision is not None and (data := await data_held(engine, record)):
                found.append(f"{one} {name} holds {', '.join(data)}: keep it with retain=True")
            for child in record.children:
                theirs = await engine.store.get(RecordRow, child.kind, child.identity)
                if theirs is None or (child.kind, child.identity) in seen or child.retain or theirs.retain:
                    continue
                users = await users_of(engine.store, theirs)
                if child.owned or not set(users) - {f"{one} {name}"}:
                    seen.add((child.kind, child.identity))
                    waiting.append((child.kind, child.identity, child.protect))
                else:
                    used[child.kind, child.identity] = child.protect, users
        gone = {" ".join(record) for record in seen}
        last = {record: kept for record, (kept, users) in used.items() if record not in seen and gone.issuperset(users)}
        seen.update(last)
        waiting = [(*record, kept) for record, kept in last.items()]
    return found
