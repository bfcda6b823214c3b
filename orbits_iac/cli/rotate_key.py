"""`orbits state rotate-key`: change the secret key."""

import os
from typing import TYPE_CHECKING

import typer

from orbits_iac.cli.options import Debug, Store

if TYPE_CHECKING:
    from orbits_iac.settings import Settings


def command(store: Store = None, debug: Debug = False) -> None:
    """Change the secret key. The new one is ORBITS_NEW_SECRET_KEY; if that is not set, one is made in the file."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish

    finish(_rotate_key(session.settings_with(store)))


async def _rotate_key(settings: "Settings") -> int:
    from pydantic import SecretStr

    from orbits_iac.cli import exits, session
    from orbits_iac.codec.rotation import NEW_VARIABLE, rotate

    new = os.environ.get(NEW_VARIABLE)
    async with session.reading(settings.store) as store:
        file = await rotate(store, settings.secret_key, None if new is None else SecretStr(new))
    if file is not None:
        typer.echo(f"{file} holds a new key; the old one opens nothing any more. Keep a copy of it elsewhere.")
    else:
        typer.echo(
            f"Only the key of {NEW_VARIABLE} opens the store from now on: set ORBITS_SECRET_KEY to it, here and for "
            f"every worker. Those that run go on until they are started again."
        )
    return exits.DONE
