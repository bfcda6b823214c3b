"""Cases around records that broke other designs, a test each."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orbits_iac import ExecutionFailed, Options, Orbits, Permanent, Resource, action, command
from orbits_iac.model.errors import Refused, StoreError
from orbits_iac.model.rows import ExecutionRow, MessageRow, RecordRow, SubscriberRow, TaskRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.registry import Registry
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

from .crash import AT_ONCE, SETTINGS, Crash, Process
from .test_edits import Edited, Stop, edited
from .test_sharing import Crossing, all_ended
from .world import WORLD, App, Outage, SharedThing, Thing, ThingState, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    Edited.body = None


# Two parents on two workers need one child.


class Parent(Resource[ThingState]):
    """Needs a thing that others need too."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> ThingState:
        return await self.do("net", Slow(name="net", value=1))


class Slow(SharedThing):
    """A thing whose making takes a few steps."""

    async def define_update(self) -> ThingState:
        await self.do("before", add(1, 2))
        state = await super().define_update()
        await self.do("after", add(3, 4))
        return state


async def needed_by_two(crash: Crash | None, *, cancelled: bool = False) -> bool:
    """Two parents on two workers, the first of which dies at `crash`; whether it did."""
    WORLD.clear()
    kept = MemoryStore()
    await kept.open()
    first, asked = Process(kept, crash), asyncio.Event()

    async def one() -> None:
        settings = SETTINGS if crash is None else SETTINGS.model_copy(update={"grace": AT_ONCE, "drain": AT_ONCE})
        async with Orbits(settings, store=first.as_store(), who="one") as orbits:
            parent = await orbits.start(Parent(name="a"))
            asked.set()
            if cancelled:
                await parent.cancel()
            await parent.ended()
            await orbits.settled()

    async with asyncio.timeout(60):
        life, death = asyncio.ensure_future(one()), asyncio.ensure_future(first.died.wait())
        begun = asyncio.ensure_future(asked.wait())
        await asyncio.wait([life, death, begun], return_when=asyncio.FIRST_COMPLETED)
        async with Orbits(SETTINGS, store=Process(kept).as_store(), work=False) as asking:
            b = (await asking.start(Parent(name="b"))).id
        await asyncio.wait([life, death], return_when=asyncio.FIRST_COMPLETED)
        first.bury()
        for task in (life, death, begun):
            task.cancel()
            with suppress(asyncio.CancelledError, StoreError):
                await task
        for row in await kept.find(WorkerRow):
            await kept.release(row.id, now=0.0)
            await kept.commit(Transaction(delete=[row]))
        async with Orbits(SETTINGS, store=Process(kept).as_store(), who="two") as two:
            two.registry.know(Parent)
            two.registry.know(Slow)
            assert await two.execution(b) == ThingState(value=1)
            await two.settled()
        await _is_as_without_it(kept, cancelled=cancelled)
    return first.died.is_set()


async def _is_as_without_it(kept: MemoryStore, *, cancelled: bool) -> None:
    assert WORLD.things == {"Slow net": 1}
    assert WORLD.log.count("create Slow net 1") == 1
    assert [await kept.find(table) for table in (TaskRow, MessageRow, SubscriberRow)] == [[], [], []]
    record = await kept.get(RecordRow, "Slow", "net")
    assert record is not None
    assert (record.queue, record.revision) == ((), 1)
    states = {row.identity: row.state for row in await kept.find(ExecutionRow) if row.kind == "Parent"}
    assert states["b"] is State.SUCCESS
    assert states.get("a", State.SUCCESS) is (State.CANCELLED if cancelled else State.SUCCESS)


@pytest.mark.parametrize("where", ["before", "after"])
async def test_two_parents_need_one_child_and_the_first_worker_dies_at_any_write(where: Any) -> None:
    for at in range(1, 100):
        if not await needed_by_two(Crash(at, where)):
            assert at > 5
            return


async def test_two_parents_need_one_child_and_the_first_is_cancelled() -> None:
    await needed_by_two(None, cancelled=True)


# What is made first and kept.


class Vault(SharedThing):
    """Where everything of a client is: it is never removed by something else's failure."""

    options = Options(stateful=True)


class Client(Resource):
    """Has an account, a repository and a service."""

    name: str
    service: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("account", Vault(name=f"{self.name} account", value=1))
        await self.do("repository", SharedThing(name=f"{self.name} git", value=2), retain=True)
        await self.do("network", Thing(value=3))
        await self.do("service", Thing(value=self.service))


async def test_the_last_step_of_a_new_client_fails_its_account_and_repository_stay(orbits: Orbits) -> None:
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Client(name="acme", service=13))
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"Vault acme account": 1, "SharedThing acme git": 2}
    log = list(WORLD.log)
    await orbits.run(Client(name="acme", service=4))
    assert WORLD.log[len(log) :] == ["create Thing Client acme/network 3", "create Thing Client acme/service 4"]


class Both(Resource):
    """Does one ref in both hooks."""

    good: bool = True

    def identity(self) -> str:
        return "both"

    async def define_install(self) -> None:
        await self.do("thing", Thing(value=1))
        await self.do("once", add(1, 1))
        if not self.good:
            raise Permanent("half-way")

    async def define_update(self) -> None:
        await self.do("thing", Thing(value=2))
        await self.do("once", add(1, 1))


