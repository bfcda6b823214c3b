"""`orbits replay`: let an execution that has ended go on again."""

from typing import TYPE_CHECKING

from orbits_iac.cli.options import AsJson, Debug, Id, Path, Store

if TYPE_CHECKING:
    from orbits_iac.model.ids import ExecutionId
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings


def command(execution: Id, path: Path = "", store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Let an execution that has ended go on again, whole or from the step at --path, and show it until it has ended."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_replay(execution, path, session.settings_with(store), as_json=as_json))


async def _replay(id: str, path: str, settings: "Settings", *, as_json: bool) -> int:  # noqa: A002 - as in every table
    from orbits_iac.cli.running import go_on_with

    async def start(orbits: "Orbits") -> "ExecutionId":
        execution = orbits.execution(id)
        await execution.replay(path)
        return execution.id

    return await go_on_with(id, settings, start, as_json=as_json)
