"""Long texts of a row in MongoDB, whose documents have at most 16 MB: cut into pieces, in a collection of their own.

A row's document says in `pieces`, for `body` and `apart`, under which id and in how many pieces the text stands. Pieces
are written before the transaction of their row, which could not hold them all, under a new id each time, and are never
changed. Their document in `long` is told by that transaction that they are kept. So whoever reads a row and then its
pieces has that row whole; one that was replaced meanwhile is read again. What is left of rows that were replaced,
deleted or never written is removed by compacting. Called where rows are written and read.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from pymongo import ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import new_id
from orbits_iac.store.mongodb_rows import Document
from orbits_iac.store.mongodb_schema import LONG, PIECE

Database = AsyncDatabase[Document]

LONGEST = 4 * 1024 * 1024
"""Bytes of a text that stands in the row's document; it has two."""

SIZE = 8 * 1024 * 1024
"""Bytes of a piece."""

LARGEST = 256 * 1024 * 1024
"""Bytes of a row: it is in memory whole, some times over, where it is written and read."""

_TEXTS = ("body", "apart")
_TRIES = 5  # to read a row that others keep replacing


class LongDocument(Document):
    """A row's whole document, that stands in the database without its long texts."""

    table = ""
    stored: Document | None = None  # once its pieces are there


def judged(table: str, document: Document) -> Document:
    """The document, as a `LongDocument` if it is one; a ValueError, which fails one transaction alone, if too large."""
    sizes = [_size(document.get(name, "")) for name in _TEXTS]
    if max(sizes) <= LONGEST:
        return document
    if sum(sizes) > LARGEST:
        raise ValueError(
            f"{table} {_named(document)} has {sum(sizes) / 1e6:,.1f} MB, and a MongoDB store keeps at most "
            f"{LARGEST / 1e6:,.1f} MB of one row: keep large values elsewhere, in a bucket or a file, and hand on "
            "where they are"
        )
    long = LongDocument(document)
    long.table = table
    return long


async def send(database: Database, documents: Iterable[Document]) -> None:
    """Write the pieces of those among the documents that are long, unless they are there."""
    for document in documents:
        if isinstance(document, LongDocument) and document.stored is None:
            stored = {name: value for name, value in document.items() if name not in _TEXTS} | {"pieces": {}}
            for name in _TEXTS:
                text = document.get(name)
                if text is None or _size(text) <= LONGEST:
                    stored |= {} if text is None else {name: text}
                else:
                    stored["pieces"][name] = await _send(database, document, text.encode())
            document.stored = stored


async def keep(database: Database, documents: Sequence[LongDocument], session: AsyncClientSession) -> bool:
    """Let the pieces of these be kept, as part of the transaction; False if others have removed some meanwhile."""
    ids = [place["of"] for document in documents for place in (document.stored or {})["pieces"].values()]
    if ids:
        alive = {"_id": {"$in": ids}, "dead": None}
        kept = await database[LONG].update_many(alive, {"$set": {"kept": True}}, session=session)
        if kept.matched_count < len(ids):
            for document in documents:
                document.stored = None
            return False
    return True


async def whole(database: Database, table: str, read: Callable[[], Awaitable[list[Document]]]) -> list[Document]:
    """What `read` finds, with its long texts."""
    for _ in range(_TRIES):
        documents = await read()
        if await fill(database, documents):
            return documents
    raise StoreError(f"a row of {table} cannot be read back: pieces of it are gone from the collection {PIECE}")


async def fill(database: Database, documents: Iterable[Document], session: AsyncClientSession | None = None) -> bool:
    """Put the long texts into these documents; False if pieces are missing, since their row was replaced meanwhile."""
    for document in documents:
        for name, place in document.get("pieces", {}).items():
            found = database[PIECE].find({"_id": {"$in": _ids(place)}}, session=session).sort("_id")
            parts = [piece["data"] async for piece in found]
            if len(parts) != place["n"]:
                return False
            document[name] = b"".join(parts).decode()
    return True


async def remove_orphans(database: Database) -> int:
    """Delete the pieces that no row has; their bytes.

    In one causally consistent session: a row is looked for as of a time at which its pieces were kept for it, so that
    one that was just written is never taken for gone. Those that are about to be kept are written anew by who wants it.
    """
    tables = database.with_options(read_preference=ReadPreference.PRIMARY)
    freed = 0
    async with database.client.start_session(causal_consistency=True) as session:
        async for long in tables[LONG].find({}, session=session):
            if long.get("kept"):
                fields = {"pieces": 1}
                row = await tables[long["table"]].find_one({"_id": long["row"]}, projection=fields, session=session)
                places: dict[str, Any] = (row or {}).get("pieces", {})
                if long["_id"] in {place["of"] for place in places.values()}:
                    continue
            unchanged = {"_id": long["_id"], "kept": long.get("kept")}
            if (await tables[LONG].update_one(unchanged, {"$set": {"dead": True}})).matched_count:
                await tables[PIECE].delete_many({"_id": {"$in": _ids({"of": long["_id"], "n": long["n"]})}})
                freed += int(long["size"]) * (await tables[LONG].delete_one({"_id": long["_id"]})).deleted_count
    return freed


async def _send(database: Database, document: LongDocument, data: bytes) -> Document:
    parts = [data[start : start + SIZE] for start in range(0, len(data), SIZE)]
    place = {"of": new_id(0), "n": len(parts)}
    about = {"table": document.table, "row": document["_id"], "n": len(parts), "size": len(data)}
    await database[LONG].insert_one({"_id": place["of"], **about})
    for id_, part in zip(_ids(place), parts, strict=True):
        await database[PIECE].insert_one({"_id": id_, "data": part})
    return place


def _ids(place: Document) -> list[Document]:
    return [{"of": place["of"], "n": n} for n in range(place["n"])]


def _size(text: str) -> int:
    """Its bytes; none is counted in what is surely short."""
    return len(text) if len(text) * 4 <= LONGEST else len(text.encode())


def _named(document: Document) -> str:
    key = document["_id"]
    return " ".join(str(part) for part in key.values()) if isinstance(key, dict) else str(key)
