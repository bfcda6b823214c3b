"""Where everything is kept: the contract, and a file for each technology.

Stores keep rows (`orbits_iac.model.rows`) and know nothing of steps, hooks or users' values. What atomicity the engine
needs is a method of the contract; what a row means is decided above it.
"""

from typing import TYPE_CHECKING

from orbits_iac.model.errors import UsageError

if TYPE_CHECKING:
    from orbits_iac.store.contract import Store

DEFAULT_STORE = "sqlite:.orbits/state.db"


def shown(url: str) -> str:
    """The name of a store without what may be secret in its URL, whether or not there is such a store."""
    scheme, _, rest = url.partition("://")
    if scheme in {"mongodb", "mongodb+srv"} and rest:
        from orbits_iac.store.mongodb_url import parse

        try:
            return parse(url).shown
        except UsageError:
            return f"{scheme}://..."
    return f"{scheme}://..." if "@" in rest else url


def open_store(url: str) -> "Store":
    """The store that `url` names: `sqlite:PATH`, `mongodb://...` or `memory:`. `async with` opens it."""
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        from orbits_iac.store.sqlite import SqliteStore

        return SqliteStore(rest)
    if url == "memory:":
        from orbits_iac.store.memory import MemoryStore

        return MemoryStore()
    if scheme in {"mongodb", "mongodb+srv"}:
        from orbits_iac.store.mongodb import MongoStore

        return MongoStore(url)
    raise UsageError(
        f"{shown(url)!r} names no store: give sqlite:PATH, mongodb://HOST/DATABASE, or memory: for one that is gone "
        "with the process"
    )
