"""What the commands share that tell an execution something: it is written, and whoever holds the execution does it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from orbits_iac.handles import Execution
    from orbits_iac.settings import Settings


async def tell(
    id: str,  # noqa: A002 - the name in every table
    settings: "Settings",
    what: "Callable[[Execution[Any]], Awaitable[None]]",
    said: str,
    *,
    with_code: bool = False,
    as_json: bool = False,
) -> int:
    """Tell an execution `what`, and say that it is done or who will do it. `said` has the execution's name as NAME."""
    from orbits_iac import queries
    from orbits_iac.cli import exits, report, session
    from orbits_iac.model.rows import WorkerRow
    from orbits_iac.model.states import ENDED
    from orbits_iac.reading import check_exists
    from orbits_iac.roster import why_nobody_goes_on

    check_exists(settings.store)
    modules: Sequence[str] = ()
    if with_code:
        async with session.reading(settings.store) as store:
            row = await queries.execution(store, id)
            modules = (*await queries.modules(store, [row.build]), *settings.modules)
        session.import_all(modules, strict=True)
    async with session.opened(settings, work=False, modules=modules) as orbits:
        await queries.execution(orbits.store, id)
        await what(orbits.execution(id))
        row = await queries.execution(orbits.store, id)
        working = await orbits.store.find(WorkerRow, limit=1)
        stuck = await why_nobody_goes_on(orbits.store, [row], now=time.time())
    if as_json:
        report.print_json({"execution": id, "state": row.state.value, "worker": bool(working)})
        return exits.DONE
    typer.echo(said.replace("NAME", report.name_of(row)).replace("ID", id))
    if row.state not in ENDED and (stuck or not working):
        how = f"orbits resume {id}, or, if the code has changed since, orbits resume {id} --here"
        who = "No worker that runs goes on with it" if working else "No worker is running"
        typer.echo(f"{who}: it is done once one does ({how}).", err=True)
    return exits.DONE
