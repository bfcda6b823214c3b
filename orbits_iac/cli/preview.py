"""`orbits preview`: what `up` would do, found out by reading alone."""

from typing import TYPE_CHECKING, Any

from orbits_iac.cli.options import All, Arguments, AsJson, Debug, Stack, Store

if TYPE_CHECKING:
    from orbits_iac.cli.stacks import Named
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step


def command(
    stack: Stack,
    arguments: Arguments = None,
    everything: All = False,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what `up` would do, and do nothing; exits with 3 if there is something to do."""
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish

    settings = session.settings_with(store)
    named = stacks.find_stack(stack, settings)
    step = stacks.build(named, arguments or ())
    stacks.check(step, named)
    finish(_preview(step, named, settings, everything=everything, as_json=as_json))


async def _preview(step: "Step[Any]", named: "Named", settings: "Settings", *, everything: bool, as_json: bool) -> int:
    from dataclasses import asdict

    from orbits_iac.cli import exits, follow, planned, report, session

    if not session.exists(settings.store):  # against nothing; and a preview leaves nothing behind
        settings = settings.model_copy(update={"store": "memory:"})
    async with session.opened(settings, modules=(named.source,), work=False) as orbits:
        plan = await orbits.preview(step)
    code = exits.FOUND if plan else exits.DONE
    if as_json:
        report.print_json({"changes": asdict(plan.root), "pending": bool(plan), "exit_code": code})
    else:
        planned.print_plan(plan, follow.console(), everything=everything)
    return code
