"""docs/tenants.md: its fleet is listed by its commands, each of its sources reads, and each in its table is one."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pymongo import AsyncMongoClient

import orbits_tenants
from orbits_aws import AwsTarget, OfflineAws, testing
from orbits_tenants import Tenant, YamlSource
from orbits_tenants.sources.source import Source, read
from tests.servers.commands import Commands
from tests.tenants.endpoints import endpoint

from .pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text()
PROGRAMS = programs(PAGE)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program of the page by its name."""
    yield from loading(tmp_path, PROGRAMS)


def test_the_fleet_is_listed_whole_and_as_it_is_chosen(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "sites.py").write_text(PROGRAMS["sites"])
    (tmp_path / "trials.txt").write_text("tryout\n")
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "acme.yaml").write_text("id: acme\nlabels: {plan: large, region: eu}\n")
    (tmp_path / "clients" / "bolt.json").write_text('{"id": "bolt", "labels": {"plan": "large", "region": "us"}}')
    for file in tmp_path.rglob("*"):  # code that may be of after a process began is looked at each time
        os.utime(file, (0, 0))
    said = []
    for line in re.findall(r"^\$ orbits (.*)$", PAGE, re.MULTILINE):
        done = commands.run(line.split(), cwd=tmp_path, env={"NO_COLOR": "1", "COLUMNS": "100"})
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    *rolled_out, listed, chosen = said
    assert [line.split()[0] for line in listed.splitlines()] == ["tenant", "tryout", "acme", "bolt"]
    assert [row["id"] for row in json.loads(chosen)] == ["acme"]
    assert ["looked at just now" in each for each in rolled_out] == [False, True, False]
    assert re.search(r"= tenant +Site acme +unchanged", rolled_out[1])


def test_the_table_names_all_sources() -> None:
    named = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    values = (getattr(orbits_tenants, name) for name in orbits_tenants.__all__)
    assert named == {value.__name__ for value in values if issubclass(value, Source)} - {"Source"}


def test_the_file_holds_all_that_a_tenant_has(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "clients.yaml").write_text(text)
    acme, bolt = read(YamlSource(str(tmp_path / "clients.yaml")))
    assert acme == Tenant(id="acme")
    assert bolt.model_fields_set == set(Tenant.model_fields)
    assert bolt.targets == (AwsTarget(account="111122223333", region="eu-central-1"),)
    [table] = re.findall(r"\| field \| is \|\n(.*?)\n\n", PAGE, re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(Tenant.model_fields)


async def _replace(url: str, documents: list[dict[str, Any]]) -> None:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client.drop_database("crm")
        if documents:
            await client.crm.customers.insert_many(documents)


def test_the_collection_is_read(
    mongodb: str, monkeypatch: pytest.MonkeyPatch, program: Callable[[str], ModuleType]
) -> None:
    monkeypatch.setenv("CRM_MONGODB", mongodb)
    customers = [{"slug": name, "plan": "large", "active": name != "bolt"} for name in ("cafe", "bolt", "acme")]
    asyncio.run(_replace(mongodb, customers))
    found = read(program("customers").source)
    asyncio.run(_replace(mongodb, []))
    assert found == (Tenant(id="acme", labels={"plan": "large"}), Tenant(id="cafe", labels={"plan": "large"}))


def test_the_endpoint_is_read(monkeypatch: pytest.MonkeyPatch, program: Callable[[str], ModuleType]) -> None:
    monkeypatch.setenv("CRM_TOKEN", "t0ken")
    monkeypatch.setenv("NO_PROXY", "*")
    with endpoint() as crm:
        monkeypatch.setitem(PROGRAMS, "endpoint", PROGRAMS["endpoint"].replace("https://crm.example", crm.origin))
        crm.says(["acme"], at="/clients?state=active", headers={"Link": '</clients?page=2>; rel="next"'})
        crm.says({"tenants": [{"id": "bolt"}], "total": 2}, at="/clients?page=2")
        assert [tenant.id for tenant in read(program("endpoint").source)] == ["acme", "bolt"]
    assert [headers["Authorization"] for headers in crm.headers] == ["Bearer t0ken"] * 2


def test_the_organization_is_read(aws: OfflineAws, program: Callable[[str], ModuleType]) -> None:
    organizations = aws.client("organizations", account=testing.MANAGEMENT)
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="Clients")["OrganizationalUnit"]["Id"]
    tags = [{"Key": "client", "Value": "acme"}, {"Key": "stage", "Value": "live"}]
    made = organizations.create_account(AccountName="Acme GmbH", Email="aws@acme.example", Tags=tags)
    account = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    [tenant] = read(program("accounts").source)
    assert (tenant.id, tenant.labels["account"], tenant.labels["unit"]) == ("acme", account, "Clients")