async def test_one_ref_in_both_hooks_is_one_place_and_two_steps(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="half-way"):
        await orbits.run(Both(good=False))
    WORLD.log.clear()
    await orbits.run(Both())
    assert WORLD.things == {"Thing Both both/thing": 2}
    assert WORLD.log.count("add 1 1") == 2
    record = await orbits.record(Both, "both").row()
    assert [(child.ref, child.revision) for child in record.children] == [("thing", 2)]
    await orbits.record(Both, "both").uninstall()
    assert WORLD.things == {}


class Furnished(Resource):
    """Installs what its version says; its update does more, and may fail."""

    options = Options(kind="Furnished", install_version=1)
    shared: int = 1
    fails: bool = False

    def identity(self) -> str:
        return "furnished"

    async def define_install(self) -> None:
        await self.do("base", Thing(value=1))
        await self.do("old", Thing(value=1))
        await self.do("shared", Thing(value=1))

    async def define_update(self) -> None:
        await self.do("shared", Thing(value=self.shared))
        await self.do("own", Thing(value=self.shared))
        if self.fails:
            raise Permanent("no")


class Later(Furnished):
    """The same, with an install that does other things."""

    options = Options(kind="Furnished", install_version=2)

    async def define_install(self) -> None:
        await self.do("base", Thing(value=2))
        await self.do("shared", Thing(value=2))


def upgrade(orbits: Orbits) -> None:
    """From here on the code has the later class alone."""
    orbits.registry = orbits.engine.registry = Registry()
    for cls in (Later, Thing):
        orbits.registry.know(cls)


def values_of(record: str) -> dict[str, int]:
    """The things of a record, by their places."""
    prefix = f"Thing Furnished {record}/"
    return {name.removeprefix(prefix): value for name, value in WORLD.things.items() if name.startswith(prefix)}


async def test_an_install_of_a_later_version_runs_once_and_is_not_taken_back(orbits: Orbits) -> None:
    await orbits.run(Furnished())
    upgrade(orbits)
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Later(shared=5, fails=True))
    assert failed.value.failure.state is State.REVERTED, failed.value.failure.left
    assert values_of("furnished") == {"base": 2, "old": 1, "shared": 2, "own": 1}
    assert (await orbits.record(Later, "furnished").row()).install_version == 2
    WORLD.log.clear()
    await orbits.run(Later(shared=6))
    assert WORLD.log == ["change Thing Furnished furnished/shared 6", "change Thing Furnished furnished/own 6"]
    await orbits.record(Later, "furnished").rollback()
    assert values_of("furnished") == {"base": 2, "old": 1, "shared": 1, "own": 1}


class Commanded(Resource[ThingState]):
    """A thing, with commands of its own."""

    value: int

    def identity(self) -> str:
        return "commanded"

    async def define_update(self) -> ThingState:
        return await self.do("thing", Thing(value=self.value))

    @command
    async def raised(self, by: int) -> int:
        """Update it with another value, inside of this command."""
        state = await self.do("up", Commanded(value=self.value + by))
        return state.value

    @command
    async def forever(self) -> None:
        """Do itself again."""
        await self.do("again", self.forever())


async def test_a_command_inside_of_another_runs_within_its_hold(orbits: Orbits) -> None:
    commanded = Commanded(value=1)
    await orbits.run(commanded)
    async with asyncio.timeout(60):
        assert await orbits.run(commanded.raised(by=4)) == 5
    record = await orbits.record(Commanded, "commanded").row()
    assert (record.revision, record.queue) == (2, ())
    with pytest.raises(ExecutionFailed, match="this does itself again"):
        await orbits.run(commanded.forever())


class Regretting(App):
    """Goes back to an older revision inside of its update, and then fails."""

    async def define_update(self) -> Any:
        outputs = await super().define_update()
        if self.first == 3:
            await self.do("back", self.rollback(to=1))
            raise Permanent("after all")
        return outputs


async def test_an_update_that_went_back_inside_of_it_and_fails_is_where_it_began(orbits: Orbits) -> None:
    for value in (1, 2):
        await orbits.run(Regretting(name="x", first=value, second=value))
    with pytest.raises(ExecutionFailed, match="after all") as failed:
        await orbits.run(Regretting(name="x", first=3, second=3))
    assert failed.value.failure.state is State.REVERTED, failed.value.failure.left
    assert set(WORLD.things.values()) == {2}
    assert (await orbits.record(Regretting, "x").row()).revision == 2
    assert [revision.number for revision in await orbits.record(Regretting, "x").history()] == [1, 2]


class Impatient(Thing):
    """Does not wait for its turn."""

    options = Options(on_conflict="fail")
    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> ThingState:
        await self.do("stop", Stop())
        return await super().define_update()


async def test_what_its_class_does_not_let_wait_is_refused_when_it_is_run_by_itself(orbits: Orbits) -> None:
    first = await orbits.start(Impatient(name="i", value=1))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    with pytest.raises(Refused, match=r"is busy with execution .*, and on_conflict='fail'"):
        await orbits.start(Impatient(name="i", value=2))
    WORLD.gate.set()
    assert await first == ThingState(value=1)


