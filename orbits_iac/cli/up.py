"""`orbits up`: bring a stack to what it says, or do what a kept plan shows."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.options import AcceptLoss, Arguments, AsJson, Debug, Store
from orbits_iac.model.conflict import OnConflict

if TYPE_CHECKING:
    from orbits_iac.cli.stacks import Named
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Approving, Orbits
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step

OptionalStack = Annotated[
    str | None,
    typer.Argument(metavar="STACK", help="module:Class, file.py:Class, or a name from [stacks] in orbits.toml."),
]
PlanFile = Annotated[
    str | None,
    typer.Option("--plan", metavar="FILE", help="Do what this plan shows, of the stack that it is for, or nothing."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. It approves no removal and no loss.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove what the stack no longer does.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Of a fleet: go through every tenant, whether anything of it has changed or not."),
]
Deferred = Annotated[
    bool, typer.Option("--approve-deferred", help="With --plan: do, unseen, what it could not show, too.")
]


Conflict = Annotated[
    OnConflict | None,
    typer.Option(
        "--on-conflict",
        help="Where another execution is at it: wait for it; fail; or supersede it: a fleet's roll-out begins no "
        "further tenant then. Without it, as the stack's options say.",
    ),
]


def command(  # noqa: PLR0913, PLR0917 - a command's options
    stack: OptionalStack = None,
    arguments: Arguments = None,
    plan: PlanFile = None,
    yes: Yes = False,
    prune: Prune = False,
    force: Force = False,
    accept_loss: AcceptLoss = None,
    approve_deferred: Deferred = False,
    on_conflict: Conflict = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Install or update a stack, or run an Action or Workflow, and show it until it has ended.

    On a terminal the plan is shown first, and you are asked.
    """
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish
    from orbits_iac.model.errors import UsageError

    settings = session.settings_with(store)
    losses = accept_loss or []
    approved: Approving
    ask = sys.stdin.isatty() and not (yes or as_json)
    if plan is not None:
        if stack is not None:
            raise UsageError(f"the stack and its fields come from the plan: leave out {stack}, or --plan")
        approved = {
            "approve_deferred": approve_deferred,
            "prune": prune,
            "force": force,
            "accept_loss": losses,
        }
        finish(_by_plan(plan, approved, settings, on_conflict, ask=ask, as_json=as_json))
    if stack is None:
        raise UsageError("name a stack, or give a plan with --plan FILE")
    if approve_deferred:
        raise UsageError("--approve-deferred is about a plan: give it with --plan FILE")
    step, named = stacks.step_of(stack, arguments or (), settings)
    approved = {"prune": prune, "force": force, "accept_loss": losses}
    finish(bring_up(step, named, approved, settings, on_conflict, ask=ask, as_json=as_json))


async def _by_plan(
    file: str,
    approved: "Approving",
    settings: "Settings",
    on_conflict: OnConflict | None,
    *,
    ask: bool,
    as_json: bool,
) -> int:
    """Do what a kept plan shows."""
    from orbits_iac.cli import planned, stacks
    from orbits_iac.cli.running import run_to_end
    from orbits_iac.engine.approving import step_of

    plan = planned.read_plan(file)
    named = stacks.find_stack(plan.stack, settings)
    approved["plan"] = plan

    async def start(orbits: "Orbits") -> "ExecutionId":
        step = step_of(plan, named.cls, orbits.engine.codec)
        return (await orbits.start(step, on_conflict=on_conflict, **approved)).id

    return await run_to_end(settings, (named.source,), start, stack=named.text, as_json=as_json, ask=ask)


async def bring_up(
    step: "Step[Any]",
    named: "Named",
    approved: "Approving",
    settings: "Settings",
    on_conflict: OnConflict | None = None,
    *,
    ask: bool,
    as_json: bool,
) -> int:
    """Do what a stack says; asked about the plan first, if there is somebody to ask."""
    from orbits_iac.cli import exits, planned, session
    from orbits_iac.cli.running import run_to_end
    from orbits_iac.engine.approving import refuse_losses
    from orbits_iac.terminal import console

    if ask:
        async with session.opened(settings, modules=(named.source,), work=False) as orbits:
            plan = await orbits.preview(step, take_over=approved.get("take_over", ""))
        planned.print_plan(plan, console())
        refuse_losses(plan, tuple(approved.get("accept_loss", ())))
        answer = planned.approve(plan, console()) if plan else planned.Answer.YES
        if answer is planned.Answer.NO:
            console().print("Nothing was done.")
            return exits.FAILED
        approved["plan"], approved["approve_deferred"] = plan, answer is planned.Answer.ALL

    async def start(orbits: "Orbits") -> "ExecutionId":
        return (await orbits.start(step, on_conflict=on_conflict, **approved)).id

    return await run_to_end(settings, (named.source,), start, stack=named.text, as_json=as_json, ask=ask)
