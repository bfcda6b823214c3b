"""Certificate: what was removed of a tenant, what stays and why, and how that was checked; and the record of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orbits_iac import Outputs, Resource
from orbits_iac.provider import RecordRow, RevisionRow, kind_of, masked
from orbits_tenants.tenant import TenantId

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orbits_iac.provider import Store


class Certificate(Outputs):
    """That a tenant was removed.

    Attributes:
        fleet: the fleet's kind.
        tenant: its id.
        at: when it was done (UTC).
        who: who decided; of one that has expired: who rolled out what removed it.
        why: what for.
        execution: the durable execution that did it; its events say step by step what was done.
        removed: what stood and does not any more, as kind and identity, with the last revision of each: its record says
            so, and it was looked for and not found, unless it has nothing of its own.
        stays: what stays, each with why; and what was looked for and is there though its record says otherwise.
        unsure: what its record says is gone, and could not be looked for, each with why.
        tagged: what places still have tags of it on.
        checked: how that was found out.

    """

    fleet: str
    tenant: str
    at: datetime
    who: str
    why: str
    execution: str
    removed: Mapping[str, int]
    stays: Sequence[str]
    unsure: Mapping[str, str] = {}
    tagged: Sequence[str] = ()
    checked: Sequence[str]

    def __rich__(self) -> "RenderableType":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        table.add_row("removed", Text(f"{self.tenant} from {self.fleet}, {self.at:%Y-%m-%d %H:%M} UTC, by {self.who}"))
        if self.why:
            table.add_row("why", Text(self.why))
        for name, revision in self.removed.items():
            table.add_row("gone", Text(f"{name} (revision {revision})"))
        for stays in self.stays:
            table.add_row("stays", Text(stays, style="yellow"))
        for name, unsure in self.unsure.items():
            table.add_row(
                "not sure", Text(f"{name}: its record is gone, and it could not be looked for: {unsure}", "red")
            )
        for tagged in self.tagged:
            table.add_row("tagged", Text(tagged, style="yellow"))
        for how in self.checked:
            table.add_row("checked", Text(how, style="dim"))
        table.add_row("execution", Text(self.execution))
        return table


class TenantCertificate(Resource[Certificate]):
    """The record of a tenant's certificates: the last one is what stands, earlier ones are its history."""

    certificate: Certificate

    def identity(self) -> str:
        """The fleet's kind, and the tenant's id."""
        return _named(self.certificate.fleet, self.certificate.tenant)

    async def define_update(self) -> Certificate:
        """Keep it."""
        return self.certificate

    async def define_cycle(self) -> None:
        """There is nothing in the world to look at."""


async def kept(store: "Store", fleet: str, tenant: TenantId) -> Certificate | None:
    """The last certificate that was kept of a tenant; None if there is none."""
    record = await store.get(RecordRow, kind_of(TenantCertificate), _named(fleet, tenant))
    if record is None or record.revision is None:
        return None
    revision = await store.get(RevisionRow, record.kind, record.identity, record.revision)
    return None if revision is None else Certificate.model_validate(masked(revision.outputs))


def _named(fleet: str, tenant: TenantId) -> str:
    return f"{fleet} {tenant}"