# Who waits for whom.


class Gated(SharedThing):
    """A thing whose making waits until the gate is open."""

    async def define_update(self) -> ThingState:
        await self.do("stop", Stop())
        return await super().define_update()


async def test_a_then_b_then_a_again_ends_with_a(orbits: Orbits) -> None:
    first = await orbits.start(Gated(name="g", value=1))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    second = await orbits.start(Gated(name="g", value=2))
    third = await orbits.start(Gated(name="g", value=1))
    again = await orbits.start(Gated(name="g", value=1))
    WORLD.gate.set()
    assert [await each for each in (first, second, third)] == [ThingState(value=v) for v in (1, 2, 1)]
    assert third.id not in {first.id, second.id}
    assert again.id == third.id
    assert WORLD.things == {"Gated g": 1}


async def test_new_code_asks_while_old_code_is_at_it_and_waits_its_turn(orbits: Orbits) -> None:
    orbits.engine.build = "old"
    first = await orbits.start(Gated(name="g", value=1))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    orbits.engine.build = "new"
    second = await orbits.start(Gated(name="g", value=1))
    assert second.id != first.id
    assert (await second.row()).started_at is None
    WORLD.gate.set()
    assert [await first, await second] == [ThingState(value=1)] * 2


async def test_two_workers_that_close_a_ring_at_the_same_moment(orbits: Orbits) -> None:
    await orbits.run(add(0, 0))
    async with MemoryStore() as kept:
        stores = [Process(kept).as_store() for _ in range(2)]
        async with Orbits(SETTINGS, store=stores[0]) as one, Orbits(SETTINGS, store=stores[1]) as two:
            async with asyncio.timeout(60):
                results = await asyncio.gather(
                    one.run(Crossing(name="a", other="b")),
                    two.run(Crossing(name="b", other="a")),
                    return_exceptions=True,
                )
            failed = [str(result) for result in results if isinstance(result, ExecutionFailed)]
            assert len(failed) <= 1
            assert all("would wait for itself" in text for text in failed)
            await two.settled()
            await all_ended(one)


class Late(MemoryStore):
    """Lets a parent park only once its child has ended."""

    parks = 0

    async def commit(self, transaction: Transaction) -> None:
        fence = transaction.fence
        if transaction.park is not None and fence is not None:
            row = await self.get(ExecutionRow, fence.execution)
            if row is not None and row.kind == "Parent":
                self.parks += 1
                WORLD.gate.set()
                children = await self.find(ExecutionRow, parent=fence.execution)
                while not any(child.ended_at for child in children):
                    await asyncio.sleep(0)
                    children = await self.find(ExecutionRow, parent=fence.execution)
        await super().commit(transaction)


class GatedParent(Resource[ThingState]):
    """Needs a thing."""

    options = Options(kind="Parent")

    def identity(self) -> str:
        return "late"

    async def define_update(self) -> ThingState:
        return await self.do("gated", Gated(name="g", value=1))


async def test_a_child_ends_between_its_parents_look_and_its_parking() -> None:
    store = Late()
    async with Orbits(SETTINGS, store=store) as orbits, asyncio.timeout(60):
        orbits.registry.know(GatedParent)
        assert await orbits.run(GatedParent()) == ThingState(value=1)
    assert store.parks >= 1


# What a definition is given.


async def test_one_instance_is_done_twice(orbits: Orbits) -> None:
    async def body(self: Any) -> Any:
        step = add(1, 2)
        return [
            await self.do("one", step),
            await self.do("two", step),
            *await asyncio.gather(twice(self, "a"), twice(self, "b")),
        ]

    async def twice(self: Any, ref: str) -> int:
        return sum([await self.do(ref, STEP, key=key) for key in "xy"])

    Edited.body = body
    assert await orbits.run(Edited()) == [3, 3, 14, 14]


STEP = add(3, 4)


class Odd(Exception):
    """An error of a type of its own."""


@action(idempotent=True)
async def values() -> tuple[set[int], datetime, timedelta, tuple[int, str]]:
    """Values that JSON has no types for."""
    return {3, 1}, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), timedelta(seconds=1.5), (1, "x")


@action(idempotent=True)
async def odd() -> None:
    """Fails."""
    raise Odd("so it is")


async def test_values_and_errors_are_the_same_on_the_first_run_and_on_a_re_run() -> None:
    seen: list[Any] = []

    async def body(self: Any) -> Any:
        found: list[Any] = list(await self.do("values", values()))
        try:
            await self.do("odd", odd())
        except ExecutionFailed as error:
            found += [error.error_type, error.message, error.path, error.caused_by(Odd), error.caused_by(Outage)]
        seen.append(found)
        await self.do("stop", Stop())

    await edited(body, body)
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert [type(value) for value in seen[0]] == [type(value) for value in seen[1]]
    assert seen[0][:2] == [{1, 3}, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)]
    assert seen[0][4:] == ["Odd", "so it is", ("odd",), True, False]
