"""The mark of an import that has not finished: whoever opens the store to work on it, or to read it, is refused.

Light, since every command calls it; `importing` puts the mark there and takes it away.
"""

from shlex import quote

from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import ImportRow
from orbits_iac.store.contract import Store


async def refuse_unfinished(store: Store) -> None:
    """Raise `Refused` if an import into this store was broken off, or is under way."""
    mark = await store.get(ImportRow, "import")
    if mark is not None:
        raise Refused(unfinished(store, mark))


def unfinished(store: Store, mark: ImportRow) -> str:
    """What to say of it, and what to do."""
    return (
        f"an import of {mark.file} into {store.url} has not finished, and half a store is nothing to work with: give "
        f"`orbits state import {quote(mark.file)} --store {quote(store.url)}` again, which goes on where it was"
    )
