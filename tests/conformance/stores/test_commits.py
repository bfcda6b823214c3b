"""What a commit promises. The name of a case is the anomaly that it excludes, or what holds instead."""

import asyncio
import threading
from typing import Any

import pytest

from orbits_iac.model.errors import Conflict, Fenced, StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, RecordRow, TaskRow, amended
from orbits_iac.store.contract import Fence, Park, Store, Transaction
from orbits_iac.store.parted import LONG

A, B = ExecutionId("a"), ExecutionId("b")


async def outcomes(*transactions: Transaction, store: Store) -> list[str]:
    results = await asyncio.gather(*(store.commit(each) for each in transactions), return_exceptions=True)
    return [type(result).__name__ if result is not None else "written" for result in results]


async def test_lost_update_of_two_writers_who_read_the_same_version(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.record("r", 1)]))
    first = Transaction(put=[make.record("r", 2, revision=1)])
    second = Transaction(put=[make.record("r", 2, revision=2)])
    assert await outcomes(first, second, store=store) == ["written", "Conflict"]
    stored = await store.get(RecordRow, "Kind", "r")
    assert stored is not None
    assert stored.revision == 1


@pytest.mark.parametrize(("stored", "wanted"), [(0, 0), (0, 2), (1, 1), (1, 3), (2, 1)])
async def test_version_that_does_not_follow_the_stored_one(store: Store, make: Any, stored: int, wanted: int) -> None:
    for version in range(1, stored + 1):
        await store.commit(Transaction(put=[make.record("r", version)]))
    with pytest.raises(Conflict, match="record Kind r"):
        await store.commit(Transaction(put=[make.record("r", wanted)]))
    row = await store.get(RecordRow, "Kind", "r")
    assert (row.version if row else 0) == stored


async def test_versions_count_from_none_again_once_deleted(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.record("r", 1)]))
    await store.commit(Transaction(delete=[make.record("r", 9)]))
    await store.commit(Transaction(put=[make.record("r", 1)]))


async def test_counter_raised_by_many_at_once_loses_none(store: Store, make: Any) -> None:
    async def raise_it() -> None:
        for _ in range(10):
            while True:
                row = await store.get(RecordRow, "Kind", "r")
                try:
                    await store.commit(Transaction(put=[make.record("r", (row.version if row else 0) + 1)]))
                except Conflict:
                    continue
                break

    async with asyncio.timeout(60):
        await asyncio.gather(*(raise_it() for _ in range(8)))
    row = await store.get(RecordRow, "Kind", "r")
    assert row is not None
    assert row.version == 80


async def test_write_of_an_owner_whose_execution_was_claimed_anew(store: Store, make: Any) -> None:
    stale = await make.held(store, "a")
    await store.release(WorkerId("worker"), now=0.0)
    [task] = await store.claim(WorkerId("other"), now=0.0, limit=1)
    with pytest.raises(Fenced, match="a is not held with token 1 any more: other holds it with token 3"):
        await store.commit(Transaction(fence=stale, put=[make.entry("a", "k")]))
    assert await store.get(EntryRow, "a", "k") is None
    await store.commit(Transaction(fence=Fence(execution=A, token=task.token), put=[make.entry("a", "k")]))


async def test_write_of_an_owner_that_has_parked(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(fence=fence, park=Park(due=None)))
    with pytest.raises(Fenced, match="nobody holds it"):
        await store.commit(Transaction(fence=fence, put=[make.entry("a", "k")]))


async def test_write_to_an_execution_that_has_ended(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(fence=fence, delete=[make.task("a")]))
    assert await store.get(TaskRow, "a") is None
    with pytest.raises(Fenced, match="has ended"):
        await store.commit(Transaction(fence=fence, put=[make.entry("a", "k")]))


async def test_message_left_for_an_execution_that_has_ended(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(put=[make.message("a", "early"), make.message("b", "of another")]))
    late = Transaction(put=[make.message("a", "late")])  # in the same group as the end
    assert await outcomes(late, Transaction(fence=fence, delete=[make.task("a")]), store=store) == ["written"] * 2
    assert [row.id for row in await store.find(MessageRow)] == ["of another"]


