"""`orbits drift`: look at what is live, and report what is otherwise than recorded."""

from orbits_iac.cli.options import AsJson, Debug, Rest, Store, Subject


def command(
    subject: Subject, rest: Rest = None, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Compare a stack with what is live, and change nothing; exits with 3 if it has drifted."""
    from orbits_iac.cli import session
    from orbits_iac.cli.looking import look
    from orbits_iac.cli.running import finish

    finish(look(subject, rest or [], session.settings_with(store), on_drift="report", as_json=as_json))
