"""The versions of a MongoDB store's documents, and how a store in use is brought forward from one to the next.

What always holds: nobody has to stop for an upgrade. A migration works in batches beside those who read and write. Its
`oldest` says whose writes it can bear: older ones are refused from before its first batch on. It may be done by several
openers at once, and is begun again after a crash, so a batch looks for what is left to do. Readers of its version know
both forms; the version is raised once nothing is left in the earlier one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from orbits_iac.model.errors import StoreError
from orbits_iac.store.mongodb_client import Document

FIRST = 1
"""The version before all migrations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """How documents come to be of this version."""

    version: int
    oldest: int  # the oldest version that may write beside this one
    why: str
    batch: Callable[[AsyncDatabase[Document]], Awaitable[bool]]  # some of it; whether there may be more to do


MIGRATIONS: tuple[Migration, ...] = ()


def version_of(migrations: Sequence[Migration]) -> int:
    """The version that these lead to."""
    return migrations[-1].version if migrations else FIRST


VERSION = version_of(MIGRATIONS)
"""That of this code's documents."""


def check_version(shown: str, gate: Document, version: int = VERSION) -> None:
    """Raise a `StoreError` if the store does not let this version write any more."""
    if gate["oldest"] > version:
        raise StoreError(
            f"the store {shown} was brought forward by a later version of Orbits IaC (schema {gate['version']}, which "
            f"bears writers from schema {gate['oldest']} on; this one is {version}): upgrade orbits-iac, and start "
            "this process again"
        )


async def upgrade(
    gates: AsyncCollection[Document],
    database: AsyncDatabase[Document],
    gate: Document,
    migrations: Sequence[Migration],
    settled: Callable[[], Awaitable[None]],
) -> None:
    """Do what is left of the migrations from the gate's version on.

    `settled` waits for the groups that had passed the gate when a version was kept out: what they write is older, too.
    """
    for migration in migrations:
        if migration.version <= gate["version"]:
            continue
        before = {"_id": gate["_id"], "version": migration.version - 1}
        await gates.update_one(before, {"$max": {"oldest": migration.oldest}})
        if migration.oldest > FIRST:
            await settled()
        while await migration.batch(database):
            pass
        await gates.update_one(before, {"$set": {"version": migration.version}})
