"""`orbits tenants rollback`: bring some tenants, a wave or all back to what stood before the last roll-out."""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Yes

if TYPE_CHECKING:
    from orbits_tenants.report import Report, TenantReport

Wave = Annotated[str | None, typer.Option("--wave", help="Those of this wave of the last roll-out.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="This tenant; several times.")]
To = Annotated[
    int | None, typer.Option("--to", help="The fleet's revision to go back to; without it, the one before the last.")
]


def command(
    fleet: Fleet, *, wave: Wave = None, only: Only = None, to: To = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Bring tenants back to the revisions of their stacks that stood after an earlier roll-out."""
    report = asyncio.run(_rollback(fleet, wave, only or [], to, yes=yes))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        from rich.console import Console

        Console().print(report)
    raise typer.Exit(report.exit_code())


async def _rollback(spec: str, wave: str | None, only: list[str], to: int | None, *, yes: bool) -> "Report":
    from orbits_iac import Orbits, Settings
    from orbits_iac.provider import UsageError, kind_of
    from orbits_tenants.cli.subject import named
    from orbits_tenants.tenants import released

    settings = Settings()
    cls = named(spec, settings)
    async with Orbits(settings) as orbits:
        history = await orbits.record(cls, kind_of(cls)).history()
        good = [one for one in history[:-1] if to is None or one.number == to]
        if not good:
            there = ", ".join(str(one.number) for one in history[:-1]) or "none"
            raise UsageError(f"{kind_of(cls)} has no such earlier revision to go back to; there are: {there}")
        now, then = history[-1], good[-1]
        back = _meant(now.outputs.tenants, then.outputs.tenants, wave, only)
        if not yes:
            _ask(back, now.outputs.tenants)
        report: Report = await orbits.run(cls.model_validate({**released(now.argument), "back": back}))
        return report


def _meant(
    now: "Mapping[str, TenantReport]", then: "Mapping[str, TenantReport]", wave: str | None, only: list[str]
) -> dict[str, int | None]:
    """The tenants that are meant and stand otherwise now, each with the revision that it goes back to."""
    from orbits_iac.provider import UsageError

    unknown = ", ".join(id_ for id_ in only if id_ not in now)
    if unknown:
        raise UsageError(f"--only: the fleet has no {unknown}")
    waves = {one.wave for one in now.values()}
    if wave is not None and wave not in waves:
        raise UsageError(
            f"--wave: the last roll-out had no wave {wave!r}; there were {', '.join(sorted(waves - {''}))}"
        )
    meant = [id_ for id_, one in now.items() if (not only or id_ in only) and wave in {None, one.wave}]
    back = {id_: then[id_].revision if id_ in then else None for id_ in meant}
    moved = {id_: revision for id_, revision in back.items() if revision != now[id_].revision}
    if not moved:
        raise UsageError("none of them stands otherwise than it did then: there is nothing to bring back")
    return moved


def _ask(back: Mapping[str, int | None], now: "Mapping[str, TenantReport]") -> None:
    import sys

    from orbits_iac.provider import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"this brings {len(back)} tenants back ({json.dumps(back)}): say --yes")
    for id_, revision in back.items():
        goes = f"back to revision {revision}" if revision is not None else "and is removed, its data kept"
        typer.echo(f"{id_}: from revision {now[id_].revision} {goes}", err=True)
    typer.confirm(f"Bring {len(back)} tenants back?", abort=True, err=True)
