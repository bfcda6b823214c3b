"""Rows that are longer than MongoDB's documents, over a real MongoDB; what is long is a few bytes here."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.store import mongodb_pieces
from orbits_iac.store.contract import Fence, Transaction
from orbits_iac.store.mongodb import MongoStore
from orbits_iac.store.parted import LONG

LONG_RESULT = "ä" * (LONG + 1)


@pytest.fixture
async def store(mongodb: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MongoStore]:
    monkeypatch.setattr(mongodb_pieces, "LONGEST", 1000)
    monkeypatch.setattr(mongodb_pieces, "SIZE", 60_001)  # in the middle of a character
    async with MongoStore(mongodb) as opened:
        yield opened


def _row(key: str, **fields: Any) -> EntryRow:
    given: dict[str, Any] = {"argument": f'"{"ö" * 900}"', "result": LONG_RESULT, **fields}
    return EntryRow(execution=ExecutionId("e"), key=StepKey(key), kind="Step", **given)


def _execution() -> ExecutionRow:
    e = ExecutionId("e")
    return ExecutionRow(
        id=e, root=e, kind="Kind", command="update", argument="{}", build="b", who="me", digest="d", created_at=1.0
    )


async def _pieces(store: MongoStore) -> int:
    database = store._opened._database
    long = await database["long"].find().to_list()
    pieces = await database["piece"].count_documents({})
    assert sum(each["n"] for each in long) == pieces
    return pieces


async def test_a_long_row_is_found_as_it_was_written(store: MongoStore) -> None:
    long, short = _row("long"), _row("short", argument="1", result="2")
    await store.commit(Transaction(put=[_execution(), long, short]))
    assert await _pieces(store) == 4  # three of its result
    assert await store.get(EntryRow, "e", "long") == long
    assert await store.find(EntryRow, execution="e") == [long, short]
    journal = await store.load(ExecutionId("e"))
    assert journal is not None
    assert sorted(journal.entries, key=lambda entry: entry.key) == [long, short]


async def test_a_long_row_that_is_not_asked_for_whole_lacks_its_result_alone(store: MongoStore) -> None:
    await store.commit(Transaction(put=[_row("long")]))
    assert await store.find(EntryRow, execution="e", whole=False) == [_row("long", result=None)]


async def test_a_long_row_is_compared_whole(store: MongoStore) -> None:
    await store.commit(Transaction(put=[_row("long")]))
    await store.commit(Transaction(unchanged=[_row("long")], put=[_row("other")]))
    with pytest.raises(StoreError, match="entry e long is not as it was read"):
        await store.commit(Transaction(unchanged=[_row("long", result=LONG_RESULT[:-1])]))


async def test_what_a_long_row_leaves_behind_is_removed_by_compacting_alone(store: MongoStore) -> None:
    await store.commit(Transaction(put=[_row("kept"), _row("replaced"), _row("gone")]))
    await store.commit(Transaction(put=[_row("replaced", result=f"{LONG_RESULT}!")]))
    await store.commit(Transaction(put=[_row("shortened")], delete=[_row("gone")]))
    await store.commit(Transaction(put=[_row("shortened", argument=None, result=None)]))
    assert await _pieces(store) == 5 * 4
    freed = await store.compact()
    assert await _pieces(store) == 2 * 4
    assert freed > 3 * 2 * LONG
    assert await store.compact() == 0
    assert await store.get(EntryRow, "e", "kept") == _row("kept")
    assert await store.get(EntryRow, "e", "replaced") == _row("replaced", result=f"{LONG_RESULT}!")


async def test_a_long_row_that_is_replaced_while_it_is_read_is_read_again(store: MongoStore) -> None:
    await store.commit(Transaction(put=[_row("long")]))
    reading = True

    async def replace() -> None:
        number = 0
        while reading:
            number += 1
            await store.commit(Transaction(put=[_row("long", result=f"{LONG_RESULT}{number}")]))
            await store.compact()

    replacing = asyncio.ensure_future(replace())
    for _ in range(20):
        row = await store.get(EntryRow, "e", "long")
        assert row is not None
        assert (row.result or "").startswith(LONG_RESULT)
    reading = False
    await replacing


async def test_pieces_that_are_removed_before_their_row_is_written_are_written_anew(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = mongodb_pieces.send

    async def send_and_lose(database: Any, documents: Any) -> None:
        await send(database, documents)
        sent.append(1)
        if len(sent) == 1:
            assert await store.compact() > 0

    monkeypatch.setattr("orbits_iac.store.mongodb_writer.send_pieces", send_and_lose)
    await store.commit(Transaction(put=[_row("long")]))
    assert len(sent) == 2
    assert await store.get(EntryRow, "e", "long") == _row("long")
    assert await _pieces(store) == 4


async def test_pieces_of_a_refused_transaction_are_removed_by_compacting(store: MongoStore) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        await store.commit(Transaction(fence=Fence(execution=ExecutionId("e"), token=1), put=[_row("long")]))
    assert await _pieces(store) == 4
    assert await store.compact() > 0
    assert await _pieces(store) == 0


async def test_a_row_that_is_too_large_is_refused_by_name_and_fails_no_other(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_pieces, "LARGEST", 200_000)
    large = _row("large", result="x" * 300_000)
    done = await asyncio.gather(
        store.commit(Transaction(put=[_row("long")])), store.commit(Transaction(put=[large])), return_exceptions=True
    )
    assert done[0] is None
    assert isinstance(done[1], ValueError)
    assert str(done[1]) == (
        "entry e large has 0.3 MB, and a MongoDB store keeps at most 0.2 MB of one row: keep large values elsewhere, "
        "in a bucket or a file, and hand on where they are"
    )
    assert await store.find(EntryRow, execution="e") == [_row("long")]


async def test_a_row_whose_pieces_somebody_deleted_is_an_error_that_says_so(store: MongoStore) -> None:
    await store.commit(Transaction(put=[_row("long")]))
    await store._opened._database["piece"].delete_one({})  # by hand
    with pytest.raises(StoreError, match="a row of entry cannot be read back: pieces of it are gone"):
        await store.get(EntryRow, "e", "long")