async def test_fence_is_checked_against_the_earlier_ones_of_its_group(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    parked = Transaction(fence=fence, park=Park(due=None))
    late = Transaction(fence=fence, put=[make.entry("a", "late")])
    assert await outcomes(parked, late, store=store) == ["written", "Fenced"]
    assert await store.get(EntryRow, "a", "late") is None


async def test_creating_what_exists(store: Store, make: Any) -> None:
    one, other = make.execution("a", ref="one"), make.execution("a", ref="other")
    first, second = Transaction(absent=[one], put=[one]), Transaction(absent=[other], put=[other])
    assert await outcomes(first, second, store=store) == ["written", "Conflict"]
    assert await outcomes(second, store=store) == ["Conflict"]
    assert await store.get(ExecutionRow, "a") == one


async def test_creating_what_was_deleted_earlier_in_the_group(store: Store, make: Any) -> None:
    row = make.message("a", "m")
    await store.commit(Transaction(put=[row]))
    results = await outcomes(Transaction(delete=[row]), Transaction(absent=[row], put=[row]), store=store)
    assert results == ["written", "written"]
    assert await store.get(MessageRow, "a", "m") == row


async def test_decision_on_a_row_that_another_has_changed_or_deleted(store: Store, make: Any) -> None:
    row, task = make.execution("a"), make.task("a", due=None)
    other = amended(row, pruned=True)
    await store.commit(Transaction(put=[row, task]))
    late = Transaction(unchanged=[row, task], put=[amended(row, ref="late")])
    assert await outcomes(Transaction(put=[other]), late, store=store) == ["written", "Conflict"]
    assert await outcomes(Transaction(delete=[other]), late, store=store) == ["written", "Conflict"]
    assert await outcomes(Transaction(unchanged=[make.task("a", due=7.0)]), store=store) == ["Conflict"]
    assert await store.get(ExecutionRow, "a") is None


async def test_decision_on_a_row_that_is_as_it_was_read(store: Store, make: Any) -> None:
    row, task = make.execution("a", argument='"ä"'), make.task("a", due=None)
    changed = amended(row, ref="changed")
    first = Transaction(unchanged=[row], put=[changed, task])
    assert await outcomes(Transaction(put=[row]), first, store=store) == ["written", "written"]
    read = await store.get(ExecutionRow, "a")
    assert read is not None
    assert await outcomes(Transaction(unchanged=[read, task], put=[row]), store=store) == ["written"]
    assert await store.get(ExecutionRow, "a") == row


@pytest.mark.parametrize("refused", ["fence", "version", "absent", "unchanged"])
async def test_refused_transaction_leaves_nothing(store: Store, make: Any, refused: str) -> None:
    fence = await make.held(store, "a")
    await store.commit(Transaction(put=[make.task("b", due=None), make.message("a", "m"), make.record("r", 1)]))
    causes: dict[str, dict[str, Any]] = {
        "fence": {"fence": Fence(execution=A, token=fence.token + 1)},
        "version": {"fence": fence, "put": [make.record("r", 1)]},
        "absent": {"fence": fence, "absent": [make.message("a", "m")]},
        "unchanged": {"fence": fence, "unchanged": [make.message("a", "other")]},
    }
    cause = causes[refused]
    put = [make.entry("a", "k"), make.record("new", 1), *cause.pop("put", [])]
    transaction = Transaction(
        put=put, delete=[make.message("a", "m")], events=[make.event("a")], wake=[B], park=Park(due=5.0), **cause
    )
    with pytest.raises((Fenced, Conflict)):
        await store.commit(transaction)
    assert await store.get(EntryRow, "a", "k") is None
    assert await store.get(RecordRow, "Kind", "new") is None
    assert await store.get(MessageRow, "a", "m") is not None
    assert await store.tail(0) == []
    woken, parked = await store.get(TaskRow, "b"), await store.get(TaskRow, "a")
    assert woken is not None
    assert woken.due is None
    assert parked is not None
    assert parked.owner == "worker"


async def test_refused_transactions_do_not_fail_those_written_with_them(store: Store, make: Any) -> None:
    fence = await make.held(store, "a")
    stale = Fence(execution=A, token=fence.token - 1)
    transactions = [
        Transaction(fence=stale if number % 3 == 0 else fence, put=[make.entry("a", f"k{number:03}")])
        for number in range(200)
    ]
    expected = ["Fenced" if number % 3 == 0 else "written" for number in range(200)]
    assert await outcomes(*transactions, store=store) == expected
    written = {row.key for row in await store.find(EntryRow, execution="a")}
    assert written == {f"k{number:03}" for number in range(200) if number % 3}


@pytest.mark.parametrize("bad", [("\ud800", None), ("k", "long \ud800" * LONG)], ids=["key", "what stands apart"])
async def test_row_that_cannot_be_kept_fails_its_own_transaction_alone(store: Store, make: Any, bad: Any) -> None:
    """A lone surrogate is no text, in no encoding."""
    key, result = bad
    good = [Transaction(put=[make.task(f"t{number}")]) for number in range(20)]
    results = await asyncio.gather(
        *(store.commit(each) for each in good[:10]),
        store.commit(Transaction(put=[make.entry("bad", key, result=result), make.record("r", 1)])),
        *(store.commit(each) for each in good[10:]),
        return_exceptions=True,
    )
    assert isinstance(results[10], ValueError)
    assert results[:10] + results[11:] == [None] * 20
    assert await store.get(RecordRow, "Kind", "r") is None
    assert len(await store.find(TaskRow)) == 20


async def test_halves_of_transactions_are_never_seen(store: Store, make: Any) -> None:
    """Each transaction moves both entries on; every snapshot has them alike."""
    fence = await make.held(store, "a")
    done = asyncio.Event()

    async def move() -> None:
        for number in range(100):
            both = [make.entry("a", key, attempt=number) for key in ("left", "right")]
            await store.commit(Transaction(fence=fence, put=both))
        done.set()

    async def look() -> None:
        while not done.is_set():
            journal = await store.load(A)
            assert journal is not None
            assert len({row.attempt for row in journal.entries}) <= 1
            assert len(journal.entries) in {0, 2}
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(move(), look())


async def test_of_two_rows_with_one_key_the_last_counts(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.message("a", "m", body="1"), make.message("a", "m", body="2")]))
    assert await store.find(MessageRow) == [make.message("a", "m", body="2")]


