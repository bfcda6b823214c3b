"""Being told of what others commit, by a real change stream: broken, too old, let go, and not to be had."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from pymongo.read_concern import ReadConcern

from orbits_iac.store import mongodb_changes
from orbits_iac.store.hints import Hints
from orbits_iac.store.mongodb_changes import Changes
from orbits_iac.store.mongodb_client import Document, client_of
from orbits_iac.store.mongodb_schema import Database
from orbits_iac.store.mongodb_url import parse
from tests.servers.replica_set import ReplicaSet

LONG = 60.0


class Told:
    """A side that waits, and another client that commits."""

    def __init__(self, here: Database, there: Database) -> None:
        self.hints = Hints()
        self.changes = Changes(here["writer"], self.hints, "mongodb://tests")
        self.changes._await_ms = 50  # a stream that was broken off says so with its next answer
        self._there = there
        self._others: set[int] = set()  # streams that an earlier test of the database has left, when its process died

    async def commit(self) -> None:
        await self._there["writer"].update_one({"_id": "other"}, {"$inc": {"n": 1}}, upsert=True)

    async def wait(self) -> None:
        """Only for a change: the time that it would wait without one is longer than the test may take."""
        await asyncio.wait_for(self.changes.wait(LONG), LONG / 6)

    async def begin_alone(self) -> None:
        """Know which streams are not this test's."""
        self._others = set(await self.cursors())

    async def begin(self) -> None:
        """Open the stream; that it begins is a hint by itself, since what came before is not told."""
        await self.wait()

    async def silent(self) -> None:
        """Nothing more is told, until the stream has answered that there is nothing."""
        before = self.hints._count
        await self.changes.wait(0.05)
        assert self.hints._count == before

    async def server(self, command: Document) -> Document:
        return await self._there.client.admin.command(command)

    async def let_go(self) -> None:
        """Wait until no stream of this test is open on the server."""
        cursors = await self.cursors()
        while set(cursors) - self._others:
            cursors = await self.cursors()

    async def cursors(self) -> list[int]:
        """Which streams are open on the server."""
        stages: list[Document] = [{"$currentOp": {"allUsers": True, "idleCursors": True}}]
        admin = self._there.client.get_database("admin", read_concern=ReadConcern("local"))
        found = await admin.aggregate(stages)
        namespace = f"{self._there.name}.writer"
        return [each["cursor"]["cursorId"] async for each in found if each.get("ns") == namespace and "cursor" in each]


async def _told(url: str) -> AsyncIterator[Told]:
    address = parse(url)
    async with client_of(address) as here, client_of(address) as there:
        told = Told(here[address.database], there[address.database])
        await told.begin_alone()
        await told.commit()
        yield told
        await told.changes.close()
        await there.drop_database(address.database)  # what is in it is no store


@pytest.fixture
async def told(mongodb: str) -> AsyncIterator[Told]:
    async for told in _told(mongodb):
        yield told


@pytest.fixture(scope="module")
def own_server() -> Iterator[ReplicaSet]:
    """Its commands are made to fail."""
    with ReplicaSet() as server:
        yield server


@pytest.fixture
async def breakable(own_server: ReplicaSet) -> AsyncIterator[Told]:
    async for told in _told(own_server.url("breakable")):
        yield told
        await told.server({"configureFailPoint": "failCommand", "mode": "off"})


async def test_who_waits_is_told_of_a_commit_of_another_client(told: Told) -> None:
    await told.begin()
    for _ in range(3):
        waiting = asyncio.create_task(told.wait())
        await told.commit()
        await waiting


async def test_a_commit_between_two_waits_is_not_slept_through(told: Told) -> None:
    await told.begin()
    await told.silent()
    await told.commit()
    await told.wait()


async def test_commits_under_load_are_told_of_together(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb_changes, "PAUSE", 0.1)
    await told.begin()
    await told.commit()
    await told.wait()
    before = told.hints._count
    for _ in range(20):  # they take less than two pauses
        await told.commit()
    await told.wait()
    assert told.hints._count - before < 10


async def test_a_stream_that_nobody_waits_for_is_let_go(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb_changes, "LINGER", 0.0)
    await told.begin()
    following = told.changes._following
    assert following is not None
    await following
    await told.let_go()
    await told.commit()  # nobody is told; who waits next is, by the stream's beginning
    await told.wait()


async def test_closing_lets_go_of_a_stream_that_is_being_read(told: Told) -> None:
    await told.begin()
    await told.silent()
    await told.changes.close()
    assert told.changes._following is None
    await told.commit()  # what was asked is answered, and finds that it was let go
    await told.let_go()


async def test_a_resume_token_that_is_gone_begins_anew_and_tells(
    breakable: Told, caplog: pytest.LogCaptureFixture
) -> None:
    await breakable.begin()
    await breakable.silent()
    caplog.set_level(logging.INFO, logger="orbits_iac.store")
    lost: Document = {"failCommands": ["getMore", "aggregate"], "errorCode": 286}
    await breakable.server({"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": lost})
    while "what happened meanwhile is not told any more; looking for it" not in caplog.text:
        await breakable.wait()
    told = breakable.hints._count
    while breakable.hints._count == told:  # there is a new stream
        await breakable.wait()
    await breakable.silent()
    await breakable.commit()
    await breakable.wait()


async def test_a_stream_that_breaks_goes_on_where_it_was(breakable: Told, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="orbits_iac.store")
    await breakable.begin()
    await breakable.silent()
    token = breakable.changes._token or {}
    failing: Document = {"failCommands": ["getMore", "aggregate"], "closeConnection": True}
    await breakable.server({"configureFailPoint": "failCommand", "mode": {"times": 3}, "data": failing})
    await breakable.commit()
    await breakable.wait()
    while breakable.hints._count < 3:
        await breakable.wait()
    assert caplog.text.count("not told of changes for now") == 1
    while (breakable.changes._token or {})["_data"] <= token["_data"]:  # it comes to the commit from where it was
        await breakable.wait()


async def test_without_a_stream_there_is_polling_and_that_is_said_once(
    breakable: Told, caplog: pytest.LogCaptureFixture
) -> None:
    denied: Document = {"failCommands": ["aggregate"], "errorCode": 13}
    await breakable.server({"configureFailPoint": "failCommand", "mode": {"times": 9}, "data": denied})
    for _ in range(3):
        await breakable.wait()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no change stream can be had" in caplog.text
