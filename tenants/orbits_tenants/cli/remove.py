"""`orbits tenants remove`: a tenant leaves its fleet; what goes, what stays, and a certificate of it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.certified import Out, check, say
from orbits_tenants.cli.options import AsJson, Fleet, Id, Why, Yes

if TYPE_CHECKING:
    from collections.abc import Callable

    from orbits_iac.provider import Change
    from orbits_tenants.certificate import Certificate
    from orbits_tenants.removal import Leaving

AcceptLoss = Annotated[
    list[str] | None,
    typer.Option("--accept-loss", metavar="'KIND IDENTITY'", help="What may be lost with it; several times."),
]


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
    check(out)
    begun: list[str] = []

    def started(execution: str, waits: str) -> None:
        begun.append(execution)
        if waits:
            typer.echo(f"The removal of {tenant}, execution {execution}, {waits}", err=True)

    try:
        certificate = asyncio.run(_remove(fleet, tenant, why, accept_loss or [], started, yes=yes))
    except KeyboardInterrupt:
        for execution in begun:
            typer.echo(
                f"\nInterrupted: {tenant} is to be removed all the same, by whoever works on this store next. To go "
                f"on: orbits resume {execution}. To drop it: orbits cancel {execution}, and then orbits tenants add",
                err=True,
            )
        raise typer.Exit(130) from None
    say(certificate, out, as_json=as_json)


async def _remove(
    spec: str, tenant: str, why: str, losses: list[str], started: "Callable[[str, str], None]", *, yes: bool
) -> "Certificate":
    from orbits_iac import Orbits, Settings
    from orbits_tenants.cli.subject import named
    from orbits_tenants.removal import remove, would_go

    settings = Settings()
    fleet = named(spec, settings)
    async with Orbits(settings) as orbits:
        shown = None
        if not yes:
            shown = await would_go(orbits, fleet, tenant, accept_loss=losses)
            _ask(tenant, shown)
        return await remove(orbits, fleet, tenant, why=why, accept_loss=losses, shown=shown, started=started)


def _ask(id_: str, would: "Leaving") -> None:
    from orbits_iac.provider import make_sure
    from orbits_tenants.removal import refuse_losses

    for line in (*_lines(would.change), *(f"  {'keep':10} {stays}" for stays in would.stays)):
        typer.echo(line, err=True)
    refuse_losses(id_, would)
    make_sure(f"This removes {id_} and what belongs to it.", typed=id_)


def _lines(change: "Change", depth: int = 0) -> list[str]:
    said = f"{change.verb.value:10} {change.kind} {change.identity or change.ref}"
    lines = [f"{'  ' * depth}{said}{f': {change.detail}' if change.detail else ''}"] if depth else []
    return [*lines, *(line for below in change.below for line in _lines(below, depth + 1))]