async def test_row_keeps_something_of_the_one_that_it_replaces(store: Store, make: Any) -> None:
    """A row is written whole: a field that it leaves at its default is not left as it was."""
    await store.commit(
        Transaction(put=[make.entry("a", "k", handle='"h"', seq=1), make.task("a", due=3.0, tenant="t")])
    )
    await store.commit(Transaction(put=[make.entry("a", "k"), make.task("a", due=None)]))
    assert await store.get(EntryRow, "a", "k") == make.entry("a", "k")
    assert await store.get(TaskRow, "a") == make.task("a", due=None)


async def test_delete_comes_after_put_and_is_no_error_for_what_is_not_there(store: Store, make: Any) -> None:
    await store.commit(
        Transaction(put=[make.message("a", "m")], delete=[make.message("a", "m"), make.message("a", "x")])
    )
    assert await store.get(MessageRow, "a", "m") is None


async def test_parking_needs_a_fence(store: Store) -> None:
    with pytest.raises(ValueError, match="park"):
        await store.commit(Transaction(park=Park(due=None)))


async def test_events_among_the_rows_are_refused(store: Store, make: Any) -> None:
    with pytest.raises(ValueError, match="events"):
        await store.commit(Transaction(put=[make.event("a")]))


async def test_committers_in_other_threads_and_event_loops_are_answered(store: Store, make: Any) -> None:
    errors: list[BaseException] = []

    def lease() -> None:
        async def renew() -> None:
            for number in range(50):
                await store.commit(Transaction(put=[make.message("lease", f"m{number:02}")]))
                assert await store.get(MessageRow, "lease", f"m{number:02}") is not None

        try:
            asyncio.run(renew())
        except BaseException as error:  # noqa: BLE001 - the test's own thread reports it
            errors.append(error)

    threads = [threading.Thread(target=lease) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(50):
        await store.commit(Transaction(put=[make.message("main", f"m{number:02}")]))
    for thread in threads:
        await asyncio.get_running_loop().run_in_executor(None, thread.join, 30)
    assert errors == []
    assert len(await store.find(MessageRow, execution="lease")) == 50
    assert len(await store.find(MessageRow, execution="main")) == 50


async def test_cancelled_committer_leaves_the_others_their_answers(store: Store, make: Any) -> None:
    tasks = [asyncio.create_task(store.commit(Transaction(put=[make.task(f"t{number}")]))) for number in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for number, result in enumerate(results) if number != 3] == [None] * 9


async def test_closed_store_is_refused_and_opens_again_with_all_it_had(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.record("r", 1)]))
    await store.close()
    await store.close()
    for attempt in (store.commit(Transaction(put=[make.record("r", 2)])), store.get(RecordRow, "Kind", "r")):
        with pytest.raises(StoreError, match="not open"):
            await attempt
    await store.open()
    await store.open()
    assert await store.get(RecordRow, "Kind", "r") == make.record("r", 1)


async def test_closing_finishes_what_was_handed_in(store: Store, make: Any) -> None:
    tasks = [asyncio.create_task(store.commit(Transaction(put=[make.task(f"t{number}")]))) for number in range(20)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*tasks) == [None] * 20
    await store.open()
    assert len(await store.find(TaskRow)) == 20


async def test_values_as_long_as_may_be_are_kept_all_in_one_row(store: Store, make: Any) -> None:
    longest = f'"{"x" * (10 * 1024 * 1024 - 2)}"'
    row = make.entry("a", "long", argument=longest, result=longest)
    await store.commit(Transaction(put=[row, make.entry("a", "short")]))
    stored = await store.get(EntryRow, "a", "long")
    assert stored is not None
    assert stored == row
    assert len(await store.find(EntryRow, execution="a", whole=False)) == 2
