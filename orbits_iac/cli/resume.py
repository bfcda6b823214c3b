"""`orbits resume`: go on with an execution, here."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AcceptLoss, AsJson, Debug, Id, Store

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings


Here = Annotated[bool, typer.Option("--here", help="Go on with the code that is here, though it be older.")]
Deferred = Annotated[
    bool, typer.Option("--approve-deferred", help="Of one that waits for approval: do, unseen, all that follows.")
]


def command(
    execution: Id,
    here: Here = False,
    approve_deferred: Deferred = False,
    accept_loss: AcceptLoss = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Go on with an execution that was interrupted or paused, and show it until it has ended."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.model.errors import UsageError

    settings = session.settings_with(store)
    if accept_loss and not approve_deferred:
        raise UsageError("--accept-loss is about what is approved: give it with --approve-deferred")
    finish(_resume(execution, settings, accept_loss or [], here=here, approve=approve_deferred, as_json=as_json))


async def _resume(
    id: str,  # noqa: A002 - the name in every table
    settings: "Settings",
    losses: list[str],
    *,
    here: bool,
    approve: bool,
    as_json: bool,
) -> int:
    from orbits_iac.cli.running import go_on_with
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.states import ENDED

    async def start(orbits: "Orbits") -> "ExecutionId":
        execution = orbits.execution(id)
        state = (await execution.row()).state
        if state in ENDED:
            raise UsageError(
                f"execution {id} has ended ({state.value}): there is nothing to resume. See: orbits get {id}"
            )
        if approve:
            await execution.approve(accept_loss=losses)
        else:
            await execution.resume(here=here)
        return execution.id

    ask = sys.stdin.isatty() and not as_json
    return await go_on_with(id, settings, start, as_json=as_json, ask=ask)
