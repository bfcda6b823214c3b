"""What the commands that run something do when an execution waits for approval: show what it is to do now, and ask."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbits_iac.model.plans import Plan
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.orbits import Orbits


async def waiting_for(orbits: "Orbits", row: "ExecutionRow") -> "Plan | None":
    """What an execution, or what is below it, waits to be allowed to do; None if it does not wait for that."""
    from orbits_iac.model.rows import ExecutionRow
    from orbits_iac.model.states import ENDED
    from orbits_iac.queries import unapproved

    if row.state in ENDED:
        return None
    rows = await orbits.store.find(ExecutionRow, root=row.root)
    return await orbits.execution(row.id).preview() if await unapproved(orbits.store, rows) else None


async def approved(orbits: "Orbits", row: "ExecutionRow", plan: "Plan", *, ask: bool, as_json: bool) -> bool:
    """Show what it is to do now, and let it, if somebody says so; whether it goes on."""
    from orbits_iac.cli import exits, planned, report
    from orbits_iac.engine.approving import refuse_losses
    from orbits_iac.model.approvals import read_approval
    from orbits_iac.terminal import console

    if as_json:
        report.print_json({**report.as_document(row, exits.FOUND), "waits_for": planned.as_document(plan)})
        return False
    out = console()
    out.print("\nIt has come to what the plan could not show:")
    planned.print_plan(plan, out)
    refuse_losses(plan, read_approval(row.approval).losses)
    answer = await asyncio.to_thread(planned.approve, plan, out) if ask else planned.Answer.NO
    if answer is planned.Answer.NO:
        out.print(f"It waits for approval. To approve what it shows: orbits resume {row.id}, on a terminal")
        out.print(f"To approve all that follows too, unseen: orbits resume {row.id} --approve-deferred")
        return False
    await orbits.execution(row.id).approve(plan if answer is planned.Answer.YES else None)
    return True
