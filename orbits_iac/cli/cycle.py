"""`orbits cycle`: look at what is live, and bring back what has drifted if that is asked for."""

from typing import Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, Rest, Store, Subject

Remediate = Annotated[bool, typer.Option("--remediate", help="Bring back what has drifted.")]


def command(
    subject: Subject,
    rest: Rest = None,
    remediate: Remediate = False,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare a stack with what is live, as its schedule does; exits with 3 if drift is left."""
    from orbits_iac.cli import session
    from orbits_iac.cli.looking import look
    from orbits_iac.cli.running import finish

    policy = "remediate" if remediate else "report"
    finish(look(subject, rest or [], session.settings_with(store), on_drift=policy, as_json=as_json))
