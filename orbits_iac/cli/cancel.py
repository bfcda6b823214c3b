"""`orbits cancel`: ask an execution to cancel."""

from typing import TYPE_CHECKING

import typer

from orbits_iac.cli.options import Debug, Id, Store

if TYPE_CHECKING:
    from orbits_iac.settings import Settings


def command(execution: Id, store: Store = None, debug: Debug = False) -> None:
    """Ask an execution to cancel: it settles, goes back, and ends as CANCELLED."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_cancel(execution, session.settings_with(store)))


async def _cancel(id: str, settings: "Settings") -> int:  # noqa: A002 - the name in every table
    from orbits_iac import queries
    from orbits_iac.cli import exits, session
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.rows import WorkerRow
    from orbits_iac.model.states import ENDED

    session.check_exists(settings.store)
    async with session.opened(settings, work=False) as orbits:
        row = await queries.execution(orbits.store, id)
        if row.state in ENDED:
            raise UsageError(f"execution {id} has ended ({row.state.value}): there is nothing to cancel")
        await orbits.execution(id).cancel()
        working = await orbits.store.find(WorkerRow, limit=1)
    typer.echo(
        f"Asked {row.kind} {row.identity or ''} to cancel; orbits watch {id} shows how it ends.".replace("  ", " ")
    )
    if not working:
        typer.echo(f"No worker is running: it is cancelled once one goes on with it (orbits resume {id}).", err=True)
    return exits.DONE
