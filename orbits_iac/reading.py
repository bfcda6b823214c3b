"""A store that is opened to be read: it is never made, nobody works on it, and no secret key is asked for.

Light, since commands that only read call it; those of other packages, too.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from orbits_iac.model.errors import Refused, StoreError, UsageError
from orbits_iac.store.contract import Store
from orbits_iac.unfinished import refuse_unfinished


def exists(url: str) -> bool:
    """Whether there may be a store: a file is there, or it is not kept in one."""
    technology, _, where = url.partition(":")
    return technology != "sqlite" or not where or Path(where).exists()


def check_exists(url: str) -> None:
    """Refuse to read a store that is not there: reading never makes one."""
    from orbits_iac.store import shown

    if not exists(url):
        raise UsageError(
            f"there is no store {shown(url)}: nothing was ever run here, or another is meant "
            f"(--store, ORBITS_STORE, or store in orbits.toml)"
        )
    if url.startswith("memory:"):
        raise UsageError("a store in memory is gone with the process that had it: there is nothing to read")


@asynccontextmanager
async def reading(url: str) -> AsyncGenerator[Store]:
    """The store, opened for reading alone; `Refused` if it cannot be, or if half of it is there."""
    from orbits_iac.store import open_store

    check_exists(url)
    store = open_store(url)
    try:
        await store.open()
    except StoreError as error:
        raise Refused(str(error)) from error
    try:
        await refuse_unfinished(store)
        yield store
    finally:
        await store.close()
