"""`orbits rollback`: bring a record back to an earlier revision."""

from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AcceptLoss, AsJson, Debug, Rest, Store, Subject

if TYPE_CHECKING:
    from orbits_iac.cli.running import Subject as Found
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings

To = Annotated[int | None, typer.Option("--to", metavar="N", help="To this revision; else to the one before.")]


def command(
    subject: Subject,
    rest: Rest = None,
    to: To = None,
    accept_loss: AcceptLoss = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring a stack back to the revision before its current one, or to another."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    finish(_rollback(subject, rest or [], to, accept_loss or [], settings, as_json=as_json))


async def _rollback(
    subject: str, rest: list[str], to: int | None, losses: list[str], settings: "Settings", *, as_json: bool
) -> int:
    from orbits_iac.cli.running import run_to_end, subject_of
    from orbits_iac.handles import Record

    found = await subject_of(subject, rest, settings)
    await _check(found, to, settings)

    async def start(orbits: "Orbits") -> "ExecutionId":
        record: Record[None] = Record(orbits, found.kind, found.identity)
        return (await record.start("rollback", {} if to is None else {"to": to}, accept_loss=losses)).id

    return await run_to_end(settings, found.modules, start, as_json=as_json)


async def _check(found: "Found", to: int | None, settings: "Settings") -> None:
    """Refuse what cannot be before anything is written: a revision that is not there, or cannot be brought back."""
    from orbits_iac import queries
    from orbits_iac.cli import session
    from orbits_iac.model.errors import UsageError

    async with session.reading(settings.store) as store:
        record = await queries.record(store, found.kind, found.identity)
        rows = {row.number: row for row in await queries.revisions(store, found.kind, found.identity)}
    name = f"{found.kind} {found.identity}"
    if record.revision is None:
        raise UsageError(f"nothing of {name} stands: there is nothing to go back from")
    good = [number for number, row in rows.items() if not row.abandoned and number < record.revision]
    if to is None and not good:
        raise UsageError(f"{name} is at revision {record.revision}, and there is none before it to go back to")
    if to is not None and to not in rows:
        raise UsageError(f"{name} has no revision {to}; it has: {', '.join(str(number) for number in sorted(rows))}")
    reason = rows[to if to is not None else max(good)].not_restorable
    if reason:
        raise UsageError(f"revision {to} of {name} cannot be brought back: {reason}")
