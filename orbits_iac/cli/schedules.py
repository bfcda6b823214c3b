"""`orbits schedules`: when cycles come by themselves; to pause, resume and trigger them."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.lean import Lean, LeanGroup
from orbits_iac.cli.options import AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.model.rows import RecordRow, ScheduleRow
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings

Kind = Annotated[str, typer.Argument(metavar="KIND", help="The kind of a record.")]
Identity = Annotated[str, typer.Argument(metavar="IDENTITY", help="Its identity.")]
OfKind = Annotated[str | None, typer.Argument(metavar="[KIND]", help="Only those of records of this kind.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, kept with it.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many to list, those that are due next.")]

app = typer.Typer(
    cls=LeanGroup,
    help="List the schedules of records; pause, resume and trigger them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def schedules() -> None:
    """List the schedules of records; pause, resume and trigger them."""


@app.command("list", cls=Lean)
def list_(
    kind: OfKind = None, limit: Limit = 100, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Show when the next cycle of each record is due, and which schedules are paused, by whom and why."""
    from orbits_iac.cli.running import finish

    finish(_list(kind, limit, store, as_json=as_json))


@app.command("pause", cls=Lean)
def pause(
    kind: Kind, identity: Identity, why: Why = "", store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Let no cycle of a record come by itself, until it is resumed; updates leave it so."""
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.session import settings_with

    async def paused(orbits: "Orbits", record: "RecordRow") -> dict[str, Any]:
        from orbits_iac.dispatch import schedule_operations

        return _document(await schedule_operations.pause(orbits.engine, record, who=orbits.who, why=why))

    said = "Paused: no cycle of NAME comes by itself until orbits schedules resume NAME."
    finish(_tell(kind, identity, settings_with(store), paused, said, as_json=as_json))


@app.command("resume", cls=Lean)
def resume(
    kind: Kind, identity: Identity, why: Why = "", store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Let the cycles of a record come again, from the next slot on; those that were left out stay so."""
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.session import settings_with

    async def resumed(orbits: "Orbits", record: "RecordRow") -> dict[str, Any]:
        from orbits_iac.dispatch import schedule_operations

        return _document(await schedule_operations.resume(orbits.engine, record, who=orbits.who, why=why))

    finish(_tell(kind, identity, settings_with(store), resumed, "Resumed: NAME is due DUE.", as_json=as_json))


@app.command("trigger", cls=Lean)
def trigger(
    kind: Kind, identity: Identity, why: Why = "", store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Ask for a record's cycle now, as its schedule does; the next one comes when it would have come anyway."""
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.session import settings_with

    async def triggered(orbits: "Orbits", record: "RecordRow") -> dict[str, Any]:
        from orbits_iac.dispatch import schedule_operations

        execution = await schedule_operations.trigger(orbits.engine, record, who=orbits.who, why=why)
        return {"kind": record.kind, "identity": record.identity, "execution": execution}

    said = "Triggered: a cycle of NAME is execution ID; orbits watch ID shows how it ends."
    finish(_tell(kind, identity, settings_with(store), triggered, said, with_code=True, as_json=as_json))


async def _list(kind: str | None, limit: int, given: str | None, *, as_json: bool) -> int:
    from orbits_iac import queries
    from orbits_iac.cli import exits, report, session
    from orbits_iac.terminal import console

    async with session.reading(given) as store:
        rows = await queries.schedules(store, kind)
    if as_json:
        report.print_json([_document(row) for row in rows[:limit]])
    else:
        console().print(table(rows[:limit], now=time.time()))
        if len(rows) > limit:
            typer.echo(f"{len(rows) - limit:,} more: --limit")
    return exits.DONE


async def _tell(
    kind: str,
    identity: str,
    settings: "Settings",
    what: "Callable[[Orbits, RecordRow], Awaitable[dict[str, Any]]]",
    said: str,
    *,
    with_code: bool = False,
    as_json: bool,
) -> int:
    """Change the schedule of a record, and say so; `said` has the record's name as NAME."""
    from orbits_iac import queries
    from orbits_iac.cli import exits, report, session
    from orbits_iac.cli.running import subject_of
    from orbits_iac.reading import check_exists

    check_exists(settings.store)
    subject = await subject_of(kind, [identity], settings) if with_code else None
    async with session.opened(settings, work=False, modules=subject.modules if subject else ()) as orbits:
        record = await queries.record(orbits.store, kind, identity)
        if with_code:
            await orbits.register_build()
        told = await what(orbits, record)
    if as_json:
        report.print_json(told)
        return exits.DONE
    text = said.replace("NAME", f"{record.kind} {record.identity}").replace("ID", str(told.get("execution")))
    typer.echo(text.replace("DUE", _when(float(told.get("due", 0.0)), time.time())))
    return exits.DONE


def table(rows: "list[ScheduleRow]", *, now: float) -> Any:
    """Schedules, those that are due next first, the paused ones last."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return Text("no record has a schedule")
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("kind", "identity", "every", "next"):
        made.add_column(name, no_wrap=True)
    made.add_column("on drift", overflow="fold")
    made.add_column("", overflow="fold")
    for row in rows:
        state = Text("")
        if row.paused:
            state = Text(_paused(row, now), style="magenta")
        elif row.due <= now:
            state = Text("due: a worker with its code asks for it", style="yellow")
        next_ = "" if row.paused else _when(row.due, now)
        made.add_row(row.kind, row.identity, _every(row), next_, row.policy or row.on_drift, state)
    return made


def said(row: "ScheduleRow", *, now: float) -> str:
    """A schedule in one line."""
    return f"every {_every(row)}, {_paused(row, now) if row.paused else f'next {_when(row.due, now)}'}"


def _paused(row: "ScheduleRow", now: float) -> str:
    from orbits_iac.model.spans import ago

    since = f" {ago(now - row.at)}" if row.at else ""
    return f"paused{since} by {row.by}{f': {row.why}' if row.why else ''}"


def _when(at: float, now: float) -> str:
    from datetime import datetime

    from orbits_iac.cli.render import duration
    from orbits_iac.model.spans import ago

    moment = f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{moment} (in {duration(at - now)})" if at > now else f"{moment} ({ago(now - at)})"


def _every(row: "ScheduleRow") -> str:
    from orbits_iac.cli.render import duration

    timing = row.timing
    if timing is None:
        return ""
    every = timing.every if isinstance(timing.every, str) else duration(timing.every)
    zone = f" {timing.timezone}" if isinstance(timing.every, str) else ""
    return f"{every}{zone}{f' ~{timing.jitter:.0%}' if timing.jitter else ''}"


def _document(row: "ScheduleRow") -> dict[str, Any]:
    from orbits_iac.queries import document

    return document(row)
