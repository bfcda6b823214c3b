"""`orbits cancel`: ask an execution to cancel."""

from typing import TYPE_CHECKING, Any

from orbits_iac.cli.options import AsJson, Debug, Id, Store

if TYPE_CHECKING:
    from orbits_iac.handles import Execution


def command(execution: Id, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Ask an execution to cancel: it settles, goes back, and ends as CANCELLED."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell

    said = "Asked NAME to cancel; orbits watch ID shows how it ends."
    finish(tell(execution, session.settings_with(store), _cancel, said, as_json=as_json))


async def _cancel(execution: "Execution[Any]") -> None:
    from orbits_iac.model.errors import UsageError
    from orbits_iac.model.states import ENDED

    state = (await execution.row()).state
    if state in ENDED:
        raise UsageError(f"execution {execution.id} has ended ({state.value}): there is nothing to cancel")
    await execution.cancel()
