"""`orbits uninstall`: remove what a record stands for."""

from typing import TYPE_CHECKING

from orbits_iac.cli.options import AcceptLoss, AsJson, Debug, Rest, Store, Subject, Yes

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings


def command(
    subject: Subject,
    rest: Rest = None,
    yes: Yes = False,
    accept_loss: AcceptLoss = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove a stack and what belongs to it; what is retained or shared stays."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    finish(_uninstall(subject, rest or [], accept_loss or [], settings, yes=yes, as_json=as_json))


async def _uninstall(
    subject: str, rest: list[str], losses: list[str], settings: "Settings", *, yes: bool, as_json: bool
) -> int:
    from orbits_iac.cli import planned, session
    from orbits_iac.cli.running import run_to_end, subject_of
    from orbits_iac.engine.approving import refuse_losses
    from orbits_iac.engine.preview_records import uninstall_change
    from orbits_iac.handles import Record
    from orbits_iac.model.plans import Plan
    from orbits_iac.terminal import console, make_sure

    found = await subject_of(subject, rest, settings)
    async with session.opened(settings, modules=found.modules, work=False) as orbits:
        plan = Plan(root=await uninstall_change(orbits.engine, found.kind, found.identity))
    if not yes:
        planned.print_plan(plan, console(stderr=True))
        name = f"{found.kind} {found.identity}"
        make_sure(f"This removes {name} and what belongs to it.", typed=found.identity)
    refuse_losses(plan, losses)

    async def start(orbits: "Orbits") -> "ExecutionId":
        record: Record[None] = Record(orbits, found.kind, found.identity)
        return (await record.start("uninstall", {}, accept_loss=losses)).id

    return await run_to_end(settings, found.modules, start, as_json=as_json)
