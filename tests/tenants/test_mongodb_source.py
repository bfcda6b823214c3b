"""MongoSource: what it reads from a real MongoDB, and that one that cannot be read whole is never a shorter list."""

import asyncio
import gc
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from orbits_iac import Orbits, Resource
from orbits_iac.provider import UsageError
from orbits_tenants import MongoSource, Rollout, Tenant, Tenants
from orbits_tenants.sources.source import read
from tests.servers.mongod import Access, Mongod
from tests.servers.replica_set import ReplicaSet

SECRET = "s3cret-canary"
ACME = {"_id": 1, "id": "acme", "labels": {"plan": "large"}, "overrides": {"size": 3}}


class Collection:
    """The customers in the test's own database, and the source that reads them."""

    def __init__(self, url: str) -> None:
        self.url, self.database = url, urlsplit(url).path.strip("/")
        self.servers = urlsplit(url).netloc

    def holds(self, *documents: dict[str, Any]) -> None:
        """Put these into it."""
        asyncio.run(self._insert(documents))

    async def _insert(self, documents: Sequence[dict[str, Any]]) -> None:
        async with AsyncMongoClient[dict[str, Any]](self.url) as client:  # has no threads to be waited for
            await client[self.database].customers.insert_many(documents)

    async def drop(self) -> None:
        """Begin anew."""
        async with AsyncMongoClient[dict[str, Any]](self.url) as client:
            await client.drop_database(self.database)

    def command(self, command: dict[str, Any]) -> None:
        """Let the server do this, on its database `admin`."""
        asyncio.run(self._command(command))

    async def _command(self, command: dict[str, Any]) -> None:
        async with AsyncMongoClient[dict[str, Any]](self.url) as client:
            await client.admin.command(command)

    async def levels(self, *, of: Callable[[], object]) -> set[str]:
        """At which level the server is read from while `of` runs, as its own profile says."""
        async with AsyncMongoClient[dict[str, Any]](self.url) as client:
            database = client[self.database]
            await database.command("profile", 2)
            await asyncio.to_thread(of)
            await database.command("profile", 0)
            asked = database["system.profile"].find({"op": {"$in": ["query", "getmore"]}, "appName": "orbits"})
            commands = [one.get("originatingCommand", one["command"]) async for one in asked]
        return {command["readConcern"]["level"] for command in commands}

    def source(self, **options: Any) -> MongoSource:
        return MongoSource(self.url, database=self.database, collection="customers", **options)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """A replica set that asks for a password, and whose commands may fail."""
    key_file = tmp_path_factory.mktemp("mongodb") / "key"
    key_file.write_text("b" * 64)
    key_file.chmod(0o600)
    with ReplicaSet(access=Access(user="orbits", password=SECRET, key_file=key_file)) as servers:
        yield servers


@pytest.fixture
def large(guarded: ReplicaSet) -> Iterator[Collection]:
    """A collection of more than one page on that server."""
    collection = Collection(guarded.url("crm"))
    collection.holds(*({"_id": f"t{number:03}"} for number in range(250)))
    yield collection
    asyncio.run(collection.drop())


@pytest.fixture
def customers(mongodb: str) -> Collection:
    return Collection(mongodb)


def test_each_document_is_a_tenant_in_the_order_of_the_ids(customers: Collection) -> None:
    customers.holds({"_id": "cafe"}, {"_id": 7, "id": "bolt"}, ACME)
    large = Tenant(id="acme", labels={"plan": "large"}, overrides={"size": 3})
    assert read(customers.source()) == (large, Tenant(id="bolt"), Tenant(id="cafe"))
    assert read(customers.source(query={"labels.plan": "large"})) == (large,)


def test_a_collection_of_several_pages_is_read_whole(customers: Collection) -> None:
    customers.holds(*({"_id": f"t{number:03}"} for number in range(250)))
    assert [tenant.id for tenant in read(customers.source())] == [f"t{number:03}" for number in range(250)]


def test_documents_of_another_form_are_made_tenants_by_a_function(customers: Collection) -> None:
    customers.holds({"slug": "bolt", "tier": 2}, {"slug": "acme", "tier": 1})
    source = customers.source(entry=lambda found: {"id": found["slug"], "labels": {"tier": str(found["tier"])}})
    assert read(source) == (Tenant(id="acme", labels={"tier": "1"}), Tenant(id="bolt", labels={"tier": "2"}))
    customers.holds({"_id": "odd"})
    with pytest.raises(UsageError, match=r"document 'odd': .*<lambda>\(\) cannot make a tenant of it: KeyError"):
        read(source)


def _nothing(document: dict[str, Any]) -> Any:
    return None if document["_id"] == 1 else "bolt"


