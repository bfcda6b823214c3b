"""A client behind the network of the tests is in the trouble that it is told to be in, and in no other."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, NetworkTimeout, ServerSelectionTimeoutError
from pymongo.synchronous.uri_parser import parse_uri

from .mongod import Document
from .network import Network, Trouble
from .replica_set import ReplicaSet

Client = MongoClient[Document]


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


@pytest.fixture
def address(network: Network, mongodb_server: str) -> str:
    """Of the tests' server, behind the network."""
    return network.to(host_of(mongodb_server))


def host_of(url: str) -> str:
    [(host, port), *_] = parse_uri(url)["nodelist"]
    return f"{host}:{port}"


def client(address: str, name: str) -> Client:
    waits = "socketTimeoutMS=200&serverSelectionTimeoutMS=200&heartbeatFrequencyMS=500"
    return MongoClient(f"mongodb://{address}/?directConnection=true&appname={name}&{waits}")


def test_connections_that_are_cut_are_made_again(network: Network, address: str) -> None:
    with client(address, "one") as one, client(address, "two") as two:
        first, other = connection(one), connection(two)
        assert network.cut("one")
        with suppress(AutoReconnect):  # unless it has noticed by itself before
            one.admin.command("ping")
        assert connection(one) != first
        assert connection(two) == other


def connection(client: Client) -> int:
    """The number that the server has given to it."""
    return int(client.admin.command("hello")["connectionId"])


def test_new_connections_of_one_client_are_refused(network: Network, address: str) -> None:
    network.trouble("one", Trouble(refused=True))
    with client(address, "one") as one, client(address, "two") as two:
        with pytest.raises(ServerSelectionTimeoutError):
            one.admin.command("ping")
        assert two.admin.command("ping")["ok"]


def test_an_answer_that_is_held_up_comes_when_the_trouble_is_over(network: Network, address: str, mongodb: str) -> None:
    with client(address, "one") as one, client(host_of(mongodb), "two") as two:
        things = one[str(parse_uri(mongodb)["database"])]["things"]
        things.insert_one({"_id": 0})
        for trouble in (Trouble(deaf=True), Trouble(mute=True), Trouble(delay=0.3)):
            network.trouble("one", trouble)
            with pytest.raises(NetworkTimeout):
                things.find_one({"_id": 0})
            assert two.admin.command("ping")["ok"]
            network.heal()
            assert things.find_one({"_id": 0}) == {"_id": 0}


def test_the_members_of_a_set_are_behind_it(network: Network) -> None:
    with ReplicaSet(advertised=lambda node: network.to(node.address)) as server, Client(server.url()) as found:
        assert found.admin.command("ping")["ok"]
        assert {f"{host}:{port}" for host, port in found.nodes} == set(server.addresses) != {server.nodes[0].address}
