"""`orbits rollback`: bring a record back to an earlier revision."""

from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AcceptLoss, AsJson, Debug, Rest, Store, Subject, Yes

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings

To = Annotated[int | None, typer.Option("--to", metavar="N", help="To this revision; else to the one before.")]


def command(
    subject: Subject,
    rest: Rest = None,
    to: To = None,
    yes: Yes = False,
    accept_loss: AcceptLoss = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring a stack back to the revision before its current one, or to another.

    What that would do is shown first, and you are asked.
    """
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    finish(_rollback(subject, rest or [], to, accept_loss or [], settings, yes=yes, as_json=as_json))


async def _rollback(
    subject: str, rest: list[str], to: int | None, losses: list[str], settings: "Settings", *, yes: bool, as_json: bool
) -> int:
    from orbits_iac.cli import planned, session
    from orbits_iac.cli.running import run_to_end, subject_of
    from orbits_iac.engine.preview_records import rollback_change
    from orbits_iac.handles import Record
    from orbits_iac.model.plans import Plan
    from orbits_iac.terminal import console, make_sure

    found = await subject_of(subject, rest, settings)
    async with session.opened(settings, modules=found.modules, work=False) as orbits:
        plan = Plan(root=await rollback_change(orbits.engine, found.kind, found.identity, to))
    if plan and not yes:
        planned.print_plan(plan, console(stderr=True))
        make_sure(f"Bring {found.kind} {found.identity} back?")

    async def start(orbits: "Orbits") -> "ExecutionId":
        record: Record[None] = Record(orbits, found.kind, found.identity)
        return (await record.start("rollback", {} if to is None else {"to": to}, accept_loss=losses)).id

    return await run_to_end(settings, found.modules, start, as_json=as_json)
