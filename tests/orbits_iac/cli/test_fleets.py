"""What `orbits drift` says of a fleet, from rows: who is counted how, in how many reads, and with which exit code."""

from collections.abc import AsyncIterator, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from orbits_iac import queries
from orbits_iac.cli import exits, fleets
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import Child, Difference, LookRow, RecordRow, Row
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore

AT = 1000.0
DRIFTED = Difference(path="text", recorded='"open"', live='"closed"', since=AT)


def record(kind: str, identity: str, *children: Child, tenant: str | None = None, **more: Any) -> RecordRow:
    return RecordRow(kind=kind, identity=identity, revision=1, children=children, tenant=tenant, **more)


def child(ref: str, kind: str, identity: str) -> Child:
    return Child(ref=ref, kind=kind, identity=identity, owned=False, revision=1)


def fleet(looks: dict[str, LookRow | None], own: LookRow | None = None) -> list[Row]:
    """A fleet with these tenants, each with a stack of one sign."""
    rows: list[Row] = [record("Shops", "Shops", *(child("tenant", "Shop", id_) for id_ in looks))]
    rows += [own] if own is not None else []
    for number, (id_, look) in enumerate(looks.items()):
        labels = {"plan": "large" if number % 2 else "small"}
        by = BEFORE if id_ == "ibex" else AFTER
        sign = child("sign", "Sign", f"{id_}/sign")
        rows.append(record("Shop", id_, sign, tenant=id_, labels=labels, brought_by=by))
        rows.append(record("Sign", f"{id_}/sign", tenant=id_))
        rows += [look] if look is not None else []
    return rows


def look(id_: str, *differences: Difference, at: float = AT, **more: Any) -> LookRow:
    return LookRow(kind="Sign", identity=f"{id_}/sign", at=at, checked=3, differences=differences, **more)


BEFORE, CYCLE, AFTER = (ExecutionId(f"1nghf{number}") for number in range(3))
OWN = LookRow(
    kind="Shops", identity="Shops", at=AT, execution=CYCLE, unchecked=("eve: sign: Timeout: no answer", "fox: busy")
)
LOOKS: dict[str, LookRow | None] = {
    "eve": look("eve", at=AT - 7200),
    "acme": look("acme", DRIFTED, unchecked=("code: not read",)),
    "bolt": look("bolt", Difference(path="text", recorded="1", live="2", since=AT - 50), ignored=("Tags: scaled",)),
    "cafe": look("cafe", Difference(path="a", recorded="1", live="2", since=AT, remediated=True)),
    "dodo": look("dodo", healed=(DRIFTED,)),
    "fox": look("fox", at=AT + 5),
    "gnu": None,
    "hare": look("hare"),
    "ibex": None,
}


class Counting(MemoryStore):
    """Counts its reads."""

    reads = 0

    async def get(self, *arguments: Any, **more: Any) -> Any:
        self.reads += 1
        return await super().get(*arguments, **more)

    async def count(self, *arguments: Any, **more: Any) -> Any:
        self.reads += 1
        return await super().count(*arguments, **more)

    async def find(self, *arguments: Any, **more: Any) -> Any:
        self.reads += 1
        return await super().find(*arguments, **more)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store("memory:") as opened:
        yield opened


async def seen(store: Store, rows: Sequence[Row]) -> list[queries.Found]:
    await store.commit(Transaction(put=rows))
    return await queries.looks(store, "Shops", "Shops")


