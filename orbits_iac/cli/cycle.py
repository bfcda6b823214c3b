"""`orbits cycle`: look at what is live, and bring back what has drifted if that is asked for."""

from typing import Annotated

import typer

from orbits_iac.cli.options import AsJson, Debug, OfTenants, Rest, Selector, Store, Subject

Remediate = Annotated[bool, typer.Option("--remediate", help="Bring back what has drifted.")]
Most = Annotated[
    int | None,
    typer.Option("--most", min=1, metavar="N", help="Of a fleet: how many tenants may be brought back at a time."),
]


def command(  # noqa: PLR0913, PLR0917 - a command's options
    subject: Subject,
    rest: Rest = None,
    remediate: Remediate = False,
    tenant: OfTenants = None,
    selector: Selector = None,
    most: Most = None,
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare a stack with what is live, as its schedule does; exits with 3 if drift is left."""
    from orbits_iac.cli import session
    from orbits_iac.cli.fleets import Narrow
    from orbits_iac.cli.looking import look
    from orbits_iac.cli.running import finish

    narrow = Narrow(tenants=tuple(tenant or ()), selector=selector, most=most)
    policy, settings = "remediate" if remediate else "report", session.settings_with(store)
    finish(look(subject, rest or [], settings, on_drift=policy, narrow=narrow, as_json=as_json))
