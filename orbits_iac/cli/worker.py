"""`orbits worker`: advance whatever is due, until it is told to stop.

What always holds: told once, it claims nothing more and ends within the grace, whatever its steps or the store do; told
twice, it ends at once. Either way others go on with what it had, at once where they see that this process is gone.
"""

import json
import os
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
GOOD_BYE = 8.0  # seconds that a store has to take that a worker ends, once nothing is under way

Once = Annotated[bool, typer.Option("--once", help="End when nothing is left that is due within a minute.")]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", metavar="NUMBER", min=1, help="Advance so many executions at a time (64)."),
]
Labels = Annotated[
    str | None,
    typer.Option("--labels", metavar="A,B", help="What it is fit for: it takes what asks for one of these, too."),
]
Grace = Annotated[
    int | None,
    typer.Option(
        "--grace",
        metavar="SECONDS",
        min=0,
        help="Told to stop, wait so long for what can neither be stopped nor handed over (drain; 300).",
    ),
]

Serve = Annotated[
    str | None,
    typer.Option(
        "--serve",
        metavar="[HOST:]PORT",
        help="Show /healthz, /readyz and /metrics there, on this machine alone without a host; 0: any free port.",
    ),
]


def command(
    once: Once = False,
    concurrency: Concurrency = None,
    labels: Labels = None,
    grace: Grace = None,
    serve: Serve = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Advance executions and schedules until SIGTERM or Ctrl-C; what is under way goes on elsewhere or later."""
    from datetime import timedelta

    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    given = {
        "concurrency": concurrency,
        "labels": None if labels is None else tuple(name for part in labels.split(",") if (name := part.strip())),
        "serve": serve,
        "drain": None if grace is None else timedelta(seconds=grace),
    }
    settings = session.settings_with(store)
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    finish(_work(settings, once=once, as_json=as_json))


async def _work(settings: "Settings", *, once: bool, as_json: bool) -> int:
    import asyncio
    from contextlib import AsyncExitStack

    from orbits_iac import queries
    from orbits_iac.cli import exits, follow, session
    from orbits_iac.dispatch.garbage import collect_new_alone
    from orbits_iac.reading import check_exists
    from orbits_iac.telemetry.logs import logged
    from orbits_iac.telemetry.observing import observed

    check_exists(settings.store)
    async with session.reading(settings.store) as store:
        modules = tuple(dict.fromkeys((*settings.modules, *await queries.all_modules(store))))
    session.import_all(modules)
    async with AsyncExitStack() as stack:
        lines = stack.enter_context(logged(settings.log_level, as_json=as_json))
        shown = await stack.enter_async_context(observed(settings.serve, project=settings.project))
        interrupt = await stack.enter_async_context(follow.Interrupt())
        opened = session.opened(
            settings, modules=modules, measures=shown.measures, notifies=_notifies(settings, as_json=as_json)
        )
        orbits = await stack.enter_async_context(opened)
        lines.mask = orbits.engine.codec.mask
        shown.watch(orbits)
        collect_new_alone()
        orbits.engine.on_end(lambda row: _say("finished", row, as_json=as_json))
        started = {"event": "started", "worker": orbits.dispatcher.id, "modules": list(modules)}
        _tell(started, f"{orbits.dispatcher.id} works; Ctrl-C ends it", as_json=as_json)
        if shown.url is not None:
            text = f"shows /healthz, /readyz and /metrics at {shown.url}"
            _tell({"event": "serves", "url": shown.url}, text, as_json=as_json)
        await follow.first_of(interrupt.asked.wait(), *([_nothing_left(orbits)] if once else []))
        await _drain(orbits, as_json=as_json)
        late = asyncio.get_running_loop().call_later(GOOD_BYE, _leave, as_json)
    late.cancel()
    _tell({"event": "stopped"}, "stopped", as_json=as_json)
    return exits.DONE


def _notifies(settings: "Settings", *, as_json: bool) -> bool:
    """Say who is told of problems from here, and what is wrong with it; whether anybody is."""
    if not settings.notify.to:
        return False
    from orbits_iac.notify.targets import missing, targets, wrong

    without = missing(settings.notify)
    told = [str(one) for one in targets(settings.notify)]
    text = f"tells {', '.join(told)} of problems" if without is None else f"tells nobody of problems: {without}"
    _tell({"event": "notifies", "targets": told if without is None else [], "why": without}, text, as_json=as_json)
    for one in wrong(settings.notify):
        _tell({"event": "cannot notify", "why": one}, f"cannot tell {one}", as_json=as_json)
    return without is None


async def _drain(orbits: "Orbits", *, as_json: bool) -> None:
    """Let go of what is under way. What does not end within the grace ends with this process."""
    from orbits_iac.cli import exits

    holds, grace = orbits.dispatcher.holds, orbits.settings.drain.total_seconds()
    if holds:
        text = f"drains: {holds} under way; waits up to {grace:g} s for what may not be stopped. Again leaves at once."
        _tell({"event": "draining", "holds": holds, "grace": grace}, text, as_json=as_json)
    left = await orbits.dispatcher.drain()
    if left:
        text = (
            f"leaves all the same: of {', '.join(left)} something is under way still after {grace:g} s. It ends with "
            f"this process, and another worker finds out what became of it"
        )
        _tell({"event": "left", "executions": list(left)}, text, as_json=as_json)
        os._exit(exits.FAILED)  # a thread of the user's cannot be stopped in any other way


def _leave(as_json: bool) -> None:
    """Nothing is under way any more, and the store has not taken that this worker ends."""
    from orbits_iac.cli import exits

    text = (
        f"leaves without the store's answer, for which it has waited {GOOD_BYE:g} s. What it held is taken over once "
        f"another worker sees that this process is gone, or its lease has run out"
    )
    _tell({"event": "left", "executions": []}, text, as_json=as_json)
    os._exit(exits.FAILED)


async def _nothing_left(orbits: "Orbits") -> None:
    """Wait until nothing that can go on here is held by anyone or due within `SOON`.

    What waits for a message, for code that is not here, or for a time far away does not count.
    """
    from orbits_iac.model.rows import TaskRow

    store, registry = orbits.store, orbits.registry
    while True:
        tasks = [task for task in await store.find(TaskRow) if task.kind in registry.kinds()]
        soon = orbits.engine.clock.now() + SOON
        told = None if orbits.outbox is None else await orbits.outbox.due()
        left = any(task.owner is not None or (task.due is not None and task.due < soon) for task in tasks)
        if not left and (told is None or told > soon):
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
        "tenant": row.tenant,
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
