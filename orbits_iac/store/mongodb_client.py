"""The driver's client of a MongoDB store: made from the URL, and the check that the server is fit for a store.

What always holds: a commit is on the disks of a majority, a read is of what no failover takes back, and no call waits
without limit; an option of the URL that would weaken the first two was refused (`mongodb_url`). Everything else that a
URL says (TLS, authentication, read preference, pool, compressors, time limits) is the driver's. Called by the MongoDB
store, once for each event loop that it is used from, and by who reads somebody else's collection (`mongodb_documents`).
"""

from typing import TYPE_CHECKING, Any

from orbits_iac.model.errors import StoreError, UsageError
from orbits_iac.store.mongodb_url import Address, without_secrets

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

Document = dict[str, Any]

OLDEST_WIRE_VERSION = 13
"""Of MongoDB 5.0: the first with snapshot reads outside of transactions."""

LIMITS = {
    "serverSelectionTimeoutMS": 10_000,  # a failover takes the driver 2 to 10 s to see through
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,  # a connection that was cut without a word; no call of ours runs that long
    "waitQueueTimeoutMS": 30_000,
    "wTimeoutMS": 20_000,  # a primary that lost its majority and does not know yet
}
"""Milliseconds; the URL may say otherwise."""

_RS_INITIATE = """mongosh --eval 'rs.initiate()'"""


def client_of(address: Address, named: str = "") -> "AsyncMongoClient[Document]":
    """A client of this event loop; nothing is connected yet. A `UsageError` for a URL that the driver refuses.

    `named` is what of that server is used, in errors: the store, unless it is said.
    """
    named = named or f"the store {address.shown}"
    try:
        from pymongo import AsyncMongoClient
        from pymongo.driver_info import DriverInfo
        from pymongo.errors import PyMongoError
        from pymongo.uri_parser import split_options
    except ImportError as error:
        raise UsageError(f"{named} needs MongoDB's driver: pip install 'orbits-iac[mongodb]' ({error})") from error
    try:
        given = split_options(query, warn=False) if (query := address.url.partition("?")[2]) else {}
        names = {name.lower() for name in given}
        limits: dict[str, Any] = {
            name: limit for name, limit in LIMITS.items() if name.lower() not in names | _superseded(names)
        }
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            address.url,
            appname=given.get("appname", "orbits"),
            driver=DriverInfo("orbits-iac"),
            w="majority",
            journal=True,
            readConcernLevel="majority",
            tz_aware=True,
            **limits,
        )
    except (PyMongoError, OSError, ValueError, TypeError) as error:
        said = without_secrets(address, str(error))
        raise UsageError(f"the URL of {named} is not one that MongoDB's driver takes: {said}") from None
    return client


async def refuse_unfit(client: "AsyncMongoClient[Document]", shown: str) -> None:
    """Raise a `StoreError` unless it is a replica set of MongoDB 5.0 or later; the message says how to have one."""
    from pymongo.errors import ServerSelectionTimeoutError

    from orbits_iac.store.mongodb_errors import failing

    with failing(shown, "connecting"):
        try:
            hello = await client.admin.command("hello")
        except ServerSelectionTimeoutError:
            known = client.topology_description.server_descriptions().values()
            if not any(server.server_type_name == "RSGhost" for server in known):
                raise
            hello = {"isreplicaset": True}
    if hello.get("msg") == "isdbgrid":
        raise StoreError(
            f"the store {shown} is a sharded cluster, for which Orbits has not been proved: name a replica set. One "
            "small set serves any number of workers"
        )
    if hello.get("isreplicaset"):
        raise StoreError(
            f"the store {shown} was started as a replica set that has no members yet. Make it one of a single node, on "
            f"that machine, with: {_RS_INITIATE}"
        )
    if not hello.get("setName"):
        raise StoreError(
            f"the store {shown} is a standalone server, which has no transactions. Start it again as mongod --replSet "
            f"rs0 with its other options (or replication.replSetName: rs0 in mongod.conf), then make it a replica set "
            f"of one node, which keeps its data, with: {_RS_INITIATE}"
        )
    if hello.get("maxWireVersion", 0) < OLDEST_WIRE_VERSION:
        raise StoreError(f"the store {shown} is older than MongoDB 5.0, which Orbits needs: upgrade the servers")


def _superseded(names: set[str]) -> set[str]:
    """Time limits that the driver refuses to mix with, or ignores beside, one for the whole call."""
    return {"sockettimeoutms", "waitqueuetimeoutms", "wtimeoutms"} if "timeoutms" in names else set()
