"""Tenants take turns in a worker, and none has so much of it that nothing is left; all through real claims."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from orbits_iac import Options, Orbits, Settings, Workflow
from orbits_iac.dispatch.fairness import Ask, Fairness
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import ExecutionRow, TaskRow
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store("memory:") as opened:
        yield opened


@pytest.fixture(params=["memory:", "sqlite:{}/store.db", "mongodb"])
async def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = request.getfixturevalue("mongodb") if request.param == "mongodb" else request.param.format(tmp_path)
    async with open_store(url) as opened:
        yield opened


class Held:
    """A worker without an engine: what it has claimed, in order, until the test says that some of it has ended."""

    def __init__(self, store: Store, concurrency: int = 64, per_tenant: int | None = None) -> None:
        self.fairness = Fairness(concurrency, per_tenant)
        self.begun: list[TaskRow] = []
        self.claims = 0
        self._store = store
        self._held = deque[TaskRow]()

    async def fill(self) -> None:
        await self.fairness.fill(self._claim)

    async def end(self, many: int = 1, *, of: str | None = None) -> None:
        """The first so many that it holds (`of` a tenant) end, one after the other; each makes room for the next."""
        for _ in range(many):
            task = next(task for task in self._held if of in (None, task.tenant))
            self._held.remove(task)
            await self._store.commit(Transaction(delete=[task]))
            self.fairness.let_go(task.id)
            await self.fill()

    def holds(self) -> Counter[str | None]:
        return Counter(task.tenant for task in self._held)

    async def _claim(self, ask: Ask) -> list[TaskRow]:
        assert ask.limit > 0
        self.claims += 1
        taken = await self._store.claim(WorkerId("w"), now=1e9, limit=ask.limit, without=ask.without, least=ask.least)
        self.begun += taken
        self._held.extend(taken)
        return taken


async def due(store: Store, many: Mapping[str | None, int], *, at: float = 0.0, priority: int = 0) -> None:
    """So many executions of each tenant are due; its first one then, the others later."""
    for tenant, count in many.items():
        rows = [
            TaskRow(
                id=ExecutionId(f"{tenant}-{at:g}-{priority}-{n:05}"),
                kind="K",
                build="b",
                tenant=tenant,
                priority=priority,
                due=at + n / 1000,
            )
            for n in range(count)
        ]
        for start in range(0, count, 2000):
            await store.commit(Transaction(put=rows[start : start + 2000]))


async def test_ten_thousand_of_one_do_not_hold_up_the_others(each_store: Store) -> None:
    """Twenty of ten others, due after all of the ten thousand, are among the first."""
    store = each_store
    await due(store, {"acme": 10_000})
    await due(store, {f"other{n}": 2 for n in range(10)}, at=1e6)
    worker = Held(store)
    await worker.fill()
    assert [task.tenant == "acme" for task in worker.begun[:28]] == [True] * 8 + [False] * 20
    assert worker.holds()["acme"] == 39  # and five are free
    assert worker.claims < 10


async def test_what_comes_while_one_has_all_that_it_may_begins_at_once(store: Store) -> None:
    await due(store, {"acme": 300})
    worker = Held(store)
    await worker.fill()
    assert worker.holds() == {"acme": 56}
    await due(store, {"beta": 2, None: 1}, at=1e6)
    await worker.fill()
    assert worker.holds() == {"acme": 56, "beta": 2, None: 1}
    await worker.end(12)
    assert worker.holds()["acme"] > 40


async def test_there_is_room_though_all_goes_on_for_hours(store: Store) -> None:
    """Nothing ends, and each tenant has much: the next one gets most of what is left, and leaves some."""
    worker = Held(store)
    for name in "abc":
        await due(store, {name: 100})
        await worker.fill()
    assert worker.holds() == {"a": 56, "b": 7, "c": 1}


async def test_each_tenant_has_its_turn_however_long_the_others_have_waited(store: Store) -> None:
    names = [f"t{n:02}" for n in range(12)]
    for place, name in enumerate(names):
        await due(store, {name: 300}, at=1000.0 * place)
    worker = Held(store, concurrency=8)
    await worker.fill()
    await worker.end(60)
    settled = Counter(task.tenant for task in worker.begun[20:68])
    assert set(settled) == set(names)
    assert set(settled.values()) == {4}


async def test_a_slow_tenant_gets_no_more_of_the_worker_the_longer_it_goes_on(store: Store) -> None:
    """What `slow` has does not end; the turns that it gets do not add up until it has all."""
    await due(store, {"slow": 200, "quick": 200})
    worker = Held(store, concurrency=16)
    await worker.fill()
    await worker.end(100, of="quick")
    assert worker.holds() == {"slow": 9, "quick": 7}


async def test_priority_comes_before_turns_and_leaves_room(store: Store) -> None:
    await due(store, {"acme": 100, "beta": 100, "gamma": 100})
    worker = Held(store, concurrency=16)
    await worker.fill()
    held, before = worker.holds(), len(worker.begun)
    await due(store, {"acme": 30}, at=1e6, priority=5)
    await worker.end(60)
    begun = [(task.tenant, task.priority) for task in worker.begun[before:]]
    assert begun[:2] == [("acme", 5)] * 2
    assert sum(priority == 5 for _, priority in begun) > 22  # a third of all would be 20
    assert worker.holds()["acme"] == held["acme"] + 1
    assert min(worker.holds().values()) == min(held.values()) - 1


async def test_without_tenants_one_has_all_of_it(store: Store) -> None:
    await due(store, {None: 100})
    worker = Held(store, concurrency=16)
    await worker.fill()
    assert worker.holds() == {None: 16}
    assert worker.claims == 2
    await due(store, {"acme": 1})
    await worker.end()
    await worker.end(5)
    assert (worker.holds()["acme"], worker.holds()[None]) == (1, 14)


@pytest.mark.parametrize(
    ("concurrency", "per_tenant", "alone"), [(64, None, 56), (2, None, 1), (1, None, 1), (10, 3, 3), (4, 9, 4)]
)
async def test_what_one_tenant_may_have_alone(
    store: Store, concurrency: int, per_tenant: int | None, alone: int
) -> None:
    await due(store, {"acme": 70})
    worker = Held(store, concurrency, per_tenant)
    await worker.fill()
    assert worker.holds() == {"acme": alone}
    await worker.end(5)
    assert worker.holds() == {"acme": alone}


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_comes_nothing_is_left_that_may_begin(store: Store, seed: int) -> None:
    """Executions of any tenants and priorities come and end at random: what may begin does, and all do in the end."""
    chance = random.Random(seed)
    concurrency = chance.choice([1, 2, 3, 8, 16])
    tenants = [None, *(f"t{n}" for n in range(chance.choice([1, 2, 5, 20])))]
    worker, made = Held(store, concurrency, chance.choice([None, 1, 3, concurrency])), 0
    for step in range(15):
        for _ in range(chance.choice([0, 1, 3, 30])):
            made += 1
            await due(store, {chance.choice(tenants): 1}, at=float(made), priority=chance.choice([0, 0, 0, 5, -1]))
        claims = worker.claims
        await worker.fill()
        assert worker.claims - claims <= 3 * concurrency + 10
        held = worker.holds().total()
        assert held <= concurrency
        left = {task.tenant or "" for task in await store.due(TaskRow, now=1e9, limit=made)}
        assert held == concurrency or left <= worker.fairness.passed_over(), step
        await worker.end(chance.randint(0, held))
    while held := worker.holds().total():
        await worker.end(held)
    assert len(worker.begun) == made


class FairlyDone(Workflow[None]):
    """Does nothing."""

    number: int
    options = Options(labels={"tenant": "acme"})

    async def define(self) -> None: ...


class FairlyWaiting(FairlyDone):
    """Of another tenant."""

    options = Options(labels={"tenant": "beta"})


async def test_a_worker_gives_both_their_turn() -> None:
    settings = Settings(project="tests", store="memory:", concurrency=4)
    async with Orbits(settings, work=False) as asking:
        many = [await asking.start(FairlyDone(number=n)) for n in range(60)]
        few = [await asking.start(FairlyWaiting(number=n)) for n in range(3)]
        async with Orbits(settings, store=asking.store) as working:
            await asyncio.gather(*(execution.ended() for execution in [*many, *few]))
            rows = sorted(await working.store.find(ExecutionRow), key=lambda row: row.ended_at or 0.0)
    assert {row.tenant for row in rows[:10]} == {"acme", "beta"}
    assert all(row.tenant == "acme" for row in rows[20:])
