"""A worker: it survives a store that is gone, defects, and what it does not know; and it leaves nothing behind."""

import asyncio
import gc
import threading
from typing import Any, ClassVar

import pytest

from orbits_iac import ExecutionFailed, Orbits, Resource, Settings, Workflow, action
from orbits_iac.dispatch.worker import Worker, _cancelled
from orbits_iac.engine import outcomes
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import ExecutionRow, RecordRow, ScheduleRow, SubscriberRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Holding, Transaction
from orbits_iac.store.memory import MemoryStore

SETTINGS = Settings(project="tests", store="memory:")


@action(idempotent=True)
async def doubled(number: int) -> int:
    """Twice the number."""
    return 2 * number


class Deep(Resource):
    """As many levels of Resources as `levels`."""

    name: str
    levels: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        if self.levels:
            await asyncio.gather(
                *(self.do("below", Deep(name=f"{self.name}.{n}", levels=self.levels - 1), key=str(n)) for n in "ab")
            )
        else:
            await self.do("step", doubled(1))


class Numbers(Workflow[int]):
    """Some steps."""

    async def define(self) -> int:
        return sum([await self.do("n", doubled(n), key=str(n)) for n in range(5)])


class Twofold(Workflow[None]):
    """A step that may not be done twice, which lasts as long as it is let, and one that comes after it."""

    began: ClassVar[asyncio.Event]
    may_end: ClassVar[asyncio.Event]
    ended: ClassVar[asyncio.Event]
    begun: ClassVar[list[str]] = []

    async def define(self) -> None:
        await self.do("first", first())
        self.ended.set()
        await self.do("second", second())


@action
async def first() -> None:
    Twofold.begun.append("first")
    Twofold.began.set()
    await Twofold.may_end.wait()


@action
async def second() -> None:
    Twofold.begun.append("second")


class Outages(MemoryStore):
    """A store that is gone when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
        self.after: int | None = None  # commits until it goes

    async def commit(self, transaction: Transaction) -> None:
        if self.after is not None:
            self.after -= 1
            self.gone = self.gone or self.after < 0
        self._check()
        await super().commit(transaction)

    async def find(self, *args: Any, **named: Any) -> Any:
        self._check()
        return await super().find(*args, **named)

    async def get(self, table: type[Any], *key: str | int) -> Any:
        self._check()
        return await super().get(table, *key)

    async def claim(self, *args: Any, **named: Any) -> Any:
        self._check()
        return await super().claim(*args, **named)

    def _check(self) -> None:
        if self.gone:
            raise StoreError("the store is gone")


class Slow(MemoryStore):
    """A store whose answer to what a worker holds is late: all of that has ended by then."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def holding(self, worker: WorkerId) -> list[Holding]:
        found = await super().holding(worker)
        if found:
            self.asked.set()
            held = {each.task.id for each in found}
            await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() in held])
        return found


