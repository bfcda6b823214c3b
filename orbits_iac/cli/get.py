"""`orbits get`: an execution, a record, or what ran lately."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import All, AsJson, Debug, Store

if TYPE_CHECKING:
    from orbits_iac.store.contract import Store as Opened

What = Annotated[
    list[str] | None, typer.Argument(metavar="[ID | KIND IDENTITY]", help="An execution's id; or a record.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many executions to list.")]


def command(
    what: What = None,
    limit: Limit = 20,
    everything: All = False,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show an execution with its tree, or a record with what it stands for; without either, what ran lately."""
    from orbits_iac.cli.running import finish

    finish(_get(what or [], limit, store, everything=everything, as_json=as_json))


async def _get(what: list[str], limit: int, given: str | None, *, everything: bool, as_json: bool) -> int:
    from orbits_iac.cli import exits, session
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.rows import ExecutionRow, RecordRow

    async with session.reading(given) as store:
        match what:
            case []:
                await _recent(store, limit, as_json=as_json)
            case [one] if await store.get(ExecutionRow, one) is None and await store.get(RecordRow, one, one):
                await _record(store, one, one, as_json=as_json)  # a fleet is called like its kind
            case [execution]:
                await _execution(store, execution, everything=everything, as_json=as_json)
            case [kind, identity]:
                await _record(store, kind, identity, as_json=as_json)
            case _:
                raise UsageError("get takes an execution's id, or the kind and identity of a record")
    return exits.DONE


async def _recent(store: "Opened", limit: int, *, as_json: bool) -> None:
    from orbits_iac import queries
    from orbits_iac.cli import describe, report
    from orbits_iac.terminal import console

    rows = await queries.recent(store, limit)
    if as_json:
        report.print_json([queries.document(row) for row in rows])
    else:
        out = console()
        out.print(describe.executions(rows, now=time.time(), room=out.width))


async def _execution(store: "Opened", execution: str, *, everything: bool, as_json: bool) -> None:
    from orbits_iac import queries
    from orbits_iac.cli import describe, report
    from orbits_iac.roster import why_in_line, why_nobody_goes_on
    from orbits_iac.terminal import console

    picture, now = await queries.picture(store, execution), time.time()
    waiting = await why_nobody_goes_on(store, picture.executions.values(), now=now)
    in_line = await why_in_line(store, picture.executions.values())
    if as_json:
        nobody, lines = (
            [{"execution": one.execution, "kind": one.kind, "why": one.why} for one in some]
            for some in (waiting, in_line)
        )
        report.print_json(
            {**describe.execution_document(picture), "nobody_goes_on_with": nobody, "waits_for_a_permit": lines}
        )
    else:
        describe.print_execution(picture, console(), waiting=waiting, in_line=in_line, now=now, everything=everything)


async def _record(store: "Opened", kind: str, identity: str, *, as_json: bool) -> None:
    from orbits_iac import queries
    from orbits_iac.cli import describe, report
    from orbits_iac.model.rows import ScheduleRow
    from orbits_iac.terminal import console

    record = await queries.record(store, kind, identity)
    kind = record.kind
    schedule = await store.get(ScheduleRow, kind, identity)
    revisions = await queries.revisions(store, kind, identity)
    found = await queries.looks(store, kind, identity)
    users = await queries.users(store, record)
    left = [child for _, child in await queries.no_longer_done(store, kind, identity)]
    if as_json:
        report.print_json(
            {
                **describe.record_document(record, revisions, found, users),
                "schedule": None if schedule is None else queries.document(schedule),
                "no_longer_done": [{"kind": child.kind, "identity": child.identity} for child in left],
            }
        )
    else:
        out = console()
        describe.print_record(record, revisions, found, out, users=users, schedule=schedule, left=left, now=time.time())
