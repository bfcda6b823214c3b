"""`orbits workers`: who advances executions, and which executions nobody can go on with."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from rich.text import Text

    from orbits_iac.roster import Member, Roster, Seen
    from orbits_iac.store.contract import Store as Opened

SHOWN = 10  # executions of one reason that are named
TICK = 0.5  # seconds between looks
_WIDE = 110  # columns of a terminal, from which on there is room for all
_READABLE = 20  # columns of what a worker is said to be
_BESIDE = frozenset({"since", "orbits"})

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it until Ctrl-C, as it changes.")]


def command(watch: Watch = False, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the workers and what they hold; and what none of them can go on with, with what is missing."""
    from orbits_iac.cli.running import finish
    from orbits_iac.model.errors import UsageError

    if watch and as_json:
        raise UsageError("--watch draws a table: give --json without it")
    finish(_workers(store, watch=watch, as_json=as_json))


async def _workers(given: str | None, *, watch: bool, as_json: bool) -> int:
    from rich.text import Text

    from orbits_iac.cli import exits, follow, report, session
    from orbits_iac.roster import Roster
    from orbits_iac.terminal import console

    async with session.reading(given) as store, follow.Interrupt() as interrupt:
        roster = Roster(store)
        if watch:
            await _show(store, roster, interrupt)
            return exits.DONE
        seen = await _looked(store, roster)
    if as_json:
        report.print_json(as_document(seen))
    else:
        out = console()
        out.print(table(seen, now=time.time(), wide=out.width >= _WIDE))
        for line in _lines(seen, now=time.time()):
            out.print(Text(line), soft_wrap=True)
    return exits.DONE


async def _looked(store: "Opened", roster: "Roster") -> "Seen":
    """One look; at workers of other machines as long as it takes them to renew their leases."""
    from orbits_iac.roster import Presence

    seen = await roster.look(now=time.time())
    while any(
        member.presence is Presence.UNSEEN and member.silent < member.worker.lease / 3 for member in seen.members
    ):
        await store.changed(TICK)
        seen = await roster.look(now=time.time())
    return seen


async def _show(store: "Opened", roster: "Roster", interrupt: Any) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from orbits_iac.cli import follow
    from orbits_iac.terminal import console

    out = console()
    with Live(console=out, auto_refresh=False) as live:
        while not interrupt.asked.is_set():
            seen = await roster.look(now=time.time())
            lines = [Text(line) for line in _lines(seen, now=time.time())]
            live.update(Group(table(seen, now=time.time(), wide=out.width >= _WIDE), *lines), refresh=True)
            await follow.first_of(_tick(store), interrupt.asked.wait())


async def _tick(store: "Opened") -> None:
    import asyncio

    await asyncio.sleep(TICK)
    await store.changed(TICK)


def table(seen: "Seen", *, now: float, wide: bool) -> Any:
    """The workers, by machine; what is not needed to tell how they are only where there is room."""
    from rich.table import Table
    from rich.text import Text

    from orbits_iac.roster import Presence

    if not seen.members:
        return Text("no worker runs: orbits worker starts one")
    styles = {Presence.ALIVE: "green", Presence.DRAINING: "yellow", Presence.UNSEEN: "yellow", Presence.DEAD: "red"}
    made = Table(box=None, pad_edge=False, header_style="dim")
    rows = [_cells(one, styles[one.presence], now=now) for one in seen.members]
    shown = [name for name in rows[0] if wide or name not in _BESIDE]
    for name in (name for name in shown if name != "labels" or any(row[name] for row in rows)):
        made.add_column(name, no_wrap=name != "state", min_width=_READABLE if name == "state" else None)
    for row in rows:
        made.add_row(*(row[str(column.header)] for column in made.columns))
    return made


def _cells(member: "Member", style: str, *, now: float) -> "dict[str, str | Text]":
    """A worker's line, by the names of the columns."""
    from rich.text import Text

    from orbits_iac.model.spans import ago

    row = member.worker
    return {
        "worker": row.id,
        "host": row.host,
        "pid": str(row.pid),
        "build": Text(row.build[:8], style="dim"),
        "labels": ", ".join(row.labels),
        "holds": f"{member.holds} of {row.concurrency}" if row.concurrency else str(member.holds),
        "state": Text(_said(member), style=style),
        "since": ago(now - row.started_at) if row.started_at else "",
        "orbits": row.orbits,
    }


def _said(member: "Member") -> str:
    from orbits_iac.cli.render import duration
    from orbits_iac.roster import Presence

    if member.presence is Presence.DEAD:
        what = f"; the next worker that looks takes over its {member.holds}" if member.holds else ""
        return f"dead{what}"
    if member.presence is Presence.UNSEEN:
        lease = member.worker.lease
        return f"silent for {duration(member.silent)}; taken over after {lease:g} s" if lease else member.presence
    renewed = f", renewed {duration(member.renewed)} ago" if member.renewed is not None else ""
    return f"{member.presence}{renewed}"


def _lines(seen: "Seen", *, now: float) -> list[str]:
    """Who was taken over; whom nobody reaches; what nobody can go on with, each reason once, with its executions."""
    from orbits_iac.model.spans import ago

    by_reason: dict[str, list[str]] = {}
    for one in seen.waiting:
        by_reason.setdefault(one.why, []).append(f"{one.execution} ({one.kind})")
    lines = [""] if seen.takeovers else []
    lines += [f"{one.worker} was taken over {ago(now - one.at)} by {one.by}: {one.why}" for one in seen.takeovers]
    if seen.untold is not None:
        what = f"{seen.untold.problems:,} problem{'s are' if seen.untold.problems != 1 else ' is'} not told of"
        how = "no worker does. Start one with [notify] in its orbits.toml"
        lines += ["", f"{what}, the first {ago(now - seen.untold.since)}: {how}"]
    for target in seen.unreached:
        tried = f"{target.attempts} attempt{'s' if target.attempts != 1 else ''}"
        end = f"not tried again: orbits replay {target.execution}" if target.given_up else "it is tried again"
        lines += ["", f"{target.target} was not told of problems {ago(now - target.since)}, {tried}; {end}:"]
        lines.append(f"  {target.why}")
    for why, executions in by_reason.items():
        more = f" and {len(executions) - SHOWN:,} more" if len(executions) > SHOWN else ""
        lines += ["", f"nobody goes on with {', '.join(executions[:SHOWN])}{more}:", f"  {why}"]
    return lines


def as_document(seen: "Seen") -> dict[str, Any]:
    """What was seen, as JSON's own types."""
    from orbits_iac.queries import document

    return {
        "workers": [
            {
                **document(one.worker),
                "holds": one.holds,
                "state": one.presence.value,
                "renewed_seconds_ago": one.renewed,
                "silent_seconds": one.silent,
            }
            for one in seen.members
        ],
        "taken_over": [vars(one) for one in seen.takeovers],
        "untold": None if seen.untold is None else vars(seen.untold),
        "unreached": [vars(one) for one in seen.unreached],
        "nobody_goes_on_with": [{"execution": one.execution, "kind": one.kind, "why": one.why} for one in seen.waiting],
    }
