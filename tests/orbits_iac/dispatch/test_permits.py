"""Permits: no more executions are under way than a limit says, whoever dies, and none is forgotten."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError

from orbits_iac import Options, Orbits, Resource, Settings, Workflow, action
from orbits_iac.dispatch import limits as limits_module
from orbits_iac.dispatch.inside import inside
from orbits_iac.dispatch.limits import Permits
from orbits_iac.engine.engine import Engine
from orbits_iac.model.errors import Conflict, StoreError
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.limits import Limits
from orbits_iac.model.rows import (
    ExecutionRow,
    LineRow,
    MessageRow,
    PermitRow,
    RecordRow,
    SubscriberRow,
    TaskRow,
)
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore

SETTINGS = Settings(project="tests", store="memory:")
ONE = Limits({"kind:Thing": 1})
TWO = Limits({"kind:Thing": 2})


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "EVERY", 0.0)


@pytest.fixture(params=["memory:", "sqlite:{}/store.db", "mongodb"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    url = request.getfixturevalue("mongodb") if request.param == "mongodb" else request.param.format(tmp_path)
    settings = Settings(project="tests", store=url, secret_key=SecretStr(Fernet.generate_key().decode()))
    async with Orbits(settings, work=False) as orbits:
        yield orbits.engine


def execution(name: str, **given: Any) -> ExecutionRow:
    fields: dict[str, Any] = {"root": name, "kind": "Thing", "command": "run", "build": "b", "argument": "{}", **given}
    return ExecutionRow(id=ExecutionId(name), who="me", digest="d", created_at=1.0, **fields)


async def make(store: Store, *names: str, **given: Any) -> None:
    """Executions that are due."""
    tasks = [TaskRow(id=ExecutionId(name), kind="Thing", build="b", due=0.0, **given) for name in names]
    await store.commit(Transaction(put=[*(execution(name) for name in names), *tasks]))


class Going:
    """A worker without hooks: what it may go on with, it has under way until the test ends it."""

    def __init__(self, engine: Engine, limits: Limits, name: str = "w") -> None:
        self.permits = Permits(engine, limits)
        self.under_way: dict[str, TaskRow] = {}
        self._store, self._name = engine.store, WorkerId(name)

    async def go(self) -> list[str]:
        """Claim all that is due; what of it may go on."""
        begun: list[str] = []
        while tasks := await self._store.claim(self._name, now=1e12, limit=9):
            for task in tasks:
                if await self.permits.admit(task):
                    self.under_way[task.id] = task
                    begun.append(task.id)
        return begun

    async def end(self, name: str) -> None:
        task = self.under_way.pop(name)
        await self._store.commit(Transaction(delete=[task]))
        await self.permits.ended(task)


async def test_the_first_begin_and_the_others_in_order(engine: Engine) -> None:
    await make(engine.store, *"fdbeca")
    await make(engine.store, "urgent", priority=2)
    here, there = Going(engine, TWO), Going(engine, TWO, "other")
    assert await here.go() == ["urgent", "a"]
    assert await there.go() == []
    await make(engine.store, "aa")
    assert await there.go() == []
    await here.end("urgent")
    assert await there.go() == ["b"]
    await here.end("a")
    await there.end("b")
    assert await here.go() == ["c", "d"]
    assert [task.id for task in await engine.store.due(TaskRow, now=1e12, limit=9)] == []
    events = [event for event in await engine.store.tail(0) if event.execution == "f"]
    assert [event.why for event in events] == ["waits for a permit: as many are under way of kind:Thing as may be"]


async def test_tenants_take_turns_in_line(engine: Engine) -> None:
    going = Going(engine, ONE)
    await make(engine.store, *(f"a{n}" for n in range(6)), tenant="acme")
    assert await going.go() == ["a0"]
    await going.end("a0")
    assert await going.go() == ["a1"]
    await make(engine.store, "b0", "b1", tenant="beta")
    await make(engine.store, "c0")
    begun = ["a1"]
    while begun[-1] != "a5":
        await going.end(begun[-1])
        begun += await going.go()
    assert begun == ["a1", "a2", "b0", "c0", "a3", "b1", "a4", "a5"]


async def test_those_that_come_at_once_are_told_apart(engine: Engine) -> None:
    """A worker looks at many at a time: each gets a slot of its own at the first try, or a turn of its own."""
    await make(engine.store, *(f"a{n}" for n in range(9)), tenant="acme")
    tasks = await engine.store.claim(WorkerId("w"), now=1e12, limit=9)
    permits, commit, refused = Permits(engine, Limits({"kind:Thing": 3})), engine.store.commit, list[Conflict]()

    async def noted(transaction: Transaction) -> None:
        try:
            await commit(transaction)
        except Conflict as error:
            refused.append(error)
            raise

    engine.store.commit = noted  # type: ignore[method-assign]
    assert sum(await asyncio.gather(*(permits.admit(task) for task in tasks))) == 3
    assert not refused
    assert len({line.turn for line in await engine.store.find(LineRow)}) == 6
    assert [permit.slot for permit in await engine.store.find(PermitRow)] == [0, 1, 2]


async def test_who_comes_later_does_not_go_before_who_was_woken(engine: Engine) -> None:
    going = Going(engine, ONE)
    await make(engine.store, "a", "b")
    assert await going.go() == ["a"]
    await going.end("a")  # b is woken now
    await make(engine.store, "c")
    task = (await engine.store.claim(WorkerId("quick"), now=1e12, limit=1, only=ExecutionId("c")))[0]
    assert not await Permits(engine, ONE).admit(task)
    assert await going.go() == ["b"]


async def test_it_keeps_its_permit_while_it_waits_and_elsewhere(engine: Engine) -> None:
    here, there = Going(engine, ONE), Going(engine, ONE, "other")
    await make(engine.store, "a", "b")
    assert await here.go() == ["a"]
    await engine.store.release(WorkerId("w"), now=0.0)
    assert await there.go() == ["a"]
    await engine.store.release(WorkerId("other"), now=0.0)
    assert await here.go() == ["a"]


async def test_one_that_is_cancelled_does_not_wait_for_a_permit(engine: Engine) -> None:
    going = Going(engine, ONE)
    await make(engine.store, "a", "b", "c")
    await going.go()
    cancel = MessageRow(execution=ExecutionId("b"), id="cancel", what="cancel")
    noise = MessageRow(execution=ExecutionId("c"), id="pause", what="pause")
    await engine.store.commit(Transaction(put=[cancel, noise], wake=[cancel.execution, noise.execution]))
    assert await going.go() == ["b"]
    await going.end("b")
    assert await engine.store.find(LineRow, execution="b") == []
    await going.end("a")
    assert await going.go() == ["c"]


async def test_all_permits_or_none(engine: Engine) -> None:
    going = Going(engine, Limits({"kind:Thing": 2, "tenant": 1, "label:plan": 1}))
    await make(engine.store, "a", tenant="acme", labels=("plan=big", "tenant=acme"))
    await make(engine.store, "b", tenant="acme", labels=("plan=small", "tenant=acme"))
    await make(engine.store, "c", tenant="beta", labels=("plan=big", "tenant=beta"))
    await make(engine.store, "d", tenant="gamma", labels=("plan=none", "tenant=gamma"))
    assert await going.go() == ["a", "d"]
    lines = [(row.execution, row.name) for row in await engine.store.find(LineRow)]
    assert lines == [("c", "label:plan=big"), ("b", "tenant:acme")]
    await going.end("a")
    assert await going.go() == ["b"]
    assert [(row.execution, row.name) for row in await engine.store.find(LineRow)] == [("c", "kind:Thing")]
    assert await engine.store.find(PermitRow, execution="c") == []
    await going.end("d")
    assert await going.go() == ["c"]


async def test_a_lower_limit_counts_what_is_under_way(engine: Engine) -> None:
    before, after = Going(engine, Limits({"kind:Thing": 4})), Going(engine, TWO)
    await make(engine.store, *"abcdefg")
    assert await before.go() == list("abcd")
    after.under_way = before.under_way
    for name in "ab":
        await after.end(name)
        assert await after.go() == []
    await after.end("c")
    assert await after.go() == ["e"]
    await before.permits.sweep()
    assert await after.go() == []


async def test_a_limit_that_is_raised_or_removed_lets_the_others_begin(engine: Engine) -> None:
    await make(engine.store, *"abcd")
    assert await Going(engine, ONE).go() == ["a"]
    for limits, begun in ((TWO, ["b"]), (Limits({}), ["c", "d"])):
        going = Going(engine, limits)
        await going.permits.sweep()
        assert await going.go() == begun
    assert await engine.store.find(LineRow) == []


async def test_what_has_vanished_holds_nothing(engine: Engine) -> None:
    """Its worker died between the end and letting go; and who was woken has nobody that takes it up."""
    await make(engine.store, *"abc")
    going = Going(engine, ONE)
    assert await going.go() == ["a"]
    await engine.store.commit(Transaction(delete=[going.under_way["a"]]))
    await going.permits.sweep()
    assert await engine.store.find(PermitRow) == []
    claim = {"now": 1e12, "limit": 1}
    for _ in range(2):  # b is due, and stays so
        await going.permits.sweep()
    [task] = await engine.store.claim(WorkerId("w"), only=ExecutionId("c"), **claim)  # type: ignore[arg-type]
    assert await going.permits.admit(task)
    assert await going.go() == []
    await going.permits.ended(task)


async def test_many_whom_no_worker_takes_up_do_not_hold_up_the_others(engine: Engine) -> None:
    names = [f"a{n:02}" for n in range(30)]
    lines = [LineRow(name="kind:Thing", rank=0, execution=ExecutionId(name), passed=True) for name in names]
    await engine.store.commit(Transaction(put=lines))
    going = Going(engine, ONE)
    await make(engine.store, "b", "c")
    assert await going.go() == ["b"]
    await going.end("b")
    assert await going.go() == ["c"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_write_leaks_nothing_and_exceeds_nothing(after: bool) -> None:
    """`after`: the write is done, and the answer is lost."""
    for moment in itertools.count(1):
        store = Breaking(moment, after=after)
        async with Orbits(SETTINGS, store=store, work=False) as orbits:
            await make(store, *"abcde")
            store.left = moment
            dead, ended = Going(orbits.engine, TWO), list[str]()
            try:
                await run_all(dead, ended)
            except StoreError:
                store.left = None
            broken = store.left is None
            store.left = None
            await store.release(WorkerId("w"), now=0.0)
            alive = Going(orbits.engine, TWO, "next")
            for _ in range(3):
                await alive.permits.sweep()
                await run_all(alive, ended)
            assert sorted(set(ended)) == list("abcde")
            await alive.permits.sweep()
            assert await store.find(PermitRow) == []
            assert await store.find(LineRow) == []
        if not broken:
            assert moment > 10
            return


async def run_all(going: Going, ended: list[str]) -> None:
    while await going.go():
        assert len(await going._store.find(PermitRow)) <= 2
        for name in list(going.under_way):
            task = going.under_way[name]
            if await going._store.get(TaskRow, task.id) is not None:
                ended.append(name)
            await going.end(name)


class Breaking(MemoryStore):
    """Fails at the n-th write, before or after it is done."""

    def __init__(self, moment: int, *, after: bool) -> None:
        super().__init__()
        self.left: int | None = None
        self._after = after
        del moment

    async def commit(self, transaction: Transaction) -> None:
        broken = self.left == 1
        self.left = None if self.left is None or broken else self.left - 1
        if not broken or self._after:
            await super().commit(transaction)
        if broken:
            raise StoreError("it is gone")


async def test_who_a_holder_waits_for_runs_inside(engine: Engine) -> None:
    """H waits for its child C, which is behind Q at a record; Q waits for a permit of another limit, which S holds."""
    store = engine.store
    rows = [execution("h"), execution("c", identity="i"), execution("q", identity="i"), execution("s")]
    name, subscriber = (
        "kind:Thing",
        SubscriberRow(execution=ExecutionId("c"), subscriber=ExecutionId("h"), key=StepKey("k")),
    )
    record = RecordRow(kind="Thing", identity="i", queue=(ExecutionId("q"), ExecutionId("c")))
    held = [
        PermitRow(name=name, slot=0, execution=ExecutionId("h"), token=1),
        PermitRow(name="tenant:x", slot=0, execution=ExecutionId("s"), token=1),
    ]
    line = LineRow(name="tenant:x", rank=0, turn=0, execution=ExecutionId("q"))
    await store.commit(Transaction(put=[*rows, subscriber, record, *held, line]))
    names = {name, "tenant:x"}
    assert [await inside(store, ExecutionId(one), names) for one in "hcqs"] == [set(), {name}, {name}, {name}]


COUNTS = {"now": 0, "most": 0}


@action(idempotent=True)
async def counted_while_permitted() -> None:
    """Counts how many of it go on at a time."""
    COUNTS["now"] += 1
    COUNTS["most"] = max(COUNTS["most"], COUNTS["now"])
    for _ in range(5):
        await asyncio.sleep(0)
    COUNTS["now"] -= 1


class PermittedPart(Resource[None]):
    """A part of a thing that is limited with it."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("count", counted_while_permitted())


