"""`orbits tenants remove`: a tenant leaves its fleet; what goes, what stays, and a certificate of it."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Id, Why, Yes

if TYPE_CHECKING:
    from orbits_iac import Resource
    from orbits_iac.provider import Change
    from orbits_tenants.certificate import Certificate

AcceptLoss = Annotated[
    list[str] | None,
    typer.Option("--accept-loss", metavar="'KIND IDENTITY'", help="What may be lost with it; several times."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate, as JSON, too.")]


def command(
    fleet: Fleet,
    tenant: Id,
    *,
    why: Why = "",
    yes: Yes = False,
    accept_loss: AcceptLoss = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Remove a tenant: its stack is uninstalled, and no list brings it back until it is added again."""
    certificate = asyncio.run(_remove(fleet, tenant, why, accept_loss or [], yes=yes))
    if out is not None:
        out.write_text(certificate.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(certificate.model_dump_json(indent=2))
        return
    from rich.console import Console

    Console().print(certificate)


async def _remove(spec: str, id_: str, why: str, losses: list[str], *, yes: bool) -> "Certificate":
    from orbits_iac import Orbits, Settings
    from orbits_iac.provider import RecordId, Refused, UsageError, kind_of, subtree
    from orbits_tenants.certificate import Certificate
    from orbits_tenants.cli.subject import named
    from orbits_tenants.decisions import Decision, TenantDecisions
    from orbits_tenants.report import TenantState
    from orbits_tenants.tenants import released

    settings = Settings()
    cls = named(spec, settings)
    kind = kind_of(cls)
    async with Orbits(settings) as orbits:
        last = (await orbits.record(cls, kind).history())[-1]
        report = last.outputs.tenants.get(id_)
        if report is None or report.tenant is None:
            raise UsageError(
                f"the last roll-out of {kind} knows no tenant {id_!r}: orbits tenants list shows who is in it"
            )
        step = cls.model_validate({**released(last.argument), "leaving": [id_]})
        stack: Resource[Any] = step.stack_of(report.tenant)
        top = RecordId(kind_of(type(stack)), stack.identity() or "")
        if not yes:
            _ask(id_, (await orbits.preview(step)).root)
        before = await subtree(orbits.store, top)
        decision = Decision(what="remove", tenant=id_, who=orbits.who, why=why)
        await orbits.run(TenantDecisions(fleet=kind, decision=decision))  # first: no roll-out brings it back meanwhile
        execution = await orbits.start(step, accept_loss=losses)
        done = (await execution).tenants[id_]
        if done.state is not TenantState.ENDED:
            raise Refused(f"tenant {id_} is in no roll-out any more, and still stands: {done.happened}")
        after = await subtree(orbits.store, top)
        stood = {one: row.revision for one, row in before.records.items() if row.revision is not None}
        stand = {one for one, row in after.records.items() if row.revision is not None}
        return Certificate(
            fleet=kind,
            tenant=id_,
            at=datetime.now(UTC),
            who=orbits.who,
            why=why,
            execution=execution.id,
            removed={f"{one.kind} {one.identity}": revision for one, revision in stood.items() if one not in stand},
            stays=done.left,
            checked=[f"records: of {len(stood)} things that stood, {len(stood.keys() & stand)} stand"],
        )


def _ask(id_: str, change: "Change") -> None:
    from orbits_iac.provider import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"removing {id_} removes what it stands for: say --yes")
    for line in _lines(change):
        typer.echo(line, err=True)
    typed = typer.prompt(f"This removes {id_} and what belongs to it. Type {id_} to go on", err=True)
    if typed != id_:
        raise UsageError(f"{typed!r} is not {id_!r}: nothing was done")


def _lines(change: "Change", depth: int = 0) -> list[str]:
    said = f"{change.verb.value:10} {change.kind} {change.identity or change.ref}"
    lines = [f"{'  ' * depth}{said}{f': {change.detail}' if change.detail else ''}"] if depth else []
    return [*lines, *(line for below in change.below for line in _lines(below, depth + 1))]
