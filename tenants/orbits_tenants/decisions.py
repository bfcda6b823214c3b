"""What people have decided about tenants of a fleet: who is added, paused, pinned, removed, whatever the source says.

One record for each fleet, of its own: a decision is an update of it, so that decisions have a history (`orbits history
TenantDecisions FLEET`), come one after the other, and hold while a roll-out is under way, which reads them as it goes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict

from orbits_iac import Outputs, Resource
from orbits_tenants.tenant import Tenant, TenantId


class Tombstone(BaseModel):
    """That a tenant was removed, and is not to come back by a list."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    who: str
    why: str = ""


class Decision(BaseModel):
    """One decision about one tenant.

    Attributes:
        what: `add` it (again), `pause` it until it is to `resume`, `pin` fields of its stack until it is `unpin`ned,
            `remove` it.
        tenant: its id.
        who: who decided.
        why: what for; of a pause it is what reports say.
        added: of one that is added: the tenant.
        pinned: of one that is pinned: the fields, and what they stay at; to those that were pinned before.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["add", "pause", "resume", "pin", "unpin", "remove"]
    tenant: TenantId
    who: str
    why: str = ""
    added: Tenant | None = None
    pinned: Mapping[str, Any] = {}


class Decided(Outputs):
    """What holds, by the tenant's id."""

    added: Mapping[str, Tenant] = {}
    paused: Mapping[str, str] = {}
    pinned: Mapping[str, Mapping[str, Any]] = {}
    removed: Mapping[str, Tombstone] = {}

    def and_then(self, decision: Decision, at: datetime) -> "Decided":
        """What holds after one more decision."""
        id_ = decision.tenant
        match decision.what:
            case "add":
                added = self.added if decision.added is None else {**self.added, id_: decision.added}
                return self.model_copy(update={"added": added, "removed": _without(self.removed, id_)})
            case "pause":
                return self.model_copy(update={"paused": {**self.paused, id_: decision.why}})
            case "resume":
                return self.model_copy(update={"paused": _without(self.paused, id_)})
            case "pin":
                pinned = {**self.pinned.get(id_, {}), **decision.pinned}
                return self.model_copy(update={"pinned": {**self.pinned, id_: pinned}})
            case "unpin":
                return self.model_copy(update={"pinned": _without(self.pinned, id_)})
            case "remove":
                tombstone = self.removed.get(id_) or Tombstone(at=at, who=decision.who, why=decision.why)
                return Decided(
                    added=_without(self.added, id_),
                    paused=_without(self.paused, id_),
                    pinned=_without(self.pinned, id_),
                    removed={**self.removed, id_: tombstone},
                )
            case _ as never:
                assert_never(never)

    def members(self, listed: Sequence[Tenant]) -> list[Tenant]:
        """Those whom a source lists, and whom people have added; without those who were removed."""
        names = {tenant.id for tenant in listed}
        added = [tenant for id_, tenant in self.added.items() if id_ not in names]
        return [tenant for tenant in (*listed, *added) if tenant.id not in self.removed]

    def about(self, tenant: Tenant) -> Tenant:
        """A tenant with what was decided about it; one that was removed is changed no more."""
        paused = self.paused.get(tenant.id, tenant.paused) or ("nobody said why" if tenant.id in self.paused else "")
        if (stone := self.removed.get(tenant.id)) is not None:
            paused = f"it was removed by {stone.who}{f': {stone.why}' if stone.why else ''}"
        pinned = {**tenant.pinned, **self.pinned.get(tenant.id, {})}
        if paused == tenant.paused and pinned == tenant.pinned:
            return tenant
        return tenant.model_copy(update={"paused": paused, "pinned": pinned})


class TenantDecisions(Resource[Decided]):
    """The record of a fleet's decisions; `decision` is the one that its update adds."""

    fleet: str
    decision: Decision

    def identity(self) -> str:
        """The fleet's kind."""
        return self.fleet

    async def define_update(self) -> Decided:
        """What held, and the decision."""
        standing = self.execution.revision
        decided = Decided() if standing is None else standing.outputs
        return decided.and_then(self.decision, self.execution.now())

    async def define_cycle(self) -> None:
        """There is nothing in the world to look at."""


def _without(mapping: Mapping[str, Any], id_: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != id_}
