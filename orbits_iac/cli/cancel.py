"""`orbits cancel`: ask an execution to cancel."""

from orbits_iac.cli.options import AsJson, Debug, Id, Store


def command(execution: Id, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Ask an execution to cancel: it settles, goes back, and ends as CANCELLED."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell

    said = "Asked NAME to cancel; orbits watch ID shows how it ends."
    finish(tell(execution, session.settings_with(store), lambda it: it.cancel(), said, as_json=as_json))
