"""The fixtures by which a test gets a MongoDB: one replica set of one node for the whole run, a database for each test.

A database is emptied and used again: a test that changes collections or indexes names one of its own on the server.

`tests/conftest` hands them to all. The server is started when the first test asks for it. With MONGODB_URL in the
environment it is that one, which has to be a replica set. Tests without one do not load pymongo.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import pytest

from tests import leaks


@pytest.fixture(scope="session")
def mongodb_server(_nothing_is_left_by_the_run: None) -> Iterator[str]:
    """The URL of a replica set that all tests share: nobody stops it, or lets its commands fail."""
    from .replica_set import ReplicaSet

    with ExitStack() as stack:
        given = os.environ.get("MONGODB_URL")
        if given is None:
            server = stack.enter_context(ReplicaSet())
            leaks.keep_for_the_run(server.nodes[0].pid, server.nodes[0].folder)
            given = server.url()
        yield given


_emptied: list[str] = []  # databases that earlier tests are done with: making one costs more than most tests


@pytest.fixture
def mongodb(mongodb_server: str) -> Iterator[str]:
    """The URL of a database of the test's own, in which nothing is stored."""
    name = _emptied.pop() if _emptied else f"orbits_{uuid4().hex}"
    yield with_database(mongodb_server, name)
    asyncio.run(_empty(mongodb_server, name))
    _emptied.append(name)


async def _empty(url: str, name: str) -> None:
    from pymongo import AsyncMongoClient

    async with AsyncMongoClient[dict[str, object]](url) as client:  # has no threads to be waited for
        if "MONGODB_URL" not in os.environ:  # what the killed have left open is waited for otherwise, for a minute
            await client.admin.command("killAllSessions", [])
        for collection in await client[name].list_collection_names():
            if collection == "gate":
                await client[name][collection].update_many({}, {"$set": {"next": 1, "open": []}})
            else:
                await client[name][collection].delete_many({})


def with_database(url: str, name: str) -> str:
    """The URL of another database of the same server, for the same user."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if "@" in parts.netloc and "authSource" not in options:
        options["authSource"] = parts.path.strip("/") or "admin"
    return urlunsplit(parts._replace(path=f"/{name}", query=urlencode(options)))
