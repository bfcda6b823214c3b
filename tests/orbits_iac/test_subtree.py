"""All below a record is read whole, each thing once, whether many of a kind are wanted or a few of many."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import Child, LookRow, RecordRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.subtree import subtree


def child(kind: str, identity: str) -> Child:
    return Child(ref=identity, kind=kind, identity=identity, owned=True, revision=1)


def record(kind: str, identity: str, *children: Child) -> RecordRow:
    return RecordRow(kind=kind, identity=identity, revision=1, last_number=1, children=children)


class Counting(MemoryStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, str]] = []

    async def get(self, table: type[Any], *key: str | int) -> Any:
        self.reads.append(("get", table.__name__))
        return await super().get(table, *key)

    async def find(self, table: type[Any], **how: Any) -> list[Any]:
        self.reads.append(("find", table.__name__))
        return await super().find(table, **how)

    async def count(self, table: type[Any], **where: Any) -> int:
        self.reads.append(("count", table.__name__))
        return len(await super().find(table, **where))


async def filled(rows: Sequence[RecordRow | LookRow]) -> Counting:
    store = Counting()
    await store.open()
    await store.commit(Transaction(put=rows))
    store.reads.clear()
    return store


async def test_a_ring_is_gone_round_once_and_what_is_not_there_is_left_out() -> None:
    rows: list[RecordRow | LookRow] = [
        record("Top", "t", child("Part", "a"), child("Part", "gone")),
        record("Part", "a", child("Top", "t"), child("Leaf", "x")),
        record("Leaf", "x"),
        LookRow(kind="Leaf", identity="x", at=1.0),
        record("Other", "o"),
    ]
    found = await subtree(await filled(rows), RecordId("Top", "t"))
    assert list(found.under(RecordId("Top", "t"))) == [
        ((), RecordId("Top", "t")),
        (("a",), RecordId("Part", "a")),
        (("a", "x"), RecordId("Leaf", "x")),
    ]
    assert list(found.looks) == [RecordId("Leaf", "x")]
    assert found.children(RecordId("Part", "gone")) == ()


@pytest.mark.parametrize(
    ("wanted", "reads"), [(30, {"get": 1, "count": 1, "find": 1}), (3, {"get": 1 + 3, "count": 1})], ids=["many", "few"]
)
async def test_a_kind_is_read_at_once_unless_few_of_many_are_wanted(wanted: int, reads: dict[str, int]) -> None:
    parts = [record("Part", f"p{number:02}") for number in range(40)]
    looks = [LookRow(kind="Part", identity=part.identity, at=1.0) for part in parts]
    top = record("Top", "t", *(child("Part", part.identity) for part in parts[:wanted]))
    store = await filled([top, *parts, *looks])
    found = await subtree(store, RecordId("Top", "t"))
    assert (len(found.records), len(found.looks)) == (wanted + 1, wanted)
    for table in ("RecordRow", "LookRow"):
        assert Counter(how for how, what in store.reads if what == table) == reads
