"""`orbits drift`: look at what is live, and report what is otherwise than recorded."""

from typing import Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, OfTenants, Rest, Selector, Store, Subject

Last = Annotated[bool, typer.Option("--last", help="Show what the last looks have found, and look at nothing.")]


def command(
    subject: Subject,
    rest: Rest = None,
    tenant: OfTenants = None,
    selector: Selector = None,
    last: Last = False,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare a stack with what is live, and change nothing; exits with 3 if it has drifted."""
    from orbits_iac.cli import session
    from orbits_iac.cli.fleets import Narrow
    from orbits_iac.cli.looking import look, show_last
    from orbits_iac.cli.running import finish

    narrow = Narrow(tenants=tuple(tenant or ()), selector=selector)
    if last:
        finish(show_last(subject, rest or [], store, narrow=narrow, as_json=as_json))
    settings = session.settings_with(store)
    finish(look(subject, rest or [], settings, on_drift="report", narrow=narrow, as_json=as_json))
