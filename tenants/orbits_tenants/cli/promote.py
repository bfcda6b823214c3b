"""`orbits tenants promote`: let the next wave of a roll-out begin that waits for a person."""

import asyncio
import json

import typer

from orbits_tenants.cli.options import AsJson, Fleet


def command(fleet: Fleet, *, as_json: AsJson = False) -> None:
    """Let the next wave begin of the roll-out that waits for it."""
    execution, wave = asyncio.run(_promote(fleet))
    if as_json:
        typer.echo(json.dumps({"execution": execution, "wave": wave}))
    else:
        typer.echo(f"wave {wave} is promoted; orbits watch {execution} shows how the next one goes", err=True)


async def _promote(spec: str) -> tuple[str, int]:
    """Tell the fleet's roll-out; its id, and the wave after which it goes on. UsageError if none waits."""
    from orbits_iac import Orbits, Settings
    from orbits_iac.provider import UsageError, kind_of
    from orbits_tenants.cli.subject import named
    from orbits_tenants.waves import PROMOTE, Promoted

    settings = Settings()
    cls = named(spec, settings)
    async with Orbits(settings, work=False) as orbits:
        for id_ in (await orbits.record(cls, kind_of(cls)).row()).queue:
            execution = orbits.execution(id_)
            for wait in await execution.waits():
                if wait.entry.execution == id_ and wait.entry.kind == Promoted.__name__:
                    wave = int(wait.what.removeprefix(PROMOTE))
                    await execution.answer(Promoted(wave=wave))
                    return id_, wave
    raise UsageError(f"no roll-out of {kind_of(cls)} waits to be promoted")