class PermittedThing(Workflow[None]):
    """Is limited by its tenant, as its parts are."""

    name: str
    options = Options(labels={"tenant": "acme"})

    async def define(self) -> None:
        await self.do("a", PermittedPart(name=f"{self.name}a"))
        await self.do("b", PermittedPart(name=f"{self.name}b"))


async def test_workers_keep_to_it_and_all_is_done(tmp_path: Path) -> None:
    """Two workers; each thing has parts of the same tenant, which run inside what it holds."""
    COUNTS.update(now=0, most=0)
    settings = Settings(project="tests", store=f"sqlite:{tmp_path / 'store.db'}", limits={"tenant": 2})
    async with Orbits(settings) as orbits, Orbits(settings):
        things = [await orbits.start(PermittedThing(name=str(n))) for n in range(12)]
        async with asyncio.timeout(60):
            rows = await asyncio.gather(*(thing.ended() for thing in things))
        assert {row.state for row in rows} == {"SUCCESS"}
        assert COUNTS["most"] <= 2
        assert await orbits.store.find(LineRow) == []
        waited = [event for event in await orbits.store.tail(0) if "waits for a permit" in event.why]
    assert {event.execution for event in waited} <= {thing.id for thing in things}
    assert waited


OTHER = """
import asyncio, sys
from orbits_iac import Orbits, Settings, Workflow, action

@action(idempotent=True)
async def stays_while_permitted(waits: bool) -> None:
    if waits and sys.argv[2:]:
        print("begun", flush=True)
        await asyncio.Event().wait()

class PermittedStay(Workflow[None]):
    number: int

    async def define(self) -> None:
        await self.do("stay", stays_while_permitted(self.number == 0))

async def main():
    settings = Settings(project="tests", store=sys.argv[1], limits={"kind:PermittedStay": 1})
    async with Orbits(settings) as orbits:
        stays = [await orbits.start(PermittedStay(number=number)) for number in range(3)]
        await asyncio.gather(*(stay.ended() for stay in stays))
        print(sorted({row.state.value for row in [await stay.row() for stay in stays]}), flush=True)

asyncio.run(main())
"""


