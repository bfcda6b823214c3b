"""`orbits pause`: let an execution begin no more steps."""

from orbits_iac.cli.options import AsJson, Debug, Id, Store


def command(execution: Id, store: Store = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Let an execution begin no more steps; what is under way comes to its outcome first."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell

    said = "Asked NAME to pause; orbits resume ID lets it go on."
    finish(tell(execution, session.settings_with(store), lambda it: it.pause(), said, as_json=as_json))
