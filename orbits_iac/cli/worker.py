"""`orbits worker`: advance whatever is due, until it is told to stop."""

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.settings import Settings

Once = Annotated[bool, typer.Option("--once", help="End when nothing is due any more.")]


def command(once: Once = False, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Advance executions and schedules until SIGTERM or Ctrl-C; what is under way goes on elsewhere or later."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_work(session.settings_with(store), once=once, as_json=as_json))


async def _work(settings: "Settings", *, once: bool, as_json: bool) -> int:
    from orbits_iac import queries
    from orbits_iac.cli import exits, follow, session

    session.check_exists(settings.store)
    async with session.reading(settings.store) as store:
        modules = tuple(dict.fromkeys((*settings.modules, *await queries.all_modules(store))))
    session.import_all(modules)
    async with follow.Interrupt() as interrupt, session.opened(settings, modules=modules) as orbits:
        orbits.engine.on_end(lambda row: _say("finished", row, as_json=as_json))
        _tell({"event": "started", "modules": list(modules)}, "works; Ctrl-C ends it", as_json=as_json)
        waits = [asyncio.ensure_future(interrupt.asked.wait())]
        waits += [asyncio.ensure_future(orbits.settled())] if once else []
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        for wait in done:
            wait.result()
    _tell({"event": "stopped"}, "stopped", as_json=as_json)
    return exits.DONE


def _say(event: str, row: "ExecutionRow", *, as_json: bool) -> None:
    what = " ".join(part for part in (row.kind, row.identity or "", row.command) if part)
    document = {
        "event": event, "execution": row.id, "kind": row.kind, "identity": row.identity, "command": row.command,
        "state": row.state.value,
    }
    _tell(document, f"{row.id}  {what}  {row.state.value}", as_json=as_json)


def _tell(document: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"at": time.time(), **document}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()