async def test_a_killed_worker_leaves_its_permit_to_who_goes_on(tmp_path: Path) -> None:
    """The one that holds it is in the middle of a hook; the other process joins in what was asked for."""
    (tmp_path / "stays.py").write_text(OTHER)
    url = f"sqlite:{tmp_path / 'store.db'}"
    pipes = asyncio.subprocess.PIPE
    first = await asyncio.create_subprocess_exec(sys.executable, tmp_path / "stays.py", url, "waits", stdout=pipes)
    assert first.stdout is not None
    async with asyncio.timeout(60):
        assert await first.stdout.readline() == b"begun\n"
        async with open_store(url) as store:
            while len(await store.find(LineRow)) < 2:
                await store.changed(1)
            [held] = await store.find(PermitRow)
            first.kill()
            await first.wait()
            other = await asyncio.create_subprocess_exec(sys.executable, tmp_path / "stays.py", url, stdout=pipes)
            said, _ = await other.communicate()
            assert said == b"['SUCCESS']\n"
            row = await store.get(ExecutionRow, held.execution)
            assert row is not None
            assert row.state == "SUCCESS"
            assert not await store.find(LineRow)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kindCdkStack": 3}, "is no limit: it has to be as"),
        ({"label:=x": 3}, "is no limit"),
        ({"tenant": 0}, "tenant is 0: at least one has to be allowed"),
    ],
)
def test_settings_that_are_no_limits(given: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(limits=given)


def test_what_is_said_of_one_value_counts_before_what_is_said_of_each() -> None:
    limits = Limits({"tenant": 3, "tenant:acme": 1, "label:plan": 5, "label:plan=a=b": 7, "label:zone": 2})
    labels = ("plan=a=b", "tenant=acme", "zone=eu")
    task = TaskRow(id=ExecutionId("e"), kind="K", build="b", tenant="acme", labels=labels)
    assert limits.of(task) == {"tenant:acme": 1, "label:plan=a=b": 7, "label:zone=eu": 2}
    assert (limits.size("tenant:beta"), limits.size("label:plan=x"), limits.size("kind:K")) == (3, 5, None)
