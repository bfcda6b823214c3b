"""`orbits state take-over`: make what another project has made this project's."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AcceptLoss, Arguments, AsJson, Debug, Stack, Store

if TYPE_CHECKING:
    from orbits_iac.orbits import Approving

From = Annotated[str, typer.Option("--from", metavar="PROJECT", help="The project that it is marked as belonging to.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def command(
    stack: Stack,
    project: From,
    arguments: Arguments = None,
    yes: Yes = False,
    accept_loss: AcceptLoss = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring a stack to what it says, and mark as this project's what is marked as another's.

    That project lets go of it first, or both will write to the same things. On a terminal the plan is shown first.
    """
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.up import bring_up

    settings = session.settings_with(store)
    step, named = stacks.step_of(stack, arguments or (), settings)
    ask = sys.stdin.isatty() and not (yes or as_json)
    approved: Approving = {"take_over": project, "accept_loss": accept_loss or []}
    finish(bring_up(step, named, approved, settings, ask=ask, as_json=as_json))