@pytest.mark.parametrize(
    ("document", "options", "said"),
    [
        ({"_id": 2}, {}, "document 2: id: has to be text: put it in quotes, got 2"),
        ({"_id": "b/c"}, {}, "document 'b/c': tenant 'b/c': id: is 1 to 63 letters"),
        ({"_id": 2, "id": "bolt", "plan": "large"}, {}, "document 2: tenant 'bolt': unknown field 'plan'"),
        ({"_id": 2, "id": "bolt", "labels": {"n": 1}}, {}, "document 2: tenant 'bolt': labels.n: has to be text"),
        ({"_id": "acme"}, {}, "tenant 'acme' is there twice, first in document 1"),
        ({"_id": 2}, {"entry": _nothing}, "document 1: id: has to be text, got None"),
        ({"_id": 2}, {"query": {"labels.plan": "tiny"}}, "the list of tenants is empty"),
        ({"_id": 2}, {"query": {"$nor": 1}}, "cannot be read: not all of it was there ($nor must be an array)"),
        (
            {"_id": 2},
            {"query": {"plan": object()}},
            "the query is none that MongoDB takes: Invalid document: cannot encode object",
        ),
    ],
)
def test_one_document_or_query_that_is_wrong_makes_the_list_unusable(
    customers: Collection, document: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    customers.holds(ACME, document)
    with pytest.raises(UsageError) as refused:
        read(customers.source(**options))
    assert str(refused.value).startswith(
        f"the collection customers of mongodb://{customers.servers}/{customers.database}"
    )
    assert said in str(refused.value)


class Lantern(Resource):
    """What a customer has."""

    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        """Nothing, here."""


class Lanterns(Tenants[Lantern]):
    rollout = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Lantern:
        return Lantern(client=tenant.id)


async def test_a_fleet_is_previewed_and_rolled_out_from_it(
    customers: Collection, orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(customers.holds, {"_id": "bolt"}, {"_id": "acme"})
    monkeypatch.setattr(Lanterns, "source", customers.source(), raising=False)
    plan = await orbits.preview(Lanterns())
    assert [change.identity for change in plan.root.walk() if change.kind == "Lantern"] == ["acme", "bolt"]
    report = await orbits.run(Lanterns())
    assert list(report.tenants) == ["acme", "bolt"]


@pytest.mark.parametrize("how", [{"errorCode": 43}, {"closeConnection": True}, {"errorCode": 239}])
def test_a_collection_that_breaks_off_half_way_is_no_shorter_list(large: Collection, how: dict[str, Any]) -> None:
    fails = {"failCommands": ["getMore"], "appName": "orbits", **how}
    large.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": fails})
    with pytest.raises(UsageError, match=r"the collection customers of mongodb://.*/crm cannot be read: ") as refused:
        read(large.source())
    assert SECRET not in str(refused.value)
    assert len(read(large.source())) == 250


def test_a_collection_is_read_as_it_was_at_one_moment(large: Collection) -> None:
    assert asyncio.run(large.levels(of=large.source().read)) == {"snapshot"}


def test_a_server_without_such_moments_is_read_as_a_majority_has_it() -> None:
    with Mongod() as alone:
        collection = Collection(f"mongodb://{alone.address}/crm")
        collection.holds(ACME)
        assert asyncio.run(collection.levels(of=collection.source().read)) == {"majority"}
        assert [tenant.id for tenant in read(collection.source())] == ["acme"]


def test_who_may_not_read_is_told_so_and_no_secret(guarded: ReplicaSet, large: Collection) -> None:
    large.command({"createUser": "guest", "pwd": SECRET, "roles": []})
    for user, said in (("guest", "give it the role read on the database"), ("nobody", "the password is wrong")):
        url = guarded.url("crm").replace("orbits:", f"{user}:")
        with pytest.raises(UsageError, match=said) as refused:
            read(MongoSource(url, database="crm", collection="customers"))
        assert SECRET not in str(refused.value)


def test_a_server_that_is_not_there_is_named() -> None:
    url = f"mongodb://orbits:{SECRET}@127.0.0.1:1/?serverSelectionTimeoutMS=50"
    source = MongoSource(SecretStr(url), database="crm", collection="customers")
    with pytest.raises(UsageError) as refused:
        read(source)
    said = str(refused.value)
    assert said.startswith(
        "the collection customers of mongodb://127.0.0.1:1/crm cannot be read: no server answered: is MongoDB running"
    )
    assert SECRET not in said
    del refused
    with warnings.catch_warnings():  # the driver forgets the socket of a connection that it was making when closed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mongodb://orbits:{SECRET}", "names no server"),
        (f"postgres://orbits:{SECRET}@db/crm", "the URL of a MongoDB begins with"),
        (f"mongodb://orbits:{SECRET}@db/?wise=yes", "the URL of the collection customers of mongodb://db/crm is not"),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_secrets(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        read(MongoSource(url, database="crm", collection="customers"))
    assert SECRET not in str(refused.value)


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(UsageError, match=r"needs MongoDB's driver: pip install 'orbits-iac\[mongodb\]'"):
        read(MongoSource("mongodb://db", database="crm", collection="customers"))
