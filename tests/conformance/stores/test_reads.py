"""What is read: keys, order, snapshots, events and hints."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orbits_iac.model.errors import Conflict, Failure
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import (
    Child,
    EntryRow,
    EventRow,
    ExecutionRow,
    Held,
    MessageRow,
    ReaderRow,
    RecordRow,
    RevisionRow,
    TaskRow,
    WaitRow,
    WorkerRow,
    amended,
)
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.parted import LONG

A = ExecutionId("a")
ROLES = "\u00e9 \U0001f600 \u4e2d / : % ' \" \x00 \n"


async def test_row_comes_back_as_it_was_with_all_that_is_nested(store: Store, make: Any) -> None:
    child = Child(ref="a/b", kind="K", identity="i", owned=True, revision=None, protect=True)
    failure = Failure(error_type="E", message="m", path=("a", "b"), types=("x.E",), state=State.REVERTED)
    record = make.record(
        "r", 1, children=(child, replace(child, revision=3)), users=("Kind x", "direct"), queue=(A,),
        held=Held(by=A, steps=("migrate",), at=1.25), places={"Aws": "1/eu"}, tenant="t", last_number=2**53,
    )  # fmt: skip
    ended = make.execution("a", state=State.ERROR, failure=failure, no_return=("m",), ended_at=1700000000.123456)
    await store.commit(Transaction(put=[record, ended]))
    assert await store.get(RecordRow, "Kind", "r") == record
    stored = await store.get(ExecutionRow, "a")
    assert stored == ended
    assert stored is not None
    assert type(stored.state) is State


async def test_keys_of_any_text(store: Store, make: Any) -> None:
    keys = [ROLES, "", "k" * 5000, "K", "k", "\uffff", "\U00010000"]
    await store.commit(Transaction(put=[make.entry(ROLES, key, message=key) for key in keys]))
    for key in keys:
        row = await store.get(EntryRow, ROLES, key)
        assert row is not None
        assert row.message == key
    assert [row.key for row in await store.find(EntryRow, execution=ROLES)] == sorted(keys)


async def test_who_reads_a_record_is_found_by_it_and_let_go_of_alone(store: Store) -> None:
    """Each has a row, so that thousands begin and end to read one record without writing what another has written."""
    readers = [ReaderRow(kind="Net", identity="a b", reader=f"Shop {number:04}") for number in range(1200)]
    others = [ReaderRow(kind="Net", identity=name, reader="Shop 0001") for name in ("a", "a b c", "b")]
    await asyncio.gather(*(store.commit(Transaction(put=[row])) for row in reversed([*readers, *others])))
    assert await store.find(ReaderRow, kind="Net", identity="a b") == readers
    await asyncio.gather(*(store.commit(Transaction(delete=[row])) for row in readers[1:]))
    await store.commit(Transaction(put=[readers[0]], delete=[readers[1]]))  # as often as one likes
    assert await store.find(ReaderRow, kind="Net", identity="a b") == readers[:1]
    assert await store.find(ReaderRow) == [others[0], readers[0], *others[1:]]


async def test_body_of_a_megabyte(store: Store, make: Any) -> None:
    rows = [make.entry("a", f"k{number}", result=f'"{number}{"x" * 1_000_000}"') for number in range(5)]
    await store.commit(Transaction(put=[make.execution("a"), *rows]))
    journal = await store.load(A)
    assert journal is not None
    assert sorted(journal.entries, key=lambda row: row.key) == rows


async def test_long_value_in_rows_that_are_not_read_whole(store: Store, make: Any) -> None:
    short, long = f'"{"s" * (LONG - 2)}"', f'"{"l" * LONG}"'
    rows = [make.execution("a", result=long), make.entry("a", "k1", result=short), make.entry("a", "k2", result=long)]
    await store.commit(Transaction(put=rows))
    assert await store.find(EntryRow, execution="a", whole=False) == [rows[1], amended(rows[2], result=None)]
    assert await store.find(ExecutionRow, id="a", whole=False) == [amended(rows[0], result=None)]
    assert await store.find(EntryRow, execution="a") == rows[1:]
    assert await store.get(ExecutionRow, "a") == rows[0]
    journal = await store.load(A)
    assert journal is not None
    assert [journal.execution, *sorted(journal.entries, key=lambda row: row.key)] == rows
    await store.commit(Transaction(put=[make.entry("a", "k2", result=short)]))
    assert await store.find(EntryRow, execution="a", whole=False) == await store.find(EntryRow, execution="a")


async def test_put_replaces_the_whole_row(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.execution("a", parent="p", state=State.PAUSED, result="1")]))
    await store.commit(Transaction(put=[make.execution("a")]))
    assert await store.get(ExecutionRow, "a") == make.execution("a")
    assert await store.find(ExecutionRow, parent="p") == []
    assert await store.find(ExecutionRow, state=State.SLEEPING) == [make.execution("a")]


async def test_last_of_two_puts_of_one_key_stands(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.entry("a", "k", attempt=1), make.entry("a", "k", attempt=2)]))
    first, second = (Transaction(put=[make.entry("a", "k", attempt=number)]) for number in (3, 4))
    await asyncio.gather(store.commit(first), store.commit(second))
    row = await store.get(EntryRow, "a", "k")
    assert row is not None
    assert row.attempt == 4


async def test_get_of_what_is_not_there(store: Store) -> None:
    assert await store.get(RecordRow, "Kind", "none") is None
    assert await store.load(ExecutionId("none")) is None


async def test_load_has_all_of_one_execution_and_nothing_of_others(store: Store, make: Any) -> None:
    mine = [make.execution("a"), make.task("a"), make.entry("a", "k1"), make.entry("a", "k2"), make.message("a", "m")]
    others = [make.execution("ab"), make.task("ab"), make.entry("ab", "k1"), make.message("ab", "m")]
    await store.commit(Transaction(put=[*mine, *others]))
    journal = await store.load(A)
    assert journal is not None
    assert journal.execution == mine[0]
    assert sorted(journal.entries, key=lambda row: row.key) == mine[2:4]
    assert list(journal.messages) == mine[4:]


@pytest.mark.parametrize("count", [99, 100, 101, 1500])
async def test_long_answers_are_whole(store: Store, make: Any, count: int) -> None:
    entries = [make.entry("a", f"k{number:05}") for number in range(count)]
    events = [make.event("a", why=str(number)) for number in range(count)]
    await store.commit(Transaction(put=[make.execution("a"), *entries], events=events))
    journal = await store.load(A)
    assert journal is not None
    assert len(journal.entries) == count
    assert await store.find(EntryRow, execution="a") == entries
    assert await store.find(EntryRow, execution="a", newest=True, limit=count - 1) == entries[:0:-1]
    assert [event.why for event in await store.tail(0, limit=count)] == [event.why for event in events]


async def test_find_by_indexed_fields_in_the_order_of_keys(store: Store, make: Any) -> None:
    rows = [
        make.execution("c", root="a", kind="K", identity="i"),
        make.execution("a", kind="K", identity="j"),
        make.execution("b", root="a", parent="a", kind="L"),
        make.execution("d"),
    ]
    c, a, b, d = rows
    await store.commit(Transaction(put=rows))
    assert await store.find(ExecutionRow) == [a, b, c, d]
    assert await store.find(ExecutionRow, root="a") == [a, b, c]
    assert await store.find(ExecutionRow, root="a", newest=True, limit=2) == [c, b]
    assert await store.find(ExecutionRow, root="a", limit=0) == []
    assert await store.find(ExecutionRow, root="a", parent=None) == [a, c]
    assert await store.find(ExecutionRow, kind="K", identity="j") == [a]
    assert await store.find(ExecutionRow, id="b") == [b]
    assert await store.find(ExecutionRow, id="b", root="x") == []
    assert await store.count(ExecutionRow) == 4
    assert await store.count(ExecutionRow, root="a", parent=None) == 2
    assert await store.count(ExecutionRow, state=State.SUCCESS) == 0


async def test_find_by_the_leading_fields_of_a_key(store: Store) -> None:
    rows = [
        RevisionRow(kind=kind, identity=identity, number=number, argument="{}")
        for kind in "KL" for identity in "ij" for number in (2, 10, 9)
    ]  # fmt: skip
    await store.commit(Transaction(put=rows))
    assert [row.number for row in await store.find(RevisionRow, kind="K", identity="j")] == [2, 9, 10]
    [newest] = await store.find(RevisionRow, kind="K", identity="j", newest=True, limit=1)
    assert newest.number == 10
    assert len(await store.find(RevisionRow, kind="L")) == 6
    assert len(await store.find(RevisionRow, kind="L", identity="i", number=2)) == 1


@pytest.mark.parametrize("newest", [False, True])
async def test_row_that_a_reader_of_pages_misses_or_gets_twice(store: Store, *, newest: bool) -> None:
    """Rows that are deleted and added between two pages shift none of the others."""
    rows = [
        RevisionRow(kind="K", identity=identity, number=number, argument="{}")
        for identity in "ij"
        for number in range(5)
    ]
    await store.commit(Transaction(put=rows))
    seen, after = list[RevisionRow](), tuple[str | int, ...]()
    while page := await store.find(RevisionRow, kind="K", limit=3, newest=newest, after=after):
        seen += page
        after = (page[-1].kind, page[-1].identity, page[-1].number)
        await store.commit(Transaction(delete=page))
        await store.commit(Transaction(put=[RevisionRow(kind="L", identity="i", number=len(seen), argument="{}")]))
    assert seen == (rows[::-1] if newest else rows)


async def test_page_after_a_part_of_a_key_is_a_mistake_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="after a whole key: give kind, identity, number"):
        await store.find(RevisionRow, after=("K", "i"))


async def test_room_is_given_back_and_nothing_else(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.entry("a", str(number)) for number in range(500)]))
    await store.commit(Transaction(delete=[make.entry("a", str(number)) for number in range(1, 500)]))
    assert await store.compact() >= 0
    assert await store.find(EntryRow) == [make.entry("a", "0")]


@pytest.mark.parametrize(
    ("table", "where"),
    [(ExecutionRow, {"build": "b"}), (RevisionRow, {"identity": "i"}), (EntryRow, {"key": "k"}), (WorkerRow, {"x": 1})],
)
async def test_find_by_anything_else_is_a_mistake_of_the_caller(store: Store, table: Any, where: Any) -> None:
    with pytest.raises(ValueError, match="is not found by"):
        await store.find(table, **where)


async def test_rows_found_by_a_field_of_their_key_that_is_not_its_first(store: Store) -> None:
    """An index of its own leads to them, not that of the key."""
    waits = [
        WaitRow(event=event, execution=ExecutionId(execution), key=StepKey("k"), root=A)
        for event in ("Asked", "Told")
        for execution in ("a", "b")
    ]
    await store.commit(Transaction(put=waits))
    assert await store.find(WaitRow, execution="b") == [waits[1], waits[3]]
    assert await store.find(WaitRow, event="Told", execution="b") == [waits[3]]
    assert await store.find(WaitRow, execution="a", after=("Asked", "a", "k")) == [waits[2]]
    assert await store.find(WaitRow, execution="c") == []


async def test_events_have_the_order_of_their_commits(store: Store, make: Any) -> None:
    async def writer(name: str) -> None:
        for number in range(20):
            two = [make.event(name, why=f"{number}a"), make.event(name, why=f"{number}b")]
            await store.commit(Transaction(events=two))

    await asyncio.gather(*(writer(f"e{number}") for number in range(5)))
    events = await store.tail(0)
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert len(events) == 200
    for number in range(5):
        mine = [event.why for event in events if event.execution == f"e{number}"]
        assert mine == [f"{each}{half}" for each in range(20) for half in "ab"]
    for first, second in zip(events[::2], events[1::2], strict=True):
        assert (first.execution, first.why[:-1]) == (second.execution, second.why[:-1])


async def test_event_that_comes_to_light_behind_one_that_was_read(store: Store, make: Any) -> None:
    """Who tails from the last number that it has seen would miss it."""
    read = list[EventRow]()

    async def write(name: str) -> None:
        for number in range(30):
            await store.commit(Transaction(events=[make.event(name, why=str(number))]))

    async def follow() -> None:
        while len(read) < 8 * 30:
            read.extend(await store.tail(read[-1].seq if read else 0, limit=7))
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(follow(), *(write(f"e{number}") for number in range(8)))
    assert read == await store.tail(0)


async def test_keys_are_in_the_order_of_code_points(store: Store, make: Any) -> None:
    """Not in that of a language, nor in that of UTF-16, where a rocket comes before the last of the first plane."""
    names = ["", "Z", "a", "a b", "ab", "\u00e9", "\u65e5", "\uffff", "\U0001f680"]
    await store.commit(Transaction(put=[make.message("e", name) for name in reversed(names)]))
    assert [row.id for row in await store.find(MessageRow, execution="e")] == names
    assert [row.id for row in await store.find(MessageRow, execution="e", after=("e", "\u65e5"))] == names[-2:]


async def test_tail_goes_on_where_it_was(store: Store, make: Any) -> None:
    names = ["a", "b", "a", "a", "b"]
    await store.commit(Transaction(events=[make.event("x", root=name, why=str(n)) for n, name in enumerate(names)]))
    first = await store.tail(0, limit=2)
    assert [event.why for event in first] == ["0", "1"]
    assert [event.why for event in await store.tail(first[-1].seq)] == ["2", "3", "4"]
    assert [event.why for event in await store.tail(first[-1].seq, root=A)] == ["2", "3"]
    assert [event.why for event in await store.tail(first[0].seq, root=A, limit=1)] == ["2"]
    assert await store.tail(10_000) == []
    everything = await store.find(EventRow)
    assert await store.tail(0) == everything


async def test_number_of_an_event_that_was_deleted_is_given_again(store: Store, make: Any) -> None:
    """Who tails from there would miss the later one."""
    await store.commit(Transaction(events=[make.event("a") for _ in range(3)]))
    events = await store.tail(0)
    await store.commit(Transaction(delete=events))
    await store.commit(Transaction(events=[make.event("a", why="later")]))
    assert [event.why for event in await store.tail(events[-1].seq)] == ["later"]
    assert len(await store.tail(0)) <= 2


async def test_reader_that_was_told_of_a_commit_sees_it(store: Store, make: Any) -> None:
    async def one(number: int) -> None:
        name = f"t{number:03}"
        await store.commit(Transaction(put=[make.execution(name), make.entry(name, "k"), make.message(name, "m")]))
        assert await store.get(ExecutionRow, name) is not None
        journal = await store.load(ExecutionId(name))
        assert journal is not None
        assert len(journal.entries) == 1
        assert len(await store.find(MessageRow, execution=name)) == 1

    await asyncio.gather(*(one(number) for number in range(100)))


async def test_change_before_or_during_the_wait_ends_it(store: Store, make: Any) -> None:
    await store.changed(0)
    for cause in ("commit", "claim", "release"):
        for early in (True, False):
            waiting = asyncio.create_task(store.changed(3600))
            if not early:
                await asyncio.sleep(0)
            async with asyncio.timeout(60):
                if cause == "commit":
                    await store.commit(Transaction(put=[make.task(f"{cause}{early}")]))
                elif cause == "claim":
                    assert await store.claim(WorkerId("w"), now=1.0, limit=1)
                else:
                    assert await store.release(WorkerId("w"), now=1.0)
                    await store.claim(WorkerId("w"), now=1.0, limit=1)
                await waiting


async def test_change_between_two_waits_of_one_caller_ends_the_second(store: Store, make: Any) -> None:
    async def waiter(number: int) -> None:
        await store.changed(0)
        await store.commit(Transaction(put=[make.task(f"t{number}")]))
        async with asyncio.timeout(60):
            await store.changed(3600)

    await waiter(0)
    await asyncio.gather(waiter(1), waiter(2))


async def test_change_wakes_everybody_who_waits(store: Store, make: Any) -> None:
    await store.changed(0)
    waiting = [asyncio.create_task(store.changed(3600)) for _ in range(5)]
    await asyncio.sleep(0)
    await store.commit(Transaction(put=[make.task("a")]))
    async with asyncio.timeout(60):
        await asyncio.gather(*waiting)


async def test_wait_without_a_change_lasts_as_long_as_was_asked(store: Store, make: Any) -> None:
    await store.commit(Transaction(put=[make.task("a")]))
    loop = asyncio.get_running_loop()
    lasted = 0.0
    async with asyncio.timeout(60):
        while lasted < 0.019:  # it may return without a cause: but not for ever
            start = loop.time()
            await store.changed(0.02)
            lasted = loop.time() - start
    assert await store.get(TaskRow, "a") is not None


async def test_event_that_brings_its_number_keeps_it(store: Store, make: Any) -> None:
    """As where a store is moved; gaps included, and whoever comes after goes on above."""
    await store.commit(Transaction(events=[make.event("a", why="first")]))
    (first,) = await store.tail(0)
    brought = [make.event("a", seq=first.seq + 10), make.event("b"), make.event("b", seq=first.seq + 40)]
    await store.commit(Transaction(events=brought))
    await store.commit(Transaction(events=[make.event("c", why="next")]))
    *moved, last = await store.tail(first.seq)
    assert [event.seq - first.seq for event in moved] == [10, moved[1].seq - first.seq, 40]
    assert 10 < moved[1].seq - first.seq < 40
    assert last.why == "next"
    assert last.seq > first.seq + 40
    assert await store.find(EventRow) == await store.tail(0)


async def test_event_that_brings_a_number_that_was_given(store: Store, make: Any) -> None:
    """Who tails from there would miss it; nor is a transaction that was sent twice written twice."""
    await store.commit(Transaction(events=[make.event("a") for _ in range(3)]))
    events = await store.tail(0)
    for taken in (events[1].seq, events[2].seq):
        with pytest.raises(Conflict, match=f"event {taken}"):
            await store.commit(Transaction(events=[make.event("b", seq=taken)]))
    two = Transaction(events=[make.event("b", seq=events[2].seq + 7), make.event("b", seq=events[2].seq + 5)])
    with pytest.raises(Conflict):
        await store.commit(two)
    assert await store.tail(0) == events
    once = Transaction(events=[make.event("b", seq=events[2].seq + 7)])
    first, second = await asyncio.gather(store.commit(once), store.commit(once), return_exceptions=True)
    assert first is None
    assert isinstance(second, Conflict)
    at_once = [
        Transaction(put=[make.message("e", "first of a group, so that the others are one")]),
        Transaction(events=[make.event("c")]),
        Transaction(events=[make.event("d", seq=events[2].seq + 8)]),
    ]
    *written, third = await asyncio.gather(*map(store.commit, at_once), return_exceptions=True)
    assert written == [None, None]
    assert third is None or isinstance(third, Conflict)
