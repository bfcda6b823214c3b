"""What would be lost with a record: what holds data (`stateful`), and what is protected.

Losing either has to be accepted by name. A change of mind about everything else is no such acceptance.
"""

from typing import TYPE_CHECKING

from orbits_iac.model.rows import RecordRow
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import options_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.model.approvals import Approval


def holds_data(engine: "Engine", kind: str) -> bool:
    """Whether removing a thing of this kind loses data, as far as its class is known here; not what it retains."""
    cls = engine.registry.find(kind)
    options = options_of(cls) if cls is not None else Options()
    return bool(options.get("stateful")) and not options.get("retain")


async def losses(
    engine: "Engine", kind: str, identity: str, approval: "Approval", *, protected: bool = False
) -> list[str]:
    """What uninstalling a record, and with it what belongs to it, would lose and nobody has accepted."""
    found: list[str] = []
    waiting = [(kind, identity, protected)]
    seen = {(kind, identity)}
    for one, name, kept in waiting:
        record = await engine.store.get(RecordRow, one, name)
        if record is None or (record.revision is None and not record.children):
            continue
        if approval.accepts(one, name):
            pass
        elif kept or record.protect:
            found.append(f"{one} {name} is protected: take protect=True away first")
        elif record.revision is not None and holds_data(engine, one):
            found.append(f"{one} {name} holds data: keep it with retain=True")
        for child in record.children:
            theirs = await engine.store.get(RecordRow, child.kind, child.identity)
            if theirs is None or (child.kind, child.identity) in seen or child.retain or theirs.retain:
                continue
            if child.owned or not set(theirs.users) - {f"{one} {name}"}:
                seen.add((child.kind, child.identity))
                waiting.append((child.kind, child.identity, child.protect))
    return found
