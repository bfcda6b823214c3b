"""`orbits set-handle`: give a step that is watched another handle."""

from typing import Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Id, Store

Path = Annotated[str, typer.Argument(metavar="PATH", help="The step: deploy.migrate, or a name that is unique.")]
Handle = Annotated[str, typer.Argument(metavar="JSON", help="The handle, as JSON.")]


def command(
    execution: Id, path: Path, handle: Handle, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Give a step another handle: an attempt under way is stopped, and its watch() is called with it next."""
    import json

    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell
    from orbits_iac.model.errors import UsageError

    try:
        value = json.loads(handle)
    except ValueError as error:
        raise UsageError(f"the handle is not JSON: {error}; text stands in quotes of its own: '\"text\"'") from error
    said = f"Gave {path} of NAME another handle; orbits watch ID shows what comes of it."
    what = session.settings_with(store)
    finish(tell(execution, what, lambda it: it.set_handle(path, value), said, with_code=True, as_json=as_json))
