"""A collection that is somebody else's, read whole: for lists that stand in a MongoDB, as a source of tenants does.

What always holds: what is returned is all that the query finds, as a majority of the servers has it at one moment; what
breaks half way is an error. A single server, which is in no replica set, has no such moment: there, what is written
while it is read may be in it or not. No error holds a secret of the URL.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from orbits_iac.model.errors import StoreError, Unreachable, UsageError
from orbits_iac.store.mongodb_client import OLDEST_WIRE_VERSION, Document, client_of
from orbits_iac.store.mongodb_url import address_of

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient


def mongodb_shown(url: str, database: str, collection: str) -> str:
    """What a collection is called where something is wrong with it, without what is secret in the URL."""
    servers = address_of(url).shown.partition("?")[0].rpartition("/")[0]
    return f"the collection {collection} of {servers}/{database}"


def mongodb_documents(url: str, database: str, collection: str, query: Mapping[str, Any]) -> list[Document]:
    """All documents of a collection that the query finds, in no order.

    Blocks, wherever it is called from: the driver runs on an event loop of its own, in a thread, since its blocking
    client leaves threads behind that take a while to end. Raises UsageError where the driver is missing, or the URL or
    the query is wrong; StoreError, or Unreachable, where not all of it could be read.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _documents(url, database, collection, query)).result()


async def _documents(url: str, database: str, collection: str, query: Mapping[str, Any]) -> list[Document]:
    address, named = address_of(url), mongodb_shown(url, database, collection)
    client = client_of(address, named)
    from bson import encode
    from bson.errors import BSONError
    from pymongo.errors import PyMongoError

    async with client:
        try:
            encode(query)
        except (BSONError, OverflowError, TypeError) as error:
            raise UsageError(f"{named}: the query is none that MongoDB takes: {error}") from error
        try:
            return await _all(client, database, collection, query)
        except (PyMongoError, BSONError) as error:
            raise _not_read(named, error) from error


async def _all(
    client: "AsyncMongoClient[Document]", database: str, collection: str, query: Mapping[str, Any]
) -> list[Document]:
    hello = await client.admin.command("hello")
    together = "setName" in hello or hello.get("msg") == "isdbgrid"
    at_one_moment = together and hello.get("maxWireVersion", 0) >= OLDEST_WIRE_VERSION
    async with client.start_session(snapshot=at_one_moment) as session:
        return await client[database][collection].find(query, session=session).to_list()


def _not_read(named: str, error: Exception) -> StoreError:
    """What is raised for an error of the driver while a collection is read."""
    from pymongo.errors import ConnectionFailure, ServerSelectionTimeoutError

    from orbits_iac.store.mongodb_errors import NOT_SIGNED_IN, UNAUTHORIZED, WHY_NOT_SIGNED_IN, said

    code = getattr(error, "code", None)
    kind = Unreachable if isinstance(error, ConnectionFailure) else StoreError
    if isinstance(error, ServerSelectionTimeoutError):
        why = "no server answered: is MongoDB running there, and can it be reached from here?"
    elif isinstance(error, ConnectionFailure):
        why = "the connection broke, or took too long, before all of it was there"
    elif code == UNAUTHORIZED:
        why = "the user may not read it: give it the role read on the database"
    elif code in NOT_SIGNED_IN:
        why = WHY_NOT_SIGNED_IN
    else:
        why = "not all of it was there"
    return kind(f"{named} cannot be read: {why} ({said(error)})")