async def test_each_tenant_is_counted_as_its_last_look_and_the_fleets_own_say(store: Store) -> None:
    found = await seen(store, fleet(LOOKS, OWN))
    assert fleets.is_fleet(found)
    made = fleets.lines(found)
    counts = {line.tenant: [getattr(line, name) for name in fleets.COUNTS] for line in made}
    assert counts == {
        "acme": [1, 0, 0, 0, 1],
        "bolt": [0, 1, 0, 1, 0],
        "cafe": [0, 0, 1, 0, 0],
        "dodo": [0, 0, 1, 0, 0],
        "eve": [0, 0, 0, 0, 0],
        "fox": [0, 0, 0, 0, 0],
        "gnu": [0, 0, 0, 0, 0],
        "hare": [0, 0, 0, 0, 0],
        "ibex": [0, 0, 0, 0, 0],
    }
    assert [line.tenant for line in made if line.empty] == ["ibex"]
    assert [line.tenant for line in made if line.drifted] == ["acme", "bolt"]
    assert {line.tenant: line.why for line in made if line.unseen} == {"eve": "sign: Timeout: no answer", "gnu": ""}
    assert fleets.exit_code(made) == exits.FOUND
    assert fleets.exit_code([line for line in made if not line.drifted]) == exits.PARTLY
    assert fleets.exit_code([line for line in made if line.tenant in {"fox", "hare", "cafe"}]) == exits.DONE
    document = fleets.as_document(found, made)
    assert document["counts"] == {"new": 1, "standing": 1, "healed": 2, "ignored": 1, "unchecked": 1}
    assert document["tenants"][0] == {
        **dict.fromkeys(fleets.COUNTS, 0),
        "tenant": "acme",
        "stack": "Shop",
        "new": 1,
        "unchecked": 1,
        "looked_at": AT,
        "why": None,
    }


async def test_who_has_drifted_and_could_not_be_looked_at_again_is_counted_once(store: Store) -> None:
    drifted: dict[str, LookRow | None] = {"acme": look("acme", DRIFTED, at=AT - 60), "hare": look("hare")}
    own = LookRow(kind="Shops", identity="Shops", at=AT, execution=CYCLE, unchecked=("acme: busy",))
    made = fleets.lines(await seen(store, fleet(drifted, own)))
    tenants, _, _ = fleets.said(made).partition(";")
    assert tenants == "2 tenants: 1 in sync, 1 drifted, 0 could not be looked at"
    assert [line.why for line in made] == ["busy", ""]


async def test_who_is_in_sync_is_not_listed_and_what_is_new_is_shown(store: Store) -> None:
    found = await seen(store, fleet(LOOKS, OWN))
    out = StringIO()
    console = Console(file=out, width=160, no_color=True)
    fleets.print_fleet(found, fleets.lines(found), console, now=AT)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "tenant  stack  new  standing  healed  ignored  unchecked  looked at",
        "acme    Shop     1         -       -        -          1  just now",
        "bolt    Shop     -         1       -        1          -  just now",
        "cafe    Shop     -         -       1        -          -  just now",
        "dodo    Shop     -         -       1        -          -  just now",
        "eve     Shop     -         -       -        -          -  2 h ago    sign: Timeout: no answer",
        "gnu     Shop     -         -       -        -          -  never",
        "",
        "acme  sign  Sign  text  recorded open → live closed",
        "cafe  sign  Sign  a     recorded 1 → live 2  brought back",
        "9 tenants: 4 in sync, 2 drifted, 2 could not be looked at, 1 with nothing to compare; properties: 1 new, 1 standing, 2 healed, 1 ignored, 1 unchecked",  # noqa: E501 - as it is printed
    ]


async def test_a_look_is_narrowed_to_tenants_by_their_ids_and_labels(store: Store) -> None:
    found = await seen(store, fleet(LOOKS, OWN))
    some = fleets.narrowed(found, fleets.Narrow(selector="plan=large"))
    assert [line.tenant for line in fleets.lines(some)] == ["acme", "cafe", "fox", "hare"]
    one = fleets.narrowed(found, fleets.Narrow(selector="plan=large", tenants=("fox", "gnu")))
    assert [line.tenant for line in fleets.lines(one)] == ["fox"]
    assert fleets.lines(fleets.narrowed(found, fleets.Narrow(selector="plan=large", tenants=("gnu",)))) == []
    for narrow, said in (
        (fleets.Narrow(tenants=("zoo",)), "no tenant 'zoo' stands in Shops Shops"),
        (fleets.Narrow(selector="plam=large"), "no tenant has a label 'plam'"),
    ):
        with pytest.raises(UsageError, match=said):
            fleets.narrowed(found, narrow)
    with pytest.raises(UsageError, match="this is no fleet"):
        fleets.narrowed(await queries.looks(store, "Shop", "acme"), fleets.Narrow(tenants=("acme",)))


async def test_a_large_fleet_is_read_by_few_queries() -> None:
    async with Counting() as store:
        ids = [f"t{number}" for number in range(1200)]
        found = await seen(store, fleet({id_: look(id_) for id_ in ids}, OWN))
        assert len(fleets.lines(found)) == 1200
        assert store.reads <= 16  # a few for each kind of record, and of look, however many there are
