"""`orbits resume`: go on with an execution, here."""

from typing import TYPE_CHECKING, Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Id, Store

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings


Here = Annotated[bool, typer.Option("--here", help="Go on with the code that is here, though it be older.")]


def command(
    execution: Id, here: Here = False, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Go on with an execution that was interrupted or paused, and show it until it has ended."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_resume(execution, session.settings_with(store), here=here, as_json=as_json))


async def _resume(id: str, settings: "Settings", *, here: bool, as_json: bool) -> int:  # noqa: A002 - the name in every table
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
        await execution.resume(here=here)
        return execution.id

    return await go_on_with(id, settings, start, as_json=as_json)
