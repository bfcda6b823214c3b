"""The servers that other tests stand on do what is said of them, on real processes."""

from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from .clocks import wrong_by
from .databases import with_database
from .mongod import Document, Mongod
from .replica_set import ReplicaSet, guarded

HOUR = 3600


def connected(url: str) -> "MongoClient[Document]":
    return MongoClient(url)


def test_each_test_has_a_database_of_its_own_with_transactions(mongodb: str) -> None:
    with connected(mongodb) as client, client.start_session() as session:
        database = client.get_default_database()
        names = database.list_collection_names()
        assert [name for name in names if name != "gate" and database[name].count_documents({})] == []
        with session.start_transaction():
            database["things"].insert_one({"_id": 1}, session=session)
            database["others"].insert_one({"_id": 1}, session=session)
        assert {"others", "things"} <= set(database.list_collection_names())


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("mongodb://h:1/?replicaSet=r", "mongodb://h:1/x?replicaSet=r"),
        ("mongodb://u:p@h:1,h:2/users", "mongodb://u:p@h:1,h:2/x?authSource=users"),
        ("mongodb://u:p@h", "mongodb://u:p@h/x?authSource=admin"),
    ],
)
def test_another_database_is_for_the_same_user(url: str, other: str) -> None:
    assert with_database(url, "x") == other


def test_a_set_of_three_loses_its_primary_and_no_write() -> None:
    with ReplicaSet(3) as three, connected(three.url("kept")) as client:
        things = client.get_default_database()["things"]
        things.insert_one({"_id": 1})
        killed = three.primary()
        killed.kill()
        things.insert_one({"_id": 2})
        assert three.primary() is not killed
        killed.start()
        assert three.step_down() is not killed
        things.insert_one({"_id": 3})
        assert things.count_documents({}) == 3


def test_commands_of_one_client_fail_as_they_are_told_to() -> None:
    with (
        ReplicaSet() as server,
        connected(server.url("failing", appname="unlucky")) as client,
        connected(server.url("failing")) as other,
    ):
        server.fail("insert", errorCode=50, appName="unlucky")
        with pytest.raises(OperationFailure, match="failCommand"):
            client.get_default_database()["things"].insert_one({})
        other.get_default_database()["things"].insert_one({})
        server.heal()
        client.get_default_database()["things"].insert_one({})


def test_a_standalone_server_that_is_paused_says_nothing_until_it_goes_on() -> None:
    with Mongod() as server, connected(f"{server.url}&socketTimeoutMS=200") as client:
        assert "setName" not in client.admin.command("hello")
        server.pause()
        with pytest.raises(NetworkTimeout):
            client.admin.command("ping")
        server.resume()
        assert client.admin.command("ping")["ok"]


def test_only_a_user_over_tls_is_let_in(tmp_path: Path) -> None:
    with ReplicaSet(access=guarded(tmp_path)) as server:
        with connected(server.url("orbits")) as client:
            client.get_default_database()["things"].insert_one({})
        refused = server.url("orbits").replace("tls=true&", "").replace("tlsCAFile", "appname")
        with (
            connected(f"{refused}&serverSelectionTimeoutMS=200") as client,
            pytest.raises(ServerSelectionTimeoutError),
        ):
            client.admin.command("ping")


def test_a_servers_clock_is_ahead_and_then_behind() -> None:
    with Mongod(environment=wrong_by("+1h")) as wrong, Mongod() as right:

        def away() -> int:
            return round((local_time(wrong) - local_time(right)) / HOUR)

        def local_time(server: Mongod) -> float:
            return float(server.command("hello")["localTime"].timestamp())

        assert away() == 1
        wrong.die_and_return(wrong_by("-2h"))
        assert away() == -2
