"""The versions of a MongoDB store's documents, and how a store in use is brought forward from one to the next.

What always holds: nobody has to stop for an upgrade. A migration works in batches beside those who read and write. Its
`oldest` says whose writes it can bear: older ones are refused from before its first batch on. It may be done by several
openers at once, and is begun again after a crash, so a batch looks for what is left to do. Readers of its version know
both forms; the version is raised once nothing is left in the earlier one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pymongo import ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import ReaderRow, RecordRow, amended
from orbits_iac.store.mongodb_client import Document
from orbits_iac.store.mongodb_rows import documents_of

FIRST = 1
"""The version before all migrations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """How documents come to be of this version."""

    version: int
    oldest: int  # the oldest version that may write beside this one
    why: str
    batch: Callable[[AsyncDatabase[Document]], Awaitable[bool]]  # some of it; whether there may be more to do


async def _readers_apart(database: AsyncDatabase[Document]) -> bool:
    """Take who reads a record out of its users, into a row of its own: if it is known to read, and is no parent of it.

    All in one go. Who reads is written before it is taken out, so that nobody is missed meanwhile.
    """
    rows, reads = documents_of(RecordRow), dict[str, set[str]]()
    async for document in database[rows.name].find({"body": {"$regex": '"uses":'}}):
        own = rows.row(document)
        children = {f"{child.kind} {child.identity}" for child in own.children}
        for name in set(own.uses) - children:
            reads.setdefault(name, set()).add(f"{own.kind} {own.identity}")
    for name, readers in reads.items():
        while not await _apart(database, RecordId.named(name), readers):
            pass  # it was written meanwhile
    return False


async def _apart(database: AsyncDatabase[Document], record: RecordId, readers: set[str]) -> bool:
    """Take these out of a record's users; False if somebody has written it meanwhile."""
    rows, made = documents_of(RecordRow), documents_of(ReaderRow)
    document = await database[rows.name].find_one({"_id": rows.id(record), "body": {"$type": "string"}})
    row = None if document is None else rows.row(document)
    if row is None or readers.isdisjoint(row.users):
        return True
    there = [ReaderRow(kind=row.kind, identity=row.identity, reader=user) for user in row.users if user in readers]
    upserts = [ReplaceOne({"_id": made.id_of(reader)}, made.document(reader), upsert=True) for reader in there]
    await database[made.name].bulk_write(upserts)
    left = tuple(user for user in row.users if user not in readers)
    after = rows.document(amended(row, version=row.version + 1, users=left, has_readers=True))
    done = await database[rows.name].replace_one({"_id": after["_id"], "version": row.version}, after)
    return bool(done.modified_count)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        version=2,
        oldest=2,
        why="who reads a record has a row: a writer that does not know them would remove what is used",
        batch=_readers_apart,
    ),
)


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
