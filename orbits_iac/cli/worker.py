"""`orbits worker`: advance whatever is due, until it is told to stop."""

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings

SOON = 60.0  # seconds: what is due later is not waited for by --once

Once = Annotated[bool, typer.Option("--once", help="End when nothing is left that is due within a minute.")]

Serve = Annotated[
    str | None,
    typer.Option(
        "--serve",
        metavar="[HOST:]PORT",
        help="Show /healthz, /readyz and /metrics there, on this machine alone without a host; 0: any free port.",
    ),
]


def command(
    once: Once = False, serve: Serve = None, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Advance executions and schedules until SIGTERM or Ctrl-C; what is under way goes on elsewhere or later."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_work(session.settings_with(store), serve=serve, once=once, as_json=as_json))


async def _work(settings: "Settings", *, serve: str | None, once: bool, as_json: bool) -> int:
    from orbits_iac import queries
    from orbits_iac.cli import exits, follow, session
    from orbits_iac.dispatch.garbage import collect_new_alone
    from orbits_iac.telemetry.observing import observed

    session.check_exists(settings.store)
    async with session.reading(settings.store) as store:
        modules = tuple(dict.fromkeys((*settings.modules, *await queries.all_modules(store))))
    session.import_all(modules)
    async with (
        observed(serve or settings.serve, project=settings.project) as shown,
        follow.Interrupt() as interrupt,
        session.opened(settings, modules=modules, measures=shown.measures) as orbits,
    ):
        shown.watch(orbits)
        collect_new_alone()
        orbits.engine.on_end(lambda row: _say("finished", row, as_json=as_json))
        _tell({"event": "started", "modules": list(modules)}, "works; Ctrl-C ends it", as_json=as_json)
        if shown.url is not None:
            text = f"shows /healthz, /readyz and /metrics at {shown.url}"
            _tell({"event": "serves", "url": shown.url}, text, as_json=as_json)
        await follow.first_of(interrupt.asked.wait(), *([_nothing_left(orbits)] if once else []))
    _tell({"event": "stopped"}, "stopped", as_json=as_json)
    return exits.DONE


async def _nothing_left(orbits: "Orbits") -> None:
    """Wait until nothing that can go on here is held by anyone or due within `SOON`.

    What waits for a message, for code that is not here, or for a time far away does not count.
    """
    from orbits_iac.model.rows import TaskRow

    store, registry = orbits.store, orbits.registry
    while True:
        tasks = [task for task in await store.find(TaskRow) if task.kind in registry.kinds()]
        soon = orbits.engine.clock.now() + SOON
        if not any(task.owner is not None or (task.due is not None and task.due < soon) for task in tasks):
            await orbits.settled()  # what has just ended here is told of before this returns
            return
        await store.changed(0.2)


def _say(event: str, row: "ExecutionRow", *, as_json: bool) -> None:
    what = " ".join(part for part in (row.kind, row.identity or "", row.command) if part)
    document = {
        "event": event,
        "execution": row.id,
        "kind": row.kind,
        "identity": row.identity,
        "command": row.command,
        "state": row.state.value,
    }
    _tell(document, f"{row.id}  {what}  {row.state.value}", as_json=as_json)


def _tell(document: Mapping[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"at": time.time(), **document}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()