class Listed(MemoryStore):
    """A store that remembers of which tables rows were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[type[Any]] = []

    async def find(self, table: type[Any], **named: Any) -> Any:
        self.tables.append(table)
        return await super().find(table, **named)

    async def get(self, table: type[Any], *key: str | int) -> Any:
        self.tables.append(table)
        return await super().get(table, *key)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits_iac.dispatch.worker.LONGEST_WAIT", 0.02)


@pytest.mark.parametrize("after", range(1, 12))
async def test_it_goes_on_when_the_store_is_back(after: int, caplog: pytest.LogCaptureFixture) -> None:
    store = Outages()
    async with Orbits(SETTINGS, store=store) as orbits:
        execution = await orbits.start(Numbers())
        store.after = after
        for _ in range(500):
            await asyncio.sleep(0)
        store.after, store.gone = None, False
        async with asyncio.timeout(60):
            assert await execution == 20
            await orbits.settled()
        assert await store.find(TaskRow) == []


async def test_what_ends_while_it_is_looked_for_is_not_given_back(caplog: pytest.LogCaptureFixture) -> None:
    store = Slow()

    @action(idempotent=True)
    async def until_asked() -> None:
        await store.asked.wait()

    async with Orbits(SETTINGS, store=store) as orbits:
        async with asyncio.timeout(60):
            await orbits.run(until_asked())
            await orbits.settled()
    assert "given back" not in caplog.text


async def test_who_starts_an_execution_is_told_of_its_end_without_asking_for_it() -> None:
    store = Listed()
    async with Orbits(SETTINGS, store=store) as orbits:
        execution = await orbits.start(Numbers())
        store.tables.clear()
        assert await execution == 20
        assert not {ExecutionRow, SubscriberRow} & set(store.tables)
        assert await execution == 20


async def test_a_defect_neither_loses_an_execution_nor_spins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls, whole = 0, outcomes.hand_out

    def defective(run: Any) -> None:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise ZeroDivisionError("a defect")
        whole(run)

    monkeypatch.setattr("orbits_iac.engine.course.hand_out", defective)
    async with Orbits(SETTINGS.model_copy(update={"lease": SETTINGS.lease / 50})) as orbits:
        async with asyncio.timeout(60):
            assert await orbits.run(doubled(4)) == 8
    assert "a defect of Orbits" in caplog.text


async def test_what_is_not_imported_here_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store) as orbits:
        asked = Asked(kind="Elsewhere", command="run", argument="{}", digest="x", who="tests")
        strange = await ask_root(orbits.engine, asked)
        await store.commit(Transaction(put=[ScheduleRow(kind="Elsewhere", identity="x", due=1.0)]))
        async with asyncio.timeout(60):
            await orbits.settled()
            assert await orbits.run(doubled(4)) == 8
        task = await store.get(TaskRow, strange)
        assert task is not None
        assert task.token == 0
    assert "defect" not in caplog.text


async def test_waiters_hold_no_slot() -> None:
    async with Orbits(SETTINGS.model_copy(update={"concurrency": 1})) as orbits:
        async with asyncio.timeout(60):
            await asyncio.gather(*(orbits.run(Deep(name=f"root {n}", levels=3)) for n in range(3)))
            await orbits.settled()


async def test_waiting_parents_on_a_shared_child_end_with_it() -> None:
    class Parent(Resource):
        name: str

        def identity(self) -> str:
            return self.name

        async def define_update(self) -> None:
            await self.do("shared", Deep(name="shared", levels=1))

    async with Orbits(SETTINGS.model_copy(update={"concurrency": 2})) as orbits:
        async with asyncio.timeout(60):
            await asyncio.gather(*(orbits.run(Parent(name=f"parent {n}")) for n in range(8)))
        rows = await orbits.store.find(ExecutionRow)
        assert len([row for row in rows if row.identity == "shared"]) <= 8
        record = await orbits.store.get(RecordRow, "Deep", "shared")
        assert record is not None
        assert record.users == tuple(f"Parent parent {n}" for n in range(8))


async def test_two_workers_share_one_store() -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store) as orbits:
        second = Worker(orbits.engine, who="second")
        await second.start()
        await asyncio.gather(*(orbits.run(Deep(name=f"root {n}", levels=2)) for n in range(3)))
        await second.stop()


async def test_nothing_is_left_when_it_is_closed() -> None:
    threads = set(threading.enumerate())
    async with Orbits(SETTINGS) as orbits:
        await orbits.run(Numbers())
        await orbits.start(Deep(name="unfinished", levels=3))
        with pytest.raises(ExecutionFailed):
            await orbits.run(Failing())
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    left = set(threading.enumerate()) - threads
    assert [
        thread for thread in left if not thread.name.startswith("asyncio_")
    ] == []  # those are the test's own loop's


class Failing(Workflow):
    """Fails while something else is under way."""

    async def define(self) -> None:
        await asyncio.gather(self.do("n", doubled(1)), self.do("slow", endless()), self.do("bad", failing()))


@action
async def endless() -> None:
    """Ends only when it is cancelled."""
    await asyncio.Event().wait()


@action
def failing() -> None:
    """Fails."""
    raise ValueError("no")


async def test_a_paused_execution_says_why_and_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Orbits(SETTINGS) as orbits:
        text = orbits.engine.codec.encode({"number": "no number"}, dict[str, str])
        asked = Asked(kind="doubled", command="run", argument=text, digest="x", who="tests")
        execution = orbits.execution(await ask_root(orbits.engine, asked))
        await orbits.settled()
        row = await execution.row()
        assert row.state is State.PAUSED
        events = await orbits.store.tail(0)
        assert any("no longer accepts" in event.why for event in events)
        await execution.resume()
        await orbits.settled()
        assert (await execution.row()).state is State.PAUSED
        await execution.cancel()
        assert (await execution.ended()).state is State.CANCELLED


class Counting(MemoryStore):
    """A store that keeps what was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    async def find(self, table: type[Any], **named: Any) -> Any:
        self.reads.append(f"find {table.__name__}")
        return await super().find(table, **named)

    async def get(self, table: type[Any], *key: str | int) -> Any:
        self.reads.append(f"get {table.__name__}")
        return await super().get(table, *key)

    async def holding(self, worker: WorkerId) -> list[Holding]:
        self.reads.append("holding")
        return await super().holding(worker)


async def test_what_a_sweep_reads_does_not_grow_with_what_is_held() -> None:
    store, gate, begun = Counting(), asyncio.Event(), asyncio.Semaphore(0)

    @action(idempotent=True)
    async def held_for_a_sweep(number: int) -> None:
        begun.release()
        await gate.wait()

    async with Orbits(SETTINGS, store=store) as orbits, asyncio.timeout(60):
        for number in range(30):
            await orbits.start(held_for_a_sweep(number))
        for _ in range(30):
            await begun.acquire()
        worker = orbits.dispatcher
        assert isinstance(worker, Worker)
        assert worker.holds == 30
        await _cancelled(worker._own)  # it sweeps by itself, too
        store.reads.clear()
        worker._swept = 0.0
        await worker._sweep()
        assert store.reads.count("holding") == 1
        assert len(store.reads) < 6, store.reads
        gate.set()


async def test_it_begins_nothing_more_from_the_moment_it_is_told_to_drain() -> None:
    Twofold.began, Twofold.may_end, Twofold.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    Twofold.begun.clear()

    async def slow_to_end() -> None:
        """What a worker waits for first: its question to a store that takes long to answer."""
        try:
            await asyncio.Event().wait()
        finally:
            Twofold.may_end.set()
            await Twofold.ended.wait()

    async with Orbits(SETTINGS) as orbits:
        execution = await orbits.start(Twofold())
        await Twofold.began.wait()
        worker = orbits.dispatcher
        assert isinstance(worker, Worker)
        worker._own.append(asyncio.create_task(slow_to_end()))
        await asyncio.sleep(0)
        await worker.drain()
        assert (Twofold.begun, (await execution.row()).state) == (["first"], State.EXECUTING)
