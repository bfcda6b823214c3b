"""`orbits up`: bring a stack to what it says."""

from typing import TYPE_CHECKING

from orbits_iac.cli.options import Arguments, AsJson, Debug, Stack, Store

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits


def command(
    stack: Stack, arguments: Arguments = None, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Install or update a stack, or run an Action or Workflow, and show it until it has ended."""
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish, run_to_end

    settings = session.settings_with(store)
    named = stacks.find_stack(stack, settings)
    step = stacks.build(named, arguments or ())
    stacks.check(step, named)

    async def start(orbits: "Orbits") -> "ExecutionId":
        return (await orbits.start(step)).id

    finish(run_to_end(settings, (named.source,), start, as_json=as_json))
