"""What holds between two machines: each has a store of its own open, on one database or file.

The name of a case is the anomaly that it excludes, or what holds instead. Anomalies need two transactions under way at
once; each case tries for them some times over.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orbits_iac.model.errors import Conflict, Fenced
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, MessageRow, RecordRow, TaskRow, WorkerRow
from orbits_iac.store import open_store
from orbits_iac.store.contract import Fence, Park, Store, Transaction
from orbits_iac.store.rules import AT_ONCE

A = ExecutionId("a")
ONE, OTHER = WorkerId("one"), WorkerId("other")
ROUNDS = 8


class Pair(NamedTuple):
    here: Store
    there: Store


@pytest.fixture(params=["sqlite", "mongodb"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    url = f"sqlite:{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("mongodb")
    async with AsyncExitStack() as stack:
        yield Pair(*[await stack.enter_async_context(open_store(url)) for _ in range(2)])


async def _both(stores: Pair, here: Transaction, there: Transaction) -> list[str]:
    """What comes of a transaction of each, handed in at once."""
    done = await asyncio.gather(stores.here.commit(here), stores.there.commit(there), return_exceptions=True)
    for each in done:
        if each is not None and not isinstance(each, Conflict | Fenced):
            raise each
    return sorted("written" if each is None else type(each).__name__ for each in done)


async def test_lost_update_of_two_machines(stores: Pair, make: Any) -> None:
    await stores.here.commit(Transaction(put=[make.record("r", 1)]))
    for version in range(2, 2 + ROUNDS):
        here, there = (Transaction(put=[make.record("r", version, revision=each)]) for each in (1, 2))
        assert await _both(stores, here, there) == ["Conflict", "written"]
    stored = await stores.there.get(RecordRow, "Kind", "r")
    assert stored is not None
    assert stored.version == 1 + ROUNDS


async def test_write_skew_of_two_who_each_check_that_the_others_row_is_unchanged(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        left, right = make.record(f"left {number}", 1), make.record(f"right {number}", 1)
        await stores.here.commit(Transaction(put=[left, right]))
        here = Transaction(unchanged=[left], put=[make.record(right.identity, 2)])
        there = Transaction(unchanged=[right], put=[make.record(left.identity, 2)])
        assert await _both(stores, here, there) == ["Conflict", "written"]


async def test_write_skew_of_two_who_each_check_that_the_others_row_is_absent(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        left, right = make.entry("a", f"left {number}"), make.entry("a", f"right {number}")
        here = Transaction(absent=[left], put=[right])
        there = Transaction(absent=[right], put=[left])
        assert await _both(stores, here, there) == ["Conflict", "written"]
    assert len(await stores.here.find(EntryRow, execution="a")) == ROUNDS


async def test_write_skew_of_a_row_made_where_another_checks_that_there_is_none(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        row, mark = make.entry("a", f"row {number}"), make.entry("a", f"mark {number}")
        here = Transaction(absent=[row], put=[mark])
        there = Transaction(unchanged=[], absent=[mark], put=[row])
        assert await _both(stores, here, there) == ["Conflict", "written"]
        found = {entry.key for entry in await stores.there.find(EntryRow, execution="a")}
        assert len(found.intersection({row.key, mark.key})) == 1


async def test_message_that_is_told_while_its_holder_parks_is_slept_through(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        name = ExecutionId(f"e{number}")
        fence = await make.held(stores.here, name)
        park = Transaction(fence=fence, park=Park(due=None))
        tell = Transaction(put=[make.message(name, "m")], wake=[name], wake_at=5.0)
        assert await _both(stores, park, tell) == ["written", "written"]
        task = await stores.there.get(TaskRow, name)
        assert task is not None
        assert task.owner is None
        assert task.due in {AT_ONCE, 5.0}  # told before it parked, or woken after


async def test_message_to_an_execution_that_ends_at_the_same_time_is_left_behind(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        name = ExecutionId(f"e{number}")
        fence = await make.held(stores.here, name)
        end = Transaction(fence=fence, delete=[make.task(name)])
        task = await stores.there.get(TaskRow, name)
        assert task is not None
        tell = Transaction(unchanged=[task], put=[make.message(name, "m")], wake=[name], wake_at=5.0)
        assert "written" in await _both(stores, end, tell)
        assert await stores.here.get(TaskRow, name) is None
        assert await stores.there.find(MessageRow, execution=name) == []


async def test_stale_owners_write_beside_the_takeover(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        name, worker = ExecutionId(f"e{number}"), WorkerId(f"w{number}")
        await stores.here.commit(Transaction(put=[WorkerRow(id=worker, build="b1")]))
        fence = await make.held(stores.here, name, worker=worker)

        async def write(fence: Fence = fence, name: ExecutionId = name) -> None:
            for step in range(1000):  # many rows, so that it takes long enough to be overtaken
                steps = [make.entry(name, f"step {step} {each}") for each in range(150)]
                await stores.here.commit(Transaction(fence=fence, put=steps))

        async def take_over(worker: WorkerId = worker, name: ExecutionId = name) -> list[EntryRow]:
            assert await stores.there.release(worker, now=1.0, counter=0) == [name]
            return await stores.there.find(EntryRow, execution=name)

        refused, seen = await asyncio.gather(write(), take_over(), return_exceptions=True)
        assert isinstance(refused, Fenced)
        assert await stores.here.find(EntryRow, execution=name) == seen


async def test_phantom_claim_after_expiry(stores: Pair, make: Any) -> None:
    fence = await make.held(stores.here, "a", worker=ONE)
    await stores.there.release(ONE, now=1.0)
    [taken] = await stores.there.claim(OTHER, now=1.0, limit=9)
    for transaction in (
        Transaction(fence=fence, put=[make.entry("a", "late")]),
        Transaction(fence=fence, park=Park(due=2.0)),
        Transaction(fence=fence, delete=[make.task("a")]),
    ):
        with pytest.raises(Fenced):
            await stores.here.commit(transaction)
    assert await stores.here.claim(ONE, now=9.0, limit=9, only=A) == []
    assert await stores.here.get(TaskRow, "a") == taken
    assert await stores.there.load(A) is not None
    assert await stores.there.find(EntryRow, execution="a") == []


async def test_double_claim_of_two_machines(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        names = [f"{number} {each:02}" for each in range(20)]
        await stores.here.commit(Transaction(put=[make.task(name) for name in names]))
        claims = [store.claim(worker, now=1.0, limit=20) for store, worker in zip(stores, (ONE, OTHER), strict=True)]
        taken = [task for claim in await asyncio.gather(*claims) for task in claim]
        taken += await stores.here.claim(ONE, now=1.0, limit=20)  # what each thought that the other would get
        assert sorted(task.id for task in taken) == names


async def test_double_claim_of_one_that_parks_meanwhile(stores: Pair, make: Any) -> None:
    for number in range(ROUNDS):
        name = ExecutionId(f"e{number}")
        fence = await make.held(stores.here, name, worker=ONE)
        park = stores.here.commit(Transaction(fence=fence, park=Park(due=0.0)))
        claims = [stores.there.claim(OTHER, now=1.0, limit=1, only=name) for _ in range(3)]
        parking = asyncio.ensure_future(park)
        claimed = await asyncio.gather(*claims)
        await parking
        claimed.append(await stores.here.claim(ONE, now=1.0, limit=1, only=name))
        assert [task.token for tasks in claimed for task in tasks] == [fence.token + 1]


async def test_event_that_comes_to_light_after_a_later_one(stores: Pair, make: Any) -> None:
    writing = True

    async def write(store: Store, name: str) -> None:
        for number in range(30):
            events = [make.event("a", why=f"{name} {number} {each}") for each in range(1 + number % 3)]
            await store.commit(Transaction(events=events))

    async def follow(store: Store) -> list[EventRow]:
        seen: list[EventRow] = []
        while True:
            over = not writing
            some = await store.tail(seen[-1].seq if seen else 0, limit=7)
            seen += some
            if not some:
                if over:
                    return seen
                await store.changed(1.0)

    async def write_all() -> None:
        nonlocal writing
        await asyncio.gather(write(stores.here, "here"), write(stores.there, "there"))
        writing = False

    _, *followed = await asyncio.gather(write_all(), follow(stores.here), follow(stores.there))
    stored = await stores.here.tail(0)
    assert len(stored) == 2 * sum(1 + number % 3 for number in range(30))
    assert followed == [stored, stored]
    for name in ("here", "there"):
        whys = [event.why for event in stored if event.why.startswith(name)]
        assert whys == [f"{name} {number} {each}" for number in range(30) for each in range(1 + number % 3)]


async def test_write_conflict_fails_who_is_in_the_same_group(stores: Pair, make: Any) -> None:
    await stores.here.commit(Transaction(put=[make.record("hot", 1)]))
    fence = await make.held(stores.here, "a")

    async def heat() -> None:
        for version in range(2, 12):
            await stores.there.commit(Transaction(put=[make.record("hot", version)]))

    async def wish(version: int) -> str:
        try:
            await stores.here.commit(Transaction(put=[make.record("hot", version)]))
        except Conflict:
            return "Conflict"
        return "written"

    heating = asyncio.ensure_future(heat())
    for number in range(4):
        puts = [Transaction(fence=fence, put=[make.entry("a", f"{number} {each}")]) for each in range(20)]
        *steps, wished = await asyncio.gather(*(stores.here.commit(put) for put in puts), wish(99))
        assert steps == [None] * 20
        assert wished == "Conflict"
    await heating
    assert len(await stores.there.find(EntryRow, execution="a")) == 80


async def test_fenced_write_fails_who_is_in_the_same_group(stores: Pair, make: Any) -> None:
    stale = await make.held(stores.here, "a", worker=ONE)
    await stores.there.release(ONE, now=0.0)
    fence = await make.held(stores.here, "b", worker=OTHER)
    puts = [
        Transaction(fence=each, put=[make.entry(each.execution, f"{number}")])
        for number in range(10)
        for each in (fence, stale)
    ]
    done = await asyncio.gather(*(stores.here.commit(put) for put in puts), return_exceptions=True)
    assert [type(each) for each in done] == [type(None), Fenced] * 10


async def test_wait_that_is_not_told_of_what_another_machine_commits(stores: Pair, make: Any) -> None:
    for number in range(3):
        waiting = asyncio.ensure_future(stores.there.changed(60))
        await stores.here.commit(Transaction(put=[make.task(f"t{number}")]))
        await asyncio.wait_for(waiting, 30)
        while await stores.there.get(TaskRow, f"t{number}") is None:
            await asyncio.wait_for(stores.there.changed(60), 30)
