"""What holds of every source: one entry that is no tenant, wherever it stands, makes the list unusable, not shorter."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

import orbits_tenants
from orbits_iac.provider import UsageError
from orbits_tenants import (
    CombinedSource,
    DirectorySource,
    FunctionSource,
    HttpSource,
    JsonSource,
    ListSource,
    MongoSource,
    Source,
    YamlSource,
)
from orbits_tenants.sources.source import read
from tests.tenants.endpoints import Endpoint, endpoint

GOOD = ["t0", {"id": "t1", "labels": {"plan": "large"}}, "t2"]
BROKEN: list[Any] = [
    None,
    7,
    "",
    "a/b",
    [],
    {},
    {"id": None},
    {"labels": {}},
    {"id": "t3", "plan": "large"},
    {"id": "t3", "labels": ["large"]},
    {"id": "t3", "labels": {"plan": 1}},
    {"id": "t3", "overrides": None},
    {"id": "t3", "window": "at night"},
    {"id": "t3", "expires": "one day"},
    {"id": "t3", "targets": [{"Moon": {}}]},
    "t1",
    {"id": "t2"},
]


@dataclass(frozen=True)
class Place:
    """Where the lists of this test stand."""

    folder: Path
    crm: Endpoint
    mongodb: str


def _file(place: Place, name: str, entries: Sequence[Any]) -> str:
    file = place.folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(entries))  # which is YAML, too
    return str(file)


def _folder(place: Place, entries: Sequence[Any]) -> Source:
    for number, entry in enumerate(entries):
        _file(place, f"clients/{number}.{'yaml' if number % 2 else 'json'}", [entry])
    return DirectorySource(str(place.folder / "clients"))


def _pages(place: Place, entries: Sequence[Any]) -> Source:
    place.crm.answers.clear()
    last = len(entries) - 1
    for number, entry in enumerate(entries):
        more = None if number == last else f"/clients?{number + 1}"
        place.crm.says({"tenants": [entry], "next": more}, at=f"/clients?{number}")
    return HttpSource(f"{place.crm.url}?0")


def _documents(place: Place, entries: Sequence[Any]) -> Source:
    async def hold() -> str:
        async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
            database = client.get_default_database()
            await database.customers.delete_many({})
            await database.customers.insert_many({"_id": number, "is": entry} for number, entry in enumerate(entries))
            return database.name

    database = asyncio.run(hold())
    return MongoSource(place.mongodb, database=database, collection="customers", entry=lambda found: found["is"])


SOURCES: dict[type[Source], Callable[[Place, Sequence[Any]], Source]] = {
    CombinedSource: lambda _, entries: CombinedSource(ListSource(entries[:2]), ListSource(entries[2:])),
    DirectorySource: _folder,
    FunctionSource: lambda _, entries: FunctionSource(lambda: iter(entries)),
    HttpSource: _pages,
    JsonSource: lambda place, entries: JsonSource(_file(place, "clients.json", entries)),
    ListSource: lambda _, entries: ListSource(entries),
    MongoSource: _documents,
    YamlSource: lambda place, entries: YamlSource(_file(place, "clients.yaml", entries)),
}


@pytest.fixture(scope="module")
def crm() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


@pytest.mark.parametrize("kind", SOURCES)
def test_one_entry_that_is_no_tenant_makes_no_shorter_list(
    tmp_path: Path, crm: Endpoint, mongodb: str, monkeypatch: pytest.MonkeyPatch, kind: type[Source]
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    place, make = Place(tmp_path, crm, mongodb), SOURCES[kind]
    assert [tenant.id for tenant in read(make(place, GOOD))] == ["t0", "t1", "t2"]
    for number, broken in enumerate(BROKEN):
        at = number % (len(GOOD) + 1)
        source = make(place, [*GOOD[:at], broken, *GOOD[at:]])
        with pytest.raises(UsageError) as refused:
            read(source)
        assert any(name in str(refused.value) for name in source.name.split(", ")), broken


def test_each_source_is_in_the_table() -> None:
    exported = (getattr(orbits_tenants, name) for name in orbits_tenants.__all__)
    there = {value for value in exported if isinstance(value, type) and issubclass(value, Source)}
    assert set(SOURCES) == there - {Source}
