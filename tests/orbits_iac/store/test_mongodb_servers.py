"""Servers that want TLS and a user, servers that are no replica set, and what is said where one cannot be used.

A password is in every URL here, and looked for in all that is logged and raised.
"""

import gc
import logging
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.errors import StoreError, UsageError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow
from orbits_iac.store import open_store, shown
from orbits_iac.store.contract import Transaction
from tests.servers.mongod import Mongod
from tests.servers.replica_set import ReplicaSet, guarded

SECRET = "c@n/ary:s3cret"  # what a password may have that a URL has not
LIMITS = {"serverSelectionTimeoutMS": "300", "connectTimeoutMS": "700"}
ROW = WorkerRow(id=WorkerId("w"), build="b")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet(access=guarded(tmp_path_factory.mktemp("tls"), password=SECRET)) as server:
        with server.primary().client() as client:
            everything = {"db": "limited", "collection": ""}
            actions = ["find", "insert", "update", "remove", "createCollection", "createIndex", "listCollections"]
            client.admin.command(
                "createRole",
                "no_streams",
                privileges=[{"resource": everything, "actions": [*actions, "listIndexes"]}],
                roles=[],
            )
            client.admin.command("createUser", "limited", pwd=SECRET, roles=["no_streams"])
            client.admin.command("createUser", "reader", pwd=SECRET, roles=[{"role": "read", "db": "limited"}])
        yield server


@pytest.fixture(autouse=True)
def _nothing_that_is_logged_has_the_secret(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert not _secrets("\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records))


def _secrets(text: str) -> list[str]:
    return [form for form in (SECRET, quote(SECRET, ""), "s3cret") if form in text]


def _url(server: ReplicaSet, database: str, *, user: str = "orbits", password: str = SECRET, **options: str) -> str:
    assert server.access.certificates is not None
    tls = {"tls": "true", "tlsCAFile": str(server.access.certificates.authority)}
    given = {"authSource": "admin", "replicaSet": "rs0", **tls, **LIMITS, **options}
    return f"mongodb://{user}:{quote(password, '')}@{','.join(server.addresses)}/{database}?{urlencode(given)}"


async def _refused(url: str) -> str:
    with pytest.raises(StoreError) as raised:
        await open_store(url).open()
    assert not _secrets("".join(traceback.format_exception(raised.value)))
    said = str(raised.value)
    del raised
    with warnings.catch_warnings():  # the driver forgets the socket of a connection that it was making when closed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return said


async def test_a_server_with_tls_and_a_user_is_used_as_any_other(own: ReplicaSet) -> None:
    store = open_store(_url(own, "team", readPreference="secondaryPreferred", compressors="zlib"))
    assert store.url == f"mongodb://{own.addresses[0]}/team?replicaSet=rs0"
    async with store:
        await store.commit(Transaction(put=[ROW]))
        assert await store.get(WorkerRow, "w") == ROW
    assert not _secrets(repr(store) + repr(vars(store)))


async def test_a_wrong_password_is_said_to_be_wrong_without_being_shown(own: ReplicaSet) -> None:
    said = await _refused(_url(own, "team", password=f"{SECRET}!"))
    assert said == (
        f"the store mongodb://{own.addresses[0]}/team?replicaSet=rs0 cannot be used while connecting: the user name or "
        "the password is wrong, or the user is of another database (option authSource) (Authentication failed.)"
    )


async def test_a_user_who_may_only_read_is_told_which_role_is_missing(own: ReplicaSet) -> None:
    said = await _refused(_url(own, "limited", user="reader"))
    assert "the user may not do that: give it the role readWrite on the database" in said


async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(own: ReplicaSet, tmp_path: Path) -> None:
    other = guarded(tmp_path).certificates
    assert other is not None
    said = await _refused(_url(own, "team", tlsCAFile=str(other.authority)))
    assert "certificate verify failed" in said
    assert "Topology" not in said


async def test_a_server_with_tls_does_not_answer_without(own: ReplicaSet) -> None:
    said = await _refused(f"mongodb://orbits:{quote(SECRET, '')}@{own.addresses[0]}/team?{urlencode(LIMITS)}")
    assert "no server that takes writes answered" in said


async def test_a_user_without_change_streams_has_a_store_that_polls(
    own: ReplicaSet, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(_url(own, "limited", user="limited")) as store:
        for _ in range(3):
            await store.changed(60)
            await store.commit(Transaction(put=[ROW]))
        assert await store.get(WorkerRow, "w") == ROW
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([said for said in warnings if "no change stream can be had" in said]) == 1


async def test_a_standalone_server_is_refused_with_what_makes_it_a_replica_set() -> None:
    with Mongod() as server:
        said = await _refused(f"mongodb://{server.address}/team")
    assert said == (
        f"the store mongodb://{server.address}/team is a standalone server, which has no transactions. Start it again "
        "as mongod --replSet rs0 with its other options (or replication.replSetName: rs0 in mongod.conf), then make it "
        "a replica set of one node, which keeps its data, with: mongosh --eval 'rs.initiate()'"
    )


async def test_a_replica_set_that_was_never_begun_is_told_from_one_without_a_primary() -> None:
    with Mongod(replica_set="rs0") as server:
        said = await _refused(f"mongodb://{server.address}/team?{urlencode(LIMITS)}")
    assert "was started as a replica set that has no members yet" in said
    assert "mongosh --eval 'rs.initiate()'" in said


async def test_a_server_that_is_not_there_is_named(own: ReplicaSet) -> None:
    said = await _refused(f"mongodb://me:{quote(SECRET, '')}@127.0.0.1:1/team?{urlencode(LIMITS)}")
    assert "127.0.0.1:1" in said
    assert "is MongoDB running there" in said


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://me:{SECRET}@db/team",
        f"mongodb://me:{quote(SECRET, '')}@db/team?wise=1",
        f"mongo://me:{SECRET}@db/team",
        f"MONGODB://me:{quote(SECRET, '')}@db/team",
    ],
)
async def test_a_url_that_cannot_be_used_is_shown_without_its_secret(url: str) -> None:
    assert not _secrets(shown(url))
    with pytest.raises(UsageError) as raised:
        await open_store(url).open()
    assert not _secrets(str(raised.value))
